"""An operator's connection with a script in place of a supervisor: the same pictures every time.

The app under test cannot tell it from `heaptui.client.Client`. The clock stands still at `NOW`.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Sequence
from typing import Any

import msgspec

from heaptui.client import Update
from heaptui.errors import NoSuchTask
from heaptui.inputs import Inputs
from heaptui.model import (
    Alert,
    AttemptRecord,
    CapMeans,
    Detail,
    Event,
    Host,
    HostSample,
    Kind,
    Measures,
    ProcessSample,
    Quantiles,
    Row,
    Series,
    State,
    TaskSpec,
    VerdictKind,
)
from heaptui.protocol import Change, Picture, Pong, new_ids
from heaptui.units import GIB, KIB, MIB
from tests.terminal.heap_scene import HeapScript, heaps_of
from tests.terminal.split_scene import SplitScript

NOW = 1_700_000_000.0
"""2023-11-14 22:13:20 UTC."""


def now() -> float:
    return NOW


def wave(*eighths: int, top: int) -> tuple[int | None, ...]:
    """A sparkline's points in KiB from heights of 1 to 8."""
    return tuple(int(top * height / 8 / KIB) for height in eighths for _ in (0, 1))


def row(name: str, /, **fields: object) -> Row:
    """A running command with little memory; `fields` replace what matters."""
    base: dict[str, object] = {
        "id": name[:6].ljust(6, "_"),
        "name": name,
        "kind": Kind.COMMAND,
        "state": State.RUNNING,
        "argv": ("sleep", "60"),
        "cwd": "/srv/work",
        "created_at": NOW - 400,
        "started_at": NOW - 390,
        "attempts": 1,
        "pid": 41822,
        "cap_bytes": GIB,
        "cap_means": CapMeans.CGROUP2,
        "memory_bytes": 100 * MIB,
        "memory_from": "cgroup",
        "rss_bytes": 100 * MIB,
        "peak_bytes": 100 * MIB,
        "growth_bytes_per_min": 0.0,
        "cpu_percent": 1.0,
        "processes": 1,
    }
    given = base | fields
    cap = given["cap_bytes"]
    given.setdefault("soft_bytes", int(cap * 0.8) if isinstance(cap, int) else None)
    return Row(**given)  # type: ignore[arg-type]


def scene() -> list[Row]:
    """The pictures' eight tasks."""
    return [
        row(
            "refactor-auth",
            kind=Kind.NODE,
            argv=("node", "agent.js", "--task", "refactor-auth"),
            started_at=NOW - 34 * 60,
            memory_bytes=int(1.93 * GIB),
            rss_bytes=int(1.95 * GIB),
            peak_bytes=int(1.93 * GIB),
            cap_bytes=2 * GIB,
            heap_used_bytes=int(1.41 * GIB),
            heap_limit_bytes=int(1.50 * GIB),
            heaps=2,
            growth_bytes_per_min=88.0 * MIB,
            to_cap_s=80.0,
            cpu_percent=42.0,
            processes=2,
            spark=wave(1, 2, 3, 3, 4, 5, 6, 7, 8, 8, top=int(1.93 * GIB)),
        ),
        row(
            "docs-site",
            kind=Kind.NODE,
            argv=("node", "build.js"),
            pid=41901,
            started_at=NOW - 72 * 60,
            memory_bytes=842 * MIB,
            peak_bytes=850 * MIB,
            heap_used_bytes=611 * MIB,
            heap_limit_bytes=700 * MIB,
            heaps=1,
            growth_bytes_per_min=9.0 * MIB,
            to_cap_s=19.0 * 60,
            cpu_percent=12.0,
            spark=wave(3, 4, 5, 4, 5, 6, 5, 7, 6, 7, top=842 * MIB),
        ),
        row(
            "import-legacy",
            kind=Kind.PYTHON,
            argv=("python", "-m", "importer"),
            pid=39020,
            started_at=NOW - 185 * 60,
            memory_bytes=412 * MIB,
            heap_absent="it was started without the preload",
            peak_bytes=960 * MIB,
            growth_bytes_per_min=-1.1 * GIB,
            cpu_percent=8.0,
            attempts=4,
            spark=wave(5, 5, 6, 7, 8, 8, 8, 3, 3, 4, top=900 * MIB),
        ),
        row(
            "test-triage",
            argv=("codex", "exec"),
            pid=44010,
            started_at=NOW - 12 * 60,
            memory_bytes=161 * MIB,
            peak_bytes=166 * MIB,
            cpu_percent=3.0,
            spark=wave(4, 4, 5, 4, 4, 5, 4, 4, 5, 4, top=161 * MIB),
        ),
        *(
            row(
                f"bench-ingest/{n}",
                id=f"bench{n}",
                kind=Kind.PYTHON,
                argv=("python", "ingest.py", str(n)),
                pid=44100 + n,
                started_at=NOW - 6 * 60,
                memory_bytes=(151 - 3 * n) * MIB,
                heap_used_bytes=(98 - n) * MIB,
                heaps=1,
                peak_bytes=155 * MIB,
                growth_bytes_per_min=1.0 * MIB,
                cpu_percent=73.0 - 2 * n,
                spark=wave(2, 3, 2, 3, 2, 3, 2, 3, 2, 3, top=148 * MIB),
            )
            for n in (1, 2)
        ),
        row(
            "schema-audit",
            state=State.QUEUED,
            argv=("sh", "-c", "audit | report"),
            pid=None,
            started_at=None,
            attempts=0,
            memory_bytes=None,
            peak_bytes=None,
            growth_bytes_per_min=None,
            cpu_percent=None,
            wait_reason="waits for a free slot: 12 of 12 are taken",
        ),
        row(
            "e2e-login",
            kind=Kind.NODE,
            state=State.FAILED,
            argv=("node", "e2e.js"),
            pid=None,
            exit_code=None,
            signal=9,
            attempts=2,
            started_at=NOW - 840,
            ended_at=NOW - 130,
            memory_bytes=None,
            peak_bytes=int(1.52 * GIB),
            verdict=VerdictKind.CAP,
            reason="went over its cap of 1.5G: the kernel ended it",
        ),
    ]


