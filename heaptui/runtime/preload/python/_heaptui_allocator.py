# ruff: noqa: PTH123
# mypy: ignore-errors
"""What the allocators hold, told by themselves: CPython's for small objects, and malloc."""

import ctypes
import os
import sys

_process = ctypes.CDLL(None)
_page = os.sysconf("SC_PAGE_SIZE")


class _Mallinfo2(ctypes.Structure):
    """struct mallinfo2 of glibc 2.33 and newer."""

    _fields_ = [
        (name, ctypes.c_size_t)
        for name in (
            "arena", "ordblks", "smblks", "hblks", "hblkhd",
            "usmblks", "fsmblks", "uordblks", "fordblks", "keepcost",
        )
    ]  # fmt: skip


def _function(library, name, result, *arguments):
    found = getattr(library, name, None)
    if found is not None:
        found.restype, found.argtypes = result, arguments
    return found


_mallinfo2 = _function(_process, "mallinfo2", _Mallinfo2)
_malloc_trim = _function(_process, "malloc_trim", ctypes.c_int, ctypes.c_size_t)
_pressure_relief = _function(
    _process, "malloc_zone_pressure_relief", ctypes.c_size_t, ctypes.c_void_p, ctypes.c_size_t
)
_open_memstream = _function(
    ctypes.PyDLL(None), "open_memstream", ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p
)
_fclose = _function(ctypes.PyDLL(None), "fclose", ctypes.c_int, ctypes.c_void_p)
_free = _function(ctypes.PyDLL(None), "free", None, ctypes.c_void_p)
_tell = _function(ctypes.pythonapi, "_PyObject_DebugMallocStats", ctypes.c_int, ctypes.c_void_p)


def figures():
    """`used` and `committed` bytes; empty where one of the two allocators does not tell."""
    if _mallinfo2 is None or _open_memstream is None or _tell is None:
        return {}
    small = _small_objects()
    if small is None:
        return {}
    rest = _mallinfo2()
    return {
        "used": small[0] + rest.uordblks + rest.hblkhd,
        "committed": small[1] + rest.arena + rest.hblkhd,
    }


def _small_objects():
    """Bytes in allocated blocks and in arenas, of `sys._debugmallocstats`'s text; (0, 0) where
    PYTHONMALLOC chose malloc for everything; None for an allocator of another kind."""
    text, size = ctypes.c_char_p(), ctypes.c_size_t()
    stream = _open_memstream(ctypes.byref(text), ctypes.byref(size))
    if not stream:
        return None
    try:
        told = _tell(stream)
    finally:
        _fclose(stream)
    said = text.value or b""
    _free(text)
    if not told:
        return None if hasattr(sys, "_is_gil_enabled") and not sys._is_gil_enabled() else (0, 0)
    used = committed = None
    for one in said.splitlines():
        if one.startswith(b"# bytes in allocated blocks"):
            used = _number(one)
        elif b"bytes/arena" in one:
            committed = _number(one)
    return None if used is None or committed is None else (used, committed)


def _number(one):
    return int(one.rpartition(b"=")[2].replace(b",", b""))


def resident():
    """Bytes; None where there is no /proc."""
    try:
        with open("/proc/self/statm", "rb", buffering=0) as file:
            return int(file.read(100).split()[1]) * _page
    except OSError:
        return None


def give_back():
    """Gives freed memory back to the system, where the C library can; how, as a suffix."""
    if _malloc_trim is not None:
        _malloc_trim(0)
        return " + malloc_trim(0)"
    if _pressure_relief is not None:
        _pressure_relief(None, 0)
        return " + malloc_zone_pressure_relief"
    return ""
