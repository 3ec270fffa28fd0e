"""How soon a limit is reached at the pace of the last seconds. Pure.

The trend of a minute comes too late for a task that fills its cap in twenty seconds. This is for
what does nothing but grow, second after second, and has filled half of its limit already: a
process that breathes falls back in between, one that only starts comes to rest.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

READINGS = 6
"""Once a second: so long it must have grown without a pause."""

HALF = 0.5
_BREATH = 0.02
"""Of a figure: who falls by more has breathed."""


class Pace:
    """The latest readings of one figure: instants in seconds, bytes."""

    __slots__ = ("_readings",)

    def __init__(self) -> None:
        self._readings: deque[tuple[float, int]] = deque(maxlen=READINGS)

    def add(self, at: float, figure: int) -> None:
        self._readings.append((at, figure))

    def left_s(self, limit: int | None) -> float | None:
        """Seconds until `limit`; None where it does not grow without a pause, or is far from it."""
        if limit is None or len(self._readings) < READINGS:
            return None
        return seconds_left(self._readings, limit)


def seconds_left(readings: Sequence[tuple[float, int]], limit: int) -> float | None:
    """See `Pace.left_s`; the oldest reading first."""
    (first_at, first), (last_at, last) = readings[0], readings[-1]
    if last < limit * HALF or last <= first or last_at <= first_at:
        return None
    before = first
    for _, figure in readings:
        if figure < before * (1 - _BREATH):
            return None
        before = figure
    return max(0.0, (limit - last) * (last_at - first_at) / (last - first))
