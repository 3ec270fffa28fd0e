"""Cells: whatever the text, the width is right and nothing but printable characters comes out."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from heaptui.model import State
from heaptui.tui.cells import bar, cut, left, right, safe, sparkline
from heaptui.tui.glyphs import ASCII, UNICODE, glyphs

_TEXT = st.text(max_size=40).map(safe)


@given(_TEXT, st.integers(0, 50), st.sampled_from([ASCII, UNICODE]))
def test_fitted_texts_have_the_width_that_was_asked_for(text: str, width: int, signs) -> None:
    assert cell_len(left(text, width, signs)) == width
    assert cell_len(right(text, width, signs)) == width
    assert cell_len(cut(text, width, signs)) <= width


@given(st.text())
def test_safe_text_is_one_printable_line(text: str) -> None:
    assert all(char.isprintable() for char in safe(text))


def test_escape_sequences_do_not_survive() -> None:
    assert "\x1b" not in safe("\x1b[31mred\x1b]0;title\x07\r\n")


def test_a_bar_fills_by_eighths_and_ticks_what_lies_beyond() -> None:
    assert bar(8, 4, 8) == ("████", "    ")
    assert bar(8, 4.5, 8) == ("████▌", "   ")
    assert bar(10, 2, 10, soft=8, peak=5) == ("██", "   ╵  ┊ ")
    assert bar(10, 9, 10, soft=8) == ("█" * 9, " ")
    assert bar(10, 1, 10_000).fill == "▏"
    assert bar(10, 99, 10).fill == "█" * 10
    assert bar(10, None, 10) == ("", " " * 10)
    assert bar(10, 5, None) == ("", " " * 10)
    assert bar(4, 2, 4, glyphs=ASCII) == ("##", "  ")


@given(
    st.integers(0, 30),
    st.floats(0, 1e12),
    st.one_of(st.none(), st.floats(0, 1e12)),
    st.floats(0, 1e12),
    st.floats(0, 1e12),
)
def test_a_bar_is_as_wide_as_it_was_asked_to_be(width, used, cap, soft, peak) -> None:
    assert len("".join(bar(width, used, cap, soft, peak))) == width


def test_a_sparkline_starts_at_zero_and_leaves_gaps() -> None:
    assert sparkline((5, 5, 5, 5), 4) == "▅▅▅▅"
    assert sparkline((0, None, 8, 8), 4) == "▁ ▇▇"
    assert sparkline((None, None), 3) == "   "
    assert sparkline((), 3) == "   "
    assert sparkline((1, 2), 4) == "▃▃▆▆"
    assert sparkline((1, 9, 1, 1), 2) == "█▁"


@given(st.lists(st.one_of(st.none(), st.integers(0, 1 << 40)), max_size=40), st.integers(0, 60))
def test_a_sparkline_is_as_wide_as_it_was_asked_to_be(values, width) -> None:
    assert len(sparkline(values, width)) == width


def test_every_state_reads_without_colour() -> None:
    groups = {sign: {s for s in State if UNICODE.of(s) == sign} for sign in map(UNICODE.of, State)}
    # starting is running that has no figures yet, backing off is waiting that says until when, and
    # of what drains the words beside it tell what for
    assert [group for group in groups.values() if len(group) > 1] == [
        {State.QUEUED, State.BACKOFF},
        {State.STARTING, State.RUNNING},
        {State.SPLITTING, State.STOPPING},
    ]
    assert {len(ASCII.of(state)) for state in State} == {1}
    assert ASCII.of(State.QUARANTINED) != ASCII.alert
    assert all(ASCII.of(state).isascii() for state in State)
    assert glyphs(ascii_only=True) is ASCII and glyphs(ascii_only=False) is UNICODE


@given(_TEXT)
def test_ascii_terminals_get_ascii_of_the_same_width(text: str) -> None:
    spelled = ASCII.spelled(text)
    assert spelled.isascii() and cell_len(spelled) == cell_len(text)
    assert UNICODE.spelled(text) == text
