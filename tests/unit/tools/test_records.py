"""What a search prints comes in any pieces, with any names and lines in it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heaptui.tools.searching.records import Line, Record, Records, line

NAMES = st.binary(min_size=1, max_size=30).map(lambda name: b"./" + name.replace(b"\0", b"\n"))
LINES = st.binary(max_size=60).map(lambda text: text.replace(b"\n", b" "))
WARNING = (
    b': WARNING: stopped searching binary file after match (found "\\0" byte around offset 9)\n'
)
ONLY = b': binary file matches (found "\\0" byte around offset 1)\n'


def fed(records: Records, printed: bytes, pieces: list[int]) -> list[Record]:
    found: list[Record] = []
    at = 0
    for size in pieces:
        found += records.feed(printed[at : at + size])
        at += size
    found += records.feed(printed[at:])
    records.close()
    return found


@given(st.lists(st.tuples(NAMES, LINES), max_size=8), st.lists(st.integers(0, 40), max_size=20))
def test_lines_come_out_as_they_were_printed(
    printed: list[tuple[bytes, bytes]], pieces: list[int]
) -> None:
    whole = b"".join(b"%b\0%b\n" % one for one in printed)
    assert fed(Records(b".", lines=True), whole, pieces) == [Record(*one) for one in printed]


@given(st.lists(NAMES, max_size=8), st.lists(st.integers(0, 40), max_size=20))
def test_names_alone_come_out_as_they_were_printed(names: list[bytes], pieces: list[int]) -> None:
    whole = b"".join(name + b"\0" for name in names)
    found = fed(Records(b".", lines=False), whole, pieces)
    assert [record.name for record in found] == names


@given(st.lists(st.integers(0, 60), max_size=10))
def test_what_is_said_of_a_binary_file_is_no_part_of_the_next_name(pieces: list[int]) -> None:
    records = Records(b".", lines=True)
    printed = b"./a\x001:x\n./a" + WARNING + b"./new\nline\x002:y\n./new\nline" + WARNING
    assert fed(records, printed, pieces) == [
        Record(b"./a", b"1:x"),
        Record(b"./new\nline", b"2:y"),
    ]
    assert records.binary == [b"./a", b"./new\nline"]


def test_a_binary_file_without_a_line_is_known_by_the_name_that_was_asked_for() -> None:
    records = Records(b"/dev/fd/5", lines=True)
    assert fed(records, b"/dev/fd/5" + ONLY, []) == []
    assert records.binary == [b"/dev/fd/5"]


def test_an_endless_line_takes_no_memory_and_gives_its_beginning_once() -> None:
    records = Records(b".", lines=True)
    found = records.feed(b"./a\x001:")
    for _ in range(100):
        found += records.feed(b"x" * 65_536)
        assert len(records._rest) <= 1 << 16
    found += records.feed(b"\n./b\x007:y\n")
    assert [record.name for record in found] == [b"./a", b"./b"]
    assert line(found[0].line).number == 1
    assert line(found[1].line) == Line(7, False, b"y")


def test_a_name_without_an_end_is_refused() -> None:
    records = Records(b".", lines=True)
    with pytest.raises(ValueError, match="without an end"):
        for _ in range(3):
            records.feed(b"x" * 40_000)


@given(st.integers(1, 10**12), st.booleans(), LINES)
def test_a_line_is_a_number_a_mark_and_a_text(number: int, context: bool, text: bytes) -> None:
    printed = b"%d%b%b" % (number, b"-" if context else b":", text)
    assert line(printed) == Line(number, context, text)


@pytest.mark.parametrize("printed", [b"", b"12", b":x", b"x:y", b"1 2:x"])
def test_anything_else_is_no_line(printed: bytes) -> None:
    with pytest.raises(ValueError, match="no line"):
        line(printed)
