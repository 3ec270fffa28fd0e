"""Alerts of a supervisor at work: in the history, on the wire, and at the operator's hook."""

from __future__ import annotations

import asyncio
import json

import pytest

from heaptui import protocol
from heaptui.config import AlertsConfig, Config, PolicyConfig, RetryConfig
from heaptui.engine.base import Sampled
from heaptui.model import HostSample, State, TaskSample
from heaptui.supervisor import happenings
from heaptui.units import GIB, MIB
from tests.integration.engine.contract import eventually
from tests.integration.engine.house import House
from tests.integration.engine.scripted import NODE


def quick(*hook: str, **policy) -> Config:
    return Config(
        retry=RetryConfig(backoff="0.01s", backoff_max="0.05s"),
        alerts=AlertsConfig(hook=list(hook)),
        policy=PolicyConfig(steps=[], **policy),
    )


@pytest.fixture
def seen(tmp_path):
    return tmp_path / "seen"


@pytest.fixture
def hook(tmp_path, seen):
    path = tmp_path / "hook"
    path.write_text(f"#!/bin/sh\ncat >> {seen}\n")
    path.chmod(0o755)
    return str(path)


@pytest.fixture
async def open_house(tmp_path):
    opened: list[House] = []

    async def build(config: Config) -> House:
        made = House(tmp_path / "s", config)
        await made.enter()
        opened.append(made)
        return made

    yield build
    for made in opened:
        await made.vanish()


def measure(house: House, *tasks: tuple[str, int], available: int = 8 * GIB) -> None:
    now = house.supervisor.clock()
    host = HostSample(at=now, name=NODE, mem_total_bytes=16 * GIB, mem_available_bytes=available)
    house.engine.emit(
        Sampled(
            node=NODE,
            at=now,
            host=host,
            tasks=[
                TaskSample(
                    task_id=task_id, attempt=1, memory_bytes=memory, memory_from="cgroup",
                    rss_bytes=memory, processes=1,
                )
                for task_id, memory in tasks
            ],
        )
    )  # fmt: skip


async def told(house: House, task: str | None = None) -> list[tuple[str, str, str]]:
    call = protocol.RecentEvents(1000, task)
    found = await happenings.events(house.supervisor, call)
    return [(one.task_id, one.kind, one.text) for one in found if one.kind.startswith("alert")]


async def until_told(house: House, n: int) -> list[tuple[str, str, str]]:
    found: list[tuple[str, str, str]] = []
    async with asyncio.timeout(20):
        while len(found) < n:
            await asyncio.sleep(0.01)
            found = await told(house)
    return found


