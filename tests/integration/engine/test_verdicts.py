"""Real deaths through the real engine, and what is said about them."""

from __future__ import annotations

import asyncio
import json
import os
import shlex
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from heaptui.engine import evidence
from heaptui.engine.base import Exited, LaunchSpec, Message, Started
from heaptui.engine.node_reports import REPORTS_MAX, strip, take_in
from heaptui.memory.cgroup_files import write
from heaptui.memory.cgroups import probe
from heaptui.memory.identity import send
from heaptui.model import CapMeans, Kind, Limits, TaskSpec, VerdictKind
from heaptui.paths import private
from heaptui.runtime import node
from heaptui.runtime.launch import prepare
from heaptui.runtime.preload.place import placed
from heaptui.supervisor.verdicts import judge
from tests.integration.engine.contract import A
from tests.integration.engine.local_stage import MIB, LocalStage, no_groups

HEAP = "const a=[]; for(;;) a.push(new Array(1e4).fill({}))"
SECRET = "hunter2-of-the-operator"
GROWTH = "import time\na=[]\nwhile True: a.append(b'x' * (5 << 20)); time.sleep(0.01)"


class Launching(LocalStage):
    """`answers`: what Node says about itself, which takes seconds to learn, is the same for all."""

    answers: Path


@pytest.fixture(params=["groups", "bare"])
async def stage(
    request: pytest.FixtureRequest, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Launching]:
    """In a directory whose name must be quoted in NODE_OPTIONS."""
    found = probe if request.param == "groups" else no_groups
    made = Launching(tmp_path / 'a "state"', found)
    made.answers = tmp_path_factory.getbasetemp() / "runtimes.json"
    await made.enter()
    yield made
    await made.end_everything()


@pytest.fixture
def capped_by_kernel(stage: Launching) -> Launching:
    if stage.groups[-1].means is None:
        pytest.skip("no memory cgroup can be written here")
    return stage


async def launched(stage: Launching, *argv: str, kind: Kind, **limits: int) -> LaunchSpec:
    """As the supervisor has it launched."""
    private(stage.state.task(A))
    private(stage.state.reports(A, 1))
    asked = TaskSpec(
        argv=argv, cwd="/", name="t", kind=kind, limits=Limits(**limits), env={"TOKEN": SECRET}
    )
    launch = await prepare(
        asked,
        task_id=A,
        attempt=1,
        environment={"PATH": node_path()},
        cap_bytes=limits.get("cap_bytes"),
        cache=stage.answers,
        rlimited=False,
        preload=placed(stage.state.root),
        socket=str(stage.state.socket("worker")),
        reports=str(stage.state.reports(A, 1)),
    )
    spec = stage.command(
        A,
        *launch.argv,
        env=launch.env,
        cap_bytes=limits.get("cap_bytes"),
        data_floor_bytes=launch.data_floor_bytes,
    )
    await stage.engine.submit(spec, 1)
    return spec


def node_path() -> str:
    found = node.locate(dict(os.environ), Path("/"))
    assert found is not None
    return f"{found.parent}:{os.environ['PATH']}"


def kept(stage: Launching) -> list[Path]:
    return sorted(stage.state.reports(A, 1).iterdir())


@pytest.mark.parametrize("wrapped", [False, True], ids=["node", "behind a wrapper"])
async def test_a_heap_at_its_limit_is_known_and_its_report_gives_nothing_away(stage, wrapped):
    if wrapped:
        line = f"node -e {shlex.quote(HEAP)} > /dev/null 2>&1 || exit 1"
        await launched(stage, "sh", "-c", line, kind=Kind.COMMAND, heap_bytes=40 * MIB)
    else:
        argv = ("node", "-e", HEAP, SECRET)
        await launched(stage, *argv, kind=Kind.NODE, heap_bytes=40 * MIB)
    exited = await stage.listener.first(Exited, A)
    verdict = judge(exited, None, None)
    assert verdict.kind is VerdictKind.V8_HEAP, (exited, stage.said(A))
    (report,) = exited.traces.reports
    assert any(report.path in line for line in verdict.evidence)
    (path,) = kept(stage)
    assert str(path) == report.path
    assert path.stat().st_mode & 0o777 == 0o600
    content = path.read_text()
    assert SECRET not in content
    assert set(json.loads(content)["header"]) >= {"trigger", "event", "processId"}
    said = await stage.listener.first(Message, A)
    assert (said.kind, str(report.pid) in said.text) == ("report", True)
    # told again to the next engine, it is the same
    await stage.leave()
    await stage.enter()
    again = await stage.listener.first(Exited, A)
    assert again.traces.reports == exited.traces.reports


