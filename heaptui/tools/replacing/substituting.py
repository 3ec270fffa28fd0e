"""A file's contents with other bytes in some places, written to another file."""

from __future__ import annotations

import io
from collections.abc import Callable

from heaptui.tools.replacing.copying import copy, data_ranges, write_all
from heaptui.tools.replacing.occurrences import Occurrences, Window

_BUFFERED = 1 << 20


def once(
    source: int,
    target: int,
    size: int,
    at: int,
    wanted: bytes,
    instead: bytes,
    go_on: Callable[[], None],
) -> None:
    """Of a source of `size` bytes, those of `wanted`, which begin at the byte `at`, are others. The
    target's length is right but for a hole at its end.

    Raises:
        EOFError: the source is shorter by now.
        OSError: it cannot be read, or the target not be written.
    """
    copy(source, 0, at, target, 0, go_on)
    write_all(target, instead, at)
    copy(source, at + len(wanted), size, target, at + len(instead), go_on)


def everywhere(
    source: int,
    target: int,
    size: int,
    seen: Occurrences,
    wanted: bytes,
    instead: bytes,
    unit: int,
    go_on: Callable[[], None],
) -> None:
    """As `once`, wherever `wanted` was seen; EOFError also where it is not as often any more."""
    copy(source, 0, seen.first, target, 0, go_on)
    longer = len(instead) - len(wanted)
    times = 0
    with io.FileIO(target, "wb", closefd=False) as raw, io.BufferedWriter(raw, _BUFFERED) as out:
        for begin, end in data_ranges(source, seen.first, size):
            out.seek(begin + times * longer)
            window = Window(source, begin, end, wanted, unit)
            settled = 0
            while window.slide(settled):
                go_on()
                behind = 0
                while (at := window.find(behind)) >= 0:
                    out.write(window.piece(behind, at))
                    out.write(instead)
                    times += 1
                    behind = at + len(wanted)
                settled = window.settled(behind)
                out.write(window.piece(behind, settled))
            out.write(window.piece(0, window.used))
    if times != seen.times:
        raise EOFError
