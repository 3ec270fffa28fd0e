"""Bytes from one file to another without passing through this process, holes kept as holes."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator

_AT_ONCE = 32 << 20
"""Bytes of one call: between two of them it can be given up."""
_THROUGH_HERE = 256 << 10
_UNABLE = frozenset({errno.ENOSYS, errno.EXDEV, errno.EINVAL, errno.EOPNOTSUPP, errno.EBADF})
"""What the kernel answers where it cannot copy between these two."""


def data_ranges(fd: int, begin: int, end: int) -> Iterator[tuple[int, int]]:
    """Where the file has data between two offsets: what is left out reads as NUL bytes. All of it,
    where the file system cannot tell."""
    at = begin
    while at < end:
        try:
            first = os.lseek(fd, at, os.SEEK_DATA)
            last = os.lseek(fd, first, os.SEEK_HOLE)
        except OSError as error:
            if error.errno == errno.ENXIO:
                return
            first, last = at, end
        if first >= end:
            return
        yield first, min(last, end)
        at = last


def copy(
    source: int, begin: int, end: int, target: int, at: int, go_on: Callable[[], None]
) -> None:
    """The bytes from `begin` up to before `end` to the offset `at` of the target, which is as long
    afterwards as it was where they end in a hole. `go_on` raises when it is to stop.

    Raises:
        EOFError: the source ended before that.
        OSError: it cannot be read, or the target not be written.
    """
    for first, last in data_ranges(source, begin, end):
        _copy_data(source, first, last, target, at + first - begin, go_on)


def write_all(fd: int, content: bytes | memoryview, at: int) -> None:
    """All of it, at that offset; a single call may write less."""
    rest = memoryview(content)
    while rest:
        done = os.pwrite(fd, rest, at)
        rest, at = rest[done:], at + done


def _copy_data(
    source: int, begin: int, end: int, target: int, at: int, go_on: Callable[[], None]
) -> None:
    in_kernel = hasattr(os, "copy_file_range")
    while begin < end:
        go_on()
        if in_kernel:
            wanted = min(_AT_ONCE, end - begin)
            try:
                done = os.copy_file_range(source, target, wanted, begin, at)
            except OSError as error:
                if error.errno not in _UNABLE:
                    raise
                done = 0
            # some file systems answer 0 instead of an error
            in_kernel = done > 0
        else:
            piece = os.pread(source, min(_THROUGH_HERE, end - begin), begin)
            if not piece:
                raise EOFError
            write_all(target, piece, at)
            done = len(piece)
        begin, at = begin + done, at + done
