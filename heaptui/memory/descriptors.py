"""How many files may stay open.

Reading a file that stays open costs a third of opening it each time, so the sampler holds one
descriptor for each process and each group; a thousand workers are then more than the usual soft
limit of 1,024.
"""

from __future__ import annotations

import os
import resource

ENOUGH = 1 << 17
"""As many as are ever asked for: an unbounded hard limit cannot be set as the soft one on macOS."""

_KEEP_SHARE = 0.75


def raise_fd_limit() -> int:
    """Raises this process's soft limit of open files as far as it may; returns what is in force.

    Children inherit it: whoever starts programs that rely on `select` should not call this.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return ENOUGH
    wanted = ENOUGH if hard == resource.RLIM_INFINITY else min(hard, ENOUGH)
    # macOS reports no hard limit and refuses more than kern.maxfilesperproc
    for limit in (wanted, 10240):
        if limit > soft:
            try:
                resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))
            except (ValueError, OSError):
                continue
            return limit
    return soft


def keepable(fd: int) -> bool:
    """Whether this descriptor may stay open, or is needed for what comes after it.

    Descriptors are given out lowest first, so the number itself says how near the limit is.
    """
    soft = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return soft == resource.RLIM_INFINITY or fd < soft * _KEEP_SHARE


def read_small(path: str, size: int = 4096) -> bytes:
    """The first `size` bytes of a small file of the kernel, in one read.

    Raises:
        OSError: it cannot be opened or read; ProcessLookupError when its process is gone.
    """
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.read(fd, size)
    finally:
        os.close(fd)


class Kept:
    """A small file of the kernel that is read again and again.

    Stays open while there is room for it, else is opened for each reading. `size` is the most
    that one reading returns.
    """

    __slots__ = ("_fd", "_path", "_size")

    def __init__(self, path: str, size: int = 512) -> None:
        self._path = path
        self._size = size
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        if not keepable(fd):
            os.close(fd)
            fd = -1
        self._fd = fd

    @property
    def kept(self) -> bool:
        return self._fd >= 0

    def read(self) -> bytes:
        """Its content now.

        Raises:
            OSError: it cannot be read; ProcessLookupError when its process is gone.
        """
        if self._fd < 0:
            return read_small(self._path, self._size)
        return os.pread(self._fd, self._size, 0)

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
