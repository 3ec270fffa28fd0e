"""How a figure moves over time, robustly. Pure."""

from __future__ import annotations

import itertools
import statistics
from collections.abc import Sequence

from msgspec import Struct

POINTS_MAX = 400
"""Of more, medians of neighbours are taken: the estimator looks at every pair."""

LEAST_POINTS, LEAST_SPAN_S = 10, 100.0
"""With less there is no slope, only noise."""

WARM_UP_SHARE = 0.25


class Slope(Struct, frozen=True):
    """Units of the figure a second, over `span_s` seconds with `points` of them; half of all pairs
    lie between `low` and `high`."""

    per_s: float
    low: float
    high: float
    span_s: float
    points: int


def slope(points: Sequence[tuple[float, float]]) -> Slope | None:
    """The median of the slopes of all pairs (Theil-Sen) after warm-up, the first quarter of the
    time; None where there are too few points, or too little time. `points` are (seconds, figure)
    in order."""
    if len(points) < 2:
        return None
    begun = points[0][0] + (points[-1][0] - points[0][0]) * WARM_UP_SHARE
    warm = [point for point in points if point[0] >= begun]
    span = warm[-1][0] - warm[0][0]
    if len(warm) < LEAST_POINTS or span < LEAST_SPAN_S:
        return None
    few = _thinned(warm)
    rates = sorted(
        (late[1] - early[1]) / (late[0] - early[0])
        for early, late in itertools.combinations(few, 2)
        if late[0] > early[0]
    )
    return Slope(
        per_s=statistics.median(rates),
        low=rates[len(rates) // 4],
        high=rates[(3 * len(rates)) // 4],
        span_s=span,
        points=len(warm),
    )


def _thinned(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    step = -(-len(points) // POINTS_MAX)
    return [
        (
            statistics.median(at for at, _ in points[first : first + step]),
            statistics.median(figure for _, figure in points[first : first + step]),
        )
        for first in range(0, len(points), step)
    ]
