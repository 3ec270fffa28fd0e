"""Read against a plain reference, with chunks so small that everything falls on their borders."""

from __future__ import annotations

import codecs
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heaptui.errors import UsageError
from heaptui.tools.answers import Stopped, Text
from heaptui.tools.reading import lines, scanning
from heaptui.tools.reading.index import Indexes
from heaptui.tools.reading.read import read
from heaptui.tools.tokens import estimate
from heaptui.tools.workspace.root import Workspace

MANY = 1 << 20

_PIECES = st.sampled_from(
    [
        *(b"a", b"bcdef", b" ", b"\n", b"\n", b"\r\n", b"\r", b"\n\n\n", b"x" * 21),
        *("é".encode(), "€".encode(), "😀".encode(), "é€😀".encode() * 3, "\ufffd".encode()),
        *(b"\xff", b"\xc3", b"\xe2\x82", b"\xf0\x9f\x98", b"\x80\x80", b"\xed\xa0\x80"),
    ]
)
CONTENTS = st.lists(_PIECES, max_size=40).map(b"".join)
CHUNKS = st.sampled_from([4, 8, 12, 64])


@contextmanager
def chunks_of(size: int) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(scanning, "CHUNK", size)
        patch.setattr(lines, "_CHUNK", size)
        yield


@contextmanager
def file_of(data: bytes) -> Iterator[Workspace]:
    """A workspace with one file, `f`."""
    with tempfile.TemporaryDirectory() as directory:
        (Path(directory) / "f").write_bytes(data)
        with Workspace.open(Path(directory)) as workspace:
            yield workspace


def shown(data: bytes) -> tuple[str, int]:
    """The text, and how many bytes of it were none."""
    escaped = data.decode("utf-8", "surrogateescape")
    bad = [letter for letter in escaped if "\udc80" <= letter <= "\udcff"]
    return "".join("\ufffd" if letter in bad else letter for letter in escaped), len(bad)


def whole(data: bytes) -> tuple[str, int]:
    text, bad = shown(data.removeprefix(codecs.BOM_UTF8))
    return text.replace("\r\n", "\n"), bad


def split(data: bytes) -> list[bytes]:
    """With their line ends."""
    return [line + b"\n" for line in data.split(b"\n")[:-1]] + list(
        filter(None, data.split(b"\n")[-1:])
    )


@given(
    data=CONTENTS,
    offset=st.integers(-45, 45).filter(bool),
    limit=st.integers(1, 9),
    chunk=CHUNKS,
    marked=st.booleans(),
)
def test_the_lines_that_were_asked_for(data, offset, limit, chunk, marked):
    every = split(data)
    first = offset if offset > 0 else max(1, len(every) + offset + 1)
    wanted = every[first - 1 : first - 1 + limit]
    mark = codecs.BOM_UTF8 if marked else b""
    with chunks_of(chunk), file_of(mark + data) as workspace:
        answer = read(workspace, "f", offset=offset, limit=limit)
    text, bad = whole(b"".join(wanted))
    more = first - 1 + limit < len(every)
    assert (answer.text, answer.replaced) == (text, bad)
    assert (answer.first, answer.last) == ((first, first + len(wanted) - 1) if wanted else (0, 0))
    assert answer.stopped == (Stopped.LINES if more else Stopped.END)
    assert answer.next_line == (first + limit if more else None)
    assert answer.next_byte == (
        len(mark) + sum(map(len, every[: first - 1 + limit])) if more else None
    )
    # behind the last line nobody has to know which line that was
    known = bool(wanted) and not more
    assert answer.lines_total in ((len(every),) if known else (None, len(every)))
    assert answer.bom == marked
    assert answer.tokens == estimate(answer.text)
    assert not answer.cut_lines
    assert not answer.changed


@given(data=CONTENTS, chunk=CHUNKS, characters=st.integers(1, 7), offset=st.integers(1, 5))
def test_a_line_that_is_too_long_is_cut_and_its_rest_can_be_read(data, chunk, characters, offset):
    every = split(data)
    with chunks_of(chunk), file_of(data) as workspace:
        answer = read(workspace, "f", offset=offset, limit=1, line_characters=characters)
        if offset > len(every):
            assert answer.text == ""
            return
        line = every[offset - 1]
        text, _ = whole(line)
        end = "\n" if text.endswith("\n") else ""
        content = text.removesuffix("\n")
        cut = len(content) > characters
        assert answer.text == content[:characters] + end
        assert answer.cut_lines == ((offset,) if cut else ())
        if cut:
            rest = read(workspace, "f", start_byte=answer.next_byte, limit=1)
            assert rest.text == content[characters:] + end
            assert rest.first == offset


