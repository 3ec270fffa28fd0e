"""Larger limits to choose from, and those that were written. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from heaptui.errors import UsageError
from heaptui.model import HostSample, Kind, Row
from heaptui.tui.lines import Line, field, flow, sentence
from heaptui.tui.targets import called
from heaptui.tui.widgets.dialog import Choice
from heaptui.units import GIB, MIB, parse_size, short_size, size

STOPGAP_BYTES = 12 * GIB
"""What an agent that must get through tonight is given, where the machine has it."""

_STEPS = (1.5, 2.0)
_LISTED = 3


def raise_choices(rows: Sequence[Row]) -> list[Choice]:
    """Multiples of the largest there is among them; a heap limit only where V8 has one."""
    choices: list[Choice] = []
    for what, largest in (("cap", _largest_cap(rows)), ("heap", _largest_heap(rows))):
        if largest is None:
            continue
        values = [_whole(largest * step) for step in _STEPS]
        if what == "heap" and values[-1] < STOPGAP_BYTES:
            values.append(STOPGAP_BYTES)
        for value in values:
            key = str(len(choices) + 1)
            choices.append(Choice(key, f"{what} {short_size(value)}", f"{what}:{value}"))
    return choices


def _largest_cap(rows: Sequence[Row]) -> int | None:
    return max((row.cap_bytes for row in rows if row.cap_bytes), default=None)


def _largest_heap(rows: Sequence[Row]) -> int | None:
    """None unless all of them have a limit of V8."""
    if not all(row.kind is Kind.NODE for row in rows):
        return None
    return max((row.heap_limit_bytes for row in rows if row.heap_limit_bytes), default=None)


def _whole(value: float) -> int:
    return -(-int(value) // MIB) * MIB


def chosen_limits(answer: str) -> tuple[int | None, int | None]:
    """Cap and heap in bytes of a choice's answer."""
    what, _, value = answer.partition(":")
    return (int(value), None) if what == "cap" else (None, int(value))


def written_limits(cap: str, heap: str) -> tuple[int | None, int | None]:
    """Cap and heap in bytes of the two fields.

    Raises:
        UsageError: neither is written, or one is no size.
    """
    if not cap.strip() and not heap.strip():
        raise UsageError("Nothing is written.", "Write a cap or a heap limit: 3G, 12G, 900M.")
    return (
        parse_size(cap, "cap") if cap.strip() else None,
        parse_size(heap, "heap") if heap.strip() else None,
    )


def limits_lines(rows: Sequence[Row], width: int, host: HostSample | None = None) -> list[Line]:
    """What they have now, and what the machine has."""
    lines: list[Line] = []
    for row in rows[:_LISTED]:
        fields: list[Line] = [((called(row), "strong"), (f"  attempt {row.attempts}", "dim"))]
        fields.append(field("cap", short_size(row.cap_bytes)))
        fields.append(field("peak", size(row.peak_bytes)))
        if row.heap_limit_bytes is not None:
            fields.append(field("heap limit", size(row.heap_limit_bytes), "violet"))
        if row.heap_peak_bytes is not None:
            fields.append(field("its peak", size(row.heap_peak_bytes), "violet"))
        lines += flow(fields, width)
    if len(rows) > _LISTED:
        lines.append(((f"and {len(rows) - _LISTED} more", "dim"),))
    if host is not None:
        available, total = size(host.mem_available_bytes), size(host.mem_total_bytes)
        lines += flow([field("this machine", f"{available} of {total} available")], width)
    live = sum(not row.state.ended for row in rows)
    if live:
        whose = "what runs keeps" if len(rows) > 1 else "the one that runs keeps"
        lines += sentence(f"For the next attempt; {whose} its limits.", width, "dim")
    else:
        lines += sentence("For the next attempt, which can be queued right after.", width, "dim")
    if any(row.heap_limit_bytes is not None for row in rows):
        along = "A larger cap takes V8's limit along unless that was given; a larger heap limit"
        lines += sentence(f"{along} the cap where it must.", width, "dim")
    return lines


def raised(rows: Sequence[Row], cap: int | None, heap: int | None) -> str:
    """What was done, in one sentence."""
    whom = called(rows[0]) if len(rows) == 1 else f"{len(rows)} tasks"
    what = [f"cap {short_size(cap)}"] if cap is not None else []
    what += [f"heap limit {short_size(heap)}"] if heap is not None else []
    return f"{whom}: {' and '.join(what)} from the next attempt on"
