"""What the scripted operators know of heaps: figures, plans, snapshots, a finding, long work."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from msgspec.structs import replace

from heaptui.errors import HeaptuiError, Refused
from heaptui.model import (
    Activity,
    Collection,
    Finding,
    Grower,
    Kind,
    ProcessHeap,
    Row,
    SelfReport,
    Snapshot,
    SnapshotPlan,
    State,
)
from heaptui.units import GIB, MIB, size

NOW = 1_700_000_000.0


def a_heap(**fields: Any) -> ProcessHeap:
    """The heap of a Node process that is close to its limit."""
    given: dict[str, Any] = {
        "pid": 41822,
        "ppid": 4100,
        "runtime": "node",
        "version": "20.20.0",
        "at": NOW - 0.4,
        "title": "agent.js",
        "used_bytes": int(1.41 * GIB),
        "committed_bytes": int(1.44 * GIB),
        "limit_bytes": int(1.50 * GIB),
        "external_bytes": 410 * MIB,
        "array_buffers_bytes": 402 * MIB,
        "old_bytes": int(1.32 * GIB),
        "new_bytes": 31 * MIB,
        "rss_bytes": int(1.95 * GIB),
        "gc_count": 412,
        "gc_s": 61.2,
        "loop_delay_s": 0.61,
        "requests": 1204,
        "can": ("gc", "snapshot"),
    }
    return ProcessHeap(**(given | fields))


def python_heap(pid: int, used_bytes: int, **fields: Any) -> ProcessHeap:
    """The heap of a Python process whose allocations are traced."""
    given: dict[str, Any] = {
        "pid": pid,
        "ppid": 4100,
        "runtime": "python",
        "version": "3.12.7",
        "at": NOW - 0.4,
        "used_bytes": used_bytes,
        "committed_bytes": int(used_bytes * 1.1),
        "blocks": 1_840_000,
        "traced_bytes": int(used_bytes * 0.8),
        "gc_count": 61,
        "gc_s": 1.2,
        "can": ("gc", "snapshot"),
    }
    return ProcessHeap(**(given | fields))


def heaps_of(row: Row) -> tuple[ProcessHeap, ...]:
    """As its row says; a task of two processes has two heaps."""
    if row.heap_used_bytes is None or row.pid is None:
        return ()
    if row.kind is Kind.PYTHON:
        return (python_heap(row.pid, row.heap_used_bytes),)
    first = a_heap(
        pid=row.pid,
        used_bytes=row.heap_used_bytes,
        committed_bytes=int(row.heap_used_bytes * 1.02),
        limit_bytes=row.heap_limit_bytes,
    )
    if row.processes != 2:
        return (first,)
    second = a_heap(
        pid=41830,
        title="worker.js",
        used_bytes=27 * MIB,
        committed_bytes=31 * MIB,
        limit_bytes=256 * MIB,
    )
    return first, second


def a_plan(row: Row, verdict: str = "fits", **fields: Any) -> SnapshotPlan:
    """What a snapshot of that task would take."""
    used = row.heap_used_bytes or 600 * MIB
    given: dict[str, Any] = {
        "task_id": row.id,
        "attempt": row.attempts,
        "name": row.name,
        "pid": row.pid or 41822,
        "runtime": "node",
        "verdict": verdict,
        "text": {
            "fits": "needs up to 1.02G beside the 1.93G in use; there is room",
            "raise": (
                "needs up to 1.02G beside the 1.93G in use; the cap of 2.00G leaves 10M: it has to "
                "be raised to 3.10G meanwhile"
            ),
            "ask": ("needs up to 1.02G beside the 1.93G in use; this machine has 830M left for it"),
            "refused": (
                "needs 423M at least beside the 1.93G in use; the cap of 2.00G leaves 10M, and it "
                "cannot be raised"
            ),
        }[verdict],
        "basis": "3 earlier snapshots of this program, and a quarter more",
        "heap_bytes": used,
        "seconds": 5.4,
        "extra_bytes": 1040 * MIB,
        "file_bytes": 310 * MIB,
        "cap_room_bytes": 10 * MIB,
        "host_room_bytes": int(5.8 * GIB),
        "disk_room_bytes": 41 * GIB,
        "raise_to_bytes": int(3.1 * GIB) if verdict == "raise" else None,
        "directory": "/var/lib/agents/heaptui/snapshots",
        "reasons": (
            "by 3 earlier snapshots of this program, and a quarter more",
            "memory: 423M to 1.02G beside 1.93G in use; 1.02G at the very worst",
            "cap: 2.00G; leaves 10M",
            "machine: 5.80G beside what is kept free",
            "disk: up to 310M of 41.0G",
            "time: up to 5s; the program stands still",
        ),
    }
    return SnapshotPlan(**(given | fields))


def a_snapshot(id: int, row: Row, **fields: Any) -> Snapshot:
    """A snapshot, the higher its number the newer."""
    given: dict[str, Any] = {
        "id": id,
        "task_id": row.id,
        "attempt": row.attempts,
        "name": row.name,
        "pid": row.pid or 41822,
        "runtime": "node",
        "version": "20.20.0",
        "format": "v8",
        "at": NOW - 1000 + 150 * id,
        "path": f"/var/lib/agents/heaptui/snapshots/{row.name}.1.41822.{id}.heapsnapshot",
        "bytes": (250 + 30 * id) * MIB,
        "seconds": 4.0 + id / 2,
        "heap_bytes": int((1.0 + 0.2 * id) * GIB),
    }
    return Snapshot(**(given | fields))


def grower(name: str, mib_per_min: float, mib: int, count: int) -> Grower:
    return Grower(name=name, bytes_per_min=mib_per_min * MIB, bytes=mib * MIB, count=count)


def a_finding(row: Row, **fields: Any) -> Finding:
    """A leak hunt that found its leak."""
    given: dict[str, Any] = {
        "id": 7,
        "task_id": row.id,
        "attempt": row.attempts,
        "name": row.name,
        "pid": row.pid or 41822,
        "at": NOW - 60,
        "seconds": 138.0,
        "text": (
            "The array loggers.queue (telemetry/loggers.js:18) takes 26.8M a minute and explains "
            "93 % of the growth."
        ),
        "growers": (
            grower("TelemetryEvent", 26.8, 54, 1988),
            grower("(string) request body", 25.9, 52, 1988),
            grower("Map", 1.4, 3, 2),
        ),
        "path": ("(GC roots)", "module loggers.js", "loggers", ".queue Array(14,902)", "[14901]"),
        "holder": "loggers.queue",
        "function": "record",
        "file": "telemetry/loggers.js",
        "line": 18,
        "before": 1,
        "after": 2,
    }
    return Finding(**(given | fields))


def an_activity(**fields: Any) -> Activity:
    """A leak hunt that waits."""
    given: dict[str, Any] = {
        "id": "a1",
        "kind": "hunt",
        "text": "waits 1m12 more, then takes the second snapshot",
        "began_at": NOW - 66,
        "task_id": "refact",
        "name": "refactor-auth",
        "expected_s": 150.0,
        "cancellable": True,
    }
    return Activity(**(given | fields))


WRITING = an_activity(
    id="a2",
    kind="snapshot",
    text="writes a snapshot, heap of 611M, 12M written",
    began_at=NOW - 4,
    name="docs-site",
    expected_s=9.0,
    cancellable=False,
)


class HeapScript:
    """Answers for an operator whose rows are `rows`; what was asked goes to `calls`. `refusal` is
    raised by the next call that acts."""

    def __init__(self, rows: dict[str, Row], calls: list[Any]) -> None:
        self._rows = rows
        self._calls = calls
        self.verdict = "fits"
        self.refusal: HeaptuiError | None = None
        self.kept: list[Snapshot] = []
        self.found: list[Finding] = []

    def _acts(self, *call: Any) -> None:
        self._calls.append(call)
        refusal, self.refusal = self.refusal, None
        if refusal is not None:
            raise refusal

    async def collect(
        self, tasks: Sequence[str], *, attempts: Sequence[int] | None = None, pid: int | None = None
    ) -> list[Collection]:
        self._acts("collect", tuple(tasks), tuple(attempts or ()))
        found = []
        for id in tasks:
            row = self._rows[id]
            before = row.heap_used_bytes or 0
            after = int(before * 0.44)
            found.append(
                Collection(
                    task_id=id,
                    attempt=row.attempts,
                    pid=row.pid or 0,
                    runtime="node",
                    text=f"heap {size(before)} → {size(after)}, memory 1.93G → 1.10G, 412 ms",
                    took_s=0.42,
                    pause_s=0.412,
                    heap_before=before,
                    heap_after=after,
                )
            )
        return found

    async def plan_snapshot(
        self, task: str, *, pid: int | None = None, path: str | None = None
    ) -> SnapshotPlan:
        self._calls.append(("plan", task, pid))
        plan = a_plan(self._rows[task], self.verdict)
        if pid in (None, plan.pid):
            return plan
        return replace(
            plan,
            pid=pid,
            heap_bytes=27 * MIB,
            seconds=0.3,
            extra_bytes=24 * MIB,
            file_bytes=5 * MIB,
        )

    async def take_snapshot(
        self,
        task: str,
        *,
        attempt: int | None = None,
        pid: int | None = None,
        path: str | None = None,
        raise_cap: bool = False,
        insist: bool = False,
    ) -> Snapshot:
        self._acts("take", task, attempt, pid, raise_cap, insist)
        taken = a_snapshot(len(self.kept) + 1, self._rows[task])
        self.kept.append(taken)
        return taken

    async def snapshots(self, task: str | None = None) -> list[Snapshot]:
        self._calls.append(("snapshots", task))
        return [each for each in reversed(self.kept) if task in (None, each.task_id)]

    async def delete_snapshots(self, ids: Sequence[int]) -> int:
        self._acts("delete", tuple(ids))
        before = len(self.kept)
        self.kept = [each for each in self.kept if each.id not in ids]
        return before - len(self.kept)

    async def hunt(
        self,
        task: str,
        *,
        attempt: int | None = None,
        pid: int | None = None,
        seconds: float = 120.0,
        requests: int | None = None,
        raise_cap: bool = False,
    ) -> Finding:
        self._acts("hunt", task, attempt, seconds, requests, raise_cap)
        row = self._rows[task]
        self.kept += [a_snapshot(1, row), a_snapshot(2, row)]
        finding = a_finding(row)
        self.found.append(finding)
        return finding

    async def findings(self, task: str | None = None) -> list[Finding]:
        return [each for each in self.found if task in (None, each.task_id)]

    async def cancel_activity(self, id: str) -> bool:
        self._acts("cancel", id)
        return True

    async def raise_limits(
        self,
        tasks: Sequence[str],
        *,
        attempts: Sequence[int] | None = None,
        cap_bytes: int | None = None,
        heap_bytes: int | None = None,
    ) -> list[Row]:
        self._acts("raise", tuple(tasks), tuple(attempts or ()), cap_bytes, heap_bytes)
        if max(cap_bytes or 0, heap_bytes or 0) > 8 * GIB:
            raise Refused(
                "12.0G asked for refactor-auth; this machine has 24.0G, 5.80G available to it.",
                "Ask for less, or stop another task first.",
            )
        return [self._rows[id] for id in tasks]

    async def recycle(
        self,
        tasks: Sequence[str],
        *,
        attempts: Sequence[int] | None = None,
        insist: bool = False,
    ) -> list[Row]:
        self._acts("recycle", tuple(tasks), tuple(attempts or ()), insist)
        return [
            replace(
                row,
                state=State.QUEUED,
                recycles=row.recycles + 1,
                checkpoint_at=NOW if "checkpoint" in row.can else row.checkpoint_at,
                memory_bytes=None,
            )
            for row in map(self._rows.__getitem__, tasks)
        ]

    async def look_at_self(self) -> SelfReport:
        return SelfReport(at=NOW, since=NOW - 3600, pid=1, parts=())
