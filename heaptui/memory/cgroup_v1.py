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


class MemoryV1:
    """One group's memory. Page cache counts against the limit, and is reclaimed before anything is
    killed. The kernel kills one process at a time here, never the group as a whole: whoever sees
    an OOM kill has to end the rest."""

    means = CapMeans.CGROUP1

    def __init__(self, path: Path) -> None:
        self.path = path
        self._usage = Kept(os.fspath(path / "memory.usage_in_bytes"), 64)
        self._event: int | None = None

    def charged(self) -> int:
        """Everything charged to the group, page cache included."""
        return int(self._usage.read())

    def inactive_file(self) -> int:
        """Page cache that can be dropped at once."""
        return cgroup_files.table(self.path / "memory.stat").get("total_inactive_file", 0)

    def oom_kills(self) -> int:
        """How many of its processes the kernel killed for memory (since Linux 4.13). Quiets
        `oom_fd`."""
        if self._event is not None:
            with contextlib.suppress(BlockingIOError):
                os.eventfd_read(self._event)
        return cgroup_files.table(self.path / "memory.oom_control").get("oom_kill", 0)

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

    def close(self) -> None:
        self._usage.close()
        if self._event is not None:
            os.close(self._event)
            self._event = None
