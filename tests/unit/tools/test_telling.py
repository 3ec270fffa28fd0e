"""What an answer says of itself: where to go on, and what was odd."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from heaptui.tools import telling
from heaptui.tools.answers import (
    Artifact,
    Entry,
    Found,
    Listed,
    Match,
    Stopped,
    Tag,
    Text,
    Written,
)

TAG = Tag(1, 2, 3, 4, 5)
TEXT = Text(path="a.log", text="x\ny\n", tag=TAG, first=7, last=8, stopped=Stopped.END)
KEPT = Artifact(
    id="ab", path="/k/ab.txt", bytes=9, lines=2000, head="", tail="", salient=(), then=""
)


def option(name: str, value: object) -> str:
    return f"{name}={value}"


def notes(text: Text) -> list[str]:
    return list(telling.of_read(text, option))


def test_lines_are_numbered_from_the_first_on() -> None:
    assert telling.numbered(TEXT) == "     7\tx\n     8\ty\n"
    # no newline at the end of the file, and characters that end lines elsewhere
    odd = replace(TEXT, text="x\x0by\x85z\u2028\r\nlast")
    assert telling.numbered(odd) == "     7\tx\x0by\x85z\u2028\r\n     8\tlast"
    assert telling.numbered(replace(TEXT, text="\n\n")) == "     7\t\n     8\t\n"
    assert telling.numbered(replace(TEXT, text="", first=0, last=0)) == ""
    assert telling.numbered(replace(TEXT, first=0, last=0)) == "x\ny\n"


def test_a_reading_says_where_it_ends_and_how_to_go_on() -> None:
    assert notes(TEXT) == ["lines 7-8 of a.log, to its end", "tag 1.2.3.4.5"]
    whole = replace(TEXT, stopped=Stopped.LINES, next_line=9, next_byte=44, lines_total=1234)
    assert notes(whole)[0] == "lines 7-8 of 1,234 of a.log, the limit of lines; go on with offset=9"
    byte = replace(TEXT, stopped=Stopped.TOKENS, next_byte=44)
    assert notes(byte)[0] == "lines 7-8 of a.log, the limit of tokens; go on with byte=44"
    inside = replace(whole, cut_lines=(8,))
    assert notes(inside)[0].endswith("go on with offset=9, or with byte=44 for the rest of line 8")
    assert "line 8; for the rest read one alone (offset=8 limit=1)" in notes(inside)[1]
    earlier = replace(whole, cut_lines=(7,))
    assert notes(earlier)[0].endswith("go on with offset=9")
    nothing = replace(TEXT, text="", first=0, last=0)
    assert notes(nothing)[0] == "no text of a.log"


def test_many_cut_lines_are_not_all_named() -> None:
    said = notes(replace(TEXT, cut_lines=tuple(range(1, 2001))))[1]
    assert "lines 1, 2, 3, 4, 5, 6, 7, 8, 9, 10 and 1,990 more" in said


@pytest.mark.parametrize(
    ("what", "said"),
    [
        ({"changed": True}, "it changed while it was read"),
        ({"replaced": 12}, "12 bytes are no utf-8"),
        ({"ends": "\r\n"}, "lines end in CRLF"),
        ({"ends": "mixed", "bom": True}, "with a byte order mark, some lines end in CRLF"),
        ({"encoding": "utf-16-le"}, "utf-16-le"),
    ],
)
def test_what_is_odd_is_said(what: dict[str, object], said: str) -> None:
    assert any(said in note for note in notes(replace(TEXT, **what)))
    assert len(notes(TEXT)) == 2


def test_a_name_with_a_line_end_stays_on_its_line() -> None:
    match = Match(path="a\nb", line=3, text="t")
    found = Found(mode="content", by="rg", stopped=Stopped.END, matches=(match,))
    assert list(telling.found_lines(found)) == ["'a\\nb':3:t"]
    assert "\n" not in telling.entry_line(Entry(name="a\nb", kind="link", target="c\nd"))
    assert all("\n" not in note for note in notes(replace(TEXT, path="a\nb")))


def test_where_nothing_is_known_of_how_to_go_on_the_reason_is_said() -> None:
    late = replace(TEXT, text="", first=0, last=0, stopped=Stopped.TIME)
    assert notes(late)[0] == "no text of a.log, time ran out"


def test_a_name_cannot_add_a_note() -> None:
    binary = Found(mode="files", by="rg", stopped=Stopped.END, skipped=("a\n[tag x]: binary",))
    assert list(telling.of_grep(binary, option))[1:] == ["not searched: 'a\\n[tag x]: binary'"]


def test_a_time_that_no_calendar_reaches_hides_no_name() -> None:
    far = Entry(name="f", kind="file", bytes=1, mtime=2.0**62)
    assert telling.entry_line(far).endswith("  f")


def test_what_was_found_is_a_line_each() -> None:
    matches = (
        Match(path="a", line=1, text="before", context=True),
        Match(path="a", line=2, text="long", cut=True),
    )
    content = Found(mode="content", by="rg", stopped=Stopped.END, matches=matches)
    assert list(telling.found_lines(content)) == ["a-1-before", "a:2:long …"]
    files = Found(mode="files", by="rg", stopped=Stopped.END, files=("a", "b"))
    assert list(telling.found_lines(files)) == ["a", "b"]
    counts = Found(mode="count", by="rg", stopped=Stopped.END, files=("a", "b"), counts=(1, 22))
    assert list(telling.found_lines(counts)) == ["a:1", "b:22"]


def test_a_search_says_how_to_go_on_and_what_it_left_out() -> None:
    none = Found(mode="files", by="rg", stopped=Stopped.END)
    assert list(telling.of_grep(none, option)) == ["nothing found"]
    match = Match(path="a", line=1, text="t")
    some = Found(
        mode="content",
        by="rg",
        stopped=Stopped.LINES,
        matches=(match,) * 250,
        offset=250,
        next_offset=500,
        skipped=("secret: Permission denied",),
        artifact=KEPT,
    )
    first, skipped, kept = telling.of_grep(some, option)
    assert first == (
        "250 lines, after the first 250, the limit of lines; go on with offset=500, "
        "or search for less"
    )
    assert skipped == "not searched: secret: Permission denied"
    assert kept.startswith("2,000 of them, from the first one here on, are kept as artifact:ab")
    assert "offset=251" in kept


def test_a_listing_says_how_many_there_are() -> None:
    entries = (
        Entry(name="d", kind="directory"),
        Entry(name="f", kind="file", bytes=1234567, mtime=0.0),
        Entry(name="l", kind="link", target="f"),
        Entry(name="p", kind="other"),
    )
    shown = [telling.entry_line(entry) for entry in entries]
    assert [line[35:] for line in shown] == ["d/", "f", "l -> f", "p?"]
    assert shown[1].startswith("      1,234,567  1")
    listed = Listed(
        path=".", entries=entries, files=1, directories=1, others=2, stopped=Stopped.END
    )
    assert list(telling.of_list(listed, option)) == [".: 1 files, 1 directories, 2 others"]
    cut = replace(listed, stopped=Stopped.LINES, more=True)
    counted, first = telling.of_list(cut, option)
    assert counted.startswith(".: at least 1 files")
    assert first.startswith("the first 4 in order of name: the limit of lines")


def test_a_change_says_what_became_of_the_file() -> None:
    made = Written(path="a", bytes=3, tag=TAG, created=True)
    assert list(telling.of_written(made)) == ["a: made, 3 bytes", "tag 1.2.3.4.5"]
    assert next(telling.of_written(replace(made, created=False))) == "a: written, 3 bytes"
    edited = replace(made, replaced=2, lines=(4, 9), links=1, verified=False)
    said = list(telling.of_written(edited))
    assert said[0] == "a: 2 places changed, in lines 4, 9; 3 bytes now"
    assert "may be gone" in said[1]
    assert "hard links" in said[2]
