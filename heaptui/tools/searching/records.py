"""What a search prints, taken apart as it comes, in memory that no line or name can grow.

The form is rg's with --null: the name of a file, NUL, then (but in a list of files) a line: its
number, `:` or, beside a match, `-`, and its text; or the count. A name can have any byte but NUL in
it, a line any but `\\n`. Between records rg says of the file that it has just printed, or was asked
for, that it is binary; no name begins with that.
"""

from __future__ import annotations

from typing import NamedTuple

_STOPPED = b': WARNING: stopped searching binary file after match (found "'
_ONLY = b': binary file matches (found "'
_NAME_MOST = 1 << 16
_LINE_MOST = 1 << 16
"""Bytes. Of a longer line the beginning is kept."""


class Record(NamedTuple):
    """A name, and the line behind it without its end."""

    name: bytes
    line: bytes


class Line(NamedTuple):
    number: int
    context: bool
    text: bytes


class Records:
    """Feed it what was printed. `binary` are the names of which it was said."""

    def __init__(self, asked: bytes, *, lines: bool) -> None:
        """`asked`: the one file that is searched, as it was named; `lines`: whether one follows
        each name."""
        self.binary: list[bytes] = []
        self._lines = lines
        self._printed = asked
        self._rest = b""
        self._name: bytes | None = None
        self._skipping = False

    def feed(self, data: bytes) -> list[Record]:
        """The records that are whole by now.

        Raises:
            ValueError: nothing that a search prints.
        """
        found: list[Record] = []
        rest = self._rest + data
        at = 0
        while True:
            if self._name is None:
                end = rest.find(b"\0", at)
                if end < 0:
                    break
                self._printed = self._named(rest[at:end])
                at = end + 1
                if self._lines:
                    self._name = self._printed
                else:
                    found.append(Record(self._printed, b""))
                continue
            end = rest.find(b"\n", at)
            if end < 0:
                break
            if not self._skipping:
                found.append(Record(self._name, rest[at : min(end, at + _LINE_MOST)]))
            self._name, self._skipping = None, False
            at = end + 1
        rest = rest[at:]
        if len(rest) > _LINE_MOST and self._name is not None:
            if not self._skipping:
                found.append(Record(self._name, rest[:_LINE_MOST]))
                self._skipping = True
            rest = b""
        if len(rest) > _NAME_MOST:
            raise ValueError("a name without an end")
        self._rest = rest
        return found

    def close(self) -> None:
        """There is no more: what is left can only say that a file is binary."""
        if self._name is None and self._rest:
            self._named(self._rest)

    def _named(self, name: bytes) -> bytes:
        """`name` without what was said before it."""
        for words in (_STOPPED, _ONLY):
            said = self._printed + words
            if name.startswith(said):
                self.binary.append(self._printed)
                return name[len(said) :].partition(b"\n")[2]
        return name


def line(printed: bytes) -> Line:
    """`12:text` or `12-text`.

    Raises:
        ValueError: it is neither.
    """
    digits = 0
    while printed[digits : digits + 1].isdigit():
        digits += 1
    separator = printed[digits : digits + 1]
    if not digits or separator not in (b":", b"-"):
        raise ValueError("no line of a search")
    return Line(int(printed[:digits]), separator == b"-", printed[digits + 1 :])
