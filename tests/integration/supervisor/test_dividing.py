"""What overtakes a split, over a real store and a scripted engine."""

from __future__ import annotations

import asyncio

import msgspec
import pytest
from msgspec.structs import replace

from heaptui.config import Config, PolicyConfig, RetryConfig
from heaptui.engine.base import Traces
from heaptui.errors import Refused, UsageError
from heaptui.inputs import Inputs, Item, Share, Source
from heaptui.model import Limits, State, TaskSpec, Work
from heaptui.protocol import Dispatch, Retry, Split, Submit, new_ids
from heaptui.store.records import Batch
from heaptui.supervisor import loop, operations, submitting
from heaptui.supervisor.splitting import dividing
from tests.integration.engine.contract import eventually
from tests.integration.engine.house import ENVIRONMENT, House

NAMES = tuple(f"unit {n}" for n in range(6))
ITEMS = tuple(Item(name, 10_000) for name in NAMES)
CAP = "went over its cap: 1.1G of 1.0G, killed by the watchdog"


@pytest.fixture
async def house(tmp_path):
    retry = RetryConfig(backoff="0.01s", backoff_max="0.05s")
    policy = PolicyConfig(oom_retries=0, split="auto")
    made = House(tmp_path / "s", Config(retry=retry, policy=policy))
    await made.enter()
    yield made
    await made.vanish()


async def working(house: House):
    """A task that works through six things."""
    spec = TaskSpec(
        argv=("true", "hold"), cwd="/", name="work", limits=Limits(cap_bytes=1 << 30, grace_s=1)
    )
    request = Submit(
        ids=new_ids(1),
        specs=[spec],
        environment=ENVIRONMENT,
        inputs=[Inputs(source=Source.LINES, items=ITEMS, origin="the test")],
    )
    (task_id,) = await submitting.submit(house.supervisor, request)
    return house.task(task_id)


async def waiting(house: House):
    """One that is not dispatched."""
    await operations.dispatch(house.supervisor, Dispatch(paused=True))
    return await working(house)


async def running(house: House, task=None, attempt: int = 1):
    task = task or await working(house)
    await house.submitted(task, attempt)
    house.engine.start(task.id, attempt)
    await house.until(task, State.RUNNING)
    return task


def shares(*items: Item) -> list[Share]:
    half = len(items) // 2
    return [Share(title="one", items=items[:half]), Share(title="two", items=items[half:])]


async def split(house: House, task, *items: Item, **fields):
    request = Split(task=task.id, shares=shares(*(items or ITEMS)), **fields)
    return await dividing.split(house.supervisor, request)


@pytest.fixture
def held(monkeypatch):
    """What is left is looked up for the last time when it may be."""
    asked, allowed, looks = asyncio.Event(), asyncio.Event(), []
    standing = dividing.standing

    async def slow(supervisor, task):
        looks.append(task)
        found = await standing(supervisor, task)
        if len(looks) == 2:
            asked.set()
            await allowed.wait()
        return found

    monkeypatch.setattr(dividing, "standing", slow)
    return asked, allowed


async def test_a_queued_task_that_starts_meanwhile_is_drained_and_then_divided(house, held):
    asked, allowed = held
    task = await waiting(house)
    splitting = asyncio.create_task(split(house, task))
    await asked.wait()
    await operations.dispatch(house.supervisor, Dispatch(paused=False))
    await house.submitted(task)
    allowed.set()
    house.engine.start(task.id)
    await house.until(task, State.SPLITTING)
    house.state.done(task.id).write_text(f"{NAMES[0]}\n")
    house.engine.end(task.id, 1, code=0)
    report = await splitting
    assert (report.done, len(report.children)) == (NAMES[:1], 2)
    assert task.state is State.SPLIT


async def test_an_attempt_that_is_not_the_one_meant_any_more_is_left_alone(house, held):
    asked, allowed = held
    task = await waiting(house)
    splitting = asyncio.create_task(split(house, task, attempt=0))
    await asked.wait()
    await operations.dispatch(house.supervisor, Dispatch(paused=False))
    await running(house, task)
    allowed.set()
    with pytest.raises(Refused, match="attempt 1 now"):
        await splitting
    assert task.state is State.RUNNING


async def test_the_policy_leaves_alone_what_the_operator_retries_while_it_looks(house, held):
    asked, allowed = held
    task = await running(house)
    house.engine.end(task.id, 1, signal=9, cap_hit=CAP, traces=Traces())
    await asked.wait()
    await operations.dispatch(house.supervisor, Dispatch(paused=True))
    await operations.retry(house.supervisor, Retry([task.id]))
    allowed.set()
    await eventually(
        lambda: not any("split of" in one.get_name() for one in asyncio.all_tasks()),
        "it is given up",
    )
    await house.settled()
    assert (task.state, task.children) == (State.QUEUED, [])
    assert "split" not in await house.history(task)


async def test_a_part_that_the_policy_cannot_split_lets_its_parent_end(house):
    task = await running(house)
    splitting = asyncio.create_task(split(house, task))
    await house.until(task, State.SPLITTING)
    house.engine.end(task.id, 1, signal=15)
    await splitting
    first, second = task.children
    await running(house, second)
    house.engine.end(second.id, 1, code=0)
    await running(house, first)
    house.state.done(first.id).write_text(f"{NAMES[0]}\n{NAMES[1]}\n")
    house.engine.end(first.id, 1, signal=9, cap_hit=CAP, traces=Traces())
    await house.until(task, State.QUARANTINED)
    assert "Not divided: " in first.reason


