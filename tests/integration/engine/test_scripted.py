"""The scripted engine keeps the contract; and the supervisor, over it, when an engine loses
attempts, says things twice, late or out of order, and when the store has no room."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest

from heaptui.config import Config, QueueConfig
from heaptui.engine.base import (
    Exited,
    LaunchSpec,
    Message,
    NodeDown,
    NodeUp,
    Placed,
    Queued,
    Started,
)
from heaptui.errors import NoSuchTask, Refused, StorageTrouble, UsageError
from heaptui.model import Identity, State, TaskSample, VerdictKind
from heaptui.protocol import Dispatch, Retry, Stop
from heaptui.store.records import Batch
from heaptui.supervisor import operations
from tests.integration.engine.contract import EngineContract, Listener, Part, eventually
from tests.integration.engine.house import QUICK, House
from tests.integration.engine.scripted import ScriptedEngine, World

SCRIPTS: dict[Part, tuple[str, ...]] = {
    Part.EXITS_3: ("exit", "3"),
    Part.ENDED_BY_SIGNAL_10: ("signal", "10"),
    Part.RUNS: ("run",),
    Part.IGNORES_TERM: ("stubborn",),
    Part.CANNOT_BE_EXECUTED: ("bad",),
}


class ScriptedStage:
    """See contract.Stage."""

    def __init__(self) -> None:
        self.world = World()

    def spec(self, task_id: str, part: Part, attempt: int = 1) -> LaunchSpec:
        return LaunchSpec(
            task_id=task_id,
            name=task_id,
            argv=("script", *SCRIPTS[part]),
            cwd="/",
            env={},
            output="",
            output_bytes=0,
        )

    async def ready(self, task_id: str, attempt: int) -> None:
        """What is scripted needs no time."""

    async def enter(self) -> None:
        self.engine = ScriptedEngine(self.world)
        await self.engine.open()
        self.listener = Listener(self.engine)

    async def leave(self) -> None:
        await self.listener.stop()
        await self.engine.close()


@pytest.fixture
async def stage() -> AsyncIterator[ScriptedStage]:
    made = ScriptedStage()
    await made.enter()
    yield made
    await made.leave()


class TestScripted(EngineContract):
    pass


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    made = House(tmp_path / "s")
    await made.enter()
    yield made
    await made.vanish()


# --- what an engine may say
async def test_a_task_goes_from_queued_to_done(house):
    task = await house.submit("hold")
    await house.submitted(task)
    assert task.state is State.STARTING
    house.engine.start(task.id)
    await house.until(task, State.RUNNING)
    house.engine.end(task.id, code=0)
    await house.until(task, State.DONE)
    await house.acknowledged(task)
    stored = await house.stored(task)
    assert (stored.state, stored.exit_code, stored.attempts) == (State.DONE, 0, 1)
    assert await house.history(task) == ["queued", "started", "finished"]
    (attempt,) = await house.store.attempts(task.id)
    assert (attempt.status, attempt.exit_code) == ("done", 0)
    assert house.supervisor.ledger.live == house.supervisor.ledger.unended == 0


async def test_a_lost_attempt_loses_its_task(house):
    task = await house.submit("run")
    await house.until(task, State.RUNNING)
    house.engine.lose(task.id)
    await house.until(task, State.LOST)
    await house.acknowledged(task)
    stored = await house.stored(task)
    assert (stored.state, stored.verdict) == (State.LOST, VerdictKind.LOST)
    assert (stored.exit_code, stored.signal) == (None, None)
    assert "the node stage is gone" in stored.reason


async def test_an_end_that_is_told_twice_counts_once(house):
    task = await house.submit("hold")
    await house.submitted(task)
    house.engine.start(task.id)
    house.engine.end(task.id, code=3)
    house.engine.end(task.id, code=0)
    await house.settled()
    assert (task.state, task.exit_code) == (State.FAILED, 3)
    assert [kind for kind in await house.history(task) if kind in ("failed", "finished")] == [
        "failed"
    ]
    assert house.engine.acknowledged.count((task.id, 1)) == 2


async def test_an_end_told_again_after_a_loss_changes_nothing(house):
    task = await house.submit("run")
    await house.until(task, State.RUNNING)
    house.engine.lose(task.id)
    house.engine.end(task.id, code=0)
    await house.settled()
    assert (task.state, task.verdict) == (State.LOST, VerdictKind.LOST)


async def test_events_of_an_older_attempt_are_dropped(house):
    task = await house.submit("hold", retries=1)
    await house.submitted(task)
    house.engine.end(task.id, code=3)
    await house.submitted(task, 2)
    house.engine.start(task.id, 2)
    await house.until(task, State.RUNNING)
    mine = task.pid
    other = Identity("scripted", 1, 1)
    memory = TaskSample(
        task_id=task.id, attempt=1, memory_bytes=9, memory_from="rss", rss_bytes=9, processes=9
    )
    for stale in (
        Started(task_id=task.id, attempt=1, node="stage", identity=other, at=1.0),
        Message(task_id=task.id, attempt=1, at=1.0, kind="leftovers", text="stale"),
        Exited(task_id=task.id, attempt=1, node="stage", at=1.0, code=0),
    ):
        house.engine.emit(stale)
    house.engine.sample(2.0, memory)
    house.engine.lose(task.id, 1)
    await house.settled()
    assert (task.state, task.attempts) == (State.RUNNING, 2)
    assert task.pid == mine
    assert task.sample is None
    assert "leftovers" not in await house.history(task)
    assert house.engine.acknowledged.count((task.id, 1)) == 3
    house.engine.end(task.id, 2, code=0)
    await house.until(task, State.DONE)


async def test_an_end_may_come_before_the_start(house):
    task = await house.submit("hold")
    await house.submitted(task)
    house.engine.end(task.id, code=4)
    await house.until(task, State.FAILED)
    house.engine.emit(
        Started(task_id=task.id, attempt=1, node="", identity=Identity("b", 1, 1), at=1.0)
    )
    await house.settled()
    assert (task.state, task.exit_code, task.started_at) == (State.FAILED, 4, None)


async def test_what_cannot_be_executed_is_a_bad_launch_and_never_tried_again(house):
    task = await house.submit("bad", retries=5)
    await house.until(task, State.FAILED)
    assert (task.attempts, task.verdict) == (1, VerdictKind.BAD_LAUNCH)
    assert "no such program" in task.reason


async def test_a_start_that_comes_while_it_is_being_stopped_changes_nothing(house):
    task = await house.submit("hold")
    await house.submitted(task)
    await operations.stop(house.supervisor, Stop(tasks=[task.id], grace_s=7))
    assert house.engine.cancelled == [(task.id, 7)]
    house.engine.start(task.id)
    await house.settled()
    assert task.state is State.STOPPING
    house.engine.end(task.id, signal=15, stopped=True)
    await house.until(task, State.STOPPED)
    assert (task.verdict, task.signal) == (VerdictKind.STOPPED, 15)


async def test_where_the_engine_puts_it_and_what_it_says_is_in_the_history(house):
    task = await house.submit("hold")
    await house.submitted(task)
    house.engine.emit(Queued(task_id=task.id, attempt=1, why="waits for memory"))
    await eventually(lambda: task.row().wait_reason == "waits for memory", "why it waits")
    house.engine.emit(Placed(task_id=task.id, attempt=1, node="n7"))
    house.engine.start(task.id)
    house.engine.emit(Message(task_id=task.id, attempt=1, at=1.0, kind="leftovers", text="two"))
    await house.settled()
    assert await house.history(task) == ["queued", "placed", "started", "leftovers"]


async def test_nodes_that_come_and_go_end_nothing(house):
    task = await house.submit("run")
    await house.until(task, State.RUNNING)
    house.engine.emit(NodeDown(node="stage", at=1.0, why="cut"))
    house.engine.emit(NodeUp(node="stage", at=2.0))
    await house.settled()
    assert task.state is State.RUNNING


async def test_an_engine_that_fails_ends_the_supervisor_with_its_error(house):
    house.engine.fail(RuntimeError("the engine broke"))
    outcome = await house.outcome()
    assert isinstance(outcome, ExceptionGroup)
    assert outcome.subgroup(RuntimeError) is not None


async def test_a_sample_is_shown_and_its_peak_kept(house):
    task = await house.submit("run")
    await house.until(task, State.RUNNING)
    for second, megabytes in enumerate((100, 300, 200)):
        house.engine.sample(
            1000.0 + second,
            TaskSample(
                task_id=task.id,
                attempt=1,
                memory_bytes=megabytes << 20,
                memory_from="cgroup",
                rss_bytes=1 << 20,
                processes=3,
            ),
        )
    await house.settled()
    row = task.row()
    assert (row.memory_bytes, row.peak_bytes) == (200 << 20, 300 << 20)
    assert (row.memory_from, row.processes) == ("cgroup", 3)
    house.engine.end(task.id, code=0, peak_bytes=350 << 20)
    await house.until(task, State.DONE)
    row = task.row()
    assert (row.memory_bytes, row.processes, row.peak_bytes) == (None, None, 350 << 20)


# --- stops, time-outs, retries, the queue
async def test_a_task_that_waits_is_stopped_without_the_engine(house):
    await operations.dispatch(house.supervisor, Dispatch(paused=True))
    task = await house.submit("run")
    await operations.stop(house.supervisor, Stop(tasks=[task.id]))
    assert (task.state, task.reason) == (State.STOPPED, "stopped before it ran")
    await operations.dispatch(house.supervisor, Dispatch(paused=False))
    await house.settled()
    assert house.engine.submitted == house.engine.cancelled == []


async def test_a_kill_follows_a_stop(house):
    task = await house.submit("stubborn")
    await house.until(task, State.RUNNING)
    await operations.stop(house.supervisor, Stop(tasks=[task.id], grace_s=3600))
    assert task.state is State.STOPPING
    await operations.stop(house.supervisor, Stop(tasks=[task.id], now=True))
    await house.until(task, State.STOPPED)
    assert house.engine.cancelled == [(task.id, 3600), (task.id, 0)]
    assert task.reason == "killed by the operator"


async def test_a_stop_that_names_another_attempt_is_refused(house):
    task = await house.submit("run")
    await house.until(task, State.RUNNING)
    with pytest.raises(Refused, match="attempt 1 now, not 2"):
        await operations.stop(house.supervisor, Stop(tasks=[task.id], attempts=[2]))
    assert task.state is State.RUNNING
    assert house.engine.cancelled == []


async def test_a_task_that_finishes_while_it_is_being_stopped_is_done(house):
    task = await house.submit("hold")
    await house.submitted(task)
    house.engine.start(task.id)
    await house.until(task, State.RUNNING)
    await operations.stop(house.supervisor, Stop(tasks=[task.id]))
    house.engine.end(task.id, code=0, stopped=True)
    await house.until(task, State.DONE)


async def test_a_time_out_stops_with_the_tasks_own_grace(house):
    task = await house.submit("run", timeout_s=0.01, grace_s=4)
    await house.until(task, State.FAILED)
    assert task.verdict is VerdictKind.TIMED_OUT
    assert house.engine.cancelled == [(task.id, 4)]


async def test_a_failed_task_is_tried_again_as_often_as_it_may(house):
    task = await house.submit("exit", "3", retries=2)
    await house.until(task, State.FAILED)
    assert house.engine.submitted == [(task.id, 1), (task.id, 2), (task.id, 3)]
    assert (task.attempts, task.failures) == (3, 2)


async def test_a_task_that_is_stopped_is_not_tried_again(house):
    task = await house.submit("run", retries=3)
    await house.until(task, State.RUNNING)
    await operations.stop(house.supervisor, Stop(tasks=[task.id]))
    await house.until(task, State.STOPPED)
    await house.settled()
    assert house.engine.submitted == [(task.id, 1)]


async def test_places_and_priorities_are_kept(tmp_path):
    house = House(tmp_path / "s", Config(queue=QueueConfig(concurrency=1), retry=QUICK.retry))
    await house.enter()
    first = await house.submit("hold")
    later = [await house.submit("exit", "0", priority=n) for n in (0, 5, 5)]
    await house.submitted(first)
    assert [task.state for task in later] == [State.QUEUED] * 3
    house.engine.end(first.id, code=0)
    await eventually(lambda: all(task.state is State.DONE for task in later), "all are done")
    assert [key[0] for key in house.engine.submitted] == [
        first.id,
        later[1].id,
        later[2].id,
        later[0].id,
    ]
    await house.vanish()


async def test_a_paused_queue_starts_nothing_until_it_is_resumed(house):
    await operations.dispatch(house.supervisor, Dispatch(paused=True))
    task = await house.submit("exit", "0")
    await house.settled()
    assert (task.state, house.engine.submitted) == (State.QUEUED, [])
    await operations.dispatch(house.supervisor, Dispatch(paused=False))
    await house.until(task, State.DONE)


async def test_the_operator_can_queue_an_ended_task_again(house):
    task = await house.submit("exit", "3")
    await house.until(task, State.FAILED)
    await operations.retry(house.supervisor, Retry([task.id]))
    await house.submitted(task, 2)
    await house.until(task, State.FAILED)
    assert task.attempts == 2


async def test_submitting_the_same_ids_again_queues_nothing_twice(house):
    task = await house.submit("run", task_id="aaaaaa")
    again = await house.submit("run", task_id="aaaaaa")
    assert again is task
    await house.settled()
    assert house.engine.submitted == [("aaaaaa", 1)]


@pytest.mark.parametrize("task_id", ["../../outside", "a b", "", "x" * 300])
async def test_an_id_that_is_none_is_refused(house, task_id):
    with pytest.raises(UsageError):
        await house.submit("run", task_id=task_id or "/")
    assert house.supervisor.ledger.tasks == {}
    assert not (house.state.root.parent / "outside").exists()


async def test_what_is_left_is_told_to_the_engine_and_nothing_left_is_idle(house):
    await house.supervisor.idle.wait()
    task = await house.submit("run")
    assert house.engine.expected[-1] == 1
    assert not house.supervisor.idle.is_set()
    await operations.stop(house.supervisor, Stop(tasks=[task.id]))
    await house.supervisor.idle.wait()
    assert house.engine.expected[-1] == 0
    assert house.engine.acknowledged == [(task.id, 1)]


async def test_a_task_whose_environment_is_gone_is_a_bad_launch(house):
    await operations.dispatch(house.supervisor, Dispatch(paused=True))
    task = await house.submit("run")
    house.supervisor.environments.keep_only([])
    await operations.dispatch(house.supervisor, Dispatch(paused=False))
    await house.until(task, State.FAILED)
    assert task.verdict is VerdictKind.BAD_LAUNCH
    assert house.engine.submitted == []


# --- a full disk
async def test_nothing_is_acknowledged_that_is_not_stored(house):
    task = await house.submit("hold")
    await house.submitted(task)
    house.engine.start(task.id)
    await house.settled()
    await house.fill_disk()
    house.engine.end(task.id, code=0)
    await house.until(task, State.DONE)
    await eventually(lambda: house.supervisor.ledger.trouble is not None, "the trouble is known")
    house.engine.sample()
    await eventually(
        lambda: "full" in (house.supervisor.gallery.host.store_trouble or ""), "the header says so"
    )
    assert any(alert.id == "store" for alert in house.supervisor.gallery.alerts)
    assert (task.id, 1) not in house.engine.acknowledged
    assert (await house.stored(task)).state is not State.DONE
    await house.free_disk()
    await house.acknowledged(task)
    assert (await house.stored(task)).state is State.DONE
    house.engine.sample()
    await eventually(
        lambda: house.supervisor.gallery.host.store_trouble is None, "the header is calm again"
    )
    assert await house.history(task) == ["queued", "started", "finished"]


async def test_what_cannot_be_stored_is_not_queued(house):
    await house.settled()
    await house.fill_disk()
    with pytest.raises(StorageTrouble, match="full"):
        await house.submit("run", task_id="aaaaaa")
    assert house.supervisor.ledger.get("aaaaaa") is None
    assert house.supervisor.ledger.unended == 0
    await house.free_disk()
    task = await house.submit("run", task_id="aaaaaa")
    await house.until(task, State.RUNNING)


async def test_an_attempt_that_ended_on_a_full_disk_is_in_the_books_afterwards(house):
    task = await house.submit("hold", retries=1)
    await house.submitted(task)
    house.engine.start(task.id)
    await house.settled()
    await house.fill_disk()
    house.engine.end(task.id, code=3)
    await house.submitted(task, 2)
    house.engine.start(task.id, 2)
    await house.until(task, State.RUNNING)
    await house.free_disk()
    await house.acknowledged(task, 1)
    first, second = await house.store.attempts(task.id)
    assert (first.attempt, first.status, first.exit_code) == (1, "failed", 3)
    assert first.ended_at is not None
    assert (second.attempt, second.status) == (2, "running")


async def test_commits_made_at_once_are_durable_when_they_return(house):
    task = await house.submit("hold")
    await house.settled()
    ledger = house.supervisor.ledger
    ledger.note(task, "mark", "one")
    first = asyncio.ensure_future(ledger.commit())
    await asyncio.sleep(0)
    await ledger.commit()
    assert "mark" in await house.history(task)
    await first


async def test_who_gives_up_waiting_for_a_commit_loses_nothing(house):
    task = await house.submit("hold")
    await house.settled()
    ledger = house.supervisor.ledger
    ledger.note(task, "mark", "one")
    given_up = asyncio.ensure_future(ledger.commit())
    await asyncio.sleep(0)
    given_up.cancel()
    await asyncio.gather(given_up, return_exceptions=True)
    await ledger.commit()
    assert (await house.history(task)).count("mark") == 1


async def test_who_gives_up_submitting_leaves_a_whole_task_or_none(house):
    giving_up = asyncio.ensure_future(house.submit("run", task_id="aaaaaa"))
    await eventually(lambda: house.supervisor.ledger.get("aaaaaa") is not None, "it is on its way")
    giving_up.cancel()
    await asyncio.gather(giving_up, return_exceptions=True)
    await eventually(
        lambda: (
            house.supervisor.ledger.unended == 0
            or house.supervisor.ledger.tasks["aaaaaa"].state is State.RUNNING
        ),
        "it runs, or is not there",
    )


# --- one supervisor after another
async def succeed(house: House) -> None:
    await house.vanish()
    await house.enter()


async def test_a_running_task_is_adopted_with_its_identity(house):
    task = await house.submit("run")
    await house.until(task, State.RUNNING)
    await house.settled()
    await succeed(house)
    adopted = house.task(task.id)
    await eventually(lambda: adopted.pid == task.pid, "it is adopted")
    assert (adopted.state, adopted.attempts) == (State.RUNNING, 1)
    assert house.engine.submitted == []
    assert house.supervisor.ledger.live == 1


async def test_a_queued_task_is_dispatched_by_the_next_supervisor(house):
    await operations.dispatch(house.supervisor, Dispatch(paused=True))
    task = await house.submit("exit", "0")
    await operations.dispatch(house.supervisor, Dispatch(paused=False))
    await house.store.set_meta("paused", None)
    house.supervisor.dispatch.paused = True
    await succeed(house)
    await house.until(house.task(task.id), State.DONE)


async def test_a_pause_outlives_the_supervisor(house):
    await operations.dispatch(house.supervisor, Dispatch(paused=True, concurrency=3))
    await succeed(house)
    assert (house.supervisor.dispatch.paused, house.supervisor.dispatch.concurrency) == (True, 3)


async def test_a_task_that_backs_off_goes_on_backing_off(tmp_path):
    house = House(tmp_path / "s")
    await house.enter()
    task = await house.submit("exit", "3", retries=1)
    await house.until(task, State.FAILED)
    await house.acknowledged(task, 2)
    await house.vanish()
    # as it was stored between the two attempts
    await house.open()
    stored = await house.stored(task)
    between = msgspec.structs.replace(
        stored, state=State.BACKOFF, attempts=1, next_try_at=house.supervisor.clock()
    )
    await house.store.write(Batch(tasks=[between]))
    await house.vanish()
    await house.enter()
    await house.submitted(task, 2)
    await house.until(house.task(task.id), State.FAILED)
    await house.vanish()


async def test_an_end_while_nobody_supervised_is_learned(house):
    task = await house.submit("run")
    await house.until(task, State.RUNNING)
    await house.settled()
    await house.vanish()
    key = (task.id, 1)
    del house.world.live[key]
    house.world.ended[key] = Exited(task_id=task.id, attempt=1, node="stage", at=1234.5, code=7)
    await house.enter()
    learned = house.task(task.id)
    await house.until(learned, State.FAILED)
    assert (learned.exit_code, learned.ended_at) == (7, 1234.5)
    await house.acknowledged(task)


async def test_a_task_that_ran_and_that_nobody_knows_is_lost(house):
    task = await house.submit("run")
    await house.until(task, State.RUNNING)
    await house.settled()
    await house.vanish()
    house.world.live.clear()
    await house.enter()
    gone = house.task(task.id)
    await house.until(gone, State.LOST)
    assert "nothing on this machine knows" in gone.reason
    assert house.engine.submitted == []


async def test_a_stop_goes_on_under_the_next_supervisor(house):
    task = await house.submit("stubborn")
    await house.until(task, State.RUNNING)
    await operations.stop(house.supervisor, Stop(tasks=[task.id], grace_s=3600))
    await house.settled()
    await succeed(house)
    ((cancelled, grace),) = house.engine.cancelled
    assert cancelled == task.id
    assert 3000 < grace <= 3600
    await operations.stop(house.supervisor, Stop(tasks=[task.id], now=True))
    await house.until(house.task(task.id), State.STOPPED)


async def test_an_attempt_that_began_and_was_not_stored_is_caught_up_with(house):
    await operations.dispatch(house.supervisor, Dispatch(paused=True))
    task = await house.submit("run")
    await house.vanish()
    # the supervisor before submitted it and died before it stored so
    other = ScriptedEngine(house.world)
    await other.open()
    await other.submit(
        LaunchSpec(
            task_id=task.id,
            name="run",
            argv=("true", "run"),
            cwd="/",
            env={},
            output="",
            output_bytes=0,
        ),
        1,
    )
    await other.close()
    await house.enter()
    caught = house.task(task.id)
    await house.until(caught, State.RUNNING)
    assert caught.attempts == 1
    assert house.engine.submitted == []


async def test_a_retry_that_began_while_the_disk_was_full_is_caught_up_with(house):
    task = await house.submit("hold", retries=1)
    await house.submitted(task)
    house.engine.start(task.id)
    await house.settled()
    await house.fill_disk()
    house.engine.end(task.id, code=3)
    await house.submitted(task, 2)
    house.engine.start(task.id, 2)
    await house.until(task, State.RUNNING)
    await succeed(house)
    caught = house.task(task.id)
    await eventually(lambda: caught.pid == task.pid, "the second attempt is adopted")
    assert (caught.state, caught.attempts) == (State.RUNNING, 2)
    await house.acknowledged(task, 1)
    assert (task.id, 2) in house.world.live


async def test_what_no_task_asked_for_is_ended(house):
    await house.vanish()
    other = ScriptedEngine(house.world)
    await other.open()
    stray = LaunchSpec(
        task_id="stray1",
        name="",
        argv=("true", "run"),
        cwd="/",
        env={},
        output="",
        output_bytes=0,
    )
    await other.submit(stray, 1)
    await other.close()
    await house.enter()
    await eventually(
        lambda: ("stray1", 1) in house.engine.acknowledged, "it is ended and forgotten"
    )
    assert house.engine.cancelled == [("stray1", 0)]


async def test_ended_tasks_are_shown_again_and_can_be_forgotten(house):
    task = await house.submit("exit", "0")
    await house.until(task, State.DONE)
    await house.acknowledged(task)
    await succeed(house)
    assert house.task(task.id).row().exit_code == 0
    assert await operations.forget(house.supervisor, [task.id]) == 1
    with pytest.raises(NoSuchTask):
        await operations.resolve(house.supervisor, task.id)
    assert not house.state.task(task.id).exists()
