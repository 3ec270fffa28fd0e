"""RE2 finds the lines that match by themselves, wherever the pieces of a file end."""

from __future__ import annotations

import io
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("re2", reason="it is in an extra")

from heaptui.tools.searching import last_resort
from heaptui.tools.searching.query import Query

PATTERNS = ["a", "^b", "a$", "^$", "a[^c]*b", r"a\s+b", "^a|b$", "(a+)+b", "^", "c.*a"]
TEXT = st.lists(st.text("abc \r", max_size=12), max_size=12).map("\n".join)


def found(text: str, pattern: str, *, every: bool) -> list[tuple[int, str, bool]]:
    search = last_resort._expression(Query(pattern=pattern))
    lines = last_resort._lines(io.BytesIO(text.encode()), search, every=every)
    return [(line.number, line.text.decode(), line.matches) for line in lines]


@pytest.fixture(autouse=True, scope="module")
def small_pieces() -> object:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(last_resort, "CHUNK", 16)
        yield


@given(TEXT, st.sampled_from(PATTERNS), st.booleans())
def test_as_line_by_line(text: str, pattern: str, every: bool) -> None:
    lines = text.replace("\r\n", "\n").removesuffix("\n").split("\n") if text else []
    # the patterns are these few, and known to be harmless
    expected = [
        (number, line, re.search(pattern, line) is not None) for number, line in enumerate(lines, 1)
    ]
    assert found(text, pattern, every=every) == [one for one in expected if every or one[2]]


def test_a_line_longer_than_a_piece_keeps_its_number() -> None:
    text = "x" * 100 + "a\n" + "b\na\n"
    assert {number for number, _, _ in found(text, "a", every=False)} == {1, 3}


def test_the_mark_at_the_beginning_is_no_part_of_the_line() -> None:
    assert found("\ufeffabc\n", "^a", every=False) == [(1, "abc", True)]


def test_it_ends_at_the_first_nul() -> None:
    assert found("a\nb\0\na\n", "a", every=False) == [(1, "a", True)]
