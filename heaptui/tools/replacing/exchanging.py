"""Two names of one directory exchanged at once, and a name taken only where it is free.

renameat2 of Linux 3.15 and renameatx_np of macOS, neither of which Python's `os` has. Not every
file system can do either: who calls is told, and does what is left.
"""

from __future__ import annotations

import ctypes
import errno
import os
import sys
from collections.abc import Callable
from functools import cache

from heaptui.tools.libc import libc

if sys.platform == "darwin":
    _CALL, _EXCHANGE, _NOREPLACE = "renameatx_np", 0x2, 0x4
else:
    _CALL, _EXCHANGE, _NOREPLACE = "renameat2", 0x2, 0x1

_UNKNOWN = frozenset({errno.ENOSYS, errno.EINVAL, errno.EOPNOTSUPP, errno.ENOTSUP})
"""What the system, or the file system, answers when it has no such thing."""


def exchanged(directory: int, one: str, other: str) -> bool:
    """Each of two names of the directory is what the other was. False: that cannot be done here,
    and nothing happened.

    Raises:
        OSError: as rename does; ENOENT where one of them is not there.
    """
    return _renamed(directory, one, other, _EXCHANGE)


def placed(directory: int, name: str, free: str) -> bool:
    """`name` is called `free` from now on. False: that cannot be done here, and nothing happened.

    Raises:
        OSError: as rename does; EEXIST where the other name is taken.
    """
    return _renamed(directory, name, free, _NOREPLACE)


def _renamed(directory: int, name: str, other: str, flags: int) -> bool:
    call = _rename()
    if call is None:
        return False
    if call(directory, os.fsencode(name), directory, os.fsencode(other), flags) == 0:
        return True
    number = ctypes.get_errno()
    if number in _UNKNOWN:
        return False
    raise OSError(number, os.strerror(number), name, None, other)


@cache
def _rename() -> Callable[[int, bytes, int, bytes, int], int] | None:
    """None where the C library has no such call."""
    try:
        call = getattr(libc(), _CALL)
    except (OSError, AttributeError):
        return None
    call.argtypes = (
        ctypes.c_int,
        ctypes.c_char_p,
        ctypes.c_int,
        ctypes.c_char_p,
        ctypes.c_uint,
    )
    call.restype = ctypes.c_int
    found: Callable[[int, bytes, int, bytes, int], int] = call
    return found
