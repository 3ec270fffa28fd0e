"""An output file that a child goes on writing to, kept bounded by giving its oldest part back.

A child holds its file open, so renaming or replacing it moves nothing. The oldest blocks are
punched out instead (fallocate(2), FALLOC_FL_PUNCH_HOLE): offsets stay what they were, and the file
begins with a hole whose end is where the kept part starts.
"""

from __future__ import annotations

import ctypes
import errno
import functools
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

_KEEP_SIZE, _PUNCH_HOLE = 0x01, 0x02  # linux/falloc.h
_UNSUPPORTED = frozenset((errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL, errno.ENODEV))


def give_back(output: Path | int, keep_bytes: int) -> int:
    """Frees the oldest part of `output` (a path, or a descriptor opened for writing with O_APPEND),
    keeping at least `keep_bytes`. Returns how many bytes have been given back from the start so
    far; blocks are freed whole, so up to one block more is kept.

    Where no hole can be punched (macOS, some file systems) the file is cut to one line that says
    so, and offsets begin anew: its writers must have opened it with O_APPEND. Returned are the
    bytes that this cut took.

    Raises:
        OSError: the file cannot be opened or changed.
    """
    if isinstance(output, Path):
        fd = os.open(output, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
        try:
            return give_back(fd, keep_bytes)
        finally:
            os.close(fd)
    status = os.fstat(output)
    block = max(status.st_blksize, 1)
    end = (status.st_size - keep_bytes) // block * block
    if end <= 0:
        return 0
    try:
        _punch(output, end)
    except OSError as error:
        if error.errno not in _UNSUPPORTED:
            raise
        return cut(output)
    return end


def given_back(output: Path | int) -> int:
    """The offset of the first byte that is still there: the length of the leading hole."""
    if isinstance(output, Path):
        with reading(output) as fd:
            return given_back(fd)
    if not hasattr(os, "SEEK_DATA"):
        return 0
    here = os.lseek(output, 0, os.SEEK_CUR)
    try:
        return os.lseek(output, 0, os.SEEK_DATA)
    except OSError as error:
        if error.errno == errno.ENXIO:
            return os.fstat(output).st_size
        if error.errno in _UNSUPPORTED:
            return 0
        raise
    finally:
        os.lseek(output, here, os.SEEK_SET)


def cut(fd: int) -> int:
    """Empties a file opened with O_APPEND and writes one line that says how many bytes are gone.
    Returns that many."""
    size = os.fstat(fd).st_size
    os.ftruncate(fd, 0)
    notice = f"[{size} bytes of older output were given back: this file system keeps no part]\n"
    os.write(fd, notice.encode())
    return size


@contextmanager
def reading(path: Path) -> Iterator[int]:
    """A descriptor to read `path` with."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        yield fd
    finally:
        os.close(fd)


def _punch(fd: int, end: int) -> None:
    fallocate = _fallocate()
    while fallocate(fd, _PUNCH_HOLE | _KEEP_SIZE, 0, end) != 0:
        number = ctypes.get_errno()
        if number != errno.EINTR:
            raise OSError(number, os.strerror(number))


@functools.cache
def _fallocate() -> Callable[[int, int, int, int], int]:
    libc = ctypes.CDLL(None, use_errno=True)
    # glibc's plain name takes 32-bit offsets on 32-bit machines; musl has only the plain name
    function = getattr(libc, "fallocate64", None) or getattr(libc, "fallocate", None)
    if function is None:
        return _no_fallocate
    function.argtypes = (ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64)
    function.restype = ctypes.c_int
    return function  # type: ignore[no-any-return]


def _no_fallocate(fd: int, mode: int, offset: int, length: int) -> int:  # noqa: ARG001
    ctypes.set_errno(errno.ENOSYS)
    return -1
