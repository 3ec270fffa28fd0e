"""The C library, for the calls of the system that Python's `os` does not have."""

from __future__ import annotations

import ctypes
from functools import cache


@cache
def libc() -> ctypes.CDLL:
    """Its errors are in ctypes.get_errno().

    Raises:
        OSError: this system cannot load it.
    """
    return ctypes.CDLL(None, use_errno=True)
