"""A figure over any length of time in bounded space: when it is full, every second point goes."""

from __future__ import annotations

from collections.abc import Sequence

from heaptui.units import MIB, duration, size

POINTS = 1440
STEP_S = 60.0

_LEAST_POINTS = 16
_GROWS_BYTES_PER_H = 1 * MIB
_GROWS_SHARE = 0.02

Points = Sequence[tuple[float, int]]


class Trend:
    """Points at least a step apart; the step doubles each time there are too many."""

    def __init__(self, most: int = POINTS, step_s: float = STEP_S) -> None:
        self._most = most
        self._step_s = step_s
        self._points: list[tuple[float, int]] = []

    def add(self, at: float, value: int) -> None:
        """One reading; readings come in order."""
        # a timer that fires a moment early is not a point too many
        if self._points and at - self._points[-1][0] < self._step_s * 0.9:
            return
        self._points.append((at, value))
        if len(self._points) > self._most:
            del self._points[1::2]
            self._step_s *= 2

    def points(self) -> tuple[tuple[float, int], ...]:
        return tuple(self._points)


def verdict(points: Points) -> str:
    """Whether memory grows. The first quarter is left out: what a process takes while it warms up
    says nothing about later. Then the last third is held against the first."""
    if len(points) < _LEAST_POINTS:
        return "too young to say whether it grows: look again in a quarter of an hour"
    settled = points[len(points) // 4 :]
    third = len(settled) // 3
    old, new = settled[:third], settled[-third:]
    before, after = _mean(old), _mean(new)
    hours = (_middle(new) - _middle(old)) / 3600
    per_hour = (after - before) / hours if hours > 0 else 0.0
    over = duration(settled[-1][0] - settled[0][0])
    if per_hour > _GROWS_BYTES_PER_H and after - before > before * _GROWS_SHARE:
        return (
            f"grows: {size(before)} to {size(after)} in the last {over}, {size(per_hour)} an hour"
        )
    return f"steady: {size(before)} to {size(after)} in the last {over}"


def _mean(points: Points) -> float:
    return sum(value for _, value in points) / len(points)


def _middle(points: Points) -> float:
    return (points[0][0] + points[-1][0]) / 2
