"""Caps of running attempts: raised, put back, and put back by the next engine."""

from __future__ import annotations

import asyncio
import resource
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from heaptui.engine import plan as plans
from heaptui.engine.base import Exited, Message, Started
from heaptui.errors import Refused
from heaptui.memory.cgroups import probe
from heaptui.model import CapMeans
from tests.integration.engine.contract import A, Part, begun, eventually
from tests.integration.engine.local_stage import MIB, LocalStage, no_groups

CAP, RAISED, TAKEN = 100 * MIB, 400 * MIB, 200 * MIB
FAKE = Path(__file__).with_name("fake_worker.py")
OBEDIENT = f"""
import mmap, os, sys, time
held = None
def wait(word):
    while not os.path.exists(sys.argv[1] + '/' + word): time.sleep(0.01)
    os.unlink(sys.argv[1] + '/' + word)
for word in 'take', 'drop', 'take':
    wait(word)
    if word == 'take':
        held = mmap.mmap(-1, {TAKEN}, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        for n in range(0, {TAKEN}, 4096): held[n] = 1
    else:
        held.close()
    print(word, 'done', flush=True)
time.sleep(600)
"""


class Obedient:
    """A task with a cap of CAP that takes TAKEN bytes, drops them and takes them again."""

    def __init__(self, stage: LocalStage, place: Path, floor: int | None) -> None:
        self.stage = stage
        self.place = place
        self.floor = floor

    async def start(self) -> Started:
        """With CAP in force; where it is a process limit, under a hard one that leaves room."""
        at_first = CAP if self.floor is None else 2 * RAISED
        started = await self.stage.python(
            A, OBEDIENT, str(self.place), cap_bytes=at_first, data_floor_bytes=self.floor
        )
        if at_first != CAP:
            await self.cap(CAP)
        return started

    async def does(self, word: str) -> None:
        (self.place / word).touch()
        await self.stage.hear(A, f"{word} done")

    async def cap(self, cap_bytes: int) -> dict[str, int]:
        return await self.stage.engine.command(A, "cap", {"cap_bytes": cap_bytes}, 30)

    async def is_held_at(self, text: str) -> None:
        """What it takes now ends it."""
        (self.place / "take").touch()
        exited = await self.stage.listener.first(Exited, A)
        if self.floor is None:
            assert text in exited.cap_hit
        else:  # the limit is its own: it is told there is no more
            assert exited.cap_hit is not None or exited.code == 1

    def plan(self) -> plans.RunPlan:
        found = plans.read(self.stage.state.output(A, 1))
        assert found is not None
        return found


@pytest.fixture(params=["groups", "watchdog", "rlimit"])
async def task(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Obedient]:
    stage = LocalStage(tmp_path / "s", probe if request.param == "groups" else no_groups)
    await stage.enter()
    place = tmp_path / "words"
    place.mkdir()
    if request.param == "groups" and stage.groups[-1].means is None:
        await stage.leave()
        pytest.skip("no memory cgroup can be written here")
    yield Obedient(stage, place, 0 if request.param == "rlimit" else None)
    await stage.end_everything()


async def test_a_raised_cap_is_in_force_and_so_is_one_that_is_put_back(task):
    started = await task.start()
    assert started.means in (*CapMeans,)
    assert await task.cap(RAISED) == {"cap_bytes": RAISED, "before": CAP}
    assert (task.plan().cap_bytes, task.plan().raised_from) == (RAISED, CAP)
    await task.does("take")
    with pytest.raises(Refused, match="are in use: a cap of 100M would end it"):
        await task.cap(CAP)
    await task.does("drop")
    assert await task.cap(CAP) == {"cap_bytes": CAP, "before": RAISED}
    assert (task.plan().cap_bytes, task.plan().raised_from) == (CAP, None)
    await task.is_held_at("100M")


async def test_a_raised_cap_is_put_back_by_the_next_engine(task):
    await task.start()
    await task.cap(RAISED)
    await task.stage.leave()
    await task.stage.enter()
    told = await task.stage.listener.first(Message, A)
    assert (told.kind, told.text) == ("cap", "its cap is 100M again; it had been raised to 400M")
    assert (task.plan().cap_bytes, task.plan().raised_from) == (CAP, None)
    await task.is_held_at("100M")


async def test_the_next_engine_waits_until_less_is_in_use(task):
    await task.start()
    await task.cap(RAISED)
    await task.does("take")
    await task.stage.leave()
    await task.stage.enter()
    told = await task.stage.listener.first(Message, A)
    assert "still raised" in told.text
    await task.does("drop")
    await task.stage.listener.find(
        lambda event: isinstance(event, Message) and "100M again" in event.text, "it is put back"
    )


async def test_whoever_decides_on_the_cap_is_not_overruled(task):
    await task.start()
    await task.cap(RAISED)
    await task.does("take")
    await task.stage.leave()
    await task.stage.enter()
    await task.stage.listener.first(Started, A)
    await task.cap(RAISED + MIB)
    await task.does("drop")
    run = task.stage.engine._runs[A]
    await eventually(lambda: _names("put_back") == [], "nobody puts it back any more")
    assert run.plan.cap_bytes == RAISED + MIB


def _names(word: str) -> list[str]:
    coroutines = [str(task.get_coro()) for task in asyncio.all_tasks()]
    return [name for name in coroutines if word in name]


