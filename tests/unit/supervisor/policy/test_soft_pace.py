"""How soon a limit is reached at the pace of the last seconds."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heaptui.supervisor.policy.pace import READINGS, Pace, seconds_left

LIMIT = 1000


def pace(*figures: int) -> Pace:
    made = Pace()
    for second, figure in enumerate(figures):
        made.add(float(second), figure)
    return made


def test_what_grows_without_a_pause_arrives():
    assert pace(400, 450, 500, 550, 600, 650).left_s(LIMIT) == pytest.approx(7.0)
    # only the latest readings count
    assert pace(0, 0, 400, 450, 500, 550, 600, 650).left_s(LIMIT) == pytest.approx(7.0)


@pytest.mark.parametrize(
    "figures",
    [
        (600, 650, 700, 750, 800),
        (100, 150, 200, 250, 300, 350),
        (400, 500, 600, 450, 550, 650),
        (700, 700, 700, 700, 700, 700),
        (900, 899, 898, 897, 896, 895),
    ],
    ids=["too young", "far from it", "breathes", "rests", "falls"],
)
def test_everything_else_has_none(figures):
    assert pace(*figures).left_s(LIMIT) is None


def test_without_a_limit_there_is_nothing_to_arrive_at():
    assert pace(400, 450, 500, 550, 600, 650).left_s(None) is None


def test_one_that_started_and_came_to_rest_is_left_alone():
    started = pace(0, 200, 400, 600, 600, 600, 600, 600, 600)
    assert started.left_s(LIMIT) is None


@given(st.lists(st.integers(0, 2000), min_size=READINGS, max_size=READINGS), st.integers(1, 2000))
def test_time_is_never_negative_and_needs_growth(figures, limit):
    readings = [(float(second), figure) for second, figure in enumerate(figures)]
    left = seconds_left(readings, limit)
    if left is not None:
        assert left >= 0
        assert figures[-1] > figures[0]
        assert figures[-1] >= limit / 2