@given(data=CONTENTS, chunk=CHUNKS, most=st.integers(1, 30), tokens=st.integers(1, 12))
def test_going_on_byte_by_byte_gives_everything(data, chunk, most, tokens):
    with chunks_of(chunk), file_of(data) as workspace:
        by_bytes = list(_bytewise(workspace, {"max_bytes": most}))
        by_tokens = list(_bytewise(workspace, {"max_tokens": tokens}))
        by_lines = list(_bytewise(workspace, {"limit": 2}))
    for parts in (by_bytes, by_tokens, by_lines):
        assert "".join(part.text for part in parts) == whole(data)[0]
        assert sum(part.replaced for part in parts) == whole(data)[1]
    # a character is given even where the limit is less
    assert all(len(part.text.encode()) <= most or len(part.text) == 1 for part in by_bytes)
    assert all(part.tokens <= tokens or len(part.text) == 1 for part in by_tokens)
    assert all(part.text.count("\n") <= 2 for part in by_lines)


def _bytewise(workspace: Workspace, limits: dict[str, int]) -> Iterator[Text]:
    at: int | None = 0
    while at is not None:
        answer = read(workspace, "f", start_byte=at, **limits)
        yield answer
        assert answer.next_byte is None or answer.next_byte > at
        at = answer.next_byte


@given(data=CONTENTS, chunk=CHUNKS, start=st.integers(-90, 90))
def test_bytes_from_anywhere_begin_with_a_whole_character_and_know_their_line(data, chunk, start):
    with chunks_of(chunk), file_of(data) as workspace:
        answer = read(workspace, "f", start_byte=start)
    at = min(start if start >= 0 else max(0, len(data) + start), len(data))
    # a character that began before is left out
    skipped = next(
        (
            more
            for back in (1, 2, 3)
            for more in (1, 2, 3)
            if back <= at and back + more <= 4 and _one_character(data[at - back : at + more])
        ),
        0,
    )
    at += skipped
    text, bad = shown(data[at:])
    assert (answer.text, answer.replaced) == (text.replace("\r\n", "\n"), bad)
    assert answer.first == (data[:at].count(b"\n") + 1 if data[at:] else 0)


def _one_character(data: bytes) -> bool:
    try:
        return len(data.decode()) == 1 and len(data) > 1
    except UnicodeDecodeError:
        return False


@given(
    data=CONTENTS,
    chunk=CHUNKS,
    places=st.lists(st.integers(-12, 45).filter(bool), min_size=1, max_size=6),
)
def test_an_index_changes_no_answer(data, chunk, places):
    with chunks_of(chunk), file_of(data) as workspace, pytest.MonkeyPatch.context() as patch:
        patch.setattr("heaptui.tools.reading.read.settled", lambda tag: True)
        kept = Indexes()
        for offset in places:
            plain = read(workspace, "f", offset=offset, limit=3)
            indexed = read(workspace, "f", offset=offset, limit=3, index=kept)
            assert indexed.lines_total is not None or plain.lines_total is None
            assert _without_total(indexed) == _without_total(plain)


def _without_total(answer: Text) -> tuple[object, ...]:
    return (answer.text, answer.first, answer.last, answer.next_line, answer.next_byte)


@given(
    text=st.lists(st.sampled_from(["a", "\n", "\r\n", "é€", "😀", "\u0a00", "ਊ", "\u0a0a"])).map(
        "".join
    ),
    encoding=st.sampled_from(["utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"]),
    chunk=CHUNKS,
    offset=st.integers(-9, 9).filter(bool),
)
def test_utf_16_and_32_by_their_mark(text, encoding, chunk, offset):
    every = [line + "\n" for line in text.split("\n")[:-1]] + list(
        filter(None, text.split("\n")[-1:])
    )
    first = offset if offset > 0 else max(1, len(every) + offset + 1)
    with chunks_of(chunk), file_of(f"\ufeff{text}".encode(encoding)) as workspace:
        answer = read(workspace, "f", offset=offset, limit=2)
        rest = list(_bytewise(workspace, {"max_bytes": 5}))
    assert answer.text == "".join(every[first - 1 : first + 1]).replace("\r\n", "\n")
    assert answer.first == (first if first <= len(every) else 0)
    assert (answer.encoding, answer.bom, answer.replaced) == (encoding, True, 0)
    assert "".join(part.text for part in rest) == text.replace("\r\n", "\n")


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"])
def test_bytes_of_wide_characters_begin_with_a_whole_one(encoding):
    data = "\ufeffa😀b".encode(encoding)
    mark = 2 if "16" in encoding else 4
    with file_of(data) as workspace:
        got = [read(workspace, "f", start_byte=start).text for start in range(len(data))]
    starts = {mark: "a😀b", 2 * mark: "😀b", len(data) - mark: "b"}
    assert got == [
        next((text for at, text in sorted(starts.items()) if at >= start), "")
        for start in range(len(data))
    ]


