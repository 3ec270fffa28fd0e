"""A file's lines one after the other, each with no more of it than anybody will show."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from heaptui.tools.reading.encoding import split
from heaptui.tools.reading.scanning import after_newline
from heaptui.tools.reading.source import Source

_CHUNK = 64 << 10


class Line(NamedTuple):
    """`start` is its first byte, `data` its bytes without the line end, cut where they are more
    than were wanted (`cut`). `end` is where the next line begins; None where its own end was not
    found. `terminated`: a line end is there, and not the end of the file."""

    start: int
    data: bytes
    end: int | None
    cut: bool
    terminated: bool


def lines_from(source: Source, start: int, most: int, reach: int) -> Iterator[Line]:
    """The lines from byte `start` on, up to `most` bytes of each (a multiple of the encoding's
    unit). The end of a longer one is looked for `reach` bytes on; the first whose end is not found
    is the last of them.

    Raises:
        Interrupted, Unreadable: as Source.fill, between two lines.
    """
    unit = source.encoding.unit
    at = begun = start
    head = b""
    while chunk := source.chunk(at, _CHUNK):
        *ended, begins = split(chunk, source.encoding)
        for part in ended:
            data = head + part if head else part
            end = begun + len(data) + unit
            yield Line(begun, data[:most], end, len(data) > most, terminated=True)
            begun, head = end, b""
        head += begins
        at += len(chunk)
        if len(chunk) < _CHUNK:
            break
        if len(head) > most:
            end, found_end = after_newline(source, at, reach)
            at_end = not found_end and end >= source.size
            known = end if found_end or at_end else None
            yield Line(begun, head[:most], known, cut=True, terminated=found_end)
            if not found_end:
                return
            at = begun = end
            head = b""
    if head:
        yield Line(begun, head[:most], at, len(head) > most, terminated=False)
