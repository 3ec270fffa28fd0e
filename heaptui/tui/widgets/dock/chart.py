"""Memory over time as lines of characters: a pure function of the series and the room there is.

A character holds 2 x 4 braille dots. The chart starts at zero and ends at the cap; where a task
uses less than a quarter of its cap the scale follows the task instead, and the cap is named in the
top line, because a line along the floor tells nothing. A second without a sample stays empty: a
gap is a fact too.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from heaptui.model import Series
from heaptui.tui.danger import AT_CAP_SHARE
from heaptui.tui.lines import Line, Role, Span, joined
from heaptui.units import KIB, MIB, short_size

AXIS = 6
"""Columns of the labels at the left, with the blank after them."""

_ZOOM_BELOW = 0.25
_HEADROOM = 1.15

_DOTS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))
"""Bit of the dot at (row from the top, column) of a braille character (Unicode, block 2800)."""

Extremes = tuple[float, float] | None
"""Least and most within one column of dots; None where there was no sample."""


def braille(bits: int) -> str:
    return chr(0x2800 | bits)


def ascii_dots(bits: int) -> str:
    """For a terminal without braille: which half of the character has dots."""
    upper, lower = bits & 0x1B, bits & 0xE4
    return ":" if upper and lower else "'" if upper else "."


@dataclass(frozen=True, slots=True)
class Marks:
    """What the chart carries besides the line; bytes, None where there is none."""

    cap: int | None = None
    soft: int | None = None
    peak: int | None = None


def level_role(value: float, cap: int | None, soft: int | None) -> Role:
    """The role of a quantity against its limits: quantity, amber beyond soft, red at the cap."""
    if cap is not None and value >= cap * AT_CAP_SHARE:
        return "red"
    return "amber" if soft is not None and value >= soft else "quantity"


def scale(highest: float, cap: int | None) -> float:
    """Bytes at the top of the chart: the cap, or a round figure above what was used."""
    if cap is not None and highest >= cap * _ZOOM_BELOW:
        return max(float(cap), highest)
    return round_up(max(highest * _HEADROOM, MIB))


def round_up(value: float) -> float:
    """The next of 1, 1.5, 2, 3, 4, 6 or 8 times a power of two from 1024 on."""
    unit = float(KIB)
    while value > unit * 8:
        unit *= 8
    return next(unit * step for step in (1, 1.5, 2, 3, 4, 6, 8) if value <= unit * step)


def columns(series: Series, span_s: float, dots: int) -> list[Extremes]:
    """The series of the last `span_s` seconds in `dots` columns, oldest first.

    Where a column holds several samples it has their extremes; where a sample spans several
    columns, those between two neighbouring samples are interpolated.
    """
    points = [
        None if low is None or high is None else (float(low), float(high))
        for low, high in zip(series.low, series.high, strict=True)
    ]
    last = len(points) - 1
    per_dot = span_s / dots / series.step_s
    found: list[Extremes] = []
    for dot in range(dots):
        right = last - (dots - 1 - dot) * per_dot
        found.append(
            _within(points, right - per_dot, right) if per_dot >= 1 else _between(points, right)
        )
    return found


def _within(points: Sequence[Extremes], after: float, upto: float) -> Extremes:
    """Extremes of the points in (after, upto]."""
    first, end = max(0, int(after // 1) + 1), int(upto // 1) + 1
    known = [point for point in points[first : max(first, end)] if point is not None]
    return (min(p[0] for p in known), max(p[1] for p in known)) if known else None


def _between(points: Sequence[Extremes], at: float) -> Extremes:
    """The value at a fractional index, on the straight line between two known neighbours."""
    index = int(at // 1)
    part = at - index
    left = points[index] if 0 <= index < len(points) else None
    if part < 1e-9:
        return left
    right = points[index + 1] if 0 <= index + 1 < len(points) else None
    if left is None or right is None:
        # the sample stands for its own step: half of it to either side
        return left if part < 0.5 else right
    return (left[0] + (right[0] - left[0]) * part, left[1] + (right[1] - left[1]) * part)


def dot_row(value: float, top: float, rows: int) -> int:
    """The row of dots, 0 at the bottom, of a value on a scale from zero to `top`."""
    return min(rows - 1, max(0, int(value / top * rows)))


@dataclass(slots=True)
class _Cell:
    bits: int = 0
    most: float = 0.0


def _plot(found: Sequence[Extremes], top: float, height: int) -> list[list[_Cell]]:
    rows = height * 4
    grid = [[_Cell() for _ in range((len(found) + 1) // 2)] for _ in range(height)]
    before: tuple[int, int] | None = None
    for x, extremes in enumerate(found):
        if extremes is None:
            before = None
            continue
        low, high = (dot_row(value, top, rows) for value in extremes)
        # the line stays connected: a column reaches to where the one before it ended
        start = low if before is None else min(low, before[1] + 1)
        end = high if before is None else max(high, before[0] - 1)
        for dot in range(start, end + 1):
            cell = grid[height - 1 - dot // 4][x // 2]
            cell.bits |= _DOTS[3 - dot % 4][x % 2]
            cell.most = max(cell.most, min(extremes[1], (dot + 1) / rows * top))
        before = (low, high)
    return grid


def _labels(marks: Marks, top: float, height: int) -> dict[int, str]:
    """Row from the top to label; the more important one wins a row that two would have."""
    places: list[tuple[float, str]] = [(0, "0"), (top, short_size(top))]
    if marks.soft is not None and marks.soft < top:
        places.append((marks.soft, "soft"))
    if marks.peak is not None and marks.peak < top:
        places.append((marks.peak, "peak"))
    places.append((top / 2, short_size(top / 2)))
    labels: dict[int, str] = {}
    for value, text in places:
        row = height - 1 - dot_row(value, top, height * 4) // 4
        labels.setdefault(row, text)
    return labels


def plot_lines(
    found: Sequence[Extremes],
    marks: Marks,
    height: int,
    dots: Callable[[int], str] = braille,
) -> list[Line]:
    """`height` lines of axis and plot, top first.

    `found` has two columns of dots for each character.
    """
    highest = max((each[1] for each in found if each is not None), default=0.0)
    top = scale(max(highest, 0.0), marks.cap)
    grid = _plot(found, top, height)
    labels = _labels(marks, top, height)
    soft_row = None
    if marks.soft is not None and marks.soft < top:
        soft_row = height - 1 - dot_row(marks.soft, top, height * 4) // 4
    note = ""
    if marks.cap is not None and marks.cap > top:
        soft = "" if marks.soft is None else f", soft at {short_size(marks.soft)}"
        note = f"↑ cap {short_size(marks.cap)}{soft}"
    lines: list[Line] = []
    for y, cells in enumerate(grid):
        spans: list[Span] = [(f"{labels.get(y, ''):>{AXIS - 1}} ", "dim")]
        for x, cell in enumerate(cells):
            if cell.bits:
                spans.append((dots(cell.bits), level_role(cell.most, marks.cap, marks.soft)))
            elif y == soft_row:
                spans.append(("┈" if dots is braille else "-", "dim"))
            elif y == 0 and 1 <= x <= len(note):
                spans.append((note[x - 1], "dim"))
            else:
                spans.append((" ", "plain"))
        lines.append(joined(spans))
    return lines


def time_axis(span_s: float, width: int, until: str = "now") -> Line:
    """The line under the plot: how far back the left end is, and what the right end is."""
    left = f"-{span_s / 60:.0f} min"
    room = max(0, width - len(left) - len(until))
    return ((" " * AXIS, "plain"), (left + " " * room + until, "dim"))


SPANS = (120.0, 300.0, 600.0, 1800.0)


def span_for(age_s: float) -> float:
    """How much time to show of a task that ran for `age_s`: what it has, at most half an hour."""
    return next((span for span in SPANS if age_s <= span), SPANS[-1])


@dataclass(frozen=True, slots=True)
class Frame:
    """The room for a chart in characters, and the time it shows: the last `span_s` seconds up to
    what `until` calls the right end. `dots` turns the bits of one character into what the terminal
    can show."""

    width: int
    height: int
    span_s: float
    until: str = "now"
    dots: Callable[[int], str] = braille


def chart(series: Series, marks: Marks, frame: Frame) -> list[Line]:
    """`frame.height` lines of `frame.width` characters: the plot with its axes."""
    across = max(1, frame.width - AXIS)
    found = columns(series, frame.span_s, across * 2)
    return [
        *plot_lines(found, marks, max(1, frame.height - 1), frame.dots),
        time_axis(frame.span_s, across, frame.until),
    ]
