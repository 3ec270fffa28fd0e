"""The memory chart: true to the series, whatever its length and the room there is."""

from __future__ import annotations

import unicodedata
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heaptui.model import Series
from heaptui.tui.lines import Line, text_of, width_of
from heaptui.tui.widgets.dock.chart import (
    AXIS,
    Frame,
    Marks,
    ascii_dots,
    chart,
    columns,
    dot_row,
    level_role,
    round_up,
    scale,
    span_for,
)

M, G = 1 << 20, 1 << 30
FLOOR_DOTS = 0x40 | 0x80

SIZES = st.integers(min_value=0, max_value=4 * G)
ROOM = st.tuples(st.integers(20, 120), st.integers(4, 30))


def series(*values: int | None, step_s: float = 1.0) -> Series:
    return Series(task_id="t", step_s=step_s, until=0.0, low=values, high=values)


def drawn(found: Series, marks: Marks, width: int = 46, height: int = 9, span: float = 60.0):
    return chart(found, marks, Frame(width, height, span))


def dots(lines: list[Line]) -> list[list[int]]:
    """Rows of dots of the plot from the bottom, each a list of columns with 0 or 1."""
    texts = [text_of(line)[AXIS:] for line in lines[:-1]]
    grid = []
    for text in reversed(texts):
        bits = [ord(char) - 0x2800 if 0x2800 <= ord(char) < 0x2900 else 0 for char in text]
        for left, right in ((0x40, 0x80), (0x04, 0x20), (0x02, 0x10), (0x01, 0x08)):
            grid.append([int(bool(b & side)) for b in bits for side in (left, right)])
    return grid


def heights(lines: list[Line]) -> list[int | None]:
    """Of each column of dots the highest row, None where there is none."""
    grid = dots(lines)
    return [
        max((y for y, row in enumerate(grid) if row[x]), default=None) for x in range(len(grid[0]))
    ]


def roles(lines: list[Line]) -> set[str]:
    return {role for line in lines[:-1] for text, role in line if any(map(is_braille, text))}


def is_braille(char: str) -> bool:
    return unicodedata.name(char, "").startswith("BRAILLE")


@given(st.lists(st.none() | SIZES, max_size=200), ROOM, st.none() | st.integers(1, 4 * G))
def test_fills_exactly_the_room_it_is_given(
    values: list[int | None], room: tuple[int, int], cap: int | None
) -> None:
    lines = chart(series(*values), Marks(cap, None), Frame(*room, span_s=120.0))
    assert len(lines) == room[1]
    assert {width_of(line) for line in lines} == {room[0]}


def test_starts_at_zero() -> None:
    lines = drawn(series(*[0] * 60), Marks(cap=G))
    assert set(heights(lines)) == {0}
    assert text_of(lines[-2]).lstrip().startswith("0")


def test_what_is_at_the_cap_is_at_the_top() -> None:
    lines = drawn(series(*[G] * 60), Marks(cap=G))
    assert set(heights(lines)) == {8 * 4 - 1}
    assert text_of(lines[0]).lstrip().startswith("1.0G")


def test_gaps_stay_gaps() -> None:
    values = [512 * M] * 20 + [None] * 20 + [512 * M] * 20
    found = heights(drawn(series(*values), Marks(cap=G)))
    third = len(found) // 3
    assert all(each is not None for each in found[: third - 2])
    assert all(each is None for each in found[third + 2 : 2 * third - 2])
    assert all(each is not None for each in found[2 * third + 2 :])


@given(st.lists(st.booleans(), min_size=60, max_size=60), st.integers(10, 60))
def test_a_column_has_dots_only_where_there_were_samples(known: list[bool], across: int) -> None:
    values = [M if each else None for each in known]
    per_dot = 60 / (across * 2)
    for dot, found in enumerate(columns(series(*values), 60.0, across * 2)):
        right = 59 - (across * 2 - 1 - dot) * per_dot
        near = known[max(0, int(right - max(per_dot, 1))) : int(right + 1.5)]
        assert found is None or any(near)


def test_what_is_older_than_the_series_is_blank() -> None:
    found = heights(drawn(series(*[M] * 30), Marks(cap=4 * M)))
    half = len(found) // 2
    assert all(each is None for each in found[: half - 2])
    assert all(each is not None for each in found[half + 2 :])


