"""Whether a file is still the one that was read."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable

from heaptui.errors import Refused
from heaptui.tools.answers import Tag
from heaptui.tools.workspace.regular import tag_of

HASHED_UP_TO = 8 << 20
"""Bytes of a file whose new tag gets a hash."""
_PIECE = 256 << 10


def check_current(path: str, expect: Tag, fd: int, go_on: Callable[[], None]) -> None:
    """By what the file system says of it; where its contents are known by their hash, they alone
    decide: what was only touched, or written again as it was, is the same.

    Raises:
        Refused: it is another.
        OSError: it cannot be read.
    """
    now = tag_of(fd)
    if now.size != expect.size:
        raise stale(path, f"it has {now.size} bytes, and had {expect.size}")
    if expect.sha256:
        if digest(fd, go_on) != expect.sha256:
            raise stale(path, "its contents are others")
    elif (now.dev, now.ino) != (expect.dev, expect.ino):
        raise stale(path, "another file has its name")
    elif (now.mtime_ns, now.ctime_ns) != (expect.mtime_ns, expect.ctime_ns):
        raise stale(path, "it was written to, or its owner or mode changed")


def stale(path: str, why: str) -> Refused:
    return Refused(
        f"{path!r} is not as it was when it was read: {why}. Nothing was changed.",
        "Read it again, and decide by what it says now.",
    )


def digest(fd: int, go_on: Callable[[], None]) -> str:
    """SHA-256 of the whole file."""
    hashed = hashlib.sha256()
    at = 0
    while piece := os.pread(fd, _PIECE, at):
        go_on()
        hashed.update(piece)
        at += len(piece)
    return hashed.hexdigest()
