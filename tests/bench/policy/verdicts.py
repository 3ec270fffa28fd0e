"""Programs that run out of memory in every way, at a cap of 300 MB: how far they come beyond it,
and what is said about their end.

HEAPTUI_BENCH_RUNS: how often each is run (20). Through the real engine and `verdicts.judge`, by
each means that can be had here: the memory cgroup, process limits with the watchdog, the watchdog
alone. HEAPTUI_BENCH_ONLY: those whose name holds this; HEAPTUI_BENCH_TELLS: with each verdict.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from heaptui.engine.base import EngineEvent, Exited, LaunchSpec, Lost, Started
from heaptui.engine.local import LocalEngine
from heaptui.memory.cgroups import Groups, probe
from heaptui.memory.identity import send
from heaptui.model import CapMeans, Kind, Limits, TaskSpec, VerdictKind
from heaptui.paths import StateDir, private
from heaptui.runtime.launch import prepare
from heaptui.runtime.preload.place import placed
from heaptui.supervisor.verdicts import judge
from tests.bench.harness import MIB, Row, state_dir

CAP = 300 * MIB
ENDS_WITHIN_S = 60.0
LOOK_EVERY_S = 0.005

PROGRAMS = Path(__file__).parent / "programs"
CGROUPS = (CapMeans.CGROUP1, CapMeans.CGROUP2)


@dataclass(frozen=True)
class Drill:
    """`right` are the verdicts that tell what happened where a cgroup holds the cap, `elsewhere`
    those under a process limit or the watchdog."""

    what: str
    kind: Kind
    argv: tuple[str, ...]
    right: frozenset[VerdictKind]
    elsewhere: frozenset[VerdictKind]
    heap_bytes: int | None = None
    overshoots: bool = True
    kill_after: str = ""


def _python(name: str, *arguments: str) -> tuple[str, ...]:
    return sys.executable, str(PROGRAMS / name), *arguments


def _one(*kinds: VerdictKind) -> frozenset[VerdictKind]:
    return frozenset(kinds)


_SHELL = ("/bin/sh", "-c")
CAP_ONLY = _one(VerdictKind.CAP)
CAP_OR_ERROR = _one(VerdictKind.CAP, VerdictKind.PYTHON_MEMORY)
HEAP = _one(VerdictKind.V8_HEAP)

DRILLS = (
    Drill("burst of 1 GB", Kind.PYTHON, _python("burst.py"), CAP_ONLY, CAP_OR_ERROR),
    Drill("growth 50 MB/s", Kind.PYTHON, _python("growth.py"), CAP_ONLY, CAP_OR_ERROR),
    Drill("4 children of 250 MB", Kind.COMMAND, _python("children.py"), CAP_ONLY, CAP_ONLY),
    Drill("Node heap", Kind.NODE, ("node", str(PROGRAMS / "heap.js")), HEAP, HEAP),
    Drill("Node Buffers", Kind.NODE, ("node", str(PROGRAMS / "buffers.js")), CAP_ONLY, CAP_ONLY),
    Drill("Python list", Kind.PYTHON, _python("list.py"), CAP_ONLY, CAP_OR_ERROR),
    Drill(
        "a child in a shell that returns 0",
        Kind.COMMAND,
        (*_SHELL, f"{sys.executable} {PROGRAMS / 'growth.py'} 200; exit 0"),
        CAP_ONLY,
        CAP_ONLY,
    ),
    Drill(
        "Node's heap behind a wrapper that returns 1",
        Kind.COMMAND,
        (*_SHELL, f"node {PROGRAMS / 'heap.js'} >/dev/null 2>&1 || exit 1"),
        HEAP,
        HEAP,
        heap_bytes=64 * MIB,
        overshoots=False,
    ),
    Drill(
        "only prints V8's last words, exits 1",
        Kind.PYTHON,
        _python("pretends.py", "v8"),
        _one(VerdictKind.FAILED),
        _one(VerdictKind.FAILED),
        overshoots=False,
    ),
    Drill(
        "only prints a traceback, then fails otherwise",
        Kind.PYTHON,
        _python("pretends.py", "python"),
        _one(VerdictKind.FAILED),
        _one(VerdictKind.FAILED),
        overshoots=False,
    ),
    Drill(
        "kill -9 from outside at 200 MB",
        Kind.PYTHON,
        _python("pretends.py", "holds"),
        _one(VerdictKind.KILLED),
        _one(VerdictKind.KILLED, VerdictKind.UNKNOWN),
        overshoots=False,
        kill_after="holds",
    ),
    Drill(
        "a crash that is no lack of memory",
        Kind.PYTHON,
        _python("pretends.py", "crashes"),
        _one(VerdictKind.ABORTED),
        _one(VerdictKind.ABORTED),
        overshoots=False,
    ),
)


@dataclass
class Tally:
    """Of one drill by one means."""

    verdicts: Counter[VerdictKind] = field(default_factory=Counter)
    over: list[int] = field(default_factory=list)


def run() -> list[Row]:
    """A row for each drill and means."""
    runs = int(os.environ.get("HEAPTUI_BENCH_RUNS", "20"))
    only = os.environ.get("HEAPTUI_BENCH_ONLY", "")
    chosen = [drill for drill in DRILLS if only in drill.what]
    rows: list[Row] = []
    ways: list[tuple[str, Callable[[str, int | None], Groups], bool]] = [
        ("process limits and watchdog", _no_groups, True),
        ("watchdog alone", _no_groups, False),
    ]
    groups = probe(secrets.token_hex(6))
    if groups.means is not None:
        ways.insert(0, (str(groups.means), probe, True))
    groups.close()
    for name, find_groups, limited in ways:
        with state_dir() as state:
            rows += asyncio.run(_by(name, find_groups, state, chosen, runs, limited=limited))
    return rows


async def _by(
    name: str,
    find_groups: Callable[[str, int | None], Groups],
    state: StateDir,
    drills: list[Drill],
    runs: int,
    *,
    limited: bool,
) -> list[Row]:
    rows: list[Row] = []
    async with _engine(state, find_groups) as house:
        capped_by_kernel = house.engine.nodes()[0].means in CGROUPS
        for drill in drills:
            print(f"… {name}: {drill.what}", file=sys.stderr)
            tally = Tally()
            for _ in range(runs):
                await _once(house, drill, tally, limited=limited)
            rows.append(_row(name, drill, tally, runs, by_kernel=capped_by_kernel))
    return rows


def _row(name: str, drill: Drill, tally: Tally, runs: int, *, by_kernel: bool) -> Row:
    right_ones = drill.right if by_kernel else drill.elsewhere
    right = sum(count for kind, count in tally.verdicts.items() if kind in right_ones)
    unknown = 0 if VerdictKind.UNKNOWN in right_ones else tally.verdicts[VerdictKind.UNKNOWN]
    said = ", ".join(f"{count} {kind}" for kind, count in tally.verdicts.most_common())
    figure = f"{right} right, {unknown} unknown, {runs - right - unknown} wrong ({said})"
    bar = f"{runs} right" if by_kernel else "0 wrong"
    if drill.overshoots:
        figure += f"; at most {max(tally.over) / MIB:+.0f} MB of the cap"
        apart = "burst" in drill.what and not by_kernel
        bar += "; said" if apart else f"; <= {20 if by_kernel else 60} MB"
    return f"{drill.what}, by {name}", figure, bar


class House:
    """An engine, and who listens to it."""

    def __init__(self, engine: LocalEngine, state: StateDir) -> None:
        self.engine = engine
        self.state = state
        self.preload = placed(state.root)
        self.observer = Observer()
        self.started: dict[str, asyncio.Future[Started]] = {}
        self.ended: dict[str, asyncio.Future[Exited | Lost]] = {}

    async def listen(self) -> None:
        async for event in self.engine.events():
            self.hear(event)

    def hear(self, event: EngineEvent) -> None:
        if isinstance(event, Started) and not self.started[event.task_id].done():
            self.started[event.task_id].set_result(event)
        if isinstance(event, Exited | Lost) and not self.ended[event.task_id].done():
            self.ended[event.task_id].set_result(event)


@contextlib.asynccontextmanager
async def _engine(
    state: StateDir, find_groups: Callable[[str, int | None], Groups]
) -> AsyncIterator[House]:
    engine = LocalEngine(state, "bench", (), find_groups=find_groups)
    await engine.open()
    house = House(engine, state)
    listening = asyncio.create_task(house.listen())
    try:
        yield house
    finally:
        house.observer.close()
        warden = engine.keeper_pid()
        listening.cancel()
        await asyncio.gather(listening, return_exceptions=True)
        await engine.close()
        if warden is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(warden, signal.SIGTERM)


async def _once(house: House, drill: Drill, tally: Tally, *, limited: bool) -> None:
    task_id = f"d{secrets.token_hex(4)}"
    loop = asyncio.get_running_loop()
    house.started[task_id], house.ended[task_id] = loop.create_future(), loop.create_future()
    await house.engine.submit(await _spec(house, drill, task_id, limited=limited), 1)
    async with asyncio.timeout(ENDS_WITHIN_S):
        started = await house.started[task_id]
        with house.observer.watching(started.identity.pid, task_id) as peak:
            if drill.kill_after:
                output = house.state.output(task_id, 1)
                while drill.kill_after not in output.read_text():
                    await asyncio.sleep(0.05)
                send(started.identity, signal.SIGKILL)
            ended = await house.ended[task_id]
    await house.engine.acknowledge(task_id, 1)
    if isinstance(ended, Lost):
        tally.verdicts[VerdictKind.LOST] += 1
        return
    verdict = judge(ended, None, None)
    tally.verdicts[verdict.kind] += 1
    tally.over.append(peak.bytes - CAP)
    if os.environ.get("HEAPTUI_BENCH_TELLS"):
        print(f"    {verdict.kind}: {verdict.text} {verdict.evidence}", file=sys.stderr)
    shutil.rmtree(house.state.task(task_id), ignore_errors=True)


async def _spec(house: House, drill: Drill, task_id: str, *, limited: bool) -> LaunchSpec:
    state = house.state
    private(state.task(task_id))
    private(state.reports(task_id, 1))
    capped_by_kernel = house.engine.nodes()[0].means in CGROUPS
    task = TaskSpec(
        argv=drill.argv,
        cwd=str(state.root),
        name=drill.what,
        kind=drill.kind,
        limits=Limits(cap_bytes=CAP, heap_bytes=drill.heap_bytes),
    )
    launch = await prepare(
        task,
        task_id=task_id,
        attempt=1,
        environment=dict(os.environ),
        cap_bytes=CAP,
        cache=state.runtimes,
        rlimited=limited and not capped_by_kernel,
        preload=house.preload,
        socket=str(state.socket("worker")),
        reports=str(state.reports(task_id, 1)),
    )
    return LaunchSpec(
        task_id=task_id,
        name=drill.what,
        argv=launch.argv,
        cwd=task.cwd,
        env=launch.env,
        output=str(state.output(task_id, 1)),
        output_bytes=MIB,
        cap_bytes=CAP,
        data_floor_bytes=launch.data_floor_bytes if limited else None,
        reports=str(state.reports(task_id, 1)),
    )


class Observer:
    """observer.py in a process of its own; where a cgroup counts, its own figure."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("observer.py"))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    @contextlib.contextmanager
    def watching(self, leader: int, task_id: str) -> Iterator[Peak]:
        peak = Peak()
        group = _memory_group(leader, task_id)
        self._say(f"{leader}\n")
        last = asyncio.get_running_loop().create_task(_follow(group, peak))
        try:
            yield peak
        finally:
            last.cancel()
            self._say("\n")
            assert self._process.stdout is not None
            held = int(self._process.stdout.readline())
            peak.bytes = peak.bytes or held

    def close(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(10)

    def _say(self, text: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(text)
        self._process.stdin.flush()


@dataclass
class Peak:
    bytes: int = 0


async def _follow(group: Path | None, peak: Peak) -> None:
    """The kernel keeps the most itself: any reading before the group goes will do."""
    while group is not None:
        with contextlib.suppress(OSError):
            peak.bytes = max(peak.bytes, int(group.read_text()))
        await asyncio.sleep(LOOK_EVERY_S)


def _memory_group(pid: int, task_id: str) -> Path | None:
    try:
        lines = Path(f"/proc/{pid}/cgroup").read_text().splitlines()
    except OSError:
        return None
    for line in lines:
        _, controllers, group = line.split(":", 2)
        if not group.endswith(f"{task_id}.1") or controllers not in ("memory", ""):
            continue
        for root in ("memory", "unified", ""):
            place = Path("/sys/fs/cgroup") / root / group.lstrip("/")
            for name in ("memory.max_usage_in_bytes", "memory.peak"):
                if (place / name).exists():
                    return place / name
    return None


def _no_groups(_key: str, _pid: int | None = None) -> Groups:
    return Groups("none", tree=None, memory=None, means=None, can_kill=False, detail="none")


if __name__ == "__main__":
    began = time.monotonic()
    for row in run():
        print(" | ".join(row))
    print(f"{time.monotonic() - began:.0f} s")