@given(
    st.lists(SIZES, min_size=2, max_size=300).map(sorted),
    ROOM,
    st.none() | st.integers(1, 4 * G),
    st.sampled_from((1.0, 10.0)),
)
def test_a_rising_series_never_falls_on_the_screen(
    values: list[int], room: tuple[int, int], cap: int | None, step_s: float
) -> None:
    frame = Frame(*room, span_s=120.0)
    lines = chart(series(*values, step_s=step_s), Marks(cap, None), frame)
    found = [each for each in heights(lines) if each is not None]
    assert found == sorted(found)


@given(SIZES, SIZES, st.integers(1, 4 * G), st.integers(1, 100))
def test_more_is_never_lower(one: int, other: int, top: int, rows: int) -> None:
    low, high = sorted((one, other))
    assert 0 <= dot_row(low, top, rows) <= dot_row(high, top, rows) < rows


@given(st.lists(SIZES, min_size=60, max_size=60))
def test_the_line_is_connected(values: list[int]) -> None:
    grid = dots(drawn(series(*values), Marks(cap=4 * G)))
    rows = [[y for y, row in enumerate(grid) if row[x]] for x in range(len(grid[0]))]
    for before, after in pairwise(rows):
        if before and after:
            assert min(after) <= max(before) + 1
            assert max(after) >= min(before) - 1


def test_a_peak_within_one_column_is_not_lost() -> None:
    values = [100 * M] * 1800
    values[900] = 900 * M
    lines = chart(series(*values), Marks(cap=G), Frame(46, 9, 1800.0))
    found = heights(lines)
    assert max(each for each in found if each is not None) == dot_row(900 * M, G, 32)


def test_carries_soft_limit_and_cap() -> None:
    lines = drawn(series(*[300 * M] * 60), Marks(cap=G, soft=820 * M))
    soft = next(text_of(line) for line in lines if text_of(line).lstrip().startswith("soft"))
    assert soft.count("┈") == 40
    assert text_of(lines[0]).split()[0] == "1.0G"


def test_marks_the_peak_of_an_earlier_time() -> None:
    lines = drawn(series(*[300 * M] * 60), Marks(cap=G, peak=640 * M))
    row = next(y for y, line in enumerate(lines) if text_of(line).split()[:1] == ["peak"])
    assert row == 8 - 1 - dot_row(640 * M, G, 32) // 4


def test_a_cap_far_above_is_named_instead_of_drawn() -> None:
    lines = drawn(series(*[60 * M] * 60), Marks(cap=12 * G))
    assert "↑ cap 12.0G" in text_of(lines[0])
    assert min(each for each in heights(lines) if each is not None) > 8


def test_without_a_cap_there_is_neither_soft_nor_colour() -> None:
    lines = drawn(series(*[60 * M] * 60), Marks())
    assert not any("soft" in text_of(line) or "┈" in text_of(line) for line in lines)
    assert roles(lines) == {"quantity"}


@pytest.mark.parametrize(
    ("value", "role"),
    [(0, "quantity"), (799 * M, "quantity"), (820 * M, "amber"), (1000 * M, "red"), (G, "red")],
)
def test_the_level_is_a_colour(value: int, role: str) -> None:
    assert level_role(value, G, 800 * M) == role
    assert roles(drawn(series(*[value] * 60), Marks(cap=G, soft=800 * M))) == {role}


def test_without_a_soft_limit_only_the_cap_is_a_danger() -> None:
    assert level_role(900 * M, G, None) == "quantity"
    assert level_role(1000 * M, G, None) == "red"
    lines = drawn(series(*[900 * M] * 60), Marks(cap=G))
    assert not any("soft" in text_of(line) for line in lines)


@given(st.floats(1, 1e13))
def test_the_scale_is_round_and_above(value: float) -> None:
    top = round_up(value)
    assert top >= value
    assert top <= max(value * 1.5, 1024)


@given(SIZES, st.none() | st.integers(1, 64 * G))
def test_nothing_is_above_the_scale(highest: int, cap: int | None) -> None:
    assert scale(highest, cap) >= highest


def test_ascii_has_no_other_signs() -> None:
    lines = chart(
        series(*range(0, 60 * M, M)), Marks(cap=60 * M), Frame(46, 9, 60.0, "now", ascii_dots)
    )
    assert all(text_of(line).isascii() for line in lines)
    assert any(set(text_of(line)[AXIS:]) & set(".':") for line in lines)


def test_the_time_shown_fits_the_age() -> None:
    assert [span_for(age) for age in (1, 120, 121, 900, 86400)] == [120, 120, 300, 1800, 1800]
