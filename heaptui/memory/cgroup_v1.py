"""The memory controller of cgroup v1: limit, usage and the notice of an OOM for one group.

Files: Documentation/admin-guide/cgroup-v1/memory.rst of the kernel.
"""

from __future__ import annotations

import contextlib
import errno
import os
from pathlib import Path

from heaptui.memory import cgroup_files
from heaptui.memory.descriptors import Kept
from heaptui.model import CapMeans

_COUNTED = ("memory.", "memory.memsw.")
_NEAR_LIMIT = 2 << 20
"""An OOM begins when the next charge would not fit: one of 64 pages, or a huge page."""


class MemoryV1:
    """One group's memory. Page cache counts against the limit, and is reclaimed before anything is
    killed. The kernel kills one process at a time here, never the group as a whole: whoever sees
    an OOM kill has to end the rest."""

    means = CapMeans.CGROUP1

    def __init__(self, path: Path) -> None:
        self.path = path
        self._usage = Kept(os.fspath(path / "memory.usage_in_bytes"), 64)
        self._event: int | None = None
        self._rang = False
        self._unheard = 0

    def charged(self) -> int:
        """Everything charged to the group, page cache included."""
        return int(self._usage.read())

    def inactive_file(self) -> int:
        """Page cache that can be dropped at once."""
        return cgroup_files.table(self.path / "memory.stat").get("total_inactive_file", 0)

    def oom_kills(self) -> int:
        """How many of its processes the kernel killed for memory (since Linux 4.13). Quiets
        `oom_fd`."""
        self._quiet()
        return cgroup_files.table(self.path / "memory.oom_control").get("oom_kill", 0)

    def limit_reached(self) -> bool:
        """Whether an OOM began because of this group's own limit, as far as this kernel tells.

        Page cache may fill a group to its limit and be dropped again, so where somebody listens
        (`oom_fd`) the notice of an OOM is asked for as well. memory.failcnt stays 0 on some kernels
        whatever happens (6.18): what was reached is read off the largest usage.
        """
        kills = self.oom_kills()
        if self._event is not None and kills > self._unheard and not self._rang:
            return False
        return any(self._filled(which) for which in _COUNTED)

    def oom_fd(self) -> int | None:
        """Readable when an OOM began since `oom_kills` was last asked: the kill that follows may
        not be counted yet. It fires once more when the group is removed."""
        if self._event is None:
            event = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
            control = os.open(self.path / "memory.oom_control", os.O_RDONLY | os.O_CLOEXEC)
            try:
                cgroup_files.write(self.path / "cgroup.event_control", f"{event} {control}")
            except OSError:  # kernels that dropped the interface, or a group gone meanwhile
                os.close(event)
                return None
            finally:
                os.close(control)
            self._unheard = self.oom_kills()
            self._event = event
        return self._event

    def set_cap(self, cap_bytes: int) -> None:
        """Limits memory, and memory with swap to the same: what is swapped out is not given back.

        Raises:
            OSError: EBUSY when more than that is in use and cannot be reclaimed.
        """
        limit, with_swap = (
            self.path / "memory.limit_in_bytes",
            self.path / "memory.memsw.limit_in_bytes",
        )
        # what was reached under another limit says nothing about this one
        for which in _COUNTED:
            with contextlib.suppress(FileNotFoundError):
                cgroup_files.write(self.path / f"{which}max_usage_in_bytes", "0")
        try:
            cgroup_files.write(limit, str(cap_bytes))
        except OSError as error:
            if error.errno != errno.EINVAL:
                raise
            # a limit may not exceed the one that includes swap: raise that first
            cgroup_files.write(with_swap, str(cap_bytes))
            cgroup_files.write(limit, str(cap_bytes))
            return
        # only there when the kernel counts swap
        with contextlib.suppress(FileNotFoundError):
            cgroup_files.write(with_swap, str(cap_bytes))

    def _filled(self, which: str) -> bool:
        try:
            largest = cgroup_files.number(self.path / f"{which}max_usage_in_bytes")
            limit = cgroup_files.number(self.path / f"{which}limit_in_bytes")
        except FileNotFoundError:  # swap is not counted here
            return False
        return largest >= limit - _NEAR_LIMIT

    def _quiet(self) -> None:
        if self._event is not None:
            with contextlib.suppress(BlockingIOError):
                self._rang = os.eventfd_read(self._event) > 0 or self._rang

    def close(self) -> None:
        self._usage.close()
        if self._event is not None:
            os.close(self._event)
            self._event = None