async def test_a_part_that_is_split_when_all_was_over_is_waited_for_again(house):
    task = await waiting(house)
    await split(house, task)
    await operations.dispatch(house.supervisor, Dispatch(paused=False))
    first, second = task.children
    for child, code in ((first, 0), (second, 3)):
        await running(house, child)
        house.engine.end(child.id, 1, code=code)
    await house.until(task, State.FAILED)
    await split(house, second, *ITEMS[3:])
    assert (second.state, task.state) == (State.SPLIT, State.SPLIT)
    for child in second.children:
        await running(house, child)
        house.engine.end(child.id, 1, code=0)
    await house.until(task, State.DONE)
    assert second.state is State.DONE


async def test_what_builds_on_an_undone_one_is_not_split_though_nobody_holds_that(
    house, monkeypatch
):
    task = await waiting(house)
    one, two = shares(*ITEMS)
    request = Split(task=task.id, shares=[one, replace(two, after=(0,))])
    await dividing.split(house.supervisor, request)
    await operations.dispatch(house.supervisor, Dispatch(paused=False))
    first, second = task.children
    await running(house, first)
    house.engine.end(first.id, 1, code=3)
    await house.until(task, State.FAILED)
    await house.settled()
    await house.vanish()
    monkeypatch.setattr(loop, "RECENT_AT_START", 0)
    await house.enter()
    with pytest.raises(Refused, match="waits for work:1"):
        await split(house, second, *ITEMS[3:])
    assert (await house.stored(second)).state is State.STOPPED


async def test_why_it_ended_is_kept_and_handed_over_whatever_bytes_it_quotes(house):
    task = await running(house)
    house.engine.end(task.id, 1, signal=9, cap_hit=f"{CAP} \udcff", traces=Traces())
    await house.until(task, State.SPLIT)
    for child in task.children:
        await house.submitted(child)
    division = await house.store.division(task.id)
    handover = msgspec.json.decode(house.state.handover(task.children[0].id).read_bytes())
    assert division.error == handover["error"]
    assert division.error.startswith(f"{CAP} \ufffd")


@pytest.mark.parametrize("table", ["divisions", "inputs"])
async def test_what_a_damaged_store_has_lost_of_a_split_stops_it(house, table):
    task = await running(house)
    splitting = asyncio.create_task(split(house, task))
    await house.until(task, State.SPLITTING)
    await house.settled()
    splitting.cancel()
    await house.vanish()
    await house.open()
    await house.store._connection.execute(f"DELETE FROM {table}")
    await house.vanish()
    await house.enter()
    task = house.task(task.id)
    assert task.state is State.SPLITTING
    house.engine.end(task.id, 1, signal=15)
    await house.until(task, State.STOPPED)
    assert task.children == []


async def test_what_it_works_through_is_known_while_that_is_stored(house, monkeypatch):
    begun, allowed, write = asyncio.Event(), asyncio.Event(), house.store.write

    async def slow(batch: Batch) -> None:
        if batch.inputs:
            begun.set()
            await allowed.wait()
        await write(batch)

    monkeypatch.setattr(house.store, "write", slow)
    submitting = asyncio.create_task(working(house))
    await begun.wait()
    (task,) = house.supervisor.ledger.tasks.values()
    assert (await house.supervisor.around.known.inputs(task.id)).items == ITEMS
    allowed.set()
    await submitting


async def test_two_spellings_of_one_thing_leave_the_others_to_do(house):
    task = await running(house)
    splitting = asyncio.create_task(split(house, task))
    await house.until(task, State.SPLITTING)
    lines = [f"{' ' * n}{NAMES[0]}" for n in range(6)]
    house.state.done(task.id).write_text("".join(f"{line}\n" for line in lines))
    work = Work(at=0.0, items_done=6, result_bytes=3)
    house.engine.end(task.id, 1, code=0, work=work)
    report = await splitting
    assert (report.done, len(report.children)) == (NAMES[:1], 2)


async def test_what_it_had_in_hand_is_told_by_its_name(house):
    task = await running(house)
    splitting = asyncio.create_task(split(house, task))
    await house.until(task, State.SPLITTING)
    work = Work(at=0.0, items_done=0, hand=(f"{NAMES[2]} ", "nothing of it"))
    house.engine.end(task.id, 1, signal=9, work=work)
    assert (await splitting).again == (NAMES[2],)


async def test_what_cannot_be_read_of_a_part_keeps_nobody_from_taking_over(house):
    task = await waiting(house)
    await split(house, task)
    first, _ = task.children
    house.state.task(first.id).mkdir(parents=True)
    house.state.done(first.id).mkdir()
    await house.vanish()
    await house.enter()
    assert house.task(first.id).state is State.QUEUED


@pytest.mark.parametrize(
    "fields", [{"reduce": ("no-such-program", "{results}")}, {"timeout_s": -1.0}]
)
async def test_children_that_could_never_run_are_refused_before_anything_is_touched(house, fields):
    task = await running(house)
    with pytest.raises((UsageError, Refused)):
        await split(house, task, **fields)
    assert (task.state, task.division) == (State.RUNNING, None)
