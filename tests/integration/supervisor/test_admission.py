"""Admission in the supervisor: who is submitted to the engine, and what the others wait for."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from heaptui.config import AdmissionConfig, Config, QueueConfig
from heaptui.config.policy import PolicyConfig
from heaptui.engine.base import Sampled
from heaptui.model import HostSample, Limits, State, TaskSample, TaskSpec
from heaptui.protocol import Dispatch, Stop, Submit, new_ids
from heaptui.supervisor import operations, submitting
from heaptui.supervisor.task import Task
from tests.integration.engine.contract import eventually
from tests.integration.engine.house import ENVIRONMENT, House

GIB, MIB = 1 << 30, 1 << 20
TOTAL = 16 * GIB
SECONDS = itertools.count(2_000_000_000)
Open = Callable[..., Any]


@pytest.fixture
async def open_house(tmp_path: Path) -> AsyncIterator[Open]:
    """A supervisor with this [admission], and nothing measured yet; opened again it takes over."""
    opened: list[House] = []

    async def enter(mode: str = "act", places: int = 50, **fields: Any) -> House:
        if opened:
            await opened.pop().vanish()
        config = Config(
            queue=QueueConfig(concurrency=places),
            policy=PolicyConfig(mode=mode),
            admission=AdmissionConfig(**fields),
        )
        house = House(tmp_path / "s", config)
        await house.enter()
        opened.append(house)
        return house

    yield enter
    for house in opened:
        await house.vanish()


async def submit(
    house: House, *names: str, cap: int = GIB, script: str = "hold", priority: int = 0
) -> list[Task]:
    specs = [
        TaskSpec(
            argv=("true", script),
            cwd="/",
            name=name,
            limits=Limits(cap_bytes=cap),
            priority=priority,
        )
        for name in names
    ]
    request = Submit(ids=new_ids(len(specs)), specs=specs, environment=ENVIRONMENT)
    return [house.task(task_id) for task_id in await submitting.submit(house.supervisor, request)]


def measure(house: House, available: int, pressure: float | None = 0.0, **memory: int) -> None:
    """A second goes by; `memory` by name of the tasks that run."""
    now = float(next(SECONDS))
    host = HostSample(
        at=now,
        name="stage",
        mem_total_bytes=TOTAL,
        mem_available_bytes=available,
        pressure=pressure,
    )
    tasks = [
        TaskSample(
            task_id=task.id,
            attempt=task.attempts,
            memory_bytes=memory[task.name],
            memory_from="rss",
            rss_bytes=memory[task.name],
            processes=1,
        )
        for task in house.supervisor.ledger.tasks.values()
        if task.name in memory
    ]
    house.engine.emit(Sampled(node="stage", at=now, host=host, tasks=tasks))


def begun(house: House, *tasks: Task) -> list[str]:
    """Those of `tasks` that were handed to the engine, by name."""
    keys = {task_id for task_id, _ in house.engine.submitted}
    return [task.name for task in tasks if task.id in keys]


async def start(house: House, *tasks: Task) -> None:
    for task in tasks:
        await house.submitted(task)
        house.engine.start(task.id)
        await house.until(task, State.RUNNING)


async def need_200m(house: House) -> None:
    """Three tasks `t/…` show what they need."""
    for n in range(3):
        (one,) = await submit(house, f"t/{n}")
        await house.submitted(one)
        house.engine.end(one.id, code=0, peak_bytes=200 * MIB)
        await house.acknowledged(one)


async def test_a_budget_is_kept_and_the_table_says_who_waits_for_what(open_house):
    house = await open_house(budget="3G")
    watcher = house.supervisor.gallery.enter()
    tasks = await submit(house, *(f"t/{n}" for n in range(6)))
    await start(house, *tasks[:3])
    first, *behind = tasks[3:]
    await eventually(lambda: all(one.wait_reason for one in behind), "it is explained")
    assert begun(house, *tasks) == ["t/0", "t/1", "t/2"]
    assert "waits for 1.00G of the budget: 0B of 3.00G" in str(first.wait_reason)
    assert {one.wait_reason for one in behind} == {"waits for its turn behind t/3"}
    measure(house, 10 * GIB, **{"t/0": 3 * GIB // 2})
    await eventually(lambda: house.supervisor.gallery.host.expected_bytes == 3.5 * GIB, "the sum")
    host = house.supervisor.gallery.host
    assert (host.held, host.budget_bytes) == (first.wait_reason, 3 * GIB)
    assert host.caps_bytes == 3 * GIB
    assert first.row().expected_bytes == GIB
    house.engine.end(tasks[1].id, code=0)
    await house.until(tasks[1], State.DONE)
    await house.settled()
    assert first.state is State.QUEUED, "one of those that run took more than was expected of it"
    house.engine.end(tasks[0].id, code=0)
    await house.submitted(first)
    await house.submitted(behind[0])
    await house.settled()
    assert behind[1].state is State.QUEUED
    assert (await house.history(first))[:2] == ["queued", "held"]
    house.supervisor.gallery.leave(watcher)


async def test_what_waits_for_memory_starts_with_the_sample_that_shows_it(open_house):
    house = await open_house(reserve="1G")
    measure(house, 3 * GIB)
    await house.settled()
    tasks = await submit(house, "a", "b", "c")
    await start(house, *tasks[:2])
    await eventually(lambda: tasks[2].wait_reason, "it waits")
    assert tasks[2].wait_reason == (
        "waits for 1.00G of memory: 0B free beside the reserve and what running tasks may still "
        "take"
    )
    # both took half of what they may: the machine has less, and is promised less
    measure(house, 2 * GIB, a=512 * MIB, b=512 * MIB)
    await house.settled()
    assert tasks[2].state is State.QUEUED
    measure(house, 3 * GIB, a=512 * MIB, b=512 * MIB)
    await house.submitted(tasks[2])


async def test_pressure_holds_all_but_the_first_and_heavy_pressure_holds_all(open_house):
    house = await open_house()
    measure(house, 12 * GIB, pressure=45.0)
    await house.settled()
    tasks = await submit(house, "a", "b")
    await eventually(lambda: tasks[0].wait_reason, "it waits")
    assert tasks[0].wait_reason == "waits: this machine stalls heavily for memory (PSI 45 %)"
    measure(house, 12 * GIB, pressure=23.0)
    await house.submitted(tasks[0])
    await eventually(lambda: tasks[1].wait_reason, "it waits")
    assert tasks[1].wait_reason == "waits: this machine stalls for memory (PSI 23 %)"
    measure(house, 12 * GIB, pressure=None)
    await house.submitted(tasks[1])


async def test_who_waits_for_heavy_pressure_can_be_stopped(open_house):
    house = await open_house()
    measure(house, 12 * GIB, pressure=45.0)
    await house.settled()
    tasks = await submit(house, "a", "b")
    await eventually(lambda: tasks[0].wait_reason, "it waits")
    await operations.stop(house.supervisor, Stop(tasks=[task.id for task in tasks]))
    measure(house, 12 * GIB)
    await eventually(lambda: house.supervisor.admission.head is None, "nobody is held")
    assert house.engine.submitted == []


async def test_a_task_that_is_too_large_for_what_is_free_runs_alone(open_house):
    house = await open_house(reserve="1G", budget="1G")
    measure(house, GIB // 2)
    await house.settled()
    tasks = await submit(house, "large/1", "large/2", cap=8 * GIB)
    await house.submitted(tasks[0])
    await eventually(lambda: tasks[1].wait_reason, "it waits")
    house.engine.end(tasks[0].id, code=0)
    await house.submitted(tasks[1])


async def test_smaller_ones_pass_and_the_highest_priority_is_asked_first(open_house):
    house = await open_house(budget="4G")
    (long,) = await submit(house, "long", cap=2 * GIB)
    (large,) = await submit(house, "large", cap=3 * GIB, priority=5)
    (next_,) = await submit(house, "next", cap=GIB)
    (small,) = await submit(house, "small", cap=GIB, priority=1)
    (last,) = await submit(house, "last", cap=GIB)
    await house.submitted(long)
    await house.submitted(next_)
    await house.submitted(small)
    await house.settled()
    assert (large.state, last.state) == (State.QUEUED, State.QUEUED)
    house.engine.end(long.id, code=0)
    await house.submitted(last)
    house.engine.end(next_.id, code=0)
    house.engine.end(small.id, code=0)
    await house.submitted(large)


async def test_what_a_name_needed_before_is_expected_again_by_the_next_supervisor(open_house):
    house = await open_house()
    await need_200m(house)
    house = await open_house(budget="1G")
    tasks = await submit(house, *(f"t/{n}" for n in range(3, 10)))
    await eventually(lambda: len(begun(house, *tasks)) == 5, "five of 200M fit into 1G")
    assert tasks[4].expected_bytes == 200 * MIB
    await house.settled()
    assert "waits for 200M" in str(tasks[5].wait_reason)


async def test_who_runs_already_is_reckoned_with_by_the_next_supervisor(open_house):
    house = await open_house()
    await need_200m(house)
    running = await submit(house, "a", "t/3")
    await start(house, *running)
    world = house.world
    await house.vanish()
    house = House(house.state.root, Config(admission=AdmissionConfig(budget="3G")))
    house.world = world
    await house.enter()
    try:
        tasks = await submit(house, "c", "d")
        await house.submitted(tasks[0])
        await eventually(lambda: tasks[1].wait_reason, "it waits")
        assert begun(house, *tasks) == ["c"]
        assert house.task(running[0].id).expected_bytes == GIB
        known = house.task(running[1].id)
        await eventually(lambda: known.expected_bytes == 200 * MIB, "what is stored is learned")
    finally:
        await house.vanish()


async def test_observing_says_who_would_wait_and_lets_all_start(open_house):
    house = await open_house(mode="observe", budget="1G")
    tasks = await submit(house, "a", "b")
    await house.submitted(tasks[1])
    await house.settled()
    kinds = [await house.history(task) for task in tasks]
    assert kinds == [["queued"], ["queued", "observe"]]
    (told,) = [e for e in await house.store.events(tasks[1].id, 9) if e.kind == "observe"]
    assert "waits for 1.00G of the budget" in told.text
    assert told.attempt == 1
    assert house.supervisor.gallery.host.held is None


async def test_a_policy_that_is_told_to_observe_lets_those_start_who_wait(open_house):
    house = await open_house(budget="1G")
    tasks = await submit(house, "a", "b")
    await house.submitted(tasks[0])
    await eventually(lambda: "budget" in str(tasks[1].wait_reason), "it waits for memory")
    await operations.dispatch(house.supervisor, Dispatch(policy="observe"))
    await house.submitted(tasks[1])
    await operations.dispatch(house.supervisor, Dispatch(policy="act"))
    (third,) = await submit(house, "c")
    await eventually(lambda: "budget" in str(third.wait_reason), "it acts again")


async def test_a_pause_and_missing_places_come_before_memory(open_house):
    house = await open_house(budget="1G", places=2)
    watcher = house.supervisor.gallery.enter()
    tasks = await submit(house, "a", "b")
    await house.submitted(tasks[0])
    await eventually(lambda: "budget" in str(tasks[1].wait_reason), "it waits for memory")
    await operations.dispatch(house.supervisor, Dispatch(concurrency=1))
    await eventually(lambda: tasks[1].wait_reason == "waits for one of 1 places", "for a place")
    await operations.dispatch(house.supervisor, Dispatch(paused=True, concurrency=2))
    await eventually(
        lambda: tasks[1].wait_reason == "waits: dispatch is paused", "for the operator"
    )
    assert house.supervisor.admission.held is None
    await operations.dispatch(house.supervisor, Dispatch(paused=False))
    await eventually(lambda: "budget" in str(tasks[1].wait_reason), "it waits for memory again")
    assert (await house.history(tasks[1])).count("held") == 1
    house.supervisor.gallery.leave(watcher)
