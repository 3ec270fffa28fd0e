"""The memory controller of cgroup v2 for one group, and what it takes to have one.

Files: Documentation/admin-guide/cgroup-v2.rst of the kernel.
"""

from __future__ import annotations

import contextlib
import errno
import os
import select
from collections.abc import Callable
from pathlib import Path

from heaptui.memory import cgroup_files
from heaptui.memory.descriptors import Kept
from heaptui.model import CapMeans

LEAF = ".self"
"""The suffix of the group into which we move ourselves out of a delegated one."""

_HIGH_BELOW_MAX = 64


class MemoryV2:
    """One group's memory. With an OOM the kernel ends the group as a whole."""

    means = CapMeans.CGROUP2

    def __init__(self, path: Path) -> None:
        self.path = path
        self._usage = Kept(os.fspath(path / "memory.current"), 64)
        self._events: int | None = None
        self._changed: select.epoll | None = None

    def charged(self) -> int:
        """Everything charged to the group, page cache included."""
        return int(self._usage.read())

    def inactive_file(self) -> int:
        """Page cache that can be dropped at once."""
        return cgroup_files.table(self.path / "memory.stat").get("inactive_file", 0)

    def oom_kills(self) -> int:
        """How many of its processes the kernel killed for memory. Quiets `oom_fd`."""
        if self._events is not None:
            return cgroup_files.parse_table(os.pread(self._events, 1024, 0)).get("oom_kill", 0)
        return cgroup_files.table(self.path / "memory.events").get("oom_kill", 0)

    def limit_reached(self) -> bool:
        """Whether an OOM began because of this group's own limit: a kill for the whole machine, or
        for a group above or below, counts as a kill here and as no OOM of its own."""
        try:
            own = cgroup_files.table(self.path / "memory.events.local")
        except FileNotFoundError:  # before Linux 5.2
            own = cgroup_files.table(self.path / "memory.events")
        return own.get("oom", 0) > 0

    def oom_fd(self) -> int | None:
        """Readable when memory.events changed since it was read last: with every OOM, and also
        when the group is throttled; `oom_kills` says what it was, and quiets it.

        An epoll descriptor, because the file itself always counts as readable and tells of a
        change by priority alone; inotify would do, were it not limited to 128 instances a user.
        """
        if self._changed is None:
            self._events = os.open(self.path / "memory.events", os.O_RDONLY | os.O_CLOEXEC)
            self._changed = notifier(self._events)
            self.oom_kills()
        return self._changed.fileno()

    def set_cap(self, cap_bytes: int) -> None:
        """Limits memory; no swap, and an OOM ends the whole group.

        memory.high stands 1/64 below the limit. Beyond it the kernel reclaims page cache at
        leisure instead of when the next page is wanted, and memory.events tells of it before the
        end. Not more below: a group is put to sleep for 64 s x (share beyond high) squared for
        each 256 KiB it takes (mm/memcontrol.c, calculate_high_delay), which over 1/64 makes a task
        that really needs more than its cap late by a second or two at gigabytes, and over 1/16
        lets it crawl for minutes.

        Raises:
            OSError: the kernel refused a value.
        """
        cgroup_files.write(self.path / "memory.high", str(cap_bytes - cap_bytes // _HIGH_BELOW_MAX))
        cgroup_files.write(self.path / "memory.max", str(cap_bytes))
        with contextlib.suppress(FileNotFoundError):  # kernels without swap, or before 4.19
            cgroup_files.write(self.path / "memory.oom.group", "1")
        with contextlib.suppress(FileNotFoundError):
            cgroup_files.write(self.path / "memory.swap.max", "0")

    def close(self) -> None:
        self._usage.close()
        if self._changed is not None:
            self._changed.close()
            self._changed = None
        if self._events is not None:
            os.close(self._events)
            self._events = None


def notifier(events: int) -> select.epoll:
    """Readable when an open events file (memory.events, cgroup.events) changed since it was read
    last through this descriptor."""
    changed = select.epoll()
    changed.register(events, select.EPOLLPRI)
    return changed


def can_kill(group: Path) -> bool:
    """Whether writing cgroup.kill works here, shown on an empty group (since Linux 5.14)."""
    try:
        kill(group)
    except OSError:
        return False
    return True


def kill(group: Path) -> None:
    """SIGKILL to every process of the group and below, forks included. Raises OSError."""
    cgroup_files.write(group / "cgroup.kill", "1")


def home_of(own: Path) -> Path:
    """The group below which ours are made: our own, or its parent once we moved into a leaf."""
    return own.parent if own.name.startswith("heaptui-") and own.name.endswith(LEAF) else own


def enable_memory(own: Path, leaf: str, ours: Callable[[int], bool]) -> bool:
    """Makes the memory controller available to the groups below `own`; False when impossible.

    A group that holds processes cannot hand out controllers (the "no internal processes" rule), so
    everybody in it is moved into `own/leaf` first: only when the group is our user's and all
    of them are `ours`, never a terminal's or a container's other processes.
    """
    control = own / "cgroup.subtree_control"
    try:
        if "memory" not in (own / "cgroup.controllers").read_text().split():
            return False
        if "memory" in control.read_text().split():
            return True
        try:
            cgroup_files.write(control, "+memory")
        except OSError as error:
            if error.errno != errno.EBUSY or not _movable(own, ours):
                return False
            _move(own, own / leaf)
            cgroup_files.write(control, "+memory")
    except OSError:  # not ours to write, or still not empty
        return False
    return True


def _movable(own: Path, ours: Callable[[int], bool]) -> bool:
    return own.stat().st_uid == os.geteuid() and all(map(ours, _direct_pids(own)))


def _move(own: Path, leaf: Path) -> None:
    leaf.mkdir(exist_ok=True)
    # those who fork while they are being moved leave a child behind: again, a few times
    for _ in range(10):
        pids = _direct_pids(own)
        if not pids:
            return
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                cgroup_files.write(leaf / "cgroup.procs", str(pid))


def _direct_pids(group: Path) -> list[int]:
    return [int(word) for word in (group / "cgroup.procs").read_text().split()]
