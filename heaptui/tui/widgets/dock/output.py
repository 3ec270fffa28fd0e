"""A window on an output of any size: what is held in memory is the window alone.

The window is the end of the file while it follows, and else stands where the operator moved it.
Each line on the screen knows the byte it begins at, so that a window that moves keeps its place.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass
from pathlib import Path

from heaptui.output import given_back, printable, read_from, tail
from heaptui.tui.lines import Line, Span, joined, wrapped

WINDOW = 128 << 10
"""Bytes held at a time."""

STEP = 64 << 10
"""Bytes the window moves when the operator reaches its edge."""

_TAIL_LINES = 2000

_NEAR = 4096
"""A line that ends within so many bytes of the window's edge is left out whole; of a longer one
the window shows a part."""


@dataclass(frozen=True, slots=True)
class Window:
    """Part of an output, made harmless: `lines` with the offset each begins at.

    `start` and `end` are the offsets of the part, `size` is the file's end and `gone` how many
    bytes at its start were given back.
    """

    lines: tuple[tuple[int, str], ...]
    start: int
    end: int
    size: int
    gone: int

    @property
    def at_end(self) -> bool:
        return self.end >= self.size

    @property
    def at_start(self) -> bool:
        return self.start <= self.gone


def last_window(path: Path) -> Window:
    """The end of the output.

    Raises:
        OSError: the file cannot be read.
    """
    read = tail(path, _TAIL_LINES, WINDOW)
    lines: list[tuple[int, str]] = []
    offset = read.first_offset
    for raw in read.lines:
        lines.append((offset, printable(raw)))
        # a byte that is no UTF-8 counts three here: an offset may run ahead, never the text
        offset = min(read.size, offset + len(raw.encode("utf-8", "replace")) + 1)
    return Window(tuple(lines), read.first_offset, read.size, read.size, read.given_back)


def window_at(path: Path, start: int) -> Window:
    """The output from `start` on, from the next line's beginning where that is near.

    Raises:
        OSError: the file cannot be read.
    """
    size = path.stat().st_size
    # the byte before tells whether a line begins at `start`
    chunk = read_from(path, max(start - 1, 0), WINDOW)
    gone = given_back(path)
    data, end = chunk.data, chunk.next_offset
    begin = end - len(data)
    if begin > gone and 0 <= (newline := data.find(b"\n", 0, _NEAR)) < len(data) - 1:
        begin += newline + 1
        data = data[newline + 1 :]
    if end < size and (newline := data.rfind(b"\n", max(0, len(data) - _NEAR))) >= 0:
        data = data[: newline + 1]
        end = begin + len(data)
    lines: list[tuple[int, str]] = []
    offset = begin
    for raw in data.removesuffix(b"\n").split(b"\n") if data else ():
        lines.append((offset, printable(raw.decode("utf-8", "replace"))))
        offset += len(raw) + 1
    return Window(tuple(lines), begin, end, max(size, end), gone)


@dataclass(frozen=True, slots=True)
class Laid:
    """A window in lines of the screen: `offsets[i]` is where `lines[i]` begins, about."""

    lines: tuple[Line, ...]
    offsets: tuple[int, ...]

    def index_of(self, offset: int) -> int:
        """The line that shows the byte at `offset`."""
        return max(0, bisect_right(self.offsets, offset) - 1)


def laid_out(window: Window, width: int, needle: str = "") -> Laid:
    """The window's lines broken to `width` cells, with what was searched for marked."""
    lines: list[Line] = []
    offsets: list[int] = []
    pattern = _pattern(needle)
    for index, (offset, text) in enumerate(window.lines):
        after = window.lines[index + 1][0] if index + 1 < len(window.lines) else window.end
        pieces = wrapped(text, width)
        for number, piece in enumerate(pieces):
            offsets.append(offset + (after - offset) * number // len(pieces))
            lines.append(_marked(piece, pattern) if pattern else ((piece, "plain"),))
    return Laid(tuple(lines), tuple(offsets))


def _pattern(needle: str) -> re.Pattern[str] | None:
    if not needle:
        return None
    return re.compile(re.escape(needle), re.IGNORECASE if needle.islower() else 0)


def _marked(text: str, pattern: re.Pattern[str]) -> Line:
    spans: list[Span] = []
    at = 0
    for match in pattern.finditer(text):
        spans += [(text[at : match.start()], "plain"), (match[0], "chosen")]
        at = match.end()
    return joined([*spans, (text[at:], "plain")])
