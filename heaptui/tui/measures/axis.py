"""The axis that a profile's peaks lie on: from zero to its cap, or to what was used where the cap
is far beyond that."""

from __future__ import annotations

from collections.abc import Iterable

from heaptui.model import ProfileMeasures
from heaptui.tui.widgets.dock.chart import scale

_NEAR = 4
"""A suggestion this many times the largest peak still lies on the axis."""


def top_of(profile: ProfileMeasures) -> float:
    """Bytes at the end of the axis."""
    highest = profile.max_bytes
    suggested = profile.suggested_cap_bytes or 0
    if suggested <= _NEAR * highest:
        highest = max(highest, suggested)
    return scale(highest, profile.cap_bytes)


def cell_at(value: float, top: float, cells: int) -> int | None:
    """Which of `cells` from 0 to `top` a value lies in, None beyond the end."""
    if value > top:
        return None
    return min(cells - 1, int(value / top * cells))


def counted(values: Iterable[float], top: float, cells: int) -> list[int]:
    """How many of the values lie in each cell; what is beyond the end counts in the last."""
    found = [0] * cells
    for value in values:
        at = cell_at(value, top, cells)
        found[cells - 1 if at is None else at] += 1
    return found
