"""Reading and writing the small files of a cgroup, and the directories that are the groups."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from heaptui.memory.descriptors import read_small

_STAT_SIZE = 1 << 14
_PROCS_SIZE = 1 << 16


def write(path: Path, value: str) -> None:
    """Writes one value in one write, as the kernel wants it; never creates a file.

    Raises:
        OSError: the kernel refused it.
    """
    fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(fd, value.encode())
    finally:
        os.close(fd)


def number(path: Path) -> int:
    """The number that a file holds. Raises OSError, or ValueError for `max`."""
    return int(read_small(os.fspath(path), 64))


def table(path: Path) -> dict[str, int]:
    """A flat keyed file: one `name number` on each line."""
    return parse_table(read_small(os.fspath(path), _STAT_SIZE))


def parse_table(raw: bytes) -> dict[str, int]:
    """Figures by name; lines of another form are left out."""
    figures: dict[str, int] = {}
    for line in raw.decode().splitlines():
        name, _, value = line.partition(" ")
        if value.strip().isdecimal():
            figures[name] = int(value)
    return figures


def pids(group: Path) -> list[int]:
    """The processes of a group and of the groups below it; none when it is gone.

    A process of another pid namespace is shown as 0 and cannot be named from here.
    """
    found: list[int] = []
    for directory in below(group):
        with contextlib.suppress(FileNotFoundError, OSError):
            found += [pid for word in _procs(directory).split() if (pid := int(word))]
    return found


def below(group: Path) -> Iterator[Path]:
    """The group's directory, then those below it, parents first; nothing when it is gone."""
    try:
        links = os.stat(group).st_nlink  # noqa: PTH116 - hot
    except FileNotFoundError:
        return
    if links == 2:  # `.` and its own name alone: nothing below, no need to list it
        yield group
        return
    for directory, _, _ in os.walk(group):
        yield Path(directory)


def remove(group: Path) -> bool:
    """Removes a group and those below it; False while a process is in one of them."""
    for directory in reversed(list(below(group))):
        try:
            directory.rmdir()
        except FileNotFoundError:
            continue
        except OSError:  # EBUSY: somebody lives in it
            return False
    return True


def _procs(directory: Path) -> bytes:
    fd = os.open(directory / "cgroup.procs", os.O_RDONLY | os.O_CLOEXEC)
    try:
        parts = []
        while part := os.read(fd, _PROCS_SIZE):
            parts.append(part)
        return b"".join(parts)
    finally:
        os.close(fd)