async def test_an_end_without_a_report_leaves_no_directory(stage):
    await launched(stage, "node", "-e", "process.exit(3)", kind=Kind.NODE)
    exited = await stage.listener.first(Exited, A)
    assert (exited.code, exited.traces.reports) == (3, ())
    assert not stage.state.reports(A, 1).exists()


async def test_the_kernel_s_kill_in_a_shell_that_returns_0_is_the_cap_s(stage):
    line = f"{shlex.quote(sys.executable)} -I -S -c {shlex.quote(GROWTH)}; exit 0"
    await launched(stage, "sh", "-c", line, kind=Kind.COMMAND, cap_bytes=80 * MIB)
    exited = await stage.listener.first(Exited, A)
    assert judge(exited, None, None).kind is VerdictKind.CAP
    assert exited.work is None


async def test_a_kill_for_another_group_s_limit_is_not_the_cap_s(capped_by_kernel, tmp_path):
    """As the machine's OOM looks from a group, with a group above in place of the machine."""
    stage = capped_by_kernel
    started = await waiting(stage, tmp_path, cap_bytes=400 * MIB)
    home = memory_group(stage).parent
    limit = {CapMeans.CGROUP1: "memory.limit_in_bytes", CapMeans.CGROUP2: "memory.max"}
    write(home / limit[started.means], str(60 * MIB))
    (tmp_path / "go").touch()
    exited = await stage.listener.first(Exited, A)
    assert exited.cap_hit is None
    assert (exited.traces.oom_kills, exited.traces.limit_reached) == (1, False)
    verdict = judge(exited, None, None)
    assert verdict.kind is VerdictKind.HOST_OOM
    assert any("not come to its limit" in line for line in verdict.evidence)


async def test_a_kill_from_outside_is_told_as_one(stage, tmp_path):
    started = await waiting(stage, tmp_path, cap_bytes=400 * MIB)
    send(started.identity, signal.SIGKILL)
    exited = await stage.listener.first(Exited, A)
    assert judge(exited, None, None).kind is VerdictKind.KILLED


async def test_a_cap_whose_group_vanishes_is_held_by_the_watchdog(capped_by_kernel, tmp_path):
    stage = capped_by_kernel
    await waiting(stage, tmp_path, cap_bytes=100 * MIB)
    group = memory_group(stage)
    for pid in (group / "cgroup.procs").read_text().split():
        write(group.parent / "cgroup.procs", pid)
    group.rmdir()
    told = await stage.listener.find(
        lambda event: isinstance(event, Message) and event.kind == "unguarded", "who holds its cap"
    )
    assert isinstance(told, Message)
    assert "the watchdog holds its cap of 100M now" in told.text
    (tmp_path / "go").touch()
    exited = await stage.listener.first(Exited, A)
    assert "killed by the watchdog" in (exited.cap_hit or "")
    assert judge(exited, None, None).kind is VerdictKind.CAP


async def waiting(stage: Launching, tmp_path: Path, cap_bytes: int) -> Started:
    """One that grows once `go` is there."""
    source = (
        "import os, sys, time\nprint('waits', flush=True)\n"
        "while not os.path.exists(sys.argv[1]): time.sleep(0.01)\n" + GROWTH
    )
    started = await stage.python(A, source, str(tmp_path / "go"), cap_bytes=cap_bytes)
    await stage.hear(A, "waits")
    return started


def memory_group(stage: Launching) -> Path:
    home = stage.groups[-1]._memory
    assert home is not None
    return home / f"{A}.1"


# --- reports that no Node wrote
GOOD = {
    "header": {"processId": 7, "trigger": "OOMError", "event": "out", "commandLine": [SECRET]},
    "javascriptHeap": {"usedMemory": 1, "memoryLimit": 2},
    "environmentVariables": {"TOKEN": SECRET},
    "workers": [{"environmentVariables": {"TOKEN": SECRET}}],
}