def host(**fields: object) -> Host:
    sample = HostSample(
        at=NOW,
        name="web-3",
        mem_total_bytes=24 * GIB,
        mem_available_bytes=int(5.8 * GIB),
        pressure=0.4,
    )
    base: dict[str, object] = {
        "sample": sample,
        "caps_bytes": int(21.5 * GIB),
        "self_bytes": 38 * MIB,
        "warden_bytes": 3 * MIB,
        "running": 6,
        "waiting": 1,
        "failed": 1,
        "concurrency": 12,
        "means": CapMeans.CGROUP2,
    }
    return Host(**(base | fields))  # type: ignore[arg-type]


ALERTS = [
    Alert(
        id="soon:refact",
        level="red",
        text="reaches its 2.0G cap in 1m20 at +88M a minute",
        task_id="refact",
        actions=("heap.collect", "heap.snapshot", "task.stop"),
    ),
    Alert(
        id="soon:docs-s",
        level="amber",
        text="reaches its 1.0G cap in 19m at +9M a minute",
        task_id="docs-s",
        actions=("heap.collect", "heap.snapshot", "task.stop"),
    ),
]


def picture(rows: list[Row] | None = None, alerts: list[Alert] | None = None) -> Picture:
    """All rows and the host; the pictures' own without `rows`."""
    if rows is None:
        return Picture(at=NOW, host=host(), rows=scene(), alerts=ALERTS)
    return Picture(at=NOW, host=host(), rows=rows, alerts=alerts or [])


def many(count: int) -> list[Row]:
    """`count` running tasks of different sizes."""
    return [
        row(
            f"task-{n:04}",
            id=f"t{n:05}",
            pid=10_000 + n,
            kind=(Kind.COMMAND, Kind.NODE, Kind.PYTHON)[n % 3],
            created_at=NOW - 400 + n / 1000,
            memory_bytes=(20 + n * 37 % 700) * MIB,
            peak_bytes=(30 + n * 37 % 700) * MIB,
            growth_bytes_per_min=float((n * 13 % 9) - 4) * MIB,
            cpu_percent=float(n % 90),
            spark=wave(*(1 + (n + at) % 8 for at in range(10)), top=700 * MIB),
        )
        for n in range(count)
    ]


