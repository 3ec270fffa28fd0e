"""How a profile's peaks are distributed: in one row of cells, and as bars with marks. Pure."""

from __future__ import annotations

from itertools import product
from math import isqrt
from typing import NamedTuple

from heaptui.model import ProfileMeasures
from heaptui.tui.glyphs import Glyphs
from heaptui.tui.lines import Line, Role, Span, joined
from heaptui.tui.measures.axis import cell_at, counted, top_of
from heaptui.units import short_size

_LABEL_LINES = 2
_TICKS = {"cap": "soft", "suggested": "peak"}
"""Which sign marks what in a row of cells."""


class Mark(NamedTuple):
    """One value on the axis."""

    name: str
    bytes: int
    role: Role


def marks(profile: ProfileMeasures) -> list[Mark]:
    """What the axis carries, the most important first."""
    found = [
        Mark("suggested", profile.suggested_cap_bytes or 0, "sky"),
        Mark("cap", profile.cap_bytes or 0, "strong"),
        Mark("p95", profile.p95_bytes, "plain"),
        Mark("p50", profile.p50_bytes, "dim"),
    ]
    return [mark for mark in found if mark.bytes]


def _bins(profile: ProfileMeasures, width: int) -> tuple[list[int], list[int]]:
    """How many ends lie in each cell, and how many of them were out of memory."""
    top, records = top_of(profile), profile.records
    ends = counted((one.peak_bytes for one in records), top, width)
    starved = (one.peak_bytes for one in records if one.verdict.out_of_memory)
    return ends, counted(starved, top, width)


def strip(profile: ProfileMeasures, width: int, glyphs: Glyphs) -> Line:
    """Heights in `width` cells from 0 to the end of the axis; red where an end out of memory is
    among them. The cap and the suggestion are ticks where no peak lies."""
    if not profile.records or width <= 0:
        return ()
    ends, starved = _bins(profile, width)
    top, most, levels = top_of(profile), max(ends), glyphs.spark
    ticks: dict[int, Span] = {}
    for mark in marks(profile):
        at = cell_at(mark.bytes, top, width)
        if at is not None and mark.name in _TICKS:
            ticks.setdefault(at, (getattr(glyphs, _TICKS[mark.name]), mark.role))
    spans: list[Span] = []
    for at, count in enumerate(ends):
        if count:
            # the lowest sign is still seen: one end among hundreds is not none
            level = max(0, -(-count * len(levels) // most) - 1)
            spans.append((levels[level], "red" if starved[at] else "quantity"))
        else:
            spans.append(ticks.get(at, (" ", "plain")))
    return joined(spans)


def histogram(profile: ProfileMeasures, width: int, height: int, glyphs: Glyphs) -> list[Line]:
    """`height` lines of `width` cells: bars, the axis with a tick for each mark, and their names
    with figures in the last lines."""
    rows = max(1, height - 1 - _LABEL_LINES)
    # about as many bars as tell a shape from chance: the square root's order
    bars = max(1, min(width, 2 * isqrt(len(profile.records)) + 4))
    ends, starved = _bins(profile, bars)
    most = max(ends, default=0) or 1
    steps = glyphs.spark if glyphs.braille else "#"
    heights = [0 if not n else max(1, round(n / most * rows * len(steps))) for n in ends]
    lines: list[Line] = []
    for row in range(rows - 1, -1, -1):
        spans: list[Span] = []
        for at, reached in enumerate(heights):
            filled = min(len(steps), reached - row * len(steps))
            cells = (at + 1) * width // bars - at * width // bars
            sign = steps[filled - 1] if filled > 0 else " "
            spans.append((sign * cells, "red" if starved[at] else "quantity"))
        lines.append(joined(spans))
    return [*lines, _axis(profile, width), *_labels(profile, width)]


def _axis(profile: ProfileMeasures, width: int) -> Line:
    top = top_of(profile)
    cells: list[Span] = [("─", "rule")] * width
    for mark in reversed(marks(profile)):
        at = cell_at(mark.bytes, top, width)
        if at is not None:
            cells[at] = ("│", mark.role)
    return joined(cells)


def _labels(profile: ProfileMeasures, width: int) -> list[Line]:
    """Each under its tick as far as there is room; what lies beyond the end stands at the right."""
    top = top_of(profile)
    free = [[True] * width for _ in range(_LABEL_LINES)]
    texts: list[dict[int, Span]] = [{} for _ in range(_LABEL_LINES)]
    for mark in marks(profile):
        at = cell_at(mark.bytes, top, width)
        text = f"{mark.name} {short_size(mark.bytes)}{' →' if at is None else ''}"
        # under its tick, or with an end at it
        wanted = (width,) if at is None else (at - len(text) // 2, at - len(text) + 1, at)
        starts = [max(0, min(start, width - len(text))) for start in wanted]
        for line, start in product(range(_LABEL_LINES), starts):
            end = start + len(text)
            if end <= width and all(free[line][max(0, start - 1) : end + 1]):
                free[line][start:end] = [False] * len(text)
                texts[line][start] = (text, mark.role)
                break
    return [_placed(line) for line in texts]


def _placed(texts: dict[int, Span]) -> Line:
    spans: list[Span] = []
    reached = 0
    for start, (text, role) in sorted(texts.items()):
        spans += [(" " * (start - reached), "plain"), (text, role)]
        reached = start + len(text)
    return joined(spans)
