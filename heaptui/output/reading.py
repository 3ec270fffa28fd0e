"""Reading an output file that is still being written, in memory that its size does not touch.

Lines end at `\\n` and are decoded as UTF-8 with U+FFFD for what is not; they are raw otherwise:
whoever shows them passes them through `printable`.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

from msgspec import Struct

from heaptui.output.bounded import given_back, reading

BLOCK = 1 << 16
SEARCH_BLOCK = 1 << 18
EXCERPT = 2048
"""Bytes shown on either side of a hit at most, within its line."""


class Tail(Struct, frozen=True, kw_only=True):
    """The last lines of an output.

    `first_offset` is where the first of `lines` begins; `truncated`: it begins in the middle of a
    line, whose start lies beyond `max_bytes` or was given back. `size` is the file's end, and
    `given_back` how many bytes at its start are gone.
    """

    lines: list[str]
    first_offset: int
    size: int
    given_back: int
    truncated: bool


class Chunk(Struct, frozen=True, kw_only=True):
    """Bytes from an output; the next reading starts at `next_offset`. `skipped` bytes between the
    asked offset and the data are gone."""

    data: bytes
    next_offset: int
    skipped: int


class Hit(Struct, frozen=True, kw_only=True):
    """A line that contains the text: where the match begins, where its line begins (None: too far
    back to know), and the line, or what lies around the match in a very long one."""

    offset: int
    line_offset: int | None
    text: str


def tail(path: Path, lines: int, max_bytes: int = 1 << 20) -> Tail:
    """The last `lines` lines, of at most `max_bytes` together.

    Raises:
        OSError: the file cannot be read.
    """
    with reading(path) as fd:
        size = os.fstat(fd).st_size
        floor = max(given_back(fd), size - max_bytes)
        start, data = _back_to(fd, size, floor, lines)
        gone = given_back(fd)
        if gone > start:  # more was given back while this was read
            data = data[gone - start :]
            start = gone
        within = bool(data) and not _begins_line(fd, start, gone)
    if not data:
        return Tail(lines=[], first_offset=size, size=size, given_back=gone, truncated=False)
    text = data.removesuffix(b"\n").decode("utf-8", "replace")
    return Tail(
        lines=text.split("\n"), first_offset=start, size=size, given_back=gone, truncated=within
    )


def read_from(path: Path, offset: int, max_bytes: int) -> Chunk:
    """At most `max_bytes` from `offset`, or from where the kept part begins. An offset beyond the
    end means that the file was cut: reading begins anew at its start.

    Raises:
        OSError: the file cannot be read.
    """
    with reading(path) as fd:
        begin = 0 if offset > os.fstat(fd).st_size else offset
        while True:
            start = max(begin, given_back(fd))
            data = os.pread(fd, max_bytes, start)
            gone = given_back(fd)
            if gone < start + len(data) or not data:
                break
    fresh = max(gone, start) if data else start
    data = data[fresh - start :]
    return Chunk(data=data, next_offset=fresh + len(data), skipped=max(0, fresh - begin))


def search(path: Path, text: str, max_hits: int, before: int | None = None) -> list[Hit]:
    """The last lines that contain `text`, newest first, one hit a line; only matches that begin
    before the offset `before`, so that a search goes on from the last hit's `line_offset`.

    Case matters as soon as `text` has a capital letter. Every line of the kept part is looked at.

    Raises:
        OSError: the file cannot be read.
    """
    needle = text.encode("utf-8", "surrogateescape")
    hits: list[Hit] = []
    if not needle or max_hits <= 0:
        return hits
    pattern = re.compile(re.escape(needle), re.IGNORECASE if text.islower() else 0)
    with reading(path) as fd:
        end = os.fstat(fd).st_size if before is None else before
        shown_from = end
        for offset in _matches(fd, pattern, len(needle), end):
            if offset >= shown_from:
                continue
            hit = _hit(fd, offset, len(needle))
            hits.append(hit)
            if len(hits) >= max_hits:
                break
            shown_from = offset - EXCERPT if hit.line_offset is None else hit.line_offset
    return hits


def _back_to(fd: int, size: int, floor: int, lines: int) -> tuple[int, bytes]:
    """Where the last `lines` lines begin, no earlier than `floor`, and their bytes."""
    blocks: list[bytes] = []
    wanted = lines
    at = size
    while at > floor and wanted > 0:
        start = max(floor, at - BLOCK)
        block = os.pread(fd, at - start, start)
        # the newline that ends the last line separates nothing
        upto = len(block) - 1 if at == size and block.endswith(b"\n") else len(block)
        while wanted > 0 and (found := block.rfind(b"\n", 0, upto)) >= 0:
            upto = found
            wanted -= 1
        if wanted == 0:
            block = block[upto + 1 :]
            start += upto + 1
        blocks.append(block)
        at = start
    return at, b"".join(reversed(blocks))


def _begins_line(fd: int, offset: int, gone: int) -> bool:
    return offset == 0 or (gone < offset and os.pread(fd, 1, offset - 1) == b"\n")


def _matches(fd: int, pattern: re.Pattern[bytes], length: int, end: int) -> Iterator[int]:
    """Offsets below `end` where `pattern` (matching `length` bytes) begins, last first."""
    at = end
    while at > (floor := given_back(fd)):
        start = max(floor, at - SEARCH_BLOCK)
        # a match may begin in this block and end in the one behind it, already looked at
        block = os.pread(fd, at - start + length - 1, start)
        found = [start + match.start() for match in pattern.finditer(block)]
        yield from reversed([offset for offset in found if offset < at])
        at = start


def _hit(fd: int, offset: int, length: int) -> Hit:
    first = max(given_back(fd), offset - EXCERPT)
    left = os.pread(fd, offset - first, first)
    right = os.pread(fd, length + EXCERPT, offset)
    newline = left.rfind(b"\n")
    line_offset = first + newline + 1 if newline >= 0 or first == 0 else None
    line = left[newline + 1 :] + right.split(b"\n", 1)[0]
    return Hit(offset=offset, line_offset=line_offset, text=line.decode("utf-8", "replace"))
