"""Files that a replacement is written to, beside what it replaces, and that nobody keeps.

Their name tells who made them (`.heaptui-PID-START-RANDOM.tmp`, START in clock ticks since the
machine was started) and their maker holds a lock on them. What a killed one left is swept by the
next that writes in the directory: its process is gone, or the number is another's by now, and the
lock is free.
"""

from __future__ import annotations

import fcntl
import os
import re
import secrets
import stat
from contextlib import suppress
from itertools import islice
from pathlib import Path

_NAME = re.compile(r"\.heaptui-(\d{1,9})-(\d{1,20})-[0-9a-f]{16}\.tmp")
_LOOKED_AT = 10_000
"""Names of a directory among which leftovers are looked for: 3 ms."""


def make(directory: int, mode: int) -> tuple[int, str]:
    """A new, empty, locked file there, to read and write, and its name.

    Raises:
        OSError: as open does.
    """
    pid = os.getpid()
    name = f".heaptui-{pid}-{_start_of(pid)}-{secrets.token_hex(8)}.tmp"
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    fd = os.open(name, flags, mode, dir_fd=directory)
    # where a file system has no locks, the process's number alone tells
    with suppress(OSError):
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    return fd, name


def sweep(directory: int) -> None:
    """Removes what killed writers left there. What cannot be removed stays."""
    with suppress(OSError), os.scandir(directory) as names:
        for entry in islice(names, _LOOKED_AT):
            made = _NAME.fullmatch(entry.name)
            if made and _gone(int(made[1]), int(made[2])):
                with suppress(OSError):
                    _remove(directory, entry.name)


def _remove(directory: int, name: str) -> None:
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    if not stat.S_ISREG(os.stat(name, dir_fd=directory, follow_symlinks=False).st_mode):
        return
    fd = os.open(name, flags, dir_fd=directory)
    try:
        # its maker can live where its number means nothing here: in another container
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.unlink(name, dir_fd=directory)
    finally:
        os.close(fd)


def _gone(pid: int, start: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    except (PermissionError, OverflowError):
        pass
    now = _start_of(pid)
    return bool(start and now and now != start)


def _start_of(pid: int) -> int:
    """When the process began; 0 where /proc does not tell."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
    except OSError:
        return 0
    return int(fields[19])
