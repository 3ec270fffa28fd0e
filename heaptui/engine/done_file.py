"""The items of a task that are finished, a line each: appended to by its workers and by the engine.

A line counts when it is terminated; what a writer was killed in does not. Everything here waits for
the disk: it belongs on a thread.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable
from pathlib import Path
from threading import Lock

from heaptui.engine import keeping
from heaptui.errors import Refused
from heaptui.inputs import ITEMS_MAX, NAME_MAX
from heaptui.splitting.left import BYTES_MAX, LINE_MAX

_CHUNK = 1 << 20
_UNTORN = b"\0\n"
"""Ends a line that somebody was killed in: with a zero byte it is no item's name, whereas its
beginning alone may be."""


def prepare(path: Path) -> None:
    """Makes it ready for another attempt, while nobody writes: a file for this user alone, without
    the line that the attempt before was killed in.

    Raises:
        Refused: something else stands there.
        OSError: it cannot be made.
    """
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    handle = os.open(path, flags, 0o600)
    try:
        end = size = _ours(handle, path)
        while end > 0:
            begin = max(0, end - _CHUNK)
            whole = os.pread(handle, end - begin, begin).rfind(b"\n") + 1
            end = begin + whole
            if whole:
                break
        if end < size:
            os.ftruncate(handle, end)
    finally:
        os.close(handle)


def refusal(item: str) -> str | None:
    """Why it cannot be the name of an item; None: it can."""
    if not item:
        return "an item without a name"
    if "\n" in item or "\r" in item or "\0" in item:
        return "an item with a line break or a zero byte"
    if len(item.encode()) > NAME_MAX:
        return f"an item of more than {NAME_MAX} bytes"
    return None


class DoneFile:
    """Follows it, reading only what is new. Any thread may use it."""

    def __init__(self, path: str) -> None:
        self._path = Path(path)
        self._lock = Lock()
        self._begin_anew()

    def __len__(self) -> int:
        """How many different items it names, as far as it was read."""
        return len(self._known)

    def __contains__(self, item: str) -> bool:
        return hash(item.encode()) in self._known

    def look(self) -> bool:
        """Reads what is new; whether that was anything. Where it cannot be read nothing is."""
        with self._lock:
            before = len(self._known)
            try:
                status = self._path.lstat()
                if (status.st_ino, status.st_size) != self._seen:
                    with keeping.ours(self._path) as file:
                        self._read(file.fileno())
            except (OSError, Refused):
                return False
            return len(self._known) != before

    def add(self, items: Iterable[str]) -> None:
        """Appends those that are not there, in one piece.

        Raises:
            Refused: something else stands in its place, or a task has no more items than it names.
            OSError: it cannot be written.
        """
        flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        with self._lock:
            handle = os.open(self._path, flags, 0o600)
            try:
                _ours(handle, self._path)
                self._read(handle)
                lines = dict.fromkeys(item.encode() for item in items)
                new = [line for line in lines if hash(line) not in self._known]
                if len(self._known) + len(new) > ITEMS_MAX:
                    raise Refused(f"more than {ITEMS_MAX} items are none of a task's")
                if new:
                    self._append(handle, b"".join(line + b"\n" for line in new))
            finally:
                os.close(handle)

    # --- with the lock held
    def _begin_anew(self) -> None:
        self._known: set[int] = set()
        """Hashes of the lines: a set of the names would be many times as large."""
        self._seen: tuple[int, int] | None = None
        self._read_to = 0
        self._in_long_line = False

    def _append(self, handle: int, data: bytes) -> None:
        size = os.fstat(handle).st_size
        torn = size > 0 and os.pread(handle, 1, size - 1) != b"\n"
        data = (_UNTORN if torn else b"") + data
        if os.write(handle, data) < len(data):
            raise Refused("the disk has no room for it")
        self._read(handle)

    def _read(self, handle: int) -> None:
        status = os.fstat(handle)
        if self._seen is not None and (
            status.st_ino != self._seen[0] or status.st_size < self._read_to
        ):
            self._begin_anew()
        self._seen = (status.st_ino, status.st_size)
        while self._read_to < BYTES_MAX and (chunk := os.pread(handle, _CHUNK, self._read_to)):
            end = chunk.rfind(b"\n") + 1
            if not end and len(chunk) < _CHUNK:
                return
            first, *lines = chunk[:end].split(b"\n")
            if not self._in_long_line:
                lines.insert(0, first)
            for line in filter(_names, (one.rstrip(b"\r") for one in lines)):
                if len(self._known) == ITEMS_MAX:
                    break
                self._known.add(hash(line))
            self._in_long_line = not end
            self._read_to += end or len(chunk)


def _names(line: bytes) -> bool:
    return 0 < len(line) <= LINE_MAX and b"\0" not in line


def _ours(handle: int, path: Path) -> int:
    """Its bytes; closed to others from now on.

    Raises:
        Refused: it is no file of ours.
    """
    status = os.fstat(handle)
    if not stat.S_ISREG(status.st_mode) or status.st_uid != os.getuid():
        raise Refused(f"{path} is no file of ours")
    if status.st_mode & 0o077:
        os.fchmod(handle, 0o600)
    return status.st_size
