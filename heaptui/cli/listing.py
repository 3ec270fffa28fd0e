"""Rows, details and history on a terminal or as JSON. Names and reasons are made harmless."""

from __future__ import annotations

import shlex
import sys
import time
from collections.abc import Sequence
from typing import Any

import msgspec

from heaptui import units
from heaptui.cli.tables import Column, put_table
from heaptui.model import AttemptRecord, Detail, ProcessHeap, Row, State
from heaptui.output import printable

_HEAP = Column("HEAP", right=True, leaves=6)
"""Shown where any task reports one."""
_TASK_COLUMNS = (
    Column("ID"),
    Column("NAME", least=10),
    Column("KIND", leaves=1),
    Column("STATE"),
    Column("PID", right=True, leaves=3),
    Column("MEMORY", right=True),
    Column("PEAK", right=True, leaves=4),
    Column("CAP", right=True),
    _HEAP,
    Column("+/MIN", right=True, leaves=2),
    Column("AGE", right=True),
    Column("WHY", least=12, leaves=5),
)
_ATTEMPT_COLUMNS = (
    Column("TASK"),
    Column("NAME", least=10),
    Column("TRY", right=True),
    Column("KIND", leaves=1),
    Column("ENDED", leaves=4),
    Column("TOOK", right=True),
    Column("PEAK", right=True),
    Column("CAP", right=True, leaves=3),
    Column("VERDICT", leaves=2),
    Column("WHY", least=12),
)
_STYLES = {
    State.RUNNING: "green",
    State.FAILED: "red",
    State.LOST: "red",
    State.STOPPED: "dim",
    State.DONE: "dim",
}


def put_json(value: Any) -> None:
    """stdout is data: one JSON value and a line end."""
    sys.stdout.write(msgspec.json.format(msgspec.json.encode(value)).decode() + "\n")


def clean(text: str, most: int = 80) -> str:
    """One line of foreign text, harmless and not longer than `most`."""
    line = printable(text).replace("\n", " ")
    return line if len(line) <= most else line[: most - 1] + "…"


def ending(row: Row) -> str:
    """What became of a task, or what it does."""
    if row.reason and (row.state is State.STOPPED or row.reason.startswith(row.state.value)):
        return clean(row.reason, 160)
    if row.reason and (row.state.ended or row.state is State.BACKOFF):
        return f"{row.state}: {clean(row.reason, 160)}"
    return row.wait_reason or row.state.value


def put_rows(rows: Sequence[Row], *, everything: bool) -> None:
    """The table of `heaptui ps`."""
    if not rows:
        hint = "" if everything else " (`heaptui ps --all` lists ended ones)"
        print(f"no tasks{hint}", file=sys.stderr)
        return
    now, heaps = time.time(), any(row.heap_used_bytes for row in rows)
    columns = [column for column in _TASK_COLUMNS if heaps or column is not _HEAP]
    put_table(
        columns,
        [
            (
                row.id,
                clean(row.name, 40),
                row.kind.value,
                row.state.value,
                str(row.pid) if row.pid and row.state.live else units.UNKNOWN,
                units.size(row.memory_bytes),
                units.size(row.peak_bytes),
                units.short_size(row.cap_bytes) + ("*" if row.cap_source == "share" else ""),
                *([units.size(row.heap_used_bytes)] if heaps else []),
                units.growth(row.growth_bytes_per_min),
                units.duration(age(row, now)),
                clean(row.reason or row.wait_reason or "", 60),
            )
            for row in rows
        ],
        [_STYLES.get(row.state, "") for row in rows],
    )
    if any(row.cap_source == "share" for row in rows):
        print("* no cap was given: a share of this machine's memory", file=sys.stderr)


def age(row: Row, now: float) -> float | None:
    """Seconds it runs, ran, or waits."""
    if row.started_at is None:
        return (row.ended_at or now) - row.created_at
    return (row.ended_at or now) - row.started_at


def put_history(records: Sequence[AttemptRecord]) -> None:
    if not records:
        print("no attempt has ended yet", file=sys.stderr)
        return
    put_table(
        _ATTEMPT_COLUMNS,
        [
            (
                one.task_id,
                clean(one.name, 40),
                str(one.attempt),
                one.kind.value,
                _when(one.ended_at),
                units.duration(_took(one)),
                units.size(one.peak_bytes),
                units.short_size(one.cap_bytes),
                one.verdict.value if one.verdict else units.UNKNOWN,
                clean(one.reason or "", 60),
            )
            for one in records
        ],
    )