def test_what_is_no_report_is_deleted(tmp_path):
    place = tmp_path / "1.reports"
    place.mkdir()
    good = json.dumps(GOOD)
    (place / "report.1.7.0.001.json").write_text(good)
    (place / "report.2.json").write_text(good[: len(good) // 2])
    (place / "report.3.json").write_text('{"header": {"processId": "x"}}')
    (place / "report.4.json").write_bytes(b"\xff\x00")
    (place / "report.5.json").write_text("[" * 100_000)
    (place / "report.6.json").write_bytes(b" " * (5 * MIB))
    outside = tmp_path / "outside.json"
    outside.write_text(good)
    (place / "report.7.json").symlink_to(outside)
    os.mkfifo(place / "report.8.json")
    found = take_in(place)
    assert [one.report.pid for one in found] == [7]
    assert [path.name for path in place.iterdir()] == ["node.7.001.json"]
    assert SECRET not in (place / "node.7.001.json").read_text()
    assert outside.read_text() == good
    assert take_in(place) == found


def test_while_it_runs_what_is_whole_gives_nothing_away_and_the_rest_stays(tmp_path):
    place = tmp_path / "1.reports"
    place.mkdir()
    strip(place)
    good = json.dumps(GOOD)
    for n in range(REPORTS_MAX + 4):
        path = place / f"report.a.{n:03}.json"
        path.write_text(good)
        os.utime(path, (n, n))
    half = place / "report.b.900.json"
    half.write_text(good[: len(good) // 2])
    strip(place)
    newest = [f"node.7.{n:03}.json" for n in range(4, REPORTS_MAX + 4)]
    assert sorted(path.name for path in place.iterdir()) == [*newest, half.name]
    assert all(SECRET not in (place / name).read_text() for name in newest)
    half.write_text(good)
    strip(place)
    assert not half.exists()
    assert take_in(place)[-1].report.path == str(place / "node.7.900.json")
    strip(tmp_path / "absent")


async def test_a_childs_report_gives_nothing_away_though_its_attempt_goes_on(
    stage, tmp_path, monkeypatch
):
    monkeypatch.setattr(evidence, "STRIP_EVERY_S", 0.05)
    await waiting(stage, tmp_path, cap_bytes=100 * MIB)
    place = stage.state.reports(A, 1)
    private(place)
    raw = place / "report.20260101.120000.7.0.001.json"
    raw.write_text(json.dumps(GOOD))
    async with asyncio.timeout(30):
        while raw.exists():
            await asyncio.sleep(0.01)
    assert [path.name for path in place.iterdir()] == ["node.7.001.json"]


def test_a_reports_name_is_not_believed(tmp_path):
    place = tmp_path / "1.reports"
    place.mkdir()
    for odd in (b"report.\xff.001.json", b"node.\x1b]0;x\x07\n.json"):
        Path(os.fsdecode(bytes(place) + b"/" + odd)).write_text(json.dumps(GOOD))
    found = take_in(place)
    assert {Path(one.report.path).name for one in found} == {"node.7.001.json", "node.7.000.json"}
    assert sorted(path.name for path in place.iterdir()) == ["node.7.000.json", "node.7.001.json"]
    assert take_in(place) == found


def test_nothing_stays_however_much_there_is(tmp_path):
    place = tmp_path / "1.reports"
    place.mkdir()
    for n in range(5000):
        (place / f"report.{n}").touch()
    assert take_in(place) == []
    assert not place.exists()


def test_of_many_reports_the_newest_are_kept(tmp_path):
    place = tmp_path / "1.reports"
    place.mkdir()
    for n in range(REPORTS_MAX + 4):
        path = place / f"report.a.{n:03}.json"
        path.write_text(json.dumps(GOOD | {"header": GOOD["header"] | {"processId": n}}))
        os.utime(path, (n, n))
    assert [one.report.pid for one in take_in(place)] == list(range(4, REPORTS_MAX + 4))
    assert len(list(place.iterdir())) == REPORTS_MAX


def test_no_directory_is_no_report(tmp_path):
    assert take_in(tmp_path / "absent") == []
    (tmp_path / "link").symlink_to(tmp_path)
    assert take_in(tmp_path / "link") == []


async def test_figures_of_the_last_sample_are_told(stage, tmp_path):
    await waiting(stage, tmp_path, cap_bytes=400 * MIB)
    seen: list[object] = []
    await stage.listener.find(
        lambda event: bool(getattr(event, "tasks", ())) and (seen.append(event) or len(seen) > 1),
        "two samples of it",
    )
    await stage.engine.cancel(A, 0)
    exited = await stage.listener.first(Exited, A)
    traces = exited.traces
    assert traces.memory_bytes and traces.memory_bytes < 100 * MIB
    assert traces.available_bytes and traces.age_s is not None and traces.age_s < 5
    verdict = judge(exited, "kill", None)
    assert verdict.evidence[-1].startswith("last sample")
