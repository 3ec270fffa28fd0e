"""A process told from a later one with the same pid, and signals that reach only the right one."""

from __future__ import annotations

import functools
import os
import signal
import subprocess
from pathlib import Path

from heaptui.memory import procfs
from heaptui.model import Identity

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


@functools.cache
def boot_id() -> str:
    """What names this run of the kernel: no process outlives a change of it."""
    if _BOOT_ID.exists():
        return _BOOT_ID.read_text().strip()
    answer = subprocess.run(
        ["/usr/sbin/sysctl", "-n", "kern.bootsessionuuid"],
        capture_output=True,
        text=True,
        timeout=10,
        check=True,
    )
    return answer.stdout.strip()


def identify(pid: int) -> Identity | None:
    """The living process that has this pid now; None when there is none, or only a zombie."""
    start = _start(pid)
    return None if start is None else Identity(boot_id(), pid, start)


def alive(identity: Identity) -> bool:
    """Whether this very process still runs. A zombie does not: only its exit code is left."""
    return identity.boot_id == boot_id() and _start(identity.pid) == identity.start


def open_pidfd(identity: Identity) -> int | None:
    """A descriptor of this very process, to wait for its end and to signal it; the caller closes
    it. None when it is gone, or where the system has no pidfds."""
    if not hasattr(os, "pidfd_open"):
        return None
    try:
        fd = os.pidfd_open(identity.pid)
    except OSError:  # gone, or a kernel before 5.3
        return None
    # the pid may have been given to another before it was opened, never afterwards
    if not alive(identity):
        os.close(fd)
        return None
    return fd


def send(identity: Identity, sig: int) -> bool:
    """Signals this very process and no other; False when it is gone or may not be signalled."""
    fd = open_pidfd(identity)
    try:
        if fd is not None:
            signal.pidfd_send_signal(fd, sig)
        elif alive(identity):
            os.kill(identity.pid, sig)
        else:
            return False
    except (ProcessLookupError, PermissionError):
        return False
    finally:
        if fd is not None:
            os.close(fd)
    return True


def _start(pid: int) -> int | None:
    if _BOOT_ID.exists():
        stat = procfs.look(pid)
        return None if stat is None else stat.start
    from heaptui.memory.psutil_table import PsutilTable

    stat = PsutilTable().look(pid)
    return None if stat is None else stat.start