def test_what_is_no_utf_16_is_replaced_and_counted():
    data = codecs.BOM_UTF16_LE + "ab".encode("utf-16-le") + b"\x00\xd8" + "c\n".encode("utf-16-le")
    with file_of(data) as workspace:
        answer = read(workspace, "f")
    assert (answer.text, answer.replaced) == ("ab\ufffdc\n", 2)


@pytest.mark.parametrize(
    ("data", "ends"),
    [
        (b"", "\n"),
        (b"a", "\n"),
        (b"a\nb\n", "\n"),
        (b"a\r\nb\r\n", "\r\n"),
        (b"a\r\nb\n", "mixed"),
        (b"a\r\nb", "\r\n"),
        (b"a\rb\n", "\n"),
    ],
)
def test_the_line_ends_are_told(data, ends):
    with file_of(data) as workspace:
        assert read(workspace, "f").ends == ends


def test_a_whole_file_has_its_hash_and_a_part_has_none():
    with file_of(b"one\r\ntwo\n") as workspace:
        # the figure of sha256sum
        assert read(workspace, "f").tag.sha256 == (
            "611912c05d6113dd9932610cf2d5876c6f05324e05f326a40620dd4f3fd4ac0d"
        )
        for part in ({"offset": 2}, {"limit": 1}, {"line_characters": 2}, {"max_bytes": 4}):
            assert not read(workspace, "f", **part).tag.sha256


def test_the_token_limit_stops_at_a_line_and_says_so():
    lines_of_it = [f"line {number} of it\n" for number in range(500)]
    with file_of("".join(lines_of_it).encode()) as workspace:
        answer = read(workspace, "f", max_tokens=300)
        shorter = "".join(lines_of_it[: answer.last])
        longer = "".join(lines_of_it[: answer.last + 1])
    assert answer.stopped is Stopped.TOKENS
    assert answer.text == shorter
    assert answer.tokens <= 300 < estimate(longer)
    assert answer.next_line == answer.last + 1
    assert answer.next_byte == len(shorter)


def test_tokens_that_compress_badly_are_fewer_bytes():
    noise = "".join(f"{number * 0x9E3779B97F4A7C15 % (1 << 64):016x}\n" for number in range(400))
    with file_of(noise.encode()) as workspace:
        answer = read(workspace, "f", max_tokens=500)
    assert answer.stopped is Stopped.TOKENS
    assert answer.tokens <= 500
    assert 0 < len(answer.text) < 4 * 500


def test_never_more_than_the_hard_limits():
    with file_of(b"x\n" * 5000) as workspace:
        answer = read(workspace, "f", limit=4000, max_bytes=1 << 30, max_tokens=MANY)
    assert (answer.last, answer.stopped, answer.next_line) == (2000, Stopped.LINES, 2001)
    with file_of(b"x" * 1999 * (5 << 20 >> 10)) as workspace:
        answer = read(workspace, "f", start_byte=0, max_bytes=1 << 30, max_tokens=4 * MANY)
    assert (len(answer.text), answer.stopped) == (4 << 20, Stopped.BYTES)


@pytest.mark.parametrize(
    "wrong",
    [
        {"offset": 0},
        {"limit": 0},
        {"max_bytes": 0},
        {"max_tokens": -1},
        {"line_characters": 0},
        {"offset": 1, "start_byte": 0},
    ],
)
def test_numbers_that_mean_nothing_are_refused(wrong):
    with file_of(b"x\n") as workspace, pytest.raises(UsageError):
        read(workspace, "f", **wrong)
