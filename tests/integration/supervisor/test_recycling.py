"""Recycling and draining on an operator's word, and what outlives a supervisor."""

from __future__ import annotations

import asyncio

import pytest

from heaptui.config import Config, PolicyConfig
from heaptui.engine.base import Exited, Sampled
from heaptui.errors import Refused
from heaptui.model import State
from heaptui.protocol import Recycle, Stop
from heaptui.supervisor import operations
from heaptui.supervisor.recycling import recycle
from tests.integration.engine.contract import eventually
from tests.integration.engine.house import House
from tests.integration.engine.scripted import NODE

OBSERVES = Config(policy=PolicyConfig(mode="observe", drain="7s"))


@pytest.fixture
async def house(tmp_path):
    """Its policy only observes: what an operator asks for is done all the same."""
    made = House(tmp_path / "s", OBSERVES)
    await made.enter()
    yield made
    await made.vanish()


async def worker(house, script: str = "run", *, keeps: bool = True):
    task = await house.submit(script)
    await house.submitted(task)
    if script == "hold":
        house.engine.start(task.id)
    await house.until(task, State.RUNNING)
    if keeps:
        house.engine.keeping[task.id] = 0
        told = house.engine.work(task.id)
        house.engine.emit(Sampled(node=NODE, at=0, host=None, tasks=[], work={task.id: told}))
        await eventually(lambda: task.work is not None, "it is known that it keeps checkpoints")
    return task


def asking(*tasks, **fields) -> Recycle:
    return Recycle(tasks=[task.id for task in tasks], **fields)


async def lines(house, task, kind: str) -> list[str]:
    await house.supervisor.ledger.commit()
    return [one.text for one in await house.store.events(task.id, 100) if one.kind == kind]


# --- recycle
async def test_it_is_answered_when_each_attempt_has_ended_and_each_goes_on(house):
    one, other = await worker(house), await worker(house)
    rows = await recycle(house.supervisor, asking(one, other, attempts=[1, 1]))
    assert [row.recycles for row in rows] == [1, 1]
    assert all(row.state is not State.RECYCLING for row in rows)
    assert house.engine.keeping == {one.id: 1, other.id: 1}
    assert sorted(house.engine.drained) == sorted([(one.id, 7.0), (other.id, 7.0)])
    for task in (one, other):
        await house.submitted(task, 2)
        await house.until(task, State.RUNNING)
        assert task.checkpoint_at is not None
    (text,) = await lines(house, one, "recycle")
    assert text.startswith("by the operator: recycled from its checkpoint")


async def test_a_worker_without_checkpoints_is_refused_unless_insisted_upon(house):
    task = await worker(house, keeps=False)
    with pytest.raises(Refused) as refused:
        await recycle(house.supervisor, asking(task))
    assert "keeps no checkpoints" in refused.value.what
    assert "--anew" in refused.value.remedy
    assert (task.state, house.engine.drained) == (State.RUNNING, [])
    (row,) = await recycle(house.supervisor, asking(task, insist=True))
    assert row.recycles == 1
    await house.submitted(task, 2)


async def test_of_several_those_that_cannot_be_say_so_and_the_others_are(house):
    able, unable = await worker(house), await worker(house, keeps=False)
    rows = await recycle(house.supervisor, asking(able, unable))
    assert [row.recycles for row in rows] == [1, 0]
    (text,) = await lines(house, unable, "recycle")
    assert text.startswith("not recycled: run keeps no checkpoints")


async def test_a_checkpoint_that_fails_leaves_it_running(house):
    task = await worker(house)
    del house.engine.keeping[task.id]
    with pytest.raises(Refused, match="gave no checkpoint: its worker keeps none"):
        await recycle(house.supervisor, asking(task))
    assert (task.state, task.doing, house.engine.drained) == (State.RUNNING, None, [])


@pytest.mark.parametrize("script", ["hold", "exit"])
async def test_only_what_runs_and_is_meant_is_recycled(house, script):
    task = await house.submit(script, *(["0"] if script == "exit" else []))
    await house.submitted(task)
    if script == "exit":
        await house.until(task, State.DONE)
    with pytest.raises(Refused, match="only what runs"):
        await recycle(house.supervisor, asking(task, insist=True))
    with pytest.raises(Refused, match="is at attempt 1 now, not 2"):
        await recycle(house.supervisor, asking(task, attempts=[2]))


async def test_one_that_is_stopped_meanwhile_stays_stopped(house):
    task = await worker(house, "hold")
    asked = asyncio.create_task(recycle(house.supervisor, asking(task)))
    await house.until(task, State.RECYCLING)
    await operations.stop(house.supervisor, Stop(tasks=[task.id], now=True))
    (row,) = await asked
    assert row.state is State.STOPPING
    house.engine.end(task.id, signal=9, stopped=True)
    await house.until(task, State.STOPPED)
    assert task.attempts == 1


