"""Opens what lies beneath a directory, whoever swaps the directories in between meanwhile.

On Linux the kernel resolves the path itself (openat2 with RESOLVE_BENEATH, Linux 5.6); where it
cannot, the path is walked one name at a time on file descriptors, and each link in it is followed
here. Checking a path first and opening it afterwards is no way: between the two it can change.
"""

from __future__ import annotations

import ctypes
import errno
import os
import stat
import sys
from collections import deque
from functools import cache

from heaptui.tools.libc import libc

_OPENAT2 = 437
"""The number of the call, the same on every architecture that Python has wheels for."""
_NO_MAGICLINKS, _BENEATH = 0x02, 0x08
_AGAIN = 64
"""How often the kernel may answer that a directory moved while it looked at `..`."""
_LINKS = 40
"""Links followed in one path, as in the kernel."""

_O_PATH: int = getattr(os, "O_PATH", 0)
_PASSED = (_O_PATH or os.O_RDONLY) | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


class _How(ctypes.Structure):
    _fields_ = (
        ("flags", ctypes.c_uint64),
        ("mode", ctypes.c_uint64),
        ("resolve", ctypes.c_uint64),
    )


def open_beneath(root: int, path: bytes, flags: int, mode: int = 0o600) -> int:
    """A descriptor of `path`, which is relative to the directory `root`. Links are followed as long
    as they stay beneath it; `mode` counts where O_CREAT makes the file.

    Raises:
        OSError: as open does; EXDEV where the path leads out of the directory, ELOOP where links
            lead in a circle or into what /proc only pretends to be links.
    """
    if b"\0" in path:
        raise OSError(errno.EINVAL, "a NUL byte in a path", path)
    if kernel_resolves():
        for _ in range(_AGAIN):
            try:
                return _openat2(root, path, flags, mode)
            except OSError as error:
                if error.errno not in (errno.EAGAIN, errno.EINTR):
                    raise
    return walk(root, path, flags, mode)


@cache
def kernel_resolves() -> bool:
    """Whether openat2 is there: not on macOS, on old kernels, and in sandboxes that forbid it."""
    if not sys.platform.startswith("linux"):
        return False
    root = os.open("/", _PASSED)
    try:
        os.close(_openat2(root, b".", _PASSED, 0))
    except OSError:
        return False
    finally:
        os.close(root)
    return True


def _openat2(root: int, path: bytes, flags: int, mode: int) -> int:
    makes = flags & os.O_CREAT
    how = _How(flags, mode if makes else 0, _BENEATH | _NO_MAGICLINKS)
    fd: int = libc().syscall(
        ctypes.c_long(_OPENAT2),
        ctypes.c_int(root),
        ctypes.c_char_p(path),
        ctypes.byref(how),
        ctypes.c_size_t(ctypes.sizeof(how)),
    )
    if fd < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), path)
    return fd


def walk(root: int, path: bytes, flags: int, mode: int = 0o600) -> int:
    """The same without the kernel's help: every directory on the way is held open, `..` goes back
    to the one before, and no name is opened that is a link."""
    if path.startswith(b"/"):
        raise OSError(errno.EXDEV, "an absolute path", path)
    if not path:
        raise OSError(errno.ENOENT, os.strerror(errno.ENOENT), path)
    held = [os.dup(root)]
    names = deque(path.split(b"/"))
    links = 0
    try:
        while names:
            name = names.popleft()
            if name in (b"", b"."):
                continue
            if name == b"..":
                if len(held) == 1:
                    raise OSError(errno.EXDEV, "above the directory", path)
                os.close(held.pop())
                continue
            step = _PASSED if names else flags | os.O_NOFOLLOW
            follow = bool(names) or not flags & os.O_NOFOLLOW
            opened = _opened_or_link(held[-1], name, step, mode, follow=follow)
            if isinstance(opened, int):
                if not names:
                    return opened
                held.append(opened)
                continue
            links += 1
            if links > _LINKS:
                raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), path)
            if opened.startswith(b"/"):
                raise OSError(errno.EXDEV, "a link to an absolute path", path)
            names.extendleft(reversed(opened.split(b"/")))
        return os.open(b".", flags & ~(os.O_CREAT | os.O_EXCL), dir_fd=held[-1])
    finally:
        for each in held:
            os.close(each)


def _opened_or_link(
    directory: int, name: bytes, flags: int, mode: int, *, follow: bool
) -> int | bytes:
    """A descriptor, or where the link of that name points to."""
    try:
        fd = os.open(name, flags, mode, dir_fd=directory)
    except OSError as error:
        if error.errno not in (errno.ELOOP, errno.ENOTDIR, errno.EMLINK) or not follow:
            raise
        try:
            return os.readlink(name, dir_fd=directory)
        except OSError:
            raise error from None  # it was no link: the first answer is the true one
    # with O_PATH a link is opened itself instead of refused
    if follow and flags & _O_PATH and stat.S_ISLNK(os.fstat(fd).st_mode):
        try:
            return os.readlink(b"", dir_fd=fd)
        finally:
            os.close(fd)
    return fd
