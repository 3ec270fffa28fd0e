"""A time-out: a checkpoint first, where there can be one, then the end."""

from __future__ import annotations

import asyncio

import pytest

from heaptui.config import Config, PolicyConfig
from heaptui.engine.base import Sampled
from heaptui.model import State, VerdictKind
from heaptui.protocol import Recycle, Stop
from heaptui.supervisor import operations
from heaptui.supervisor.recycling import recycle
from tests.integration.engine.contract import eventually
from tests.integration.engine.scripted import NODE
from tests.integration.supervisor.heaped import HeapHouse, refuses

HOUR = 3600.0


@pytest.fixture
async def house(tmp_path):
    made = HeapHouse(tmp_path / "s", Config(policy=PolicyConfig(mode="observe", drain="7s")))
    await made.enter()
    yield made
    await made.vanish()


async def worker(house, script: str = "run", *, keeps: bool = True):
    """A task of which an hour is allowed, and its worker keeps checkpoints."""
    task = await house.submit(script, timeout_s=HOUR)
    await house.until(task, State.RUNNING)
    if keeps:
        house.engine.keeping[task.id] = 0
        told = house.engine.work(task.id)
        house.engine.emit(Sampled(node=NODE, at=0, host=None, tasks=[], work={task.id: told}))
        await eventually(lambda: task.work is not None, "it is known that it keeps checkpoints")
    return task


def let_time_pass(house, task) -> None:
    """It has been running for more than an hour."""
    task.started_at -= HOUR + 60
    house.engine.start(task.id, task.attempts, adopted=True)


async def told(house, task) -> list[str]:
    return await house.texts(task, "timeout")


async def test_a_worker_that_keeps_checkpoints_is_asked_for_one_before_it_is_stopped(house):
    task = await worker(house)
    kept_first: list[int] = []
    cancel = house.engine.cancel

    async def stopping(task_id: str, grace_s: float) -> None:
        kept_first.append(house.engine.keeping[task_id])
        await cancel(task_id, grace_s)

    house.engine.cancel = stopping
    let_time_pass(house, task)
    await house.until(task, State.FAILED)
    assert kept_first == [1]
    assert (task.verdict, task.stop_why) == (VerdictKind.TIMED_OUT, "timeout")
    assert task.checkpoint_at is not None
    asked, kept = await told(house, task)
    assert asked == "time-out: asked for a checkpoint, stopped in 7s at the latest"
    assert kept.startswith("time-out: checkpoint kept, ")


async def test_a_worker_without_checkpoints_is_stopped_at_once(house):
    task = await worker(house, keeps=False)
    let_time_pass(house, task)
    await house.until(task, State.FAILED)
    assert task.verdict is VerdictKind.TIMED_OUT
    assert await told(house, task) == []


async def test_one_whose_checkpoint_is_fresh_is_not_asked_again(house):
    task = await worker(house)
    house.engine.keeping[task.id] = 1
    now = house.engine.work(task.id)
    house.engine.emit(Sampled(node=NODE, at=0, host=None, tasks=[], work={task.id: now}))
    await eventually(lambda: task.checkpoint_at is not None, "its checkpoint is known")
    let_time_pass(house, task)
    await house.until(task, State.FAILED)
    assert (house.engine.keeping[task.id], await told(house, task)) == (1, [])


async def test_one_that_gives_none_is_stopped_all_the_same(house):
    task = await worker(house)
    house.engine.doing["checkpoint"] = refuses("the disk is full")
    let_time_pass(house, task)
    await house.until(task, State.FAILED)
    assert task.verdict is VerdictKind.TIMED_OUT
    *_, why = await told(house, task)
    assert why == "time-out: run gave no checkpoint: the disk is full"


async def test_one_that_never_answers_is_stopped_when_it_should_have_drained(tmp_path):
    house = HeapHouse(tmp_path / "s", Config(policy=PolicyConfig(mode="observe", drain="0.2s")))
    await house.enter()
    try:
        task = await worker(house)
        house.engine.doing["checkpoint"] = never
        let_time_pass(house, task)
        await house.until(task, State.FAILED)
        *_, why = await told(house, task)
        assert why.startswith("time-out: run gave no checkpoint within")
    finally:
        await house.vanish()


async def never(task_id: str, args: dict[str, object]) -> dict[str, object]:
    await asyncio.Event().wait()
    return {}


@pytest.fixture
def slow(house):
    """Gives its checkpoint when it is allowed to."""
    allowed, asked = asyncio.Event(), asyncio.Event()

    async def keep(task_id: str, args: dict[str, object]) -> dict[str, object]:
        asked.set()
        await allowed.wait()
        return house.engine._keep(task_id)

    house.engine.doing["checkpoint"] = keep
    return asked, allowed


async def test_an_operator_who_stops_it_meanwhile_has_stopped_it(house, slow):
    asked, allowed = slow
    task = await worker(house)
    let_time_pass(house, task)
    await asked.wait()
    await operations.stop(house.supervisor, Stop(tasks=[task.id]))
    await house.until(task, State.STOPPED)
    allowed.set()
    await house.settled()
    assert task.verdict is VerdictKind.STOPPED
    assert len(await told(house, task)) == 1


async def test_an_end_by_itself_meanwhile_is_its_own(house, slow):
    asked, allowed = slow
    task = await worker(house)
    let_time_pass(house, task)
    await asked.wait()
    house.engine.end(task.id, code=0)
    await house.until(task, State.DONE)
    allowed.set()
    await house.settled()
    assert (task.verdict, house.engine.cancelled) == (VerdictKind.FINISHED, [])


async def test_another_attempt_is_not_the_one_whose_time_is_over(house, slow):
    asked, allowed = slow
    task = await worker(house)
    let_time_pass(house, task)
    await asked.wait()
    house.engine.doing.pop("checkpoint")
    # a recycle that began before it: what it ran counts, and its next attempt ends at once
    await recycle(house.supervisor, Recycle(tasks=[task.id], insist=True))
    await house.submitted(task, 2)
    allowed.set()
    await house.until(task, State.FAILED)
    assert (task.attempts, task.verdict) == (2, VerdictKind.TIMED_OUT)
