"""An operator that answers from memory, and a bare app around one widget or screen."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator, Sequence
from typing import Any

from textual.app import App, ComposeResult

from heaptui.client import Update
from heaptui.config import PolicyConfig
from heaptui.errors import HeaptuiError, NoSuchTask
from heaptui.inputs import Inputs
from heaptui.model import (
    AttemptRecord,
    CapMeans,
    Detail,
    Event,
    Host,
    Kind,
    ProcessSample,
    Row,
    Series,
    State,
    TaskSpec,
    VerdictKind,
)
from heaptui.protocol import Pong
from heaptui.tui.board import Board
from heaptui.tui.glyphs import UNICODE, Glyphs
from heaptui.tui.keymap import BINDINGS
from heaptui.tui.themes import Palette, load
from heaptui.tui.widgets.dock import Dock
from tests.terminal.heap_scene import HeapScript

NOW = 1_700_000_000.0
M, G = 1 << 20, 1 << 30


def a_row(**fields: Any) -> Row:
    """A node task that is close to its cap."""
    given: dict[str, Any] = {
        "id": "7f3a2c",
        "name": "refactor-auth",
        "kind": Kind.NODE,
        "state": State.RUNNING,
        "argv": ("node", "agent.js", "--task", "refactor auth"),
        "cwd": "/srv/agents",
        "created_at": NOW - 2060,
        "started_at": NOW - 2050,
        "pid": 41822,
        "attempts": 1,
        "rss_bytes": int(1.95 * G),
        "memory_bytes": int(1.93 * G),
        "memory_from": "cgroup",
        "pss_bytes": int(1.94 * G),
        "peak_bytes": int(1.97 * G),
        "cap_bytes": 2 * G,
        "cap_means": CapMeans.CGROUP2,
        "soft_bytes": int(1.6 * G),
        "growth_bytes_per_min": 88.0 * M,
        "to_cap_s": 80.0,
        "cpu_percent": 42.0,
        "processes": 2,
        "heap_limit_bytes": int(1.5 * G),
        "output_bytes": 13_002_342,
        "timeout_s": 3600.0,
    }
    return Row(**(given | fields))


def a_series(task_id: str = "7f3a2c") -> Series:
    """Half an hour that grows to the cap in waves, with one minute that nobody measured."""
    values: list[int | None] = [
        int((0.45 + 1.45 * at / 1800 + 0.09 * math.sin(at / 70)) * G) for at in range(1800)
    ]
    values[700:760] = [None] * 60
    return Series(task_id=task_id, step_s=1.0, until=NOW, low=tuple(values), high=tuple(values))


def a_detail(row: Row, **fields: Any) -> Detail:
    given: dict[str, Any] = {
        "row": row,
        "attempts": (
            AttemptRecord(
                id=12,
                task_id=row.id,
                attempt=1,
                name=row.name,
                kind=row.kind,
                status="running",
                created_at=row.created_at,
                started_at=row.started_at,
                pid=row.pid,
                peak_bytes=row.peak_bytes,
                cap_bytes=row.cap_bytes,
                cap_means=row.cap_means,
            ),
        ),
        "events": tuple(
            Event(at=NOW - ago, task_id=row.id, attempt=1, kind=kind, text=text, seq=seq)
            for seq, (ago, kind, text) in enumerate(
                (
                    (2060, "queued", "queued by run"),
                    (2050, "started", "started as pid 41822 with a cap of 2.0G by cgroup v2"),
                    (620, "soft", "soft limit: 1.71 of 2.0G"),
                    (80, "soft", "soft limit: 1.89 of 2.0G, grows 88M a minute"),
                )
            )
        ),
        "processes": (
            ProcessSample(41822, 1, 0, "node agent.js --task refactor auth", int(1.4 * G), 40.0),
            ProcessSample(41830, 41822, 1, "node worker.js", 402 * M, 2.0),
            ProcessSample(41833, 41830, 2, "sh -c 'git status'", 4 * M, 0.0),
            ProcessSample(41841, 41822, 1, "rg --json TODO", 21 * M, None),
        ),
        "env_names": ("GEMINI_API_KEY", "NODE_ENV"),
        "launch": ("node", "--max-old-space-size=1536", "agent.js", "--task", "refactor auth"),
    }
    return Detail(**(given | fields))


class DockOperator:
    """Answers from `details` and `plot`, keeps what was asked for in `calls`; `refusal` is raised
    by the next submission or stop."""

    def __init__(self, *details: Detail) -> None:
        self.details = {detail.row.id: detail for detail in details}
        self.plot: dict[str, Series] = {}
        self.calls: list[tuple[Any, ...]] = []
        self.refusal: HeaptuiError | None = None
        self.records: list[AttemptRecord] = []
        self.submitted: list[TaskSpec] = []
        self.inputs: list[Inputs | None] = []
        self.heap = HeapScript({id: detail.row for id, detail in self.details.items()}, self.calls)
        self.collect = self.heap.collect
        self.plan_snapshot = self.heap.plan_snapshot
        self.take_snapshot = self.heap.take_snapshot
        self.snapshots = self.heap.snapshots
        self.delete_snapshots = self.heap.delete_snapshots
        self.hunt = self.heap.hunt
        self.findings = self.heap.findings
        self.raise_limits = self.heap.raise_limits
        self.recycle = self.heap.recycle

    def count(self, name: str) -> int:
        return sum(call[0] == name for call in self.calls)

    def put(self, row: Row) -> Row:
        """The task as it is from now on."""
        before = self.details.get(row.id)
        self.details[row.id] = a_detail(row) if before is None else _with_row(before, row)
        return row

    async def submit(
        self,
        specs: list[TaskSpec],
        environment: dict[str, str],
        inputs: Sequence[Inputs | None] = (),
    ) -> list[str]:
        self.calls.append(("submit", specs, environment))
        if self.refusal is not None:
            raise self.refusal
        self.inputs += inputs
        self.submitted += specs
        return [f"new{index:03}" for index in range(len(specs))]

    async def tasks(self, *, all: bool = False) -> list[Row]:
        return [detail.row for detail in self.details.values()]

    async def show(self, task: str, events: int = 200) -> Detail:
        self.calls.append(("show", task))
        if task not in self.details:
            raise NoSuchTask(f"There is no task {task}.")
        return self.details[task]

    async def history(self, limit: int = 100, match: str = "") -> list[AttemptRecord]:
        self.calls.append(("history", limit, match))
        return [each for each in self.records if match in each.name][:limit]

    async def series(self, task: str, span_s: float = 1800) -> Series:
        self.calls.append(("series", task, span_s))
        return self.plot.get(task) or Series(task_id=task, step_s=1.0, until=NOW, low=(), high=())

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
        self.calls.append(("stop", tuple(tasks), tuple(attempts or ()), way))
        if self.refusal is not None:
            raise self.refusal
        return [self.details[task].row for task in tasks]

    async def retry(
        self, tasks: Sequence[str], *, attempts: Sequence[int] | None = None
    ) -> list[Row]:
        self.calls.append(("retry", tuple(tasks)))
        return [self.details[task].row for task in tasks]

    async def forget(self, tasks: Sequence[str]) -> int:
        self.calls.append(("forget", tuple(tasks)))
        return len(tasks)

    async def dispatch(self, *, paused: bool | None = None, concurrency: int | None = None) -> Host:
        return Host(sample=None, paused=bool(paused))

    async def settled(self, tasks: Sequence[str]) -> list[Row]:
        return [self.details[task].row for task in tasks]

    async def leave(self) -> None:
        self.calls.append(("leave",))

    async def ping(self) -> Pong:
        return Pong(
            version="0", pid=1, warden_pid=2, supervisor_id="s", embedded=True, since=NOW - 60
        )

    async def watch(self) -> AsyncIterator[Update]:
        return
        yield


def _with_row(detail: Detail, row: Row) -> Detail:
    return Detail(
        row=row,
        attempts=detail.attempts,
        events=detail.events,
        processes=detail.processes,
        heaps=detail.heaps,
        env_names=detail.env_names,
        output_path=detail.output_path,
        output_given_back=detail.output_given_back,
        launch=detail.launch,
    )


def a_record(number: int, **fields: Any) -> AttemptRecord:
    """An ended attempt, the higher its number the older."""
    given: dict[str, Any] = {
        "id": 1000 - number,
        "task_id": f"t{number:05}",
        "attempt": 1,
        "name": f"task-{number}",
        "kind": Kind.PYTHON,
        "status": "ended",
        "created_at": NOW - 100 * number - 60,
        "started_at": NOW - 100 * number - 55,
        "ended_at": NOW - 100 * number - 5,
        "pid": 5000 + number,
        "exit_code": 0,
        "peak_bytes": (300 + number) * M,
        "cap_bytes": G,
        "verdict": VerdictKind.FINISHED,
        "reason": "finished",
    }
    return AttemptRecord(**(given | fields))


def clock() -> float:
    return NOW


class DockApp(App[object]):
    """The dock alone, with what the real app offers its widgets."""

    def __init__(
        self,
        operator: DockOperator,
        row: Row | None = None,
        *,
        palette: str = "dark",
        glyphs: Glyphs = UNICODE,
    ) -> None:
        super().__init__()
        palettes, _ = load()
        self.palette: Palette = palettes[palette]
        self.glyphs = glyphs
        self.clock = clock
        self.board = Board()
        self.entries = BINDINGS
        self.policy = PolicyConfig()
        self.operator = operator
        self._first = row
        for each in palettes.values():
            self.register_theme(each.textual())
        self.theme = self.palette.name

    def compose(self) -> ComposeResult:
        yield Dock(self.operator, clock=clock, id="dock")

    def on_mount(self) -> None:
        dock = self.query_one(Dock)
        dock.follow(self._first)
        dock.focus()
