"""Sizes into bins."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heaptui.splitting.packing import TooMany, first_fit, in_order

SIZES = st.lists(st.integers(0, 20), max_size=60)


def plainly(sizes: list[int], room: int) -> list[list[int]]:
    """First fit as it is defined, without a tree."""
    bins: list[list[int]] = []
    left: list[int] = []
    for place, size in enumerate(sizes):
        fits = next((at for at, free in enumerate(left) if size <= free), None)
        if size > room or fits is None:
            bins.append([place])
            left.append(-1 if size > room else room - size)
        else:
            bins[fits].append(place)
            left[fits] -= size
    return bins


@given(SIZES, st.integers(1, 30))
def test_the_first_that_has_room(sizes: list[int], room: int) -> None:
    assert first_fit(sizes, room, 60) == plainly(sizes, room)


@given(SIZES, st.integers(1, 30), st.integers(1, 20))
def test_there_are_never_more_than_there_may_be(sizes: list[int], room: int, most: int) -> None:
    wanted = plainly(sizes, room)
    if len(wanted) <= most:
        assert first_fit(sizes, room, most) == wanted
    else:
        with pytest.raises(TooMany):
            first_fit(sizes, room, most)


@given(st.lists(st.integers(0, 1000), min_size=1, max_size=80), st.integers(1, 90))
def test_runs_are_all_in_order_and_none_is_empty(sizes: list[int], into: int) -> None:
    runs = in_order(sizes, into)
    assert [place for run in runs for place in run] == list(range(len(sizes)))
    assert len(runs) == min(into, len(sizes))
    assert all(runs)


@given(st.lists(st.integers(1, 100), min_size=40, max_size=80), st.integers(2, 8))
def test_runs_are_as_equal_as_their_borders_allow(sizes: list[int], into: int) -> None:
    wanted = sum(sizes) / into
    for run in in_order(sizes, into):
        assert abs(sum(sizes[place] for place in run) - wanted) <= max(sizes)