class FakeOperator:
    """Gives `updates` to whoever watches, then what `send` adds; calls are kept in `calls`."""

    def __init__(self, *updates: Update) -> None:
        self._updates = list(updates) or [picture()]
        self._more: asyncio.Queue[Update] = asyncio.Queue()
        self.rows = {
            row.id: row
            for update in self._updates
            if isinstance(update, Picture)
            for row in update.rows
        }
        self.calls: list[Any] = []
        self.heap = HeapScript(self.rows, self.calls)
        self.collect = self.heap.collect
        self.plan_snapshot = self.heap.plan_snapshot
        self.take_snapshot = self.heap.take_snapshot
        self.snapshots = self.heap.snapshots
        self.delete_snapshots = self.heap.delete_snapshots
        self.hunt = self.heap.hunt
        self.findings = self.heap.findings
        self.cancel_activity = self.heap.cancel_activity
        self.raise_limits = self.heap.raise_limits
        self.recycle = self.heap.recycle
        self.look_at_self = self.heap.look_at_self
        self.division = SplitScript(self.rows, self.calls)
        self.plan_split = self.division.plan_split
        self.split = self.division.split

    def send(self, update: Update) -> None:
        if isinstance(update, Picture | Change):
            self.rows.update((row.id, row) for row in update.rows)
        self._more.put_nowait(update)

    async def watch(self) -> AsyncIterator[Update]:
        for update in self._updates:
            yield update
        while True:
            yield await self._more.get()

    async def submit(
        self,
        specs: list[TaskSpec],
        environment: dict[str, str],
        inputs: Sequence[Inputs | None] = (),
    ) -> list[str]:
        self.calls.append(("submit", (specs, list(inputs)) if inputs else specs))
        return new_ids(len(specs))

    async def tasks(self, *, all: bool = False) -> list[Row]:
        return [row for row in self.rows.values() if all or not row.state.ended]

    def _row(self, task: str) -> Row:
        if task not in self.rows:
            raise NoSuchTask(f"There is no task {task}.", "`heaptui ps --all` lists them.")
        return self.rows[task]

    async def show(self, task: str, events: int = 200) -> Detail:
        row = self._row(task)
        lines = [
            (-600.0, "started", f"attempt 1 began: pid {row.pid}"),
            (-130.0, "soft", "beyond its soft limit: 1.62G of 2.0G"),
        ]
        return Detail(
            row=row,
            attempts=(
                AttemptRecord(
                    id=1,
                    task_id=row.id,
                    attempt=1,
                    name=row.name,
                    kind=row.kind,
                    status=row.state.value,
                    created_at=row.created_at,
                    started_at=row.started_at,
                    ended_at=row.ended_at,
                    pid=row.pid,
                    peak_bytes=row.peak_bytes,
                    cap_bytes=row.cap_bytes,
                    reason=row.reason,
                ),
            ),
            events=tuple(
                Event(at=NOW + at, task_id=row.id, attempt=1, kind=kind, text=text, seq=seq)
                for seq, (at, kind, text) in enumerate(lines)
            )[-events:],
            processes=(
                ProcessSample(41822, 1, 0, "node agent.js", int(1.8 * GIB), 40.0),
                ProcessSample(41830, 41822, 1, "node worker.js", int(0.13 * GIB), 2.0),
            ),
            heaps=heaps_of(row),
            env_names=("PATH", "HOME"),
            launch=row.argv,
        )

    async def history(self, limit: int = 100, match: str = "") -> list[AttemptRecord]:
        records = [
            AttemptRecord(
                id=n,
                task_id=row.id,
                attempt=row.attempts,
                name=row.name,
                kind=row.kind,
                status=row.state.value,
                created_at=row.created_at,
                started_at=row.started_at,
                ended_at=row.ended_at,
                peak_bytes=row.peak_bytes,
                cap_bytes=row.cap_bytes,
                verdict=row.verdict,
                reason=row.reason,
            )
            for n, row in enumerate(self.rows.values())
            if row.state.ended and match in row.name
        ]
        return records[:limit]

    async def series(self, task: str, span_s: float = 1800) -> Series:
        row = self._row(task)
        top = row.memory_bytes or 0
        steps = 180
        points = tuple(
            int(top * (0.25 + 0.75 * n / steps) * (1 + 0.06 * math.sin(n / 6)) / 1.03)
            for n in range(steps)
        )
        return Series(task_id=row.id, step_s=10.0, until=NOW, low=points, high=points)

    async def stop(
        self,
        tasks: Sequence[str],
        *,
        attempts: Sequence[int] | None = None,
        now: bool = False,
        drain: bool = False,
        grace_s: float | None = None,
    ) -> list[Row]:
        way = "drain" if drain else "kill" if now else "terminate"
        self.calls.append(("stop", (tuple(tasks), attempts, way)))
        return [msgspec.structs.replace(self._row(id), state=State.STOPPING) for id in tasks]

    async def retry(
        self, tasks: Sequence[str], *, attempts: Sequence[int] | None = None
    ) -> list[Row]:
        self.calls.append(("retry", tuple(tasks)))
        return [msgspec.structs.replace(self._row(id), state=State.QUEUED) for id in tasks]

    async def forget(self, tasks: Sequence[str]) -> int:
        self.calls.append(("forget", tuple(tasks)))
        return len(tasks)

    async def dispatch(self, *, paused: bool | None = None, concurrency: int | None = None) -> Host:
        self.calls.append(("dispatch", paused))
        return host(paused=bool(paused))

    async def measures(self, records: int = 200) -> Measures:
        return Measures(at=NOW, since=NOW - 3600, profiles=(), verdicts={}, dispatch=Quantiles())

    async def settled(self, tasks: Sequence[str]) -> list[Row]:
        return [self._row(id) for id in tasks]

    async def leave(self) -> None:
        self.calls.append(("leave", None))

    async def ping(self) -> Pong:
        return Pong(version="0", pid=1, warden_pid=2, supervisor_id="s1", embedded=True, since=NOW)
