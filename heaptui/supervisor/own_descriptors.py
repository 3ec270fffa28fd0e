"""What this process has open, by kind: a supervisor that grows often grows here first."""

from __future__ import annotations

import os
import socket
import stat
from collections import Counter
from contextlib import suppress
from pathlib import Path

from heaptui.paths import StateDir

_FDS = "/proc/self/fd" if Path("/proc/self/fd").is_dir() else "/dev/fd"


def descriptors(state: StateDir) -> Counter[str]:
    """How many of each kind: sockets by who is at the other end, connections to the database,
    pipes, kernel's handles (epoll, inotify, pidfd), its figures (/proc, /sys), files, others."""
    ends = {os.fspath(state.socket(name)): name for name in ("supervisor", "warden", "worker")}
    found: Counter[str] = Counter()
    for path in Path(_FDS).iterdir():
        # one of them was the listing's own
        with suppress(OSError):
            found[_kind(int(path.name), state, ends)] += 1
    return found


def _kind(fd: int, state: StateDir, ends: dict[str, str]) -> str:
    mode = os.fstat(fd).st_mode
    if stat.S_ISSOCK(mode):
        return f"sockets: {_other_end(fd, ends)}"
    if stat.S_ISFIFO(mode):
        return "pipes"
    if stat.S_ISCHR(mode):
        return "terminals and devices"
    target = _target(fd)
    if target.startswith("anon_inode:"):
        return "kernel handles"
    if target.startswith(("/proc/", "/sys/")):
        return "kernel figures"
    if target.startswith(os.fspath(state.database)):
        # SQLite's log and its index belong to the same connection
        return "database files"
    return "files and directories"


def _target(fd: int) -> str:
    """What it leads to, empty where the system does not tell."""
    try:
        return os.fspath(Path(_FDS, str(fd)).readlink())
    except OSError:
        return ""


def _other_end(fd: int, ends: dict[str, str]) -> str:
    """`operators`, `workers`, `warden`, `listening`, `the loop's own` (a pair without names), or
    `others`."""
    with socket.socket(fileno=os.dup(fd)) as one:
        if one.family != socket.AF_UNIX:
            return "others"
        with suppress(OSError):
            if one.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
                return "listening"
        names = [one.getsockname()]
        with suppress(OSError):
            names.append(one.getpeername())
    if not any(names):
        return "the loop's own"
    meant = next((ends[name] for name in names if name in ends), "")
    return {"supervisor": "operators", "worker": "workers", "warden": "warden"}.get(meant, "others")
