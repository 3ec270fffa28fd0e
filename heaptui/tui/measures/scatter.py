"""Peaks against durations: a dot for each attempt that ended, a cross for one that ended for lack
of memory, and the cap as a line. Pure."""

from __future__ import annotations

from heaptui.model import ProfileMeasures
from heaptui.tui.glyphs import Glyphs
from heaptui.tui.lines import Line, Span, joined
from heaptui.tui.measures.axis import cell_at, top_of
from heaptui.tui.widgets.dock.chart import AXIS, ascii_dots, braille, dot_row
from heaptui.units import duration, short_size

_BITS = ((0x40, 0x80), (0x04, 0x20), (0x02, 0x10), (0x01, 0x08))
"""Of the dot at (row from the bottom, column) of a braille character (Unicode, block 2800)."""

_ROUND_S = (1, 2, 5, 10, 15, 20, 30, 60, 120, 300, 600, 900, 1200, 1800, 3600, 7200, 14400, 21600,
            43200)  # fmt: skip
_DAY_S = 86400


def round_duration(seconds: float) -> float:
    """The next length of time that reads well."""
    fits = next((known for known in _ROUND_S if seconds <= known), None)
    return fits or -(-int(seconds) // _DAY_S) * _DAY_S


def scatter(profile: ProfileMeasures, width: int, height: int, glyphs: Glyphs) -> list[Line]:
    """`height` lines of `width` cells: memory upward from zero, duration to the right from zero,
    labels at both."""
    across, rows = max(1, width - AXIS), max(1, height - 1)
    top = top_of(profile)
    longest = round_duration(max((one.seconds for one in profile.records), default=0.0))
    bits = [[0] * across for _ in range(rows)]
    starved: set[tuple[int, int]] = set()
    for one in profile.records:
        x = cell_at(one.seconds, longest, across * 2) or 0
        y = dot_row(one.peak_bytes, top, rows * 4)
        bits[rows - 1 - y // 4][x // 2] |= _BITS[y % 4][x % 2]
        if one.verdict.out_of_memory:
            starved.add((rows - 1 - y // 4, x // 2))
    cap_row = _row_of(profile.cap_bytes, top, rows)
    labels = _labels(profile, top, rows)
    dots = braille if glyphs.braille else ascii_dots
    note = f"{glyphs.failed} out of memory" if starved else ""
    if cap_row == 0 or any(bits[0][: len(note) + 2]):
        note = ""
    lines: list[Line] = []
    for y, cells in enumerate(bits):
        spans: list[Span] = [(f"{labels.get(y, ''):>{AXIS - 1}} ", "dim")]
        for x, cell in enumerate(cells):
            if (y, x) in starved:
                spans.append((glyphs.failed, "red"))
            elif cell:
                spans.append((dots(cell), "quantity"))
            elif y == 0 and 1 <= x <= len(note):
                spans.append((note[x - 1], "red" if x == 1 else "dim"))
            else:
                spans.append(("┈", "dim") if y == cap_row else (" ", "plain"))
        lines.append(joined(spans))
    return [*lines, _time_axis(longest, across)]


def _row_of(value: float | None, top: float, rows: int) -> int | None:
    if not value or value > top:
        return None
    return rows - 1 - dot_row(value, top, rows * 4) // 4


def _labels(profile: ProfileMeasures, top: float, rows: int) -> dict[int, str]:
    """Line from the top to label; the more important one wins a line that two would have."""
    places: list[tuple[float | None, str]] = [
        (profile.cap_bytes, "cap"),
        (top, short_size(top)),
        (1, "0"),
        (top / 2, short_size(top / 2)),
    ]
    labels: dict[int, str] = {}
    for value, text in places:
        row = _row_of(value, top, rows)
        if row is not None:
            labels.setdefault(row, text)
    return labels


def _time_axis(longest: float, across: int) -> Line:
    half, end = duration(longest / 2), f"ran {duration(longest)}"
    if longest < 2:
        half = ""
    middle = across // 2 - len(half) // 2
    text = "0s".ljust(middle) + half
    if len(text) + 1 + len(end) > across:
        text, end = "0s", duration(longest)
    return ((" " * AXIS, "plain"), (text + end.rjust(max(0, across - len(text))), "dim"))
