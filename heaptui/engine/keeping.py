"""Checkpoints and results on disk: each whole or not at all, 0600, in place of the one before.

Everything here waits for the disk: it belongs on a thread. The directory is the task's own.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, NamedTuple

from msgspec import Struct

from heaptui.errors import Refused
from heaptui.units import MIB, size

LEFT_FREE_BYTES = 64 * MIB
"""A file that would leave less on the disk is not taken: everybody's state lies there."""

PART = "part"
"""The last suffix of a file that is being written."""

_CHUNK = 1 << 20


class Stood(NamedTuple):
    """A file that stands: its size, and when it was written."""

    bytes: int
    at: float


class Mark(Struct, frozen=True):
    """By which a file is told from the one that takes its place."""

    inode: int
    mtime_ns: int
    bytes: int


def mark(path: str) -> Mark | None:
    """None where there is no such file."""
    try:
        status = Path(path).lstat()
    except (OSError, ValueError):
        return None
    return Mark(status.st_ino, status.st_mtime_ns, status.st_size)


def put(data: bytes, target: Path) -> Stood:
    """Raises OSError."""
    with _in_place_of(target) as file:
        file.write(data)
    return look(target)


def copy(source: str, target: Path) -> Stood:
    """The file at `source`, which its owner keeps.

    Raises:
        Refused: it is no file of ours, there is no room for it, or it changes meanwhile.
        OSError: it cannot be read, or `target` not be written.
    """
    if not source.startswith("/") or "\0" in source:
        raise Refused(f"{source[:80]!r} is no absolute path")
    with ours(Path(source)) as file:
        before = os.fstat(file.fileno())
        free = os.statvfs(target.parent)
        room = free.f_bavail * free.f_frsize - LEFT_FREE_BYTES
        if before.st_size > room:
            raise Refused(
                f"{size(before.st_size)} would leave the disk of the state directory less than "
                f"{size(LEFT_FREE_BYTES)}"
            )
        with _in_place_of(target) as copied:
            left = before.st_size
            while left > 0 and (chunk := file.read(min(_CHUNK, left))):
                copied.write(chunk)
                left -= len(chunk)
            after = os.fstat(file.fileno())
            if (after.st_size, after.st_mtime_ns) != (before.st_size, before.st_mtime_ns):
                raise Refused("the file changed while it was copied")
    return look(target)


def look(target: Path) -> Stood:
    """What stands there; nobody else may read it from now on.

    Raises:
        Refused: it is no file of ours.
        OSError: there is none, or it cannot be opened.
    """
    with ours(target) as file:
        status = os.fstat(file.fileno())
        if status.st_mode & 0o077:
            os.fchmod(file.fileno(), 0o600)
        return Stood(status.st_size, status.st_mtime)


def tidy(target: Path) -> None:
    """Removes what writers that were killed left half done beside it."""
    with suppress(OSError):
        for part in target.parent.glob(f"{target.name}.*.{PART}"):
            part.unlink(missing_ok=True)


@contextmanager
def ours(path: Path) -> Iterator[BinaryIO]:
    """A plain file of our user, opened to be read.

    Raises:
        Refused: it is no file of ours.
        OSError: there is none, or it cannot be opened.
    """
    # a pipe would be waited for, a device may do anything when it is opened
    handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(handle, "rb") as file:
        status = os.fstat(handle)
        if not stat.S_ISREG(status.st_mode):
            raise Refused(f"{path} is no file")
        if status.st_uid != os.getuid():
            raise Refused(f"{path} belongs to another user (uid {status.st_uid})")
        yield file


@contextmanager
def _in_place_of(target: Path) -> Iterator[BinaryIO]:
    """A file that takes the place of `target` when all of it is on disk."""
    part = target.with_name(f"{target.name}.engine.{PART}")
    # a new one: a pipe in its place would be waited for
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    part.unlink(missing_ok=True)
    try:
        with os.fdopen(os.open(part, flags, 0o600), "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        part.replace(target)
        sync(target.parent)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def sync(directory: Path) -> None:
    """So that a new name in it outlives a loss of power."""
    handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
