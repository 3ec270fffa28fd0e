"""The conversation about a soft limit: with a supervisor at work, over a scripted engine."""

from __future__ import annotations

import asyncio

import pytest
from msgspec.structs import replace

from heaptui.config import Config, PolicyConfig, RetryConfig
from heaptui.engine.base import Sampled
from heaptui.errors import Refused
from heaptui.model import HostSample, State, TaskSample
from heaptui.supervisor.policy import pressure
from heaptui.units import MIB
from tests.integration.engine.contract import eventually
from tests.integration.engine.scripted import NODE
from tests.integration.supervisor.heaped import HeapHouse, heap

CAP = 1024 * MIB
NEAR = 900 * MIB


def config(**policy) -> Config:
    retry = RetryConfig(backoff="0.01s", backoff_max="0.05s")
    return Config(retry=retry, policy=PolicyConfig(**policy))


@pytest.fixture
async def housed(tmp_path):
    """A house with a policy of the test's own."""
    made: list[HeapHouse] = []

    async def house(**policy) -> HeapHouse:
        one = HeapHouse(tmp_path / "s", config(**policy))
        made.append(one)
        await one.enter()
        return one

    yield house
    for one in made:
        await one.vanish()


async def worker(house, *heaps, kept: int | None = 0, script: str = "hold"):
    """A task that runs, whose worker keeps checkpoints (None: none)."""
    task = await house.submit(script)
    await house.submitted(task)
    if script == "hold":
        house.engine.start(task.id)
    await house.until(task, State.RUNNING)
    if kept is not None:
        house.engine.keeping[task.id] = kept
        await works(house, task)
    await house.measured(task, 100 * MIB, *heaps)
    return task


async def works(house, task) -> None:
    told = house.engine.work(task.id)
    house.engine.emit(Sampled(node=NODE, at=0, host=None, tasks=[], work={task.id: told}))
    await eventually(lambda: task.work == told, "what it tells is known")


async def told(house, task, *beginnings: str, kind: str = "soft") -> list[str]:
    """The lines of that kind, once each of these begins one, in this order."""

    async with asyncio.timeout(10):
        while True:
            texts = await house.texts(task, kind)
            if len(texts) >= len(beginnings):
                break
            await asyncio.sleep(0.01)
    assert [text[: len(begins)] for text, begins in zip(texts, beginnings, strict=True)] == list(
        beginnings
    )
    return texts


# --- the steps
async def test_garbage_that_comes_back_is_all_that_is_done(housed):
    house = await housed()
    task = await worker(house, heap(11))
    assert task.row().soft_bytes == int(CAP * 0.8)

    async def gives_much_back(task_id, args):
        return {
            "flavour": "gc",
            "pause_ms": 41.0,
            "used_before": 700 * MIB,
            "used_after": 96 * MIB,
            "rss_before": 900 * MIB,
            "rss_after": 300 * MIB,
        }

    house.engine.doing["gc"] = gives_much_back
    await house.measured(task, NEAR, heap(11))
    (text,) = await told(house, task, "soft limit: collected garbage")
    assert text == "soft limit: collected garbage: heap 700 → 96M, memory 900 → 300M, 41 ms"
    await house.measured(task, 300 * MIB, heap(11))
    await house.measured(task, 301 * MIB, heap(11))
    assert (task.state, task.doing, task.handed) == (State.RUNNING, None, None)
    assert len(await house.texts(task, "soft")) == 1


async def test_what_nothing_came_back_of_is_checkpointed_and_recycled(housed):
    house = await housed()
    task = await worker(house, heap(11))
    await house.measured(task, NEAR, heap(11))
    await told(house, task, "soft limit: collected garbage")
    # the heap shrank, and the next pass shows no less memory
    await house.measured(task, NEAR + 1, heap(11))
    await house.until(task, State.RECYCLING)
    assert task.doing == "drains"
    await eventually(lambda: house.engine.drained == [(task.id, 30.0)], "it drains")
    assert house.engine.keeping[task.id] == 1
    texts = await told(
        house,
        task,
        "soft limit: collected garbage",
        "soft limit: checkpoint kept, 1k, ",
        "soft limit: recycled from its checkpoint, memory 900M of 1.00G",
    )
    assert "drains within 30s" in texts[2]
    house.engine.end(task.id, code=0)
    await house.submitted(task, 2)
    assert task.recovery.recycles == 1
    assert task.row().verdict is None


async def test_what_was_recycled_tells_what_it_gave_back(housed):
    house = await housed(steps=["recycle"])
    task = await worker(house, script="run")
    house.engine.measure((task, NEAR))
    await house.submitted(task, 2)
    await house.until(task, State.RUNNING)
    await house.measured(task, 50 * MIB)
    for _ in range(4):
        house.engine.measure((task, 50 * MIB))
        await house.settled()
    (text,) = await told(house, task, "after its recycle", kind="recycle")
    assert text == "after its recycle: memory 900M → 50M"


