"""Regular files and nothing else: what is none is refused before it is really opened.

Opening alone can hang (a FIFO without a writer), take over a terminal or move a device; so the
name is first opened as a place only (O_PATH), looked at, and then that very file opened.
"""

from __future__ import annotations

import os
import stat

from heaptui.errors import Refused, Unreadable
from heaptui.tools.answers import Tag
from heaptui.tools.workspace.root import Workspace

BINARY_WITHIN = 8192
"""Bytes at the head of a file among which a NUL makes it binary."""
_O_PATH: int = getattr(os, "O_PATH", 0)
_READ = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
# without O_NONBLOCK some files of /proc and /sys wait for what may never come


def opened(workspace: Workspace, path: str) -> int:
    """A descriptor of a regular file to read, the caller's to close.

    Raises:
        Refused: a directory, FIFO, socket or device, or it leads out of the workspace.
        Unreadable, UsageError, StorageTrouble: as Workspace.open_file.
    """
    if _O_PATH:
        place = workspace.open_file(path, _O_PATH)
        try:
            _check(path, os.fstat(place).st_mode)
            return os.open(f"/proc/self/fd/{place}", _READ)
        except FileNotFoundError:
            pass  # no /proc here: the file is opened by its name, and looked at again
        except OSError as error:
            raise workspace.refusal(path, error) from error
        finally:
            os.close(place)
    fd = workspace.open_file(path, _READ)
    try:
        _check(path, os.fstat(fd).st_mode)
    except BaseException:
        os.close(fd)
        raise
    return fd


def tag_of(fd: int, sha256: str = "") -> Tag:
    """Which file it is, and in which state."""
    status = os.fstat(fd)
    return Tag(
        dev=status.st_dev,
        ino=status.st_ino,
        size=status.st_size,
        mtime_ns=status.st_mtime_ns,
        ctime_ns=status.st_ctime_ns,
        sha256=sha256,
    )


def check_text(path: str, head: bytes) -> None:
    """Of the first bytes of a file that begins with no mark of UTF-16 or UTF-32.

    Raises:
        Unreadable: a NUL byte says that it is binary.
    """
    at = head[:BINARY_WITHIN].find(b"\0")
    if at >= 0:
        raise Unreadable(
            f"{path!r} is binary: byte {at} is NUL.",
            "Look at it with a program for its format, or with xxd; UTF-16 and UTF-32 are read "
            "where the file begins with a byte order mark.",
        )


def _check(path: str, mode: int) -> None:
    if stat.S_ISREG(mode):
        return
    if stat.S_ISDIR(mode):
        raise Refused(f"{path!r} is a directory.", "List it, or name a file in it.")
    kinds = (
        (stat.S_ISFIFO, "a FIFO", "reading it takes data from whom it is for, and may never end"),
        (stat.S_ISSOCK, "a socket", "it has no contents"),
        (stat.S_ISCHR, "a device or a terminal", "reading it may never end"),
        (stat.S_ISBLK, "a block device", "it is no text"),
    )
    kind, why = next(
        ((name, why) for is_one, name, why in kinds if is_one(mode)), ("no file", "it has no text")
    )
    raise Refused(
        f"{path!r} is {kind}, not a regular file: {why}.",
        "Name a regular file; what comes out of something else can be written to one first.",
    )
