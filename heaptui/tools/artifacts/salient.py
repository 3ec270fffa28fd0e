"""The lines of a long output that somebody would have looked for: errors, warnings, the last line
of a traceback, and lines that come again and again, of which one is enough.

It looks at each line once, as it comes, and keeps a bounded number of them; of an output full of
errors only the first ones are looked at closely. Lines that differ in
their figures only (times, ids, counts) count as the same one.
"""

from __future__ import annotations

import re
from enum import IntEnum

MOST = 20
_LETTERS = 200
_LINE_BYTES = 4096
_KEPT = 100
"""Different lines of each kind that are kept of the beginning, and of the end."""

_REPEATED = 3
_LOOKED_AT_MOST = 200_000
"""Lines that may be looked at closely: an output of nothing but errors costs no minutes."""

_ERRORS = (
    b"error", b"fatal", b"panic", b"exception", b"traceback", b"fail", b"assert", b"abort",
    b"segmentation fault", b"killed", b"out of memory", b"denied",
)  # fmt: skip
_WARNINGS = (b"warn",)
_TRACEBACK = b"Traceback (most recent call last):"
_FIGURES = re.compile(rb"0x[0-9a-fA-F]+|\d+")


class _Kind(IntEnum):
    """In the order of what is shown first."""

    ERROR = 0
    WARNING = 1
    REPEATED = 2


class _Line:
    __slots__ = ("first", "kind", "last", "text", "times")

    def __init__(self, kind: _Kind, number: int, text: bytes, times: int) -> None:
        self.kind = kind
        self.first = number
        self.last = number + times - 1
        self.times = times
        self.text = text

    def __str__(self) -> str:
        text = self.text.decode("utf-8", "replace").strip()[:_LETTERS]
        again = f" (x {self.times:,}, last in line {self.last:,})" if self.times > 1 else ""
        return f"{self.first}: {text}{again}"


def _kind(line: bytes) -> _Kind | None:
    low = line.lower()
    if any(needle in low for needle in _ERRORS):
        return _Kind.ERROR
    return _Kind.WARNING if any(needle in low for needle in _WARNINGS) else None


class Salient:
    """Feed it the output in pieces, then `close` it."""

    def __init__(self) -> None:
        self.lines = 0
        self._rest = b""
        self._early: dict[tuple[_Kind, bytes], _Line] = {}
        self._late: dict[tuple[_Kind, bytes], _Line] = {}
        self._in_traceback = False
        self._previous: bytes | None = None
        self._times = 0
        self._run_first = 0
        self._looks = _LOOKED_AT_MOST

    def feed(self, data: bytes) -> None:
        text = self._rest + data
        *lines, rest = text.split(b"\n")
        # of a line without an end its beginning says enough
        self._rest = rest[:_LINE_BYTES]
        if lines:
            low = text.lower()
            suspect = any(needle in low for needle in (*_ERRORS, *_WARNINGS))
            for line in lines:
                self._look(line, suspect=suspect)

    def close(self) -> None:
        if self._rest:
            self._look(self._rest, suspect=True)
            self._rest = b""
        self._end_of_run()

    def shown(self, head_lines: int, tail_lines: int) -> tuple[str, ...]:
        """What is worth showing beside so many first and last lines, in the order of the output:
        errors before warnings, where there is not room for all."""
        between = [
            line
            for line in (*self._early.values(), *self._late.values())
            if head_lines < line.last and line.first <= self.lines - tail_lines
        ]
        chosen: list[_Line] = []
        for kind in _Kind:
            room = MOST - len(chosen)
            some = [line for line in between if line.kind is kind]
            if len(some) > room:
                some = some[: (room + 1) // 2] + some[len(some) - room // 2 :]
            chosen += some
        return tuple(str(line) for line in sorted(chosen, key=lambda line: line.first))

    def _look(self, line: bytes, *, suspect: bool) -> None:
        self.lines += 1
        if line == self._previous:
            self._times += 1
        else:
            self._end_of_run()
            self._previous, self._times, self._run_first = line, 1, self.lines
        if self._in_traceback and line.strip() and not line[:1].isspace():
            # after the frames: what was raised
            self._in_traceback = False
            self._note(_Kind.ERROR, self.lines, line, 1)
        elif suspect and self._looks > 0:
            begin = line[:_LINE_BYTES]
            kind = _kind(begin)
            if kind is not None:
                self._looks -= 1
                self._in_traceback = self._in_traceback or _TRACEBACK in begin
                self._note(kind, self.lines, begin, 1)

    def _end_of_run(self) -> None:
        previous, times = self._previous, self._times
        if times < _REPEATED or not previous or not previous.strip():
            return
        begin = previous[:_LINE_BYTES]
        if _kind(begin) is None:
            self._note(_Kind.REPEATED, self._run_first, begin, times)

    def _note(self, kind: _Kind, number: int, line: bytes, times: int) -> None:
        key = (kind, _FIGURES.sub(b"0", line[:_LETTERS]))
        known = self._early.get(key) or self._late.pop(key, None)
        if known is not None:
            known.times += times
            known.last = number + times - 1
        else:
            known = _Line(kind, number, line, times)
        if key in self._early or len(self._early) < _KEPT:
            self._early[key] = known
            return
        self._late[key] = known  # now the latest
        if len(self._late) > _KEPT:
            del self._late[next(iter(self._late))]