async def test_nothing_is_ended_without_a_checkpoint(housed):
    house = await housed()
    task = await worker(house, heap(11), kept=None)
    house.engine.doing["gc"] = gives_nothing_back
    await house.measured(task, NEAR, heap(11))
    _, handed = await told(
        house, task, "soft limit: collected garbage", "soft limit: memory 900M of 1.00G, soft 819M"
    )
    assert "a collection gave nothing back, its worker keeps no checkpoints" in handed
    assert task.handed is not None
    assert task.state is State.RUNNING
    for memory in range(901, 905):
        await house.measured(task, memory * MIB, heap(11))
    assert len(await house.texts(task, "soft")) == 2
    await house.measured(task, 100 * MIB, heap(11))
    await eventually(lambda: task.handed is None, "the occasion is over")
    assert house.engine.drained == []


async def gives_nothing_back(task_id, args):
    return {
        "flavour": "gc",
        "pause_ms": 30.0,
        "used_before": 800 * MIB,
        "used_after": 799 * MIB,
        "rss_before": 900 * MIB,
        "rss_after": 900 * MIB,
    }


async def test_a_policy_may_recycle_without_one(housed):
    house = await housed(recycle_anew=True)
    task = await worker(house, kept=None)
    await house.measured(task, NEAR)
    await house.until(task, State.RECYCLING)
    (text,) = await told(house, task, "soft limit: recycled and begins anew")
    assert "memory 900M" in text


async def test_each_step_can_be_left_out(housed):
    house = await housed(steps=["checkpoint"])
    task = await worker(house, heap(11))
    await house.measured(task, NEAR, heap(11))
    await told(house, task, "soft limit: checkpoint kept", "soft limit: memory 900M")
    assert task.state is State.RUNNING
    assert "the policy recycles nothing" in (task.handed or "")
    assert all(verb != "gc" for _, verb, _ in house.engine.asked)


async def test_a_worker_that_gives_no_checkpoint_is_left_to_the_operator(housed):
    house = await housed()
    task = await worker(house)
    del house.engine.keeping[task.id]
    for memory in range(900, 904):
        await house.measured(task, memory * MIB)
        await house.settled()
    await told(house, task, "soft limit: hold gave no checkpoint", "soft limit: memory 90")
    assert task.state is State.RUNNING
    assert "it gave no checkpoint to be recycled from" in (task.handed or "")
    assert house.engine.drained == []


async def test_one_that_was_refused_for_a_while_is_recycled_from_what_its_worker_keeps_then(housed):
    house = await housed()
    task = await worker(house)
    del house.engine.keeping[task.id]
    await house.measured(task, NEAR)
    await house.measured(task, NEAR + 1)
    await told(house, task, "soft limit: hold gave no checkpoint", "soft limit: memory 900M")
    # its disk has room again, and it keeps one as it does from time to time
    house.engine.keeping[task.id] = 1
    async with asyncio.timeout(20):
        while task.state is State.RUNNING:
            await works(house, task)
            house.engine.measure((task, NEAR + 2))
            await house.settled()
    assert task.state is State.RECYCLING
    assert house.engine.keeping == {task.id: 1}, "it was not asked for another"


async def test_the_old_generation_of_a_heap_counts_long_before_the_cap(housed):
    house = await housed(steps=["recycle"])
    task = await worker(house)
    young = heap(11, 60 * MIB, limit_bytes=92 * MIB, old_bytes=40 * MIB)
    await house.measured(task, 100 * MIB, young)
    await house.measured(task, 101 * MIB, young)
    assert task.state is State.RUNNING
    await house.measured(
        task, 102 * MIB, heap(11, 70 * MIB, limit_bytes=92 * MIB, old_bytes=66 * MIB)
    )
    await house.until(task, State.RECYCLING)


async def test_off_is_off(housed):
    house = await housed(soft="off")
    task = await worker(house, heap(11))
    await house.measured(task, 1000 * MIB, heap(11))
    await house.measured(task, 1001 * MIB, heap(11))
    assert task.row().soft_bytes is None
    assert await house.texts(task, "soft") == []


async def test_an_attempt_that_ends_meanwhile_takes_the_conversation_along(housed):
    house = await housed()
    task = await worker(house, heap(11))
    asked, gone = asyncio.Event(), asyncio.Event()

    async def until_it_ends(task_id, args):
        asked.set()
        await gone.wait()
        raise Refused("it is gone")

    house.engine.doing["gc"] = until_it_ends
    await house.measured(task, NEAR, heap(11))
    await asked.wait()
    assert task.doing == "collects garbage"
    house.engine.end(task.id, code=1)
    await house.until(task, State.FAILED)
    assert task.doing is None
    gone.set()
    await eventually(lambda: house.supervisor.activities.listed() == [], "it is over")
    assert house.engine.drained == []