async def test_a_change_that_cannot_be_noted_is_not_made(task):
    await task.start()
    plan_file = plans.plan_file(task.stage.state.output(A, 1))
    plan_file.with_suffix(".new").mkdir()
    with pytest.raises(Refused, match="cannot be noted"):
        await task.cap(RAISED)
    plan_file.with_suffix(".new").rmdir()
    await task.is_held_at("100M")


# --- beside a snapshot
@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[LocalStage]:
    made = LocalStage(tmp_path / "s", no_groups)
    await made.enter()
    yield made
    await made.end_everything()


async def test_without_a_cap_there_is_none_to_change(stage):
    await begun(stage, A, Part.RUNS)
    with pytest.raises(Refused, match="Nothing holds a cap"):
        await stage.engine.command(A, "cap", {"cap_bytes": RAISED}, 10)


async def test_a_cap_is_not_put_back_under_a_snapshot_not_even_by_the_next_engine(stage, tmp_path):
    """The process goes on writing when the engine that asked for it is gone."""
    go = tmp_path / "go"
    argv = (sys.executable, "-I", "-S", str(FAKE), "writes-until", str(go))
    env = {"HEAPTUI_SOCKET": str(stage.state.socket("worker"))}
    await stage.engine.submit(stage.command(A, *argv, env=env, cap_bytes=CAP), 1)
    started = await stage.listener.first(Started, A)
    pid, path = started.identity.pid, tmp_path / "one.heap"
    await eventually(lambda: stage.engine._workers.heaps(A), "it reports")
    await stage.engine.command(A, "cap", {"cap_bytes": RAISED}, 10)
    with pytest.raises(TimeoutError):
        await stage.engine.command(A, "snapshot", {"pid": pid, "path": str(path)}, 0.5)
    with pytest.raises(Refused, match="while a snapshot is written"):
        await stage.engine.command(A, "cap", {"cap_bytes": CAP}, 10)
    await stage.leave()
    await stage.enter()
    await stage.listener.first(Started, A)
    assert stage.engine._runs[A].plan.cap_bytes == RAISED
    assert plans.read(stage.state.output(A, 1)).writing
    told = await stage.listener.first(Message, A)
    assert "stays while a snapshot is written" in told.text
    go.touch()
    await stage.listener.find(
        lambda event: isinstance(event, Message) and "100M again" in event.text, "it is put back"
    )
    assert path.exists()
    assert plans.read(stage.state.output(A, 1)).writing == ()


# --- process limits
@pytest.mark.skipif(sys.platform != "linux", reason="other systems cannot change them at all")
async def test_who_set_a_limit_of_its_own_keeps_it(stage):
    source = (
        "import os, resource, time\n"
        "if os.fork() == 0:\n"
        f"    resource.setrlimit(resource.RLIMIT_DATA, ({50 * MIB}, {2 * RAISED}))\n"
        "print(os.getpid(), flush=True)\n"
        "time.sleep(600)\n"
    )
    await stage.python(A, source, cap_bytes=2 * RAISED, data_floor_bytes=0)
    await eventually(lambda: len(stage.said(A).split()) == 2, "both are there")
    await stage.engine.command(A, "cap", {"cap_bytes": RAISED}, 10)
    pids = map(int, stage.said(A).split())
    limits = {resource.prlimit(pid, resource.RLIMIT_DATA)[0] for pid in pids}
    assert limits == {RAISED, 50 * MIB}


@pytest.mark.skipif(sys.platform != "linux", reason="other systems cannot change them at all")
async def test_a_process_limit_is_raised_with_the_cap(stage):
    started = await stage.python(
        A, "import time; time.sleep(600)", cap_bytes=CAP, data_floor_bytes=0
    )
    await stage.engine.command(A, "cap", {"cap_bytes": RAISED}, 10)
    assert resource.prlimit(started.identity.pid, resource.RLIMIT_DATA)[0] == RAISED
    assert plans.read(stage.state.output(A, 1)).cap_bytes == RAISED


@pytest.mark.skipif(sys.platform != "linux", reason="other systems cannot change them at all")
async def test_a_hard_limit_that_may_not_be_raised_keeps_the_cap_where_it_is(stage):
    source = (
        "import resource, time\n"
        "soft = resource.getrlimit(resource.RLIMIT_DATA)[0]\n"
        "resource.setrlimit(resource.RLIMIT_DATA, (soft, soft))\n"
        "print('set', flush=True); time.sleep(600)\n"
    )
    started = await stage.python(A, source, cap_bytes=CAP, data_floor_bytes=0)
    await eventually(lambda: stage.said(A) == "set\n", "it has set its own")
    pid = started.identity.pid
    if may_raise_limits():
        await stage.engine.command(A, "cap", {"cap_bytes": RAISED}, 10)
        expected = RAISED
    else:
        with pytest.raises(Refused, match="may not raise it"):
            await stage.engine.command(A, "cap", {"cap_bytes": RAISED}, 10)
        expected = CAP
    assert resource.prlimit(pid, resource.RLIMIT_DATA)[0] == expected
    assert plans.read(stage.state.output(A, 1)).cap_bytes == expected


def may_raise_limits() -> bool:
    child = subprocess.Popen(["sleep", "600"])
    try:
        resource.prlimit(child.pid, resource.RLIMIT_CORE, (0, 0))
        resource.prlimit(child.pid, resource.RLIMIT_CORE, (1, 1))
    except PermissionError:
        return False
    finally:
        child.kill()
        child.wait()
    return True
