"""Figures and texts as cells: cut, padded, drawn. Everything an agent could have named goes
through `safe` before it comes here.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

from rich.cells import cell_len

from heaptui.output import printable
from heaptui.tui.glyphs import UNICODE, Glyphs

_SAFE_MAX = 4096
"""Characters of a text that are looked at: no line on any screen is longer."""


@lru_cache(maxsize=4096)
def safe(text: str) -> str:
    """One printable line of anything: no control characters, no escape sequences, and nothing of
    which terminals do not agree how wide it is because it has no meaning yet."""
    line = printable(text[:_SAFE_MAX]).replace("\n", " ")
    if line.isprintable():
        return line
    return "".join(char if char.isprintable() else "\ufffd" for char in line)


def cut(text: str, width: int, glyphs: Glyphs = UNICODE) -> str:
    """At most `width` cells of `text`; what was left out shows as an ellipsis."""
    if len(text) <= width and text.isascii():
        return text
    if cell_len(text) <= width:
        return text
    if width <= 0:
        return ""
    kept, used = [], 0
    for char in text:
        cells = cell_len(char)
        if used + cells > width - 1:
            break
        kept.append(char)
        used += cells
    return "".join(kept) + glyphs.cut


def left(text: str, width: int, glyphs: Glyphs = UNICODE) -> str:
    """Exactly `width` cells, the text at the left."""
    fitted = cut(text, width, glyphs)
    return fitted + " " * (width - cell_len(fitted))


def right(text: str, width: int, glyphs: Glyphs = UNICODE) -> str:
    """Exactly `width` cells, the text at the right."""
    fitted = cut(text, width, glyphs)
    return " " * (width - cell_len(fitted)) + fitted


class Bar(NamedTuple):
    """A bar in two pieces that take a style each: `fill`, and `rest` with its ticks."""

    fill: str
    rest: str


def bar(
    width: int,
    used: float | None,
    cap: float | None,
    soft: float | None = None,
    peak: float | None = None,
    *,
    glyphs: Glyphs = UNICODE,
) -> Bar:
    """`width` cells of `used` against `cap` (same unit): eighths, and ticks for soft and peak.

    A tick that the filling covers is not drawn. Something is never drawn as nothing: the least
    filling is one eighth. Without a cap or a figure the bar is blank.
    """
    if not cap or cap <= 0 or used is None or width <= 0:
        return Bar("", " " * max(0, width))
    steps = len(glyphs.eighths)
    filled = round(min(used / cap, 1.0) * width * steps)
    if used > 0:
        filled = max(1, filled)
    whole, part = divmod(filled, steps)
    fill = glyphs.eighths[-1] * whole + (glyphs.eighths[part - 1] if part else "")
    rest = [" "] * (width - len(fill))
    for value, tick in ((peak, glyphs.peak), (soft, glyphs.soft)):
        if value is None or value > cap:
            continue
        cell = min(int(value / cap * width), width - 1) - len(fill)
        if cell >= 0:
            rest[cell] = tick
    return Bar(fill, "".join(rest))


def sparkline(values: Sequence[int | None], width: int, glyphs: Glyphs = UNICODE) -> str:
    """The last `values` in `width` cells, newest at the right, a blank where nothing was measured.

    Starts at zero. The top is the largest value or twice the mean, whichever is more: a steady
    task runs at half height, and only one that grew or fell shows a slope.
    """
    if width <= 0:
        return ""
    points = _fit(values, width)
    known = [value for value in points if value is not None]
    if not known or max(known) <= 0:
        return " " * width
    top = max(*known, 2 * sum(known) / len(known))
    levels = glyphs.spark
    return "".join(
        " " if value is None else levels[min(len(levels) - 1, int(value / top * len(levels)))]
        for value in points
    )


def _fit(values: Sequence[int | None], width: int) -> list[int | None]:
    """As many points as cells: more are joined by their largest, fewer are drawn wider."""
    have = len(values)
    if have == 0:
        return [None] * width
    points: list[int | None] = []
    for cell in range(width):
        start = cell * have // width
        part = values[start : max(start + 1, (cell + 1) * have // width)]
        known = [value for value in part if value is not None]
        points.append(max(known) if known else None)
    return points
