"""File systems whose files are no files: a write there is an order to the kernel."""

from __future__ import annotations

import ctypes
import sys

from heaptui.tools.libc import libc

_MADE_BY_THE_KERNEL = {
    0x9FA0: "proc",
    0x62656572: "sysfs",
    0x27E0EB: "cgroup",
    0x63677270: "cgroup2",
    0x64626720: "debugfs",
    0x74726163: "tracefs",
    0x73636673: "securityfs",
    0xCAFE4A11: "bpf",
    0x1CD1: "devpts",
    0xDE5E81E4: "efivarfs",
    0x62656570: "configfs",
}
"""By the number that statfs(2) gives: include/uapi/linux/magic.h."""
_ROOM = 256
"""Bytes; struct statfs takes 120 at most, and begins with that number, as a long."""


def made_by_the_kernel(fd: int) -> str | None:
    """The name of the file system where it is one of those; None elsewhere, and not on Linux."""
    if not sys.platform.startswith("linux"):
        return None
    answer = ctypes.create_string_buffer(_ROOM)
    if libc().fstatfs(fd, answer) != 0:
        return None
    number = ctypes.c_ulong.from_buffer(answer).value & 0xFFFFFFFF
    return _MADE_BY_THE_KERNEL.get(number)
