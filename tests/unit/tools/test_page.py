"""A page is bounded, says why, and the next one begins where it ended."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from heaptui.tools.answers import GREP_COLUMNS, Match, Stopped
from heaptui.tools.searching.page import Page
from heaptui.tools.searching.query import Mode
from heaptui.tools.searching.records import Record


def page(
    mode: Mode = Mode.CONTENT, offset: int = 0, limit: int = 10, max_bytes: int = 4000
) -> Page:
    return Page(mode, offset=offset, limit=limit, max_bytes=max_bytes, named=bytes.decode)


def filled(into: Page, records: list[Record]) -> Page:
    for record in records:
        if not into.add(record):
            break
    return into


def lines(texts: list[str]) -> list[Record]:
    return [Record(b"f", f"{number}:{text}".encode()) for number, text in enumerate(texts, 1)]


@given(
    st.lists(st.text(st.characters(exclude_categories=["C"]), max_size=700), max_size=40),
    st.integers(1, 7),
    st.integers(1, 3000),
)
def test_pages_together_are_the_whole(texts: list[str], limit: int, max_bytes: int) -> None:
    found: list[Match] = []
    offset: int | None = 0
    while offset is not None:
        one = filled(page(offset=offset, limit=limit, max_bytes=max_bytes), lines(texts))
        assert len(one.matches) <= limit
        assert len(one.matches) == 1 or sum(len(m.text.encode()) for m in one.matches) <= max_bytes
        found += one.matches
        offset = one.next_offset if one.full else None
    assert [match.line for match in found] == list(range(1, len(texts) + 1))
    assert [match.text for match in found] == [text[:GREP_COLUMNS] for text in texts]
    assert [match.cut for match in found] == [len(text) > GREP_COLUMNS for text in texts]


def test_as_many_as_there_is_room_for_is_not_too_many() -> None:
    assert filled(page(limit=3), lines(["a"] * 3)).full is None
    assert filled(page(limit=3), lines(["a"] * 4)).full is Stopped.LINES


def test_bytes_end_it_but_never_before_the_first() -> None:
    one = filled(page(max_bytes=10), lines(["a" * 300, "b"]))
    assert (one.full, len(one.matches), one.next_offset) == (Stopped.BYTES, 1, 1)


def test_context_windows_ends_and_what_is_no_utf8() -> None:
    one = filled(page(), [Record(b"f", b"8-before\r"), Record(b"f", b"9:at \xff\r")])
    assert one.matches == [
        Match(path="f", line=8, text="before", context=True),
        Match(path="f", line=9, text="at \ufffd"),
    ]


def test_files_and_counts() -> None:
    found = [Record(b"a", b""), Record(b"b", b""), Record(b"c", b"")]
    assert filled(page(Mode.FILES, offset=1), found).files == ["b", "c"]
    counted = filled(page(Mode.COUNT), [Record(b"a", b"3"), Record(b"b", b"12")])
    assert (counted.files, counted.counts) == (["a", "b"], [3, 12])


def test_letters_of_four_bytes_are_counted_as_letters() -> None:
    one = filled(page(), [Record(b"f", b"1:" + "😀".encode() * 501)])
    assert (len(one.matches[0].text), one.matches[0].cut) == (GREP_COLUMNS, True)
