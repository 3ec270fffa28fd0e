"""One attempt's cgroup: its usage, its members, its end."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Callable
from pathlib import Path

from heaptui.memory import cgroup_files, cgroup_v2
from heaptui.memory.cgroup_v1 import MemoryV1
from heaptui.memory.cgroup_v2 import MemoryV2
from heaptui.model import CapMeans

_KILL_ROUNDS = 100


class Group:
    """One attempt's processes. Made by `Groups`."""

    def __init__(
        self, memory: MemoryV1 | MemoryV2 | None, directories: tuple[Path, ...], killer: Path | None
    ) -> None:
        self._memory = memory
        self._directories = directories
        self._killer = killer
        self.join = tuple(str(directory / "cgroup.procs") for directory in directories)
        """A child writes `0` to each of these files before it executes its command."""
        self.vanished = False
        """Its memory could not be read any more when somebody looked last: it was removed, or
        taken from us."""
        self.on_vanishing: Callable[[], None] | None = None
        """Called once, by whoever finds it vanished."""

    @property
    def means(self) -> CapMeans | None:
        """What enforces a cap here; None when this group only knows its members."""
        return None if self._memory is None else self._memory.means

    def usage(self) -> int | None:
        """Bytes in use, less the page cache that can be dropped at once; None without a memory
        controller, or when the group is gone."""
        charged = self.charged()
        return None if charged is None else max(0, charged - self.inactive_file())

    def charged(self) -> int | None:
        """Bytes in use with all page cache: a cheap figure, too large after files were read."""
        if self._memory is None:
            return None
        try:
            return self._memory.charged()
        except (OSError, ValueError):  # ENODEV: the group was removed
            self._vanish()
            return None

    def inactive_file(self) -> int:
        """Bytes of page cache that can be dropped at once; costly to ask the kernel for."""
        if self._memory is None:
            return 0
        try:
            return self._memory.inactive_file()
        except OSError:
            return 0

    def pids(self) -> list[int]:
        """Its living processes, those of groups below it included."""
        found = (pid for directory in self._directories for pid in cgroup_files.pids(directory))
        return list(dict.fromkeys(found))

    def oom_kills(self) -> int:
        """How many processes the kernel has killed here for memory; quiets `oom_fd`."""
        try:
            return 0 if self._memory is None else self._memory.oom_kills()
        except OSError:
            return 0

    def limit_reached(self) -> bool | None:
        """Whether an OOM began because of the group's own limit, and not for the whole machine's
        or another group's; None without a memory controller, or when the group is gone."""
        try:
            return None if self._memory is None else self._memory.limit_reached()
        except OSError:
            return None

    def killed_at_cap(self) -> bool:
        """Whether the kernel killed one of its processes, and for nothing else than its cap."""
        return self.oom_kills() > 0 and self.limit_reached() is not False

    def oom_fd(self) -> int | None:
        """Readable when the group ran into its cap (v1: an OOM has begun; v2: memory.events
        changed, throttling included). Not to be read: `oom_kills` quiets it. Closed by `close`."""
        try:
            return None if self._memory is None else self._memory.oom_fd()
        except OSError:
            return None

    def set_cap(self, cap_bytes: int) -> None:
        """Changes the cap of a running group.

        Raises:
            OSError: EBUSY (v1) when more is in use than it allows; v2 kills in that case.
        """
        if self._memory is not None:
            self._memory.set_cap(cap_bytes)

    def kill(self) -> None:
        """SIGKILL to every member, those being forked included; returns before they are gone."""
        if self._killer is not None:
            try:
                cgroup_v2.kill(self._killer)
            except FileNotFoundError:
                return
            except OSError:
                self._killer = None
            else:
                return
        # nobody with a pending SIGKILL can fork, so once a round finds no new member it is over
        reached: set[int] = set()
        for _ in range(_KILL_ROUNDS):
            fresh = set(self.pids()) - reached
            if not fresh:
                return
            self._kill_each(fresh)
            reached |= fresh

    def remove(self) -> bool:
        """Removes the group; False while a process of it lives."""
        # each of them, whatever became of the others
        removed = [cgroup_files.remove(directory) for directory in self._directories]
        return all(removed)

    def close(self) -> None:
        """Closes descriptors; the group itself stays."""
        if self._memory is not None:
            self._memory.close()

    def _vanish(self) -> None:
        if not self.vanished:
            self.vanished = True
            if self.on_vanishing is not None:
                self.on_vanishing()

    def _kill_each(self, pids: set[int]) -> None:
        # a pidfd opened before membership is seen again cannot mean a process that came later
        handles: dict[int, int] = {}
        try:
            if hasattr(os, "pidfd_open"):
                for pid in pids:
                    with contextlib.suppress(ProcessLookupError):
                        handles[pid] = os.pidfd_open(pid)
                pids = set(self.pids())
            for pid in pids & handles.keys() if handles else pids:
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    if pid in handles:
                        signal.pidfd_send_signal(handles[pid], signal.SIGKILL)
                    else:
                        os.kill(pid, signal.SIGKILL)
        finally:
            for handle in handles.values():
                os.close(handle)
