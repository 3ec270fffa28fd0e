"""The machine's memory, as far as it is ours to use.

MemAvailable and pressure, never MemFree: a busy machine has next to nothing free and plenty
available. In a container, or below any other limited cgroup, the figures are those of the limit.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from heaptui.memory import cgroup_files, cgroup_mounts
from heaptui.memory.descriptors import Kept
from heaptui.model import HostSample

_PRESSURE = "/proc/pressure/memory"
_PHYSICAL_BYTES = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


@dataclass(frozen=True, slots=True)
class Room:
    """Bytes: the limit of a group, and how much of it is taken by what cannot be dropped."""

    limit: int
    used: int


@dataclass(frozen=True, slots=True)
class _Above:
    """Files of one group above a process that may have a limit."""

    path: Path
    limit: str
    usage: str
    inactive: str

    def room(self) -> Room | None:
        """None while it is not limited, or once it is gone."""
        try:
            limit = cgroup_files.number(self.path / self.limit)
            if limit >= _PHYSICAL_BYTES:  # v1 writes a number near 2**63 for no limit
                return None
            used = cgroup_files.number(self.path / self.usage)
            inactive = cgroup_files.table(self.path / "memory.stat").get(self.inactive, 0)
        except (OSError, ValueError):  # ValueError: `max`
            return None
        return Room(limit, max(0, used - inactive))


def parse_meminfo(raw: bytes) -> dict[bytes, int]:
    """/proc/meminfo in bytes by name."""
    figures: dict[bytes, int] = {}
    for line in raw.splitlines():
        name, _, rest = line.partition(b":")
        words = rest.split()
        if words:
            figures[name] = int(words[0]) << 10
    return figures


def parse_pressure(raw: bytes) -> tuple[float | None, float | None]:
    """`some` and `full` avg10 of a PSI file, percent."""
    shares: dict[bytes, float] = {}
    for line in raw.splitlines():
        words = line.split()
        if len(words) > 1 and words[1].startswith(b"avg10="):
            shares[words[0]] = float(words[1].partition(b"=")[2])
    return shares.get(b"some"), shares.get(b"full")


def within(total: int, available: int, rooms: Iterable[Room]) -> tuple[int, int]:
    """Total and available memory under limits: the tightest of each counts."""
    for room in rooms:
        total = min(total, room.limit)
        available = min(available, max(0, room.limit - room.used))
    return total, available


class HostMeter:
    """Reads the machine's memory once a second, through files that stay open."""

    def __init__(self) -> None:
        self._name = socket.gethostname()
        self._meminfo = _kept("/proc/meminfo", 4096)
        self._pressure = _kept(_PRESSURE, 256)
        self._above = _groups_above(None)

    def sample(self, now: float) -> HostSample:
        """The figures now; `now` is the instant it is filed under."""
        if self._meminfo is None:
            return _by_psutil(self._name, now)
        figures = parse_meminfo(self._meminfo.read())
        some, full = (None, None)
        if self._pressure is not None:
            try:
                some, full = parse_pressure(self._pressure.read())
            except OSError:  # EOPNOTSUPP: compiled in, and switched off at boot
                self._pressure = None
        total, available = within(
            figures[b"MemTotal"],
            figures[b"MemAvailable"],
            [room for group in self._above if (room := group.room()) is not None],
        )
        swap = figures.get(b"SwapTotal", 0)
        return HostSample(
            at=now,
            name=self._name,
            mem_total_bytes=total,
            mem_available_bytes=available,
            swap_total_bytes=swap,
            swap_used_bytes=swap - figures.get(b"SwapFree", 0),
            pressure=some,
            pressure_full=full,
        )

    def close(self) -> None:
        for file in (self._meminfo, self._pressure):
            if file is not None:
                file.close()


def room_of(pid: int) -> int:
    """Bytes that a process may still take: of the machine's, and of the groups that it is in."""
    import psutil

    rooms = [room for group in _groups_above(pid) if (room := group.room()) is not None]
    memory = psutil.virtual_memory()
    return within(memory.total, memory.available, rooms)[1]


def _kept(path: str, size: int) -> Kept | None:
    try:
        return Kept(path, size)
    except OSError:
        return None


def _groups_above(pid: int | None) -> list[_Above]:
    """The group of a process (None: this one) and those above it, as far as they can be seen: any
    may be limited."""
    seen = cgroup_mounts.hierarchies()
    groups: list[_Above] = []
    for hierarchy, names in (
        (seen.unified, ("memory.max", "memory.current", "inactive_file")),
        (seen.memory, ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")),
    ):
        path = cgroup_mounts.group_of(pid, hierarchy)
        if hierarchy is not None and path is not None:
            above = [path, *path.parents]
            mounted = above[: above.index(hierarchy.mount) + 1]
            groups += [_Above(directory, *names) for directory in mounted]
    return groups


def _by_psutil(name: str, now: float) -> HostSample:
    import psutil

    memory, swap = psutil.virtual_memory(), psutil.swap_memory()
    return HostSample(
        at=now,
        name=name,
        mem_total_bytes=memory.total,
        mem_available_bytes=memory.available,
        swap_total_bytes=swap.total,
        swap_used_bytes=swap.used,
    )
