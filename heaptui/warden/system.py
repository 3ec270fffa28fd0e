"""What the system knows of itself, of a process and of a peer, on Linux and on macOS."""

from __future__ import annotations

import ctypes
import resource
import socket
import struct
import sys

PR_SET_NAME, PR_SET_CHILD_SUBREAPER = 15, 36  # linux/prctl.h
PROC_PIDTBSDINFO, BSDINFO_BYTES, BSDINFO_START = 3, 136, 120  # macOS: sys/proc_info.h
SOL_LOCAL, LOCAL_PEERCRED, XUCRED_BYTES = 0, 1, 76  # macOS: sys/un.h, sys/ucred.h
OPEN_MAX = 10240  # macOS: sys/syslimits.h
MAXRSS_UNIT = 1 if sys.platform == "darwin" else 1024
"""Bytes in what the kernel counts `ru_maxrss` in."""


def boot_id() -> str:
    """Another one after each boot."""
    if sys.platform != "linux":
        value, size = ctypes.create_string_buffer(64), ctypes.c_size_t(64)
        ctypes.CDLL(None).sysctlbyname(b"kern.bootsessionuuid", value, ctypes.byref(size), None, 0)
        return value.value.decode()
    with open("/proc/sys/kernel/random/boot_id") as file:
        return file.read().strip()


def start_of(pid: int) -> int | None:
    """The process's start: field 22 of its stat, on macOS microseconds; None: no such process, or
    one that is hidden because it is another user's."""
    if sys.platform != "linux":
        info = ctypes.create_string_buffer(BSDINFO_BYTES)
        ask = ctypes.CDLL(None).proc_pidinfo
        if ask(pid, PROC_PIDTBSDINFO, ctypes.c_uint64(0), info, BSDINFO_BYTES) <= 0:
            return None
        seconds, micros = struct.unpack_from("=QQ", info, BSDINFO_START)
        return int(seconds * 1_000_000 + micros)
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            return int(file.read().rpartition(b")")[2].split()[19])
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return None


def peer_uid(connection: socket.socket) -> int:
    """The user at the other end of a unix socket."""
    if sys.platform != "linux":
        told = connection.getsockopt(SOL_LOCAL, LOCAL_PEERCRED, XUCRED_BYTES)
        return int(struct.unpack_from("2I", told)[1])
    told = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
    return int(struct.unpack("3I", told)[1])


def adopt_orphans(name: bytes) -> None:
    """Makes this process the parent of what its descendants leave behind, and names it for process
    listings and the kernel's log (15 bytes); where the system has no such thing nothing happens."""
    if sys.platform == "linux":
        prctl = ctypes.CDLL(None).prctl
        prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
        prctl(PR_SET_NAME, name, 0, 0, 0)


def allow_open_files(most: int) -> tuple[int, int]:
    """Raises the soft limit to `most` as far as the system lets; the limits before."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY:
        most = min(most, hard)
    # macOS reports no hard limit and refuses more than kern.maxfilesperproc
    for limit in (most, min(most, OPEN_MAX)):
        if soft == resource.RLIM_INFINITY or limit <= soft:
            break
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))
            break
        except (ValueError, OSError):
            continue
    return soft, hard
