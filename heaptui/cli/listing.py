"""Rows and history on a terminal or as JSON. Names and reasons are made harmless."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from typing import Any

import msgspec

from heaptui import units
from heaptui.cli.tables import Column, put_table
from heaptui.family import children_of, split_words
from heaptui.model import AttemptRecord, Row, State
from heaptui.output import printable

_WHY = 400
"""Of a reason; the terminal's width cuts what it has no room for."""
_HEAP = Column("HEAP", right=True, leaves=7)
"""Shown where any task reports one."""
_DONE = Column("DONE", right=True, leaves=6)
"""Shown where any task says what it works through."""
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
    _DONE,
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
    State.SPLIT: "green",
    State.FAILED: "red",
    State.LOST: "red",
    State.QUARANTINED: "red",
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


def put_rows(rows: Sequence[Row], *, everything: bool, names: Sequence[str] = ()) -> None:
    """The table of `heaptui ps`. `names` are shown instead of the rows' own."""
    if not rows:
        hint = "" if everything else " (`heaptui ps --all` lists ended ones)"
        print(f"no tasks{hint}", file=sys.stderr)
        return
    now, heaps = time.time(), any(row.heap_used_bytes for row in rows)
    items = any(row.items is not None for row in rows)
    absent = (*([] if heaps else [_HEAP]), *([] if items else [_DONE]))
    columns = [column for column in _TASK_COLUMNS if column not in absent]
    children = children_of(rows)
    put_table(
        columns,
        [
            (
                row.id,
                clean(name, 40),
                row.kind.value,
                row.state.value,
                str(row.pid) if row.pid and row.state.live else units.UNKNOWN,
                units.size(row.memory_bytes),
                units.size(row.peak_bytes),
                units.short_size(row.cap_bytes) + ("*" if row.cap_source == "share" else ""),
                *([units.size(row.heap_used_bytes)] if heaps else []),
                *([_items(row)] if items else []),
                units.growth(row.growth_bytes_per_min),
                units.duration(age(row, now)),
                clean(_why(row, children.get(row.id, ())), _WHY),
            )
            for row, name in zip(rows, names or [row.name for row in rows], strict=True)
        ],
        [_STYLES.get(row.state, "") for row in rows],
    )
    if any(row.cap_source == "share" for row in rows):
        print("* no cap was given: a share of this machine's memory", file=sys.stderr)


def _items(row: Row) -> str:
    """Those done, of those that it is to work through."""
    if row.items is None:
        return units.UNKNOWN
    done = units.UNKNOWN if row.items_done is None else row.items_done
    return f"{done}/{row.total or row.items:.0f}"


def _why(row: Row, children: Sequence[Row]) -> str:
    """What is done with it, why it ended or what it waits for."""
    if row.state is State.SPLIT:
        return split_words(row, children)
    if row.state is State.SPLITTING:
        return row.doing or "drains to be split"
    waits = "waits for its turn" if row.state is State.QUEUED else ""
    return row.doing or row.reason or row.wait_reason or waits


def age(row: Row, now: float) -> float | None:
    """Seconds it runs, ran, or waits; of one that was split with its children."""
    ended_at = None if row.state is State.SPLIT else row.ended_at
    began_at = row.created_at if row.started_at is None else row.started_at
    return (ended_at or now) - began_at


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
                instant(one.ended_at),
                units.duration(took(one)),
                units.size(one.peak_bytes),
                units.short_size(one.cap_bytes),
                one.verdict.value if one.verdict else units.UNKNOWN,
                clean(one.reason or "", _WHY),
            )
            for one in records
        ],
    )


def took(one: AttemptRecord) -> float | None:
    """Seconds from its start to its end."""
    return one.ended_at - one.started_at if one.ended_at and one.started_at else None


def instant(at: float | None) -> str:
    """In this machine's time."""
    if at is None:
        return units.UNKNOWN
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(at))
