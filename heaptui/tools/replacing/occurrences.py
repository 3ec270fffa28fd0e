"""Where a piece of bytes stands in a file, in memory that does not depend on the file."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import NamedTuple

from heaptui.tools.reading.encoding import Encoding, newlines
from heaptui.tools.reading.source import read_into
from heaptui.tools.replacing.copying import data_ranges

_PIECE = 256 << 10


class Occurrences(NamedTuple):
    """`first` is the byte where the first begins, -1 without one; `lines` are those in which the
    first few begin, as far as lines were counted."""

    times: int
    first: int
    lines: tuple[int, ...]


class Window:
    """What slides over a range of a file to find something in it: `data[:used]` are its bytes from
    `at` on. One buffer serves for all of it."""

    __slots__ = ("_end", "_fd", "_unit", "_view", "_wanted", "at", "data", "used")

    def __init__(self, fd: int, begin: int, end: int, wanted: bytes, unit: int) -> None:
        self._fd = fd
        self._end = end
        self._wanted = wanted
        self._unit = unit
        self.at = begin
        self.used = 0
        self.data = bytearray(max(_PIECE, 2 * len(wanted)))
        self._view = memoryview(self.data)

    def slide(self, by: int) -> bool:
        """Begins that many bytes further on, and is filled up again. False: the end of the range,
        or of the file, had been reached.

        Raises:
            OSError: the file cannot be read.
        """
        left = self.used - by
        self._view[:left] = self._view[by : self.used]
        self.at += by
        room = min(len(self.data) - left, self._end - self.at - left)
        got = read_into(self._view[left : left + room], self._fd, self.at + left) if room else 0
        self.used = left + got
        return got > 0

    def find(self, start: int) -> int:
        """Where what is wanted begins in `data`, not before `start`; -1: nowhere."""
        at = self.data.find(self._wanted, start, self.used)
        while at >= 0 and (self.at + at) % self._unit:
            at = self.data.find(self._wanted, at + 1, self.used)
        return at

    def settled(self, behind: int) -> int:
        """Up to where nothing more can be found when the window slides on; it was searched from
        `behind` on."""
        open_from = max(behind, self.used - len(self._wanted) + 1, 0)
        return open_from - (self.at + open_from) % self._unit

    def piece(self, begin: int, end: int) -> memoryview:
        """Bytes of `data`, until it slides."""
        return self._view[begin:end]


def occurrences(
    fd: int,
    wanted: bytes,
    encoding: Encoding,
    go_on: Callable[[], None],
    *,
    overlapping: bool = False,
    stop_after: int | None = None,
    named: int = 10,
    numbered: int | None = None,
) -> Occurrences:
    """How often it stands in the file, and where; counted no further than `stop_after`. Places
    that overlap are one, unless `overlapping`. Holes are passed over: what is wanted has no NUL.
    Of the first `named` the lines are told; where `numbered` is given, of those that begin in so
    many bytes: counting lines takes twice as long as finding a place. `go_on` is called for each
    piece of the file, and raises when it is to stop.

    Raises:
        OSError: the file cannot be read.
    """
    times, first, line = 0, -1, 1
    lines: list[int] = []
    step = encoding.unit if overlapping else len(wanted)
    for begin, end in data_ranges(fd, 0, os.fstat(fd).st_size):
        window = Window(fd, begin, end, wanted, encoding.unit)
        settled = 0
        while window.slide(settled):
            go_on()
            counting = len(lines) < named and (numbered is None or window.at < numbered)
            behind = lined = 0
            while (at := window.find(behind)) >= 0:
                if counting and len(lines) < named:
                    line += newlines(window.data, lined, at, encoding)
                    lined = at
                    lines.append(line)
                first = window.at + at if first < 0 else first
                times += 1
                if times == stop_after:
                    return Occurrences(times, first, tuple(lines))
                behind = at + step
            settled = window.settled(behind)
            if counting:
                line += newlines(window.data, lined, settled, encoding)
        # what is left of the range: too short for another place
        line += newlines(window.data, 0, window.used, encoding)
    return Occurrences(times, first, tuple(lines))
