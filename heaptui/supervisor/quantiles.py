"""Quantiles of what was observed."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil
from typing import TypeVar

from heaptui.model import Quantiles

Number = TypeVar("Number", int, float)


def quantile(ordered: Sequence[Number], share: float) -> Number:
    """The least of the `ordered` (ascending, at least one) that `share` of them, 0 to 1, do not
    exceed: an observation, never a value between two (Hyndman and Fan 1996, definition 1)."""
    return ordered[max(0, ceil(share * len(ordered)) - 1)]


def quantiles(observed: Sequence[float]) -> Quantiles:
    """Of seconds in any order."""
    if not observed:
        return Quantiles()
    ordered = sorted(observed)
    return Quantiles(
        count=len(ordered),
        p50=quantile(ordered, 0.50),
        p95=quantile(ordered, 0.95),
        p99=quantile(ordered, 0.99),
        max=ordered[-1],
    )
