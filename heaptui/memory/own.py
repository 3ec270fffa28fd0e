"""What heaptui itself takes."""

from __future__ import annotations

import os
from pathlib import Path

_PAGE = os.sysconf("SC_PAGE_SIZE")


def rss_of(pid: int) -> int | None:
    """Resident bytes of a process of ours, None when it is gone."""
    try:
        statm = Path(f"/proc/{pid}/statm").read_bytes()
    except OSError:
        if Path("/proc/self/statm").exists():
            return None
        return _by_psutil(pid)
    return int(statm.split()[1]) * _PAGE


def own_rss() -> int:
    """Resident bytes of this process, 0 where the system does not tell."""
    return rss_of(os.getpid()) or 0


def _by_psutil(pid: int) -> int | None:
    import psutil

    try:
        return int(psutil.Process(pid).memory_info().rss)
    except psutil.Error:
        return None
