"""Counts the line ends of a chunk, which is nearly all the work of finding a line.

`bytes.count` looks at one byte a cycle. glibc walks over NUL-terminated strings with its vectorised
strlen (argz_count): with every line end made a NUL, by `replace` and its vectorised memchr, that
takes half the time for lines of usual length. Both pay for each line, so that short lines, and what
has NULs of its own, are counted byte by byte; so they are without glibc.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable

LONG = 48
"""Bytes of a line from which on it is faster to look for its end than at each byte."""


def line_ends(buffer: bytearray, length: int, before: int) -> int:
    """How many \\n are in the first `length` bytes. `before` is how many were in as many bytes
    ahead of them, by which the way to count is chosen; the answer is the same."""
    argz_count = _argz_count
    if argz_count is None or length < len(buffer) or before * LONG > length or 0 in buffer:
        return buffer.count(10, 0, length)
    strings = buffer.replace(b"\n", b"\0")
    strings.append(0)  # the last one may not reach beyond what is ours
    return argz_count((ctypes.c_char * 1).from_buffer(strings), len(strings)) - 1


def _found() -> Callable[[object, int], int] | None:
    try:
        function = ctypes.CDLL(None).argz_count
    except (AttributeError, OSError):
        return None  # no glibc
    function.argtypes = (ctypes.c_void_p, ctypes.c_size_t)
    function.restype = ctypes.c_size_t
    return function


_argz_count = _found()