# --- a policy that observes
async def test_a_policy_that_is_told_to_observe_takes_no_further_step(housed):
    house = await housed()
    task = await worker(house, heap(11))
    asked, done = asyncio.Event(), asyncio.Event()

    async def slowly(task_id, args):
        asked.set()
        await done.wait()
        return await gives_nothing_back(task_id, args)

    house.engine.doing["gc"] = slowly
    await house.measured(task, NEAR, heap(11))
    await asked.wait()
    house.supervisor.set_policy("observe")
    done.set()
    await told(house, task, "soft limit: collected garbage")
    await eventually(lambda: task.doing is None, "the step is over")
    await house.measured(task, NEAR + MIB, heap(11))
    await house.measured(task, NEAR + 2 * MIB, heap(11))
    assert house.engine.keeping == {task.id: 0}
    assert task.state is State.RUNNING
    assert "observe: would ask for a checkpoint" in " ".join(await house.texts(task, "soft"))


async def test_observe_tells_each_step_once_and_does_none(housed):
    house = await housed(mode="observe")
    task = await worker(house, heap(11))
    for memory in range(900, 908):
        await house.measured(task, memory * MIB, heap(11))
    texts = await told(
        house,
        task,
        "observe: would collect garbage: memory 900M of 1.00G, soft 819M",
        "observe: would ask for a checkpoint: memory 901M",
        "observe: would recycle it: memory 902M",
    )
    assert house.engine.asked == []
    assert house.engine.drained == []
    assert house.engine.keeping == {task.id: 0}
    await house.measured(task, 100 * MIB, heap(11))
    await house.measured(task, 910 * MIB, heap(11))
    assert len(await told(house, task, *texts, "observe: would collect garbage")) == 4


# --- by a rule
async def test_garbage_is_collected_by_the_tasks_own_rule(housed):
    house = await housed(soft="off")
    task = await worker(house, heap(11))
    task.spec = replace(task.spec, gc="at 70%")
    house.engine.doing["gc"] = gives_nothing_back
    await house.measured(task, 800 * MIB, heap(11, 750 * MIB))
    texts = await told(
        house,
        task,
        "collected, as at 70% of the limit: heap 800 → 799M, memory 900 → 900M, 30 ms",
        "collected, as at 70% of the limit: so little comes back",
        kind="gc",
    )
    await house.measured(task, 801 * MIB, heap(11, 751 * MIB))
    await house.measured(task, 802 * MIB, heap(11, 752 * MIB))
    assert await house.texts(task, "gc") == texts


# --- pressure
def machine(house, *tasks, stalls: float | None = None, available: int = 16 << 30) -> None:
    host = HostSample(
        at=0,
        name=NODE,
        mem_total_bytes=32 << 30,
        mem_available_bytes=available,
        pressure=stalls,
    )
    samples = [
        TaskSample(
            task_id=task.id,
            attempt=task.attempts,
            memory_bytes=memory,
            memory_from="cgroup",
            rss_bytes=memory,
            processes=1,
        )
        for task, memory in tasks
    ]
    house.engine.emit(Sampled(node=NODE, at=0, host=host, tasks=samples))


async def test_under_heavy_pressure_the_largest_that_can_gives_way_and_no_other(housed):
    house = await housed(soft="off")
    large = await worker(house)
    small = await worker(house)
    stuck = await worker(house, kept=None)
    held = ((large, 500 * MIB), (small, 200 * MIB), (stuck, 800 * MIB))
    for _ in range(pressure.SAMPLES - 1):
        machine(house, *held, stalls=45)
    await house.settled()
    assert house.engine.drained == []
    for _ in range(20):
        machine(house, *held, stalls=45)
        await house.settled()
    await house.until(large, State.RECYCLING)
    assert [task_id for task_id, _ in house.engine.drained] == [large.id]
    (text,) = await told(house, large, "pressure: everybody stalls", kind="pressure")
    assert "stalls for memory 45 % of the time; this task is largest: recycled" in text
    assert (small.state, stuck.state) == (State.RUNNING, State.RUNNING)


async def test_scarce_memory_alone_ends_nobody_who_does_not_grow(housed):
    house = await housed(soft="off")
    task = await worker(house)
    for _ in range(20):
        machine(house, (task, 500 * MIB), available=1 << 30)
        await house.settled()
    assert task.state is State.RUNNING
    assert await house.texts(task, "pressure") == []
