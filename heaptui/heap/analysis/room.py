"""How much memory this process may still take: the host's, its cgroups' and its own limits."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from pathlib import Path

import psutil

from heaptui.errors import Refused
from heaptui.units import size

_CGROUPS = Path("/sys/fs/cgroup")


def room() -> int:
    """Bytes that this process can still take without being killed or refused."""
    return max(0, min([_available(), *_limits(), *_cgroups()]))


def _available() -> int:
    return int(psutil.virtual_memory().available)


def _limits() -> Iterator[int]:
    """RLIMIT_AS counts what is mapped, RLIMIT_DATA what is mapped to be written."""
    memory = psutil.Process().memory_info()
    for limit, used in (
        (resource.RLIMIT_AS, memory.vms),
        (resource.RLIMIT_DATA, getattr(memory, "data", memory.rss)),
    ):
        soft, _ = resource.getrlimit(limit)
        if soft != resource.RLIM_INFINITY:
            yield soft - used


def _cgroups() -> Iterator[int]:
    """What is left under each limit above this process; none where there are no cgroups."""
    try:
        lines = Path("/proc/self/cgroup").read_text().splitlines()
    except OSError:
        return
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers == "":
            root, limit, used = _CGROUPS, "memory.max", "memory.current"
        elif "memory" in controllers.split(","):
            root = _CGROUPS / "memory"
            limit, used = "memory.limit_in_bytes", "memory.usage_in_bytes"
        else:
            continue
        group = root / path.lstrip("/")
        while group != root and group.is_relative_to(root):
            left = _left(group, limit, used)
            if left is not None:
                yield left
            group = group.parent


def _left(group: Path, limit: str, used: str) -> int | None:
    """None: there is no limit. Pages of files that nobody uses are given back when needed."""
    try:
        most = (group / limit).read_text().strip()
        now = int((group / used).read_text())
        statistics = (group / "memory.stat").read_text()
    except (OSError, ValueError):
        return None
    if not most.isdigit() or int(most) >= 1 << 60:
        return None
    fields = dict(line.split() for line in statistics.splitlines() if line.count(" ") == 1)
    return int(most) - now + int(fields.get("total_inactive_file", fields.get("inactive_file", 0)))


def refuse_without(needed: int, what: str) -> None:
    """Refuses what this process has no memory for; `needed` counts what it has already.

    Raises:
        Refused: there is less.
    """
    left = room() + int(psutil.Process().memory_info().rss)
    if needed > left:
        raise Refused(
            f"Reading {what} takes about {size(needed)}; {size(left)} can be had here.",
            "Free memory or raise this process's limit, or read the file on a host with more.",
        )
