"""Finds lines in a file by counting line ends, with what is known of it already.

A chunk is counted where it was read and then forgotten: memory does not depend on the file. The
counts grow as far as was read from the beginning without a gap, and stay when it was interrupted.
"""

from __future__ import annotations

from bisect import bisect_left

from heaptui.tools.reading.counting import line_ends
from heaptui.tools.reading.encoding import find_newline, newlines
from heaptui.tools.reading.index import CHUNK, COUNTS_MOST, Counts
from heaptui.tools.reading.source import Source

NEAR = 64 << 20
"""Bytes that are counted to tell a line's number where nobody asked for a line."""


def line_start(source: Source, counts: Counts, line: int) -> int | None:
    """The byte at which a line begins (the first is 1); None where there are fewer line ends.

    Raises as Source.fill.
    """
    ends = line - 1
    if ends == 0:
        return source.encoding.bom
    if ends > counts.before[-1]:
        return _counted_on(source, counts, ends)
    chunk = bisect_left(counts.before, ends) - 1
    return _after(source, chunk * CHUNK, ends - counts.before[chunk])


def line_at(source: Source, counts: Counts, byte: int) -> int | None:
    """The number of the line that the byte is in; None where that is far from all that was
    counted. Raises as Source.fill."""
    at = min(byte // CHUNK, len(counts.before) - 1) * CHUNK
    if byte - at > NEAR:
        return None
    ends = counts.before[at // CHUNK]
    buffer = bytearray(CHUNK)
    while at < byte:
        got = source.fill(buffer, at)
        if got < CHUNK or at + CHUNK > byte:
            return ends + newlines(buffer, 0, min(got, byte - at), source.encoding) + 1
        ends += newlines(buffer, 0, got, source.encoding)
        at += got
        _grow(counts, at, ends)
    return ends + 1


def last_lines(source: Source, wanted: int) -> int:
    """The byte at which the last `wanted` lines begin. Looks from the end back, at no more than
    they are long. Raises as Source.fill."""
    encoding = source.encoding
    end = source.size - source.size % encoding.unit
    if end - encoding.unit < encoding.bom:
        return encoding.bom
    ends = wanted
    if _ends_with_newline(source, end):
        ends += 1  # the one that ends the last line
    buffer = bytearray(CHUNK)
    at = (end - 1) // CHUNK * CHUNK
    while True:
        got = min(source.fill(buffer, at), end - at)
        here = newlines(buffer, 0, got, encoding)
        if here >= ends:
            return at + _nth(buffer, got, here - ends + 1, source)
        if at == 0:
            return encoding.bom
        ends -= here
        at -= CHUNK


def after_newline(source: Source, start: int, reach: int) -> tuple[int, bool]:
    """The byte after the next line end, and True; or where it gave up (`reach` bytes on, holes not
    counted) or the file ended, and False. Raises as Source.fill."""
    at, left = start, reach
    while left > 0:
        at = source.data_from(at)
        data = source.chunk(at, min(CHUNK, left))
        found = find_newline(data, 0, source.encoding)
        if found >= 0:
            return at + found + source.encoding.unit, True
        if not data:
            break
        at += len(data)
        left -= len(data)
    return at, False


def _counted_on(source: Source, counts: Counts, wanted: int) -> int | None:
    if counts.lines is not None and wanted >= counts.lines:
        return None
    encoding = source.encoding
    ends = counts.before[-1]
    at = (len(counts.before) - 1) * CHUNK
    here = CHUNK  # nothing is known of the lines: as short as they can be
    buffer = bytearray(CHUNK)
    while True:
        data = source.data_from(at)
        if data - at >= CHUNK:
            at = data // CHUNK * CHUNK
            _grow(counts, at, ends)
        got = source.fill(buffer, at)
        if encoding.unit == 1:
            here = line_ends(buffer, got, before=here)
        else:
            here = newlines(buffer, 0, got, encoding)
        if ends + here >= wanted:
            return at + _nth(buffer, got, wanted - ends, source)
        ends += here
        at += got
        if got < CHUNK:
            counts.lines = ends + (not _ends_with_newline(source, at))
            return None
        _grow(counts, at, ends)


def _ends_with_newline(source: Source, end: int) -> bool:
    """Or has no line at all."""
    encoding = source.encoding
    if end <= encoding.bom:
        return True
    if end % encoding.unit:
        return False
    return source.chunk(end - encoding.unit, encoding.unit) == encoding.newline


def _grow(counts: Counts, at: int, ends: int) -> None:
    """`ends` line ends lie before byte `at`, which begins a chunk; none in the chunks before it
    that were not counted."""
    chunks = at // CHUNK
    missing = min(chunks, COUNTS_MOST) - len(counts.before)
    if missing > 0:
        counts.before.extend(counts.before[-1:] * missing)
    if len(counts.before) == chunks and chunks < COUNTS_MOST:
        counts.before.append(ends)


def _after(source: Source, at: int, ends: int) -> int:
    buffer = bytearray(CHUNK)
    got = source.fill(buffer, at)
    return at + _nth(buffer, got, ends, source)


def _nth(buffer: bytearray, length: int, nth: int, source: Source) -> int:
    """The place after the nth line end in it (from 1), by halves; the end of it where a file that
    shrank meanwhile has it no more."""
    encoding = source.encoding
    low, high = 0, length - length % encoding.unit
    while high - low > encoding.unit:
        middle = (low + high) // 2
        middle -= middle % encoding.unit
        here = newlines(buffer, low, middle, encoding)
        if here >= nth:
            high = middle
        else:
            nth -= here
            low = middle
    return high