async def test_what_begins_and_ends_is_in_the_history(open_house, hook, seen):
    house = await open_house(quick(hook))
    task = await house.submit("run")
    await house.until(task, State.RUNNING)
    measure(house, (task.id, 990 * MIB), available=GIB // 4)
    await eventually(lambda: len(house.supervisor.alarms.standing) == 2, "two alerts")
    await house.engine.cancel(task.id, 10)
    measure(house)
    await until_told(house, 3)
    began = [one for one in await told(house) if one[1] == "alert"]
    machine, of_task = sorted(began)
    assert machine == ("", "alert", "this machine has 256M of 16.0G left")
    assert of_task[0] == task.id
    assert "at its cap: 990M of 1.0G" in of_task[2]
    over = await until_told(house, 3)
    (last,) = [one for one in over if one[1] == "alert-over" and one[0] == task.id]
    assert last[2].startswith("over after ")
    assert [kind for _, kind, _ in await told(house, task.id)] == ["alert", "alert-over"]
    await eventually(lambda: seen.exists() and seen.read_text().count("\n") >= 3, "the hook's runs")
    notices = [json.loads(line) for line in seen.read_text().splitlines()]
    of_task = [one for one in notices if one["alert"]["id"] == f"cap:{task.id}"]
    assert [one["event"] for one in of_task] == ["begin", "end"]
    first = of_task[0]
    assert first["machine"] == NODE
    assert first["task"]["id"] == task.id and first["task"]["memory_bytes"] == 990 * MIB
    assert "env" not in first["task"]
    assert first["alert"]["level"] == "red" and first["alert"]["meaning"]
    assert "task.stop" in first["alert"]["actions"]
    (machine,) = [one for one in notices if one["alert"]["id"] == "host"]
    assert machine["task"] is None


async def test_watchers_have_the_alert_before_the_event_that_it_began(open_house):
    house = await open_house(quick())
    task = await house.submit("run")
    await house.until(task, State.RUNNING)
    watcher = house.supervisor.gallery.enter()
    measure(house, (task.id, 990 * MIB))
    alerts, events = [], []
    async with asyncio.timeout(20):
        while not events:
            change = await watcher.next(
                house.supervisor.clock, lambda _: None, house.supervisor.gallery
            )
            alerts = change.alerts or alerts
            events += [one for one in change.events if one.kind == "alert"]
    assert [(one.id, one.since) for one in alerts] == [(f"cap:{task.id}", events[0].at)]


async def test_lack_of_memory_is_told_though_the_task_goes_on_at_once(open_house):
    house = await open_house(quick())
    task = await house.submit("hold")
    await house.submitted(task)
    house.engine.start(task.id)
    await house.until(task, State.RUNNING)
    measure(house, (task.id, 200 * MIB))
    house.engine.end(task.id, signal=9, cap_hit="reached its cap of 1.00G")
    await house.submitted(task, 2)
    house.engine.start(task.id, 2)
    await house.until(task, State.RUNNING)
    measure(house)
    ((task_id, kind, text),) = await until_told(house, 1)
    assert (task_id, kind) == (task.id, "alert")
    assert text.startswith("ran out of memory")


async def test_a_policy_that_only_observes_alerts_as_always(open_house):
    house = await open_house(quick(mode="observe"))
    task = await house.submit("hold")
    await house.submitted(task)
    house.engine.start(task.id)
    house.engine.end(task.id, signal=9, cap_hit="reached its cap of 1.00G")
    await house.until(task, State.FAILED)
    measure(house)
    ((_, _, text),) = await until_told(house, 1)
    assert "ran out of memory: reached its cap" in text


async def test_whoever_takes_over_does_not_tell_it_again(open_house, hook, seen):
    house = await open_house(quick(hook))
    task = await house.submit("run")
    await house.until(task, State.RUNNING)
    measure(house, (task.id, 990 * MIB))
    await until_told(house, 1)
    await eventually(lambda: seen.exists() and seen.read_text().endswith("\n"), "the hook's run")
    (before,) = house.supervisor.alarms.standing
    async with asyncio.timeout(20):
        while await house.store.get_meta("alerts") in (None, "[]"):
            await asyncio.sleep(0.01)
    await house.vanish()
    await house.enter()
    measure(house, (task.id, 990 * MIB))

    def since() -> list[float]:
        return [one.since for one in house.supervisor.gallery.alerts]

    await eventually(lambda: since() == [before.since], "the alert as old as it is")
    await house.settled()
    assert len(await told(house)) == 1
    assert seen.read_text().count("begin") == 1


async def test_a_hook_that_fails_is_told_once_and_nothing_else_suffers(open_house):
    house = await open_house(quick("/nowhere/hook"))
    for number in range(3):
        await house.submit("hold", task_id=f"task{number}")
        await house.submitted(house.task(f"task{number}"))
        house.engine.start(f"task{number}")
    measure(house, *((f"task{number}", 990 * MIB) for number in range(3)))
    await until_told(house, 3)

    async def of_hook() -> list[str]:
        found = await happenings.events(house.supervisor, protocol.RecentEvents(1000))
        return [one.text for one in found if one.kind == "hook" and one.task_id == ""]

    async with asyncio.timeout(20):
        while not await of_hook():
            await asyncio.sleep(0.01)
    (text,) = await of_hook()
    assert "/nowhere/hook cannot be started" in text
