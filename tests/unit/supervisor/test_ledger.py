"""The books: what is counted, what is stored, and what a failed write costs (nothing)."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from heaptui.errors import StorageTrouble
from heaptui.inputs import ChildShare, Division, Inputs, Item, Source
from heaptui.model import LIVE, State, Verdict, VerdictKind, Work
from heaptui.store.records import Kin, Rollup
from heaptui.supervisor.ledger import ENDED_KEPT
from heaptui.supervisor.machine import IllegalStep, Trigger
from heaptui.supervisor.task import revived
from heaptui.supervisor.verdicts import judge
from tests.unit.supervisor.tasks import (
    MIB,
    Clock,
    added,
    ends,
    exited,
    ledger,
    running,
    sample,
    spec,
    started,
)

FULL = StorageTrouble("The disk is full.", "Free space.")
FAILED = Verdict(VerdictKind.FAILED, "exit code 1", ("exit code 1",))
FINISHED = Verdict(VerdictKind.FINISHED, "finished")


def division(*ids: str, after: tuple[str, ...] = ()) -> Division:
    """One child for each id, with an item of its name; `after`: what the last one builds on."""
    children = [
        ChildShare(
            id=one, title=f"part {one}", items=(Item(one, 10),), after=after * (one == ids[-1])
        )
        for one in ids
    ]
    return Division(at=1.0, by="operator", strategy="lines", timeout_s=60, children=tuple(children))


class Books(RuleBasedStateMachine):
    """Anything that may happen to tasks, in any order, with a disk that is full now and then."""

    def __init__(self) -> None:
        super().__init__()
        self.books, self.paper, self.onlooker = ledger()
        self.ended_once: dict[tuple[str, int], str] = {}
        self.dropped: set[str] = set()

    def pick(self, data: st.DataObject, *states: State):
        fits = sorted(t.id for t in self.books.tasks.values() if t.state in states)
        return self.books.tasks[data.draw(st.sampled_from(fits))] if fits else None

    @rule(retries=st.integers(0, 2))
    def submit(self, retries):
        if len(self.books.tasks) < 8:
            name = f"t{len(self.books.tasks) + len(self.dropped)}"
            self.books.enqueue(added(self.books, name, retries=retries))

    @rule()
    def dispatch(self):
        taken = self.books.queue.take(self.books.get)
        if taken is not None:
            attempts = taken.attempts
            assert not taken.state.live
            self.books.admit(taken)
            assert taken.attempts == attempts + 1

    @rule(data=st.data())
    def start(self, data):
        taken = self.pick(data, *LIVE)
        if taken is not None:
            self.books.started(taken, started(taken.id, taken.attempts))

    @rule(data=st.data())
    def recycle(self, data):
        taken = self.pick(data, State.RUNNING)
        if taken is not None:
            self.books.recycling(taken)

    @rule(data=st.data())
    def stop(self, data):
        taken = self.pick(data, *(s for s in State if not s.ended and s is not State.SPLIT))
        if taken is not None:
            self.books.stop(taken, "stop", 5.0)

    @rule(data=st.data())
    def divide(self, data):
        """A task that runs is asked to end for it; any other is split at once."""
        whole = self.pick(data, State.RUNNING, State.QUEUED, State.FAILED, State.QUARANTINED)
        if whole is not None:
            self.books.divide(whole, division(f"{whole.id}x"))
            if whole.state is not State.SPLITTING:
                self.books.split(whole, "split into 1 child")
                self.bear(whole)

    def bear(self, whole):
        for share in whole.division.children:
            if share.id not in self.books.tasks and share.id not in self.dropped:
                inputs = Inputs(source=Source.LINES, items=share.items, origin="list")
                kin = Kin(part=1, depth=whole.kin.depth + 1, title=share.title)
                part = spec(f"{whole.name}:1")
                child = self.books.add_child(whole, share.id, part, whole.order, kin, inputs)
                self.books.enqueue(child)

    @rule(data=st.data())
    def settle(self, data):
        whole = self.pick(data, State.SPLIT)
        if whole is not None and all(child.state.ended for child in whole.children):
            self.books.settle(whole, Trigger.FINISHED, "1 of 1 children done")

    @rule(data=st.data(), code=st.sampled_from([0, 1]))
    def end(self, data, code):
        taken = self.pick(data, *LIVE)
        if taken is not None:
            end = exited(taken.id, taken.attempts, code=code)
            stopped = taken.stop_why
            self.ended_once[taken.id, taken.attempts] = "x"
            made = ends(self.books, taken, judge(end, stopped, None), end)
            if taken.state is State.QUEUED:
                self.books.enqueue(taken)
            assert taken.failures <= taken.spec.retries
            if taken.state is State.SPLIT:
                self.bear(taken)
            assert stopped in (None, "recycle", "split") or taken.state.ended, made

    @rule(data=st.data())
    def due(self, data):
        taken = self.pick(data, State.BACKOFF)
        if taken is not None:
            self.books.due(taken)

    @rule(data=st.data())
    def retry(self, data):
        taken = self.pick(data, *(s for s in State if s.ended))
        if taken is not None:
            assert self.books.again(taken, 1000 + len(self.ended_once)) is taken
            self.books.enqueue(taken)

    @rule(data=st.data())
    def forget(self, data):
        taken = self.pick(data, *(s for s in State if s.ended))
        if taken is not None:
            asyncio.run(self.try_to_commit())
            self.books.forgotten(taken.id)
            self.dropped.add(taken.id)

    async def try_to_commit(self) -> None:
        try:
            await self.books.commit()
        except StorageTrouble:
            assert self.books.trouble is FULL

    @rule()
    def commit(self):
        asyncio.run(self.try_to_commit())

    @precondition(lambda self: self.paper.trouble is None)
    @rule()
    def fill_the_disk(self):
        self.paper.trouble = FULL

    @rule()
    def free_the_disk(self):
        self.paper.trouble = None

    @invariant()
    def counts_are_right(self):
        tasks = self.books.tasks.values()
        assert self.books.live == sum(task.state.live for task in tasks)
        assert self.books.unended == sum(not task.state.ended for task in tasks)

    @invariant()
    def attempts_only_grow_and_never_overlap(self):
        for task in self.books.tasks.values():
            if task.state.live:
                assert (task.id, task.attempts) not in self.ended_once
            for attempt in range(1, task.attempts):
                assert (task.id, attempt) in self.ended_once

    def teardown(self):
        """In the end everything is in the store as it is in the books."""
        self.paper.trouble = None
        asyncio.run(self.books.commit())
        for task in self.books.tasks.values():
            if task.state is not State.STARTING:
                stored = self.paper.tasks[task.id]
                assert (stored.state, stored.attempts) == (task.state, task.attempts)
        for task_id, attempt in self.ended_once:
            if task_id not in self.dropped:
                assert self.paper.attempts[task_id, attempt].ended_at is not None
        asyncio.run(self.books.commit())


Books.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
TestBooks = Books.TestCase


async def test_a_task_is_stored_with_its_history():
    books, paper, onlooker = ledger()
    task = running(books)
    ends(books, task, FINISHED, exited(code=0))
    await books.commit()
    assert paper.tasks["a"].state is State.DONE
    assert paper.attempts["a", 1].status == "done"
    assert paper.events == [("a", "queued"), ("a", "started"), ("a", "finished")]
    assert [event.kind for event in onlooker.events] == ["queued", "started", "finished"]
    assert set(onlooker.seen) == {"a"}


async def test_a_commit_without_changes_writes_nothing():
    books, paper, _ = ledger()
    added(books)
    await books.commit()
    await books.commit()
    assert len(paper.batches) == 1


async def test_what_could_not_be_written_goes_with_the_next_commit_once():
    books, paper, _ = ledger()
    task = running(books)
    books.rolled(Rollup(task_id="a", attempt=1, minute=1, low=1, high=2, last=2))
    paper.trouble = FULL
    with pytest.raises(StorageTrouble):
        await books.commit()
    assert books.trouble is FULL
    ends(books, task, FINISHED, exited(code=0))
    paper.trouble = None
    await books.commit()
    assert books.trouble is None
    (batch,) = paper.batches
    assert paper.events == [("a", "queued"), ("a", "started"), ("a", "finished")]
    assert (len(batch.tasks), len(batch.attempts), len(batch.rollups)) == (1, 1, 1)


async def test_a_retried_attempt_is_stored_as_failed_even_after_the_next_began():
    books, paper, _ = ledger()
    task = running(books, retries=1)
    paper.trouble = FULL
    assert ends(books, task, FAILED, exited(code=1)).trigger is Trigger.TRY_AGAIN
    with pytest.raises(StorageTrouble):
        await books.commit()
    books.due(task)
    books.admit(task)
    books.started(task, started(attempt=2))
    paper.trouble = None
    await books.commit()
    assert (paper.attempts["a", 1].status, paper.attempts["a", 1].exit_code) == ("failed", 1)
    assert (paper.attempts["a", 2].status, paper.attempts["a", 2].exit_code) == ("running", None)


async def test_a_second_commit_waits_for_the_first():
    books, paper, _ = ledger()
    gate = asyncio.Event()
    write = paper.write

    async def slowly(batch):
        await gate.wait()
        await write(batch)

    paper.write = slowly
    added(books)
    first = asyncio.ensure_future(books.commit())
    second = asyncio.ensure_future(books.commit())
    for _ in range(5):
        await asyncio.sleep(0)
    assert not second.done()
    gate.set()
    await asyncio.gather(first, second)
    assert len(paper.batches) == 1


async def test_a_commit_whose_waiter_left_is_written_all_the_same():
    books, paper, _ = ledger()
    added(books)
    waiter = asyncio.ensure_future(books.commit())
    await asyncio.sleep(0)
    waiter.cancel()
    await asyncio.gather(waiter, return_exceptions=True)
    await books.commit()
    assert paper.events == [("a", "queued")]


async def test_a_task_that_was_never_stored_leaves_no_trace():
    books, paper, onlooker = ledger()
    task = added(books)
    paper.trouble = FULL
    with pytest.raises(StorageTrouble):
        await books.commit()
    books.drop(task)
    paper.trouble = None
    await books.commit()
    assert paper.batches == []
    assert (books.live, books.unended, books.tasks) == (0, 0, {})
    assert onlooker.left == ["a"]


async def test_only_the_latest_ended_tasks_stay_and_only_stored_ones_leave():
    books, paper, onlooker = ledger()
    paper.trouble = FULL
    for n in range(ENDED_KEPT + 5):
        task = running(books, f"t{n}")
        ends(books, task, FINISHED, exited(f"t{n}", code=0))
    with pytest.raises(StorageTrouble):
        await books.commit()
    assert len(books.tasks) == ENDED_KEPT + 5
    paper.trouble = None
    await books.commit()
    assert len(books.tasks) == ENDED_KEPT
    assert onlooker.left == [f"t{n}" for n in range(5)]
    assert books.get("t0") is None


async def test_a_retried_task_is_not_shed():
    books, _, _ = ledger()
    first = running(books, "first")
    ends(books, first, FINISHED, exited("first", code=0))
    await books.commit()
    books.again(first, 99)
    for n in range(ENDED_KEPT + 5):
        task = running(books, f"t{n}")
        ends(books, task, FINISHED, exited(f"t{n}", code=0))
    await books.commit()
    assert books.get("first") is first


async def test_a_task_that_only_the_store_held_is_queued_again_once():
    books, paper, _ = ledger()
    task = running(books)
    ends(books, task, FAILED, exited(code=1))
    await books.commit()
    stored = paper.tasks["a"]
    books.forgotten("a")
    one, other = revived(stored), revived(stored)
    assert books.again(one, 7) is one
    assert books.again(other, 8) is one
    assert (books.unended, books.live, one.order) == (1, 0, 7)
    assert (one.exit_code, one.verdict, one.ended_at, one.failures) == (None, None, None, 0)


def test_an_adopted_task_keeps_the_instant_at_which_it_began():
    books, _, _ = ledger()
    task = running(books)
    books.started(task, started(pid=78, at=5000.0))
    assert (task.started_at, task.pid) == (1001.0, 78)


def test_an_attempt_that_ends_keeps_its_peak_and_a_new_one_begins_without():
    books, _, _ = ledger()
    task = running(books, retries=1)
    task.measured(sample("a", 300 * MIB), 1001.0)
    ends(books, task, FAILED, exited(code=1, peak_bytes=350 * MIB))
    assert (task.attempt_peak, task.peak_bytes) == (350 * MIB, 350 * MIB)
    books.due(task)
    books.admit(task)
    assert (task.attempt_peak, task.peak_bytes) == (None, 350 * MIB)
    task.measured(sample("a", 100 * MIB, attempt=2), 1003.0)
    assert (task.attempt_peak, task.peak_bytes) == (100 * MIB, 350 * MIB)


def test_a_stop_remembers_why_and_until_when():
    books, _, _ = ledger()
    task = running(books)
    books.stop(task, "timeout", 1234.0)
    assert (task.state, task.stop_why, task.stop_by) == (State.STOPPING, "timeout", 1234.0)
    assert revived(task.stored()).stop_by == 1234.0


def test_a_task_stopped_while_it_backs_off_waits_for_nothing():
    books, _, _ = ledger()
    task = running(books, retries=1)
    ends(books, task, FAILED, exited(code=1))
    books.back_off(task, 2000.0)
    books.stop(task, "stop", None)
    assert (task.state, task.next_try_at) == (State.STOPPED, None)
    assert task.row().next_try_at is None


def test_what_cannot_happen_is_refused_and_changes_no_count():
    books, _, _ = ledger()
    task = added(books)
    with pytest.raises(IllegalStep):
        ends(books, task, FINISHED, exited(code=0))
    assert (books.live, books.unended) == (0, 1)


@pytest.mark.parametrize("state", [State.QUEUED, State.BACKOFF, State.RUNNING, State.STOPPING])
def test_an_attempt_that_was_begun_and_not_stored_is_caught_up_with(state):
    books, _, _ = ledger()
    task = running(books, retries=5)
    if state is State.STOPPING:
        books.stop(task, "stop", 9.0)
    elif state is not State.RUNNING:
        ends(books, task, FAILED, exited(code=1))
        if state is State.QUEUED:
            books.due(task)
    books.catch_up(task, 2)
    assert task.attempts == 2
    assert task.state.live
    assert (books.live, books.unended) == (1, 1)
    assert (task.stop_why, task.stop_by) == (
        ("stop", 9.0) if state is State.STOPPING else (None,) * 2
    )


def test_time_is_the_clocks():
    books, _, onlooker = ledger()
    clock = books._clock
    assert isinstance(clock, Clock)
    clock.now = 4242.0
    assert added(books).created_at == 4242.0
    assert onlooker.events[0].at == 4242.0


def family(books, *, state=State.QUEUED):
    """A task of four items, split into two children of which the second builds on the first."""
    items = tuple(Item(name, 10) for name in "pqrs")
    inputs = Inputs(source=Source.LINES, items=items, origin="list")
    whole = books.add("a", spec("whole"), 1, 100 * MIB, "given", "env", inputs)
    if state is State.RUNNING:
        books.admit(whole)
        books.started(whole, started())
    made = division("b", "c", after=("b",))
    books.divide(whole, made)
    books.split(whole, "split into 2 children")
    children = []
    for part, share in enumerate(made.children, 1):
        kin = Kin(part=part, depth=1, title=share.title, after=share.after)
        own = Inputs(source=Source.LINES, items=share.items, origin="list")
        name = spec(f"whole:{part}")
        children.append(books.add_child(whole, share.id, name, 1 + part, kin, own))
    return whole, *children


async def test_a_split_is_stored_as_one_with_its_children_and_what_they_work_through():
    books, paper, _ = ledger()
    whole, first, second = family(books)
    await books.commit()
    (batch,) = paper.batches
    assert {task.id: task.state for task in batch.tasks} == {
        "a": State.SPLIT,
        "b": State.QUEUED,
        "c": State.QUEUED,
    }
    assert set(batch.inputs) == {"a", "b", "c"}
    assert batch.divisions["a"] is whole.division
    assert (whole.kin.children, first.parent, second.kin.after) == (2, "a", ("b",))
    assert (first.environment, first.cap_bytes) == (whole.environment, whole.cap_bytes)


async def test_what_could_not_be_written_of_a_split_goes_with_the_next_commit():
    books, paper, _ = ledger()
    family(books)
    paper.trouble = FULL
    with pytest.raises(StorageTrouble):
        await books.commit()
    assert books.inputs_unstored("b") is not None
    paper.trouble = None
    await books.commit()
    (batch,) = paper.batches
    assert set(batch.inputs) == {"a", "b", "c"}
    assert set(batch.divisions) == {"a"}
    assert books.inputs_unstored("b") is None


def test_what_builds_on_another_is_not_dispatched_before_that_is_done():
    books, _, _ = ledger()
    _, first, second = family(books)
    books.enqueue(second)
    assert second.row().wait_reason == "waits for whole:1"
    assert books.queue.take(books.get) is None
    books.enqueue(first)
    assert books.queue.take(books.get) is first
    books.admit(first)
    books.started(first, started("b"))
    ends(books, first, FINISHED, exited("b", code=0))
    books.enqueue(second)
    assert books.queue.take(books.get) is second


def test_a_task_that_was_split_shows_what_its_children_hold_and_have_done():
    books, _, onlooker = ledger()
    whole, first, second = family(books)
    for child in (first, second):
        books.enqueue(child)
    books.admit(first)
    books.started(first, started("b"))
    first.measured(sample("b", 70 * MIB), 1001.0)
    onlooker.seen.clear()
    books.worked(first, Work(at=1.0, items_done=1))
    row = whole.row()
    assert (row.memory_bytes, row.processes) == (70 * MIB, 1)
    assert (row.items_done, row.done, row.total) == (1, 1, 4)
    assert row.progress == "0 of 2 children ended"
    assert set(onlooker.seen) == {"a", "b"}, "what a child did its parent shows"
    assert (row.children, first.row().parent, first.row().part) == (2, "a", 1)


async def test_children_stay_in_memory_while_their_parent_waits():
    books, _, _ = ledger()
    whole, first, _ = family(books)
    books.admit(first)
    books.started(first, started("b"))
    ends(books, first, FINISHED, exited("b", code=0))
    for n in range(ENDED_KEPT + 5):
        task = running(books, f"t{n}")
        ends(books, task, FINISHED, exited(f"t{n}", code=0))
    await books.commit()
    assert books.get("b") is first
    assert whole.children[0] is first
