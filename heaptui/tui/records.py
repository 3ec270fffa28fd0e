"""Ended attempts as a table: the history's lines, and its orders."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from heaptui.model import AttemptRecord
from heaptui.tui.cells import left, right
from heaptui.tui.facts import outcome_of, outcome_role
from heaptui.tui.lines import Line, field, fitted, flow, indented, one_line, sentence
from heaptui.tui.widgets.dock.events import clock_time, evidence_of
from heaptui.units import UNKNOWN, duration, short_size, size


def _ran(record: AttemptRecord) -> float | None:
    if record.started_at is None or record.ended_at is None:
        return None
    return record.ended_at - record.started_at


ORDERS: dict[str, tuple[Callable[[AttemptRecord], Any], bool]] = {
    "ended": (lambda record: record.ended_at, True),
    "peak": (lambda record: record.peak_bytes, True),
    "duration": (_ran, True),
    "name": (lambda record: record.name.casefold(), False),
    "verdict": (lambda record: record.verdict, False),
}
"""By name: the key, and whether the largest comes first."""

_ENDED, _TRY, _RAN, _PEAK, _EXIT = 15, 4, 7, 7, 8
_FIXED = _ENDED + _TRY + _RAN + _PEAK + _EXIT + 4


def arranged(records: Sequence[AttemptRecord], order: str) -> list[AttemptRecord]:
    """In one of `ORDERS`; what has no figure comes last."""
    key, largest_first = ORDERS[order]
    known = [record for record in records if key(record) is not None]
    unknown = [record for record in records if key(record) is None]
    return sorted(known, key=key, reverse=largest_first) + unknown


def _widths(width: int) -> tuple[int, int]:
    """Cells for the name and for how it ended."""
    name = min(32, max(6, (width - _FIXED) // 3))
    return name, max(1, width - _FIXED - name)


def heading(width: int) -> Line:
    """Names of the columns, over `record_line`."""
    name, outcome = _widths(width)
    text = (
        f" {'ENDED':<{_ENDED}} {'TASK':<{name}}{'TRY':>{_TRY}}{'RAN':>{_RAN}}{'PEAK':>{_PEAK}}"
        f"{'EXIT':>{_EXIT}}  {'WHY':<{outcome}}"
    )
    return fitted(((text, "dim"),), width)


def record_line(record: AttemptRecord, width: int, now: float) -> Line:
    """One attempt."""
    name, outcome = _widths(width)
    ended = UNKNOWN if record.ended_at is None else clock_time(record.ended_at, now, seconds=True)
    code = UNKNOWN if record.exit_code is None else str(record.exit_code)
    if record.signal is not None:
        code = f"sig {record.signal}"
    bad = outcome_role(record)
    return (
        (f" {left(ended, _ENDED)} ", "dim"),
        (left(one_line(record.name), name), "plain"),
        (right(str(record.attempt), _TRY), "dim"),
        (right(duration(_ran(record)), _RAN), "dim"),
        (right(size(record.peak_bytes), _PEAK), "quantity"),
        (right(code, _EXIT), bad),
        ("  ", "plain"),
        (left(outcome_of(record), outcome), bad),
    )


def evidence_lines(record: AttemptRecord, width: int, now: float) -> list[Line]:
    """What is known of one attempt, for the place under the table."""
    fields = [field("task", record.task_id), field("attempt", str(record.attempt))]
    if record.pid is not None:
        fields.append(field("pid", str(record.pid)))
    if record.started_at is not None:
        fields.append(field("started", clock_time(record.started_at, now, seconds=True)))
    if record.cap_bytes is not None:
        means = "" if record.cap_means is None else f" by {record.cap_means.value}"
        fields.append(field("cap", short_size(record.cap_bytes) + means))
    fields.append(field("peak", size(record.peak_bytes)))
    lines = sentence(outcome_of(record), width - 2, outcome_role(record))
    lines += flow(fields, width - 2)
    for evidence in evidence_of(record):
        lines += sentence(one_line(evidence), width - 2, "dim")
    return indented(lines, 1)