def _took(one: AttemptRecord) -> float | None:
    return one.ended_at - one.started_at if one.ended_at and one.started_at else None


def put_detail(detail: Detail) -> None:
    """The page of `heaptui show`."""
    row = detail.row
    limit = [f"cap {units.size(row.cap_bytes)} ({row.cap_source})"]
    if row.cap_means:
        limit.append(f"by {row.cap_means}")
    if row.heap_limit_bytes:
        limit.append(f"heap {units.size(row.heap_limit_bytes)}")
    if row.preset:
        limit.append(f"preset {clean(row.preset)}")
    if row.timeout_s:
        limit.append(f"time-out {units.duration(row.timeout_s)}")
    limit.append(f"retries {row.retries}")
    lines: list[tuple[str, str]] = [
        ("task", f"{clean(row.name)}  {row.id}"),
        ("state", ending(row) if row.state is not State.RUNNING else "running"),
        ("command", clean(shlex.join(row.argv), 400)),
        ("directory", clean(row.cwd, 400)),
        ("limits", ", ".join(limit)),
        *(("raised", clean(text, 200)) for text in _pending(detail)),
        ("memory", _memory(row)),
        *(("heap", _heap(heap)) for heap in detail.heaps),
        *([("heap", clean(row.heap_absent, 200))] if row.heap_absent else []),
        ("created", _when(row.created_at)),
        ("started", _when(row.started_at)),
        ("ended", _when(row.ended_at)),
        ("exit", _exit(row)),
        ("output", clean(detail.output_path or units.UNKNOWN, 400)),
    ]
    if detail.env_names:
        names = ", ".join(clean(name) for name in detail.env_names)
        lines.append(("variables", f"{names} (values are not shown)"))
    for label, text in lines:
        print(f"{label:<10} {text}")
    if len(detail.attempts) > 1:
        print("\nattempts")
        for one in detail.attempts:
            print(
                f"  {one.attempt}  {_when(one.started_at)}  {units.duration(_took(one)):>6}  "
                f"peak {units.size(one.peak_bytes):>6}  {clean(one.reason or one.status, 100)}"
            )
    if detail.processes:
        print("\nprocesses")
        for process in detail.processes:
            indent = "  " * (process.depth + 1)
            print(
                f"{process.pid:>8} {units.size(process.rss_bytes):>7}{indent}"
                f"{clean(process.command, 100)}"
            )
    if detail.events:
        print("\nevents")
        for event in detail.events:
            print(f"  {_when(event.at)}  {clean(event.text, 200)}")


def _pending(detail: Detail) -> list[str]:
    """What was raised during the attempt that runs, and holds from the next one on."""
    row = detail.row
    if not row.state.live:
        return []
    return [
        event.text.removeprefix("raised ")
        for event in detail.events
        if event.kind == "raised" and event.attempt == row.attempts
    ]


def _memory(row: Row) -> str:
    if row.memory_bytes is None:
        return f"peak {units.size(row.peak_bytes)}"
    return (
        f"{units.size(row.memory_bytes)} by {row.memory_from}, rss {units.size(row.rss_bytes)}, "
        f"peak {units.size(row.peak_bytes)}, {units.growth(row.growth_bytes_per_min)} a minute, "
        f"cap in {units.duration(row.to_cap_s)}, processes {row.processes}"
    )


def _heap(heap: ProcessHeap) -> str:
    """One process's, as it reported it."""
    parts = [
        f"{heap.pid}: {units.size(heap.used_bytes)} of {units.size(heap.limit_bytes)} used",
        f"committed {units.size(heap.committed_bytes)}",
        f"external {units.size(heap.external_bytes)}",
        clean(f"{heap.runtime} {heap.version.lstrip('v')}", 40),
    ]
    if heap.gc_count is not None:
        took = f" in {heap.gc_s:.1f} s" if heap.gc_s is not None else ""
        parts.append(f"{units.count(heap.gc_count)} collections{took}")
    if heap.main != "idle":
        parts.append(f"main thread {clean(heap.main, 20)}")
    return ", ".join(parts)


def _exit(row: Row) -> str:
    if row.signal is not None:
        return f"signal {row.signal}"
    return units.UNKNOWN if row.exit_code is None else str(row.exit_code)


def _when(at: float | None) -> str:
    if at is None:
        return units.UNKNOWN
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(at))
