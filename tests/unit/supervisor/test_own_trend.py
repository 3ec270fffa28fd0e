"""Memory over any length of time, and what is said of it."""

import itertools
import random

from heaptui.supervisor.own_trend import Trend, verdict
from heaptui.units import MIB


def test_it_is_bounded_and_reaches_back_to_the_start() -> None:
    trend = Trend(most=100, step_s=60)
    for minute in range(10_000):
        trend.add(minute * 60.0, minute)
    points = trend.points()
    assert 50 <= len(points) <= 100
    assert points[0] == (0.0, 0)
    assert points[-1][0] > 9_000 * 60
    gaps = [later - earlier for (earlier, _), (later, _) in itertools.pairwise(points)]
    assert max(gaps) < 1.2 * min(gaps)


def test_a_reading_too_early_is_left_out() -> None:
    trend = Trend(step_s=60)
    for at in (0.0, 30.0, 59.9, 61.0):
        trend.add(at, 1)
    assert [at for at, _ in trend.points()] == [0.0, 59.9]


def series(minutes: int, per_minute: float, base: int = 60 * MIB) -> list[tuple[float, int]]:
    noise = random.Random(1)
    return [
        (minute * 60.0, int(base + minute * per_minute + noise.randrange(MIB // 2)))
        for minute in range(minutes)
    ]


def test_the_verdicts() -> None:
    assert verdict(series(10, 0)).startswith("too young")
    assert verdict(series(240, 0)).startswith("steady: 60")
    assert verdict(series(240, -MIB / 10)).startswith("steady")
    grows = verdict(series(240, MIB / 10))
    assert grows.startswith("grows: ")
    assert grows.endswith(" an hour")
    assert "M an hour" in grows


def test_warming_up_is_no_growth() -> None:
    warm = [(minute * 60.0, min(minute, 20) * 3 * MIB) for minute in range(120)]
    assert verdict(warm).startswith("steady")
