"""The bytes of a file in chunks, as long as there is time for them.

A file of size 0 that has contents all the same (/proc, /sys) makes them when it is read: its first
mebibyte is read once and kept, since it may be another the next time.
"""

from __future__ import annotations

import errno
import math
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from heaptui.errors import Unreadable
from heaptui.tools.answers import Stopped, Tag
from heaptui.tools.reading.encoding import UTF8, Encoding, detected
from heaptui.tools.workspace.regular import BINARY_WITHIN, check_text, opened, tag_of
from heaptui.tools.workspace.root import Workspace

MADE_MOST = 1 << 20
"""Bytes that are taken of a file that makes its contents."""

Cancelled = Callable[[], bool]
"""Whether whoever asked wants no answer any more; called often, from the thread that works."""


class Interrupted(Exception):
    """Time is up, or nobody wants it any more: `why` is TIME or CANCELLED."""

    def __init__(self, why: Stopped) -> None:
        super().__init__(why.value)
        self.why = why


@dataclass(slots=True)
class Source:
    """`size` as it was when it was opened; `made` are contents that were made for this reading,
    and `made_more` whether there would have been more of them."""

    path: str
    fd: int
    tag: Tag
    size: int
    encoding: Encoding
    sparse: bool = False
    until: float = math.inf
    cancelled: Cancelled | None = None
    made: bytes | None = None
    made_more: bool = False

    def check(self) -> None:
        """Raises Interrupted when it is time to."""
        if self.cancelled is not None and self.cancelled():
            raise Interrupted(Stopped.CANCELLED)
        if time.monotonic() > self.until:
            raise Interrupted(Stopped.TIME)

    def fill(self, buffer: bytearray, at: int) -> int:
        """Bytes from `at` on into the buffer; fewer than it holds only where the file ends.

        Raises:
            Interrupted: no time, or not wanted.
            Unreadable: the file cannot be read there.
        """
        self.check()
        if self.made is not None:
            part = self.made[at : at + len(buffer)]
            buffer[: len(part)] = part
            return len(part)
        got = 0
        view = memoryview(buffer)
        try:
            while got < len(buffer):
                more = read_into(view[got:], self.fd, at + got)
                if not more:
                    break
                got += more
        except BlockingIOError:
            pass  # a file that would wait for more: it ends here for now
        except OSError as error:
            raise unreadable(self.path, error) from error
        finally:
            view.release()
        return got

    def chunk(self, at: int, most: int) -> bytes:
        """Bytes from `at` on; fewer than `most` only where the file ends. Raises as fill."""
        buffer = bytearray(most)
        got = self.fill(buffer, at)
        return bytes(memoryview(buffer)[:got])

    def data_from(self, at: int) -> int:
        """`at`, or where the hole ends that is there: holes have no line ends. Only of whole
        units; the end of the file where the hole reaches it."""
        if not self.sparse:
            return at
        try:
            found = os.lseek(self.fd, at, os.SEEK_DATA)
        except OSError as error:
            return max(at, self.size) if error.errno == errno.ENXIO else at
        return max(at, found - found % self.encoding.unit)


@contextmanager
def source_of(
    workspace: Workspace, path: str, *, within_s: float, cancelled: Cancelled | None
) -> Iterator[Source]:
    """Opens it, and tells its encoding.

    Raises:
        Unreadable: it is binary, or cannot be read.
        Refused, UsageError, StorageTrouble: as regular.opened.
    """
    fd = opened(workspace, path)
    try:
        status = os.fstat(fd)
        source = Source(
            path=path,
            fd=fd,
            tag=tag_of(fd),
            size=status.st_size,
            encoding=UTF8,
            sparse=hasattr(os, "SEEK_DATA") and status.st_blocks * 512 < status.st_size,
        )
        if source.size == 0:
            made = source.chunk(0, MADE_MOST + 1)
            source.made, source.made_more = made[:MADE_MOST], len(made) > MADE_MOST
            source.size = len(source.made)
        head = source.chunk(0, BINARY_WITHIN)
        source.encoding = detected(head)
        if source.encoding.unit == 1:
            check_text(path, head)
        # what it is takes a moment only; from here on it may take long
        source.until, source.cancelled = time.monotonic() + within_s, cancelled
        yield source
    finally:
        os.close(fd)


def read_into(view: memoryview, fd: int, at: int) -> int:
    """Bytes of the file from `at` on; how many: 0 at its end, fewer than there is room for at any
    time.

    Raises:
        OSError: it cannot be read.
    """
    if hasattr(os, "preadv"):
        return os.preadv(fd, [view], at)
    data = os.pread(fd, len(view), at)  # older macOS
    view[: len(data)] = data
    return len(data)


def unreadable(path: str, error: OSError) -> Unreadable:
    """The system would not give the file's contents."""
    return Unreadable(
        f"{path!r} cannot be read: {os.strerror(error.errno or 0)}.",
        "Some files of /proc and /sys cannot be read by anybody; a disk may be failing otherwise.",
    )
