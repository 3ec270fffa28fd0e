"""A page of what a search prints: from an offset on, bounded in lines and bytes."""

from __future__ import annotations

from collections.abc import Callable

from heaptui.tools.answers import GREP_COLUMNS, Match, Stopped
from heaptui.tools.searching.query import Mode
from heaptui.tools.searching.records import Record, line

_REST = 40
"""Bytes that an answer takes for a line beside its name and text: a number, marks."""


class Page:
    """`full` is why no more is taken: there is more, and it begins at `next_offset`."""

    def __init__(
        self, mode: Mode, *, offset: int, limit: int, max_bytes: int, named: Callable[[bytes], str]
    ) -> None:
        """`named`: what a name that was printed is called in the answer."""
        self.offset = offset
        self.full: Stopped | None = None
        self.matches: list[Match] = []
        self.files: list[str] = []
        self.counts: list[int] = []
        self.mode = mode
        self._limit = limit
        self._max_bytes = max_bytes
        self._named = named
        self._passed = 0
        self._bytes = 0

    @property
    def next_offset(self) -> int:
        return self.offset + self.taken

    @property
    def taken(self) -> int:
        return len(self.matches) or len(self.files)

    @property
    def printed_any(self) -> bool:
        return self._passed > 0 or self.taken > 0

    def add(self, record: Record) -> bool:
        """Whether it takes more.

        Raises:
            ValueError: it is no line, or no count.
        """
        if self._passed < self.offset:
            self._passed += 1
            return True
        name = self._named(record.name)
        match self.mode:
            case Mode.CONTENT:
                match = self._match(name, record.line)
                if self._fits(name, match.text):
                    self.matches.append(match)
            case Mode.FILES:
                if self._fits(name):
                    self.files.append(name)
            case Mode.COUNT:
                if self._fits(name):
                    self.files.append(name)
                    self.counts.append(int(record.line))
        return self.full is None

    def _match(self, name: str, printed: bytes) -> Match:
        found = line(printed)
        text = found.text.decode("utf-8", "replace").removesuffix("\r")
        return Match(
            path=name,
            line=found.number,
            text=text[:GREP_COLUMNS],
            context=found.context,
            cut=len(text) > GREP_COLUMNS,
        )

    def _fits(self, *texts: str) -> bool:
        """Whether there is room for one more with these texts; the first always has."""
        size = _REST + sum(len(text.encode("utf-8", "surrogateescape")) for text in texts)
        if self.taken == self._limit:
            self.full = Stopped.LINES
        elif self.taken and self._bytes + size > self._max_bytes:
            self.full = Stopped.BYTES
        else:
            self._bytes += size
        return self.full is None