async def test_a_time_out_is_for_the_whole_work_and_not_for_each_recycle(house):
    task = await house.submit("hold", timeout_s=3600)
    await house.submitted(task)
    house.engine.start(task.id)
    await house.until(task, State.RUNNING)
    asked = asyncio.create_task(recycle(house.supervisor, asking(task, insist=True)))
    await eventually(lambda: house.engine.drained, "it drains")
    over = Exited(task_id=task.id, attempt=1, node=NODE, at=task.started_at + 4000, code=0)
    house.engine._over(over)
    await asked
    await house.submitted(task, 2)
    house.engine.start(task.id, 2)
    await house.until(task, State.STOPPING)
    assert task.stop_why == "timeout"


# --- across supervisors
async def test_another_supervisor_goes_on_with_a_recycle(house):
    task = await worker(house, "hold")
    asked = asyncio.create_task(recycle(house.supervisor, asking(task)))
    await eventually(lambda: house.engine.drained, "it drains")
    asked.cancel()
    await house.vanish()
    await house.enter()
    task = house.task(task.id)
    assert task.state is State.RECYCLING
    assert house.engine.drained == [(task.id, 7.0)]
    house.engine.end(task.id, code=0)
    await house.submitted(task, 2)
    assert task.recovery.recycles == 1


async def test_another_supervisor_takes_what_followed_a_recycle_for_what_it_is(house):
    task = await worker(house, "hold")
    asked = asyncio.create_task(recycle(house.supervisor, asking(task)))
    await eventually(lambda: house.engine.drained, "it drains")
    asked.cancel()
    # the disk has no room for the end, and the next attempt begins all the same
    await house.fill_disk()
    house.engine.end(task.id, code=0)
    await house.submitted(task, 2)
    house.engine.start(task.id, 2)
    await house.until(task, State.RUNNING)
    await house.vanish()
    await house.enter()
    task = house.task(task.id)
    assert (task.attempts, task.stop_why) == (2, None)
    await house.until(task, State.RUNNING)
    assert house.engine.drained == []
    house.engine.end(task.id, 2, code=0)
    await eventually(lambda: task.state.ended, "it is done, and not recycled once more")
    assert task.state is State.DONE


async def test_an_attempt_that_ends_while_its_recycle_is_stored_is_the_only_one_drained(house):
    task = await worker(house, "hold")
    storing, stored = asyncio.Event(), asyncio.Event()
    write = house.store.write

    async def slowly(batch):
        if any(one.state is State.RECYCLING for one in batch.tasks):
            storing.set()
            await stored.wait()
        await write(batch)

    house.store.write = slowly
    asked = asyncio.create_task(recycle(house.supervisor, asking(task)))
    await storing.wait()
    house.engine.end(task.id, code=0)
    await house.submitted(task, 2)
    house.engine.start(task.id, 2)
    await house.until(task, State.RUNNING)
    stored.set()
    await asked
    await house.settled()
    assert (task.attempts, task.state, house.engine.drained) == (2, State.RUNNING, [])


async def test_another_supervisor_goes_on_with_a_drain_in_the_time_that_is_left(house):
    task = await worker(house, "hold")
    await operations.stop(house.supervisor, Stop(tasks=[task.id], drain=True, grace_s=60))
    await house.vanish()
    await house.enter()
    ((drained, left_s),) = house.engine.drained
    assert drained == task.id
    assert 0 < left_s <= 60
    assert house.engine.cancelled == []


# --- stop --drain
async def test_a_drain_asks_the_leader_and_stops_for_good(house):
    task = await worker(house, "hold")
    (row,) = await operations.stop(house.supervisor, Stop(tasks=[task.id], drain=True))
    assert (row.state, row.doing) == (State.STOPPING, "drains")
    house.engine.end(task.id, signal=15)
    await eventually(lambda: task.state.ended, "it has ended")
    assert house.engine.drained == [(task.id, 7.0)]
    assert house.engine.cancelled == []
    assert task.attempts == 1
    assert (await lines(house, task, "stop"))[0].startswith("drain: finishes what it has in hand")


async def test_one_that_ends_as_it_is_drained_has_ended(house):
    task = await worker(house, "hold")
    asked = asyncio.create_task(
        operations.stop(house.supervisor, Stop(tasks=[task.id], drain=True))
    )
    house.engine.end(task.id, code=0)
    (row,) = await asked
    await eventually(lambda: task.state.ended, "it has ended")
    gone = await operations._drain(house.supervisor, [task], 5.0)
    assert (gone, task.state) == (None, State.DONE)
    assert row.id == task.id


async def test_what_waits_is_stopped_and_what_cannot_be_told_is_ended(house):
    await operations.dispatch(house.supervisor, operations.protocol.Dispatch(paused=True))
    waits = await house.submit("run")
    await operations.stop(house.supervisor, Stop(tasks=[waits.id], drain=True))
    assert waits.state is State.STOPPED
    await operations.dispatch(house.supervisor, operations.protocol.Dispatch(paused=False))
    task = await worker(house)

    async def refuses(*asked):
        raise Refused("nobody to tell")

    house.engine.command = refuses
    await operations.stop(house.supervisor, Stop(tasks=[task.id], drain=True, grace_s=3))
    assert house.engine.cancelled == [(task.id, 3)]
    await eventually(lambda: task.state.ended, "it has ended")
