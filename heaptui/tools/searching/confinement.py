"""What a thread may open from now on, and whatever it starts: Linux's Landlock, from the kernel's
own documentation (Documentation/userspace-api/landlock.rst, the calls of its first version).

It holds whatever names are swapped meanwhile, since the kernel looks at what was opened, not at
how it was called. Nothing is needed to use it but a kernel that has it switched on.
"""

from __future__ import annotations

import ctypes
import os
import struct
import sys
from collections.abc import Iterable
from functools import cache

from heaptui.tools.libc import libc

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
"""The same on every architecture: they are newer than the unified numbering."""

_VERSION = 1
_PATH_BENEATH = 1
_EXECUTE, _READ_FILE, _READ_DIR = 1 << 0, 1 << 2, 1 << 3
_HANDLED = (1 << 13) - 1
"""Everything that the first version knows: also writing, making and removing."""

_SET_NO_NEW_PRIVS = 38


@cache
def possible() -> bool:
    """Whether this kernel has it, and has it switched on."""
    if sys.platform != "linux":
        return False
    try:
        return _call(_CREATE_RULESET, None, 0, _VERSION) >= 1
    except OSError:
        return False


def confine(beneath: Iterable[int], programs: Iterable[int] = ()) -> None:
    """The calling thread, and every process that it starts, may from now on only read what the
    descriptors `beneath` are or hold (files or directories), and execute `programs` (files, or
    directories of the libraries they load). It cannot be undone: for a thread that ends soon, or a
    process that has only this to do.

    Raises:
        OSError: the kernel does not do it.
    """
    ruleset = _call(_CREATE_RULESET, struct.pack("=Q", _HANDLED), 8, 0)
    try:
        for fd in beneath:
            _allow(ruleset, fd, _READ_FILE | _READ_DIR)
        for fd in programs:
            _allow(ruleset, fd, _READ_FILE | _READ_DIR | _EXECUTE)
        if libc().prctl(_SET_NO_NEW_PRIVS, 1, 0, 0, 0):
            raise OSError(ctypes.get_errno(), "no_new_privs")
        _call(_RESTRICT_SELF, ruleset, 0)
    finally:
        os.close(ruleset)


def _allow(ruleset: int, fd: int, access: int) -> None:
    if not os.path.isdir(fd):  # noqa: PTH112 - of a descriptor
        access &= ~_READ_DIR
    _call(_ADD_RULE, ruleset, _PATH_BENEATH, struct.pack("=Qi", access, fd), 0)


def _call(number: int, *arguments: int | bytes | None) -> int:
    passed = [ctypes.c_long(one) if isinstance(one, int) else one for one in arguments]
    result: int = libc().syscall(ctypes.c_long(number), *passed)
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result
