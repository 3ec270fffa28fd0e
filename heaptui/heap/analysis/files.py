"""A file before it is opened: what cannot be a snapshot is said to be so, and never waited for."""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from pathlib import Path

from heaptui.errors import Refused, Unreadable
from heaptui.heap.analysis import python_file
from heaptui.heap.analysis.room import refuse_without
from heaptui.heap.analysis.v8_file import memory_needed

_READER_BYTES = 128 << 20
_PYTHON_EXPANDS = 16
"""A Python snapshot is packed: 44 bytes a node and 8 an edge become five times less."""
_FORMATS = (
    "A snapshot is a .heapsnapshot file of Node or Chrome, or one that heaptui took of Python."
)


def check(path: Path) -> None:
    """Raises:
    Unreadable: it is missing, empty, no file (a directory, a pipe), or may not be read.
    """
    shown = shown_path(path)
    try:
        found = path.stat()
    except FileNotFoundError:
        raise Unreadable(
            f"{shown} does not exist.", "`heaptui snapshots` lists those that heaptui keeps."
        ) from None
    except (OSError, ValueError) as error:
        raise Unreadable(f"{shown} cannot be looked at: {error}.", _FORMATS) from None
    if not stat.S_ISREG(found.st_mode):
        what = "a directory" if stat.S_ISDIR(found.st_mode) else "not a file"
        raise Unreadable(f"{shown} is {what}.", _FORMATS)
    if not os.access(path, os.R_OK):
        raise Unreadable(
            f"{shown} may not be read by this user.",
            "Snapshots hold the program's secrets: only who took one may read it.",
        )
    if found.st_size == 0:
        raise Unreadable(
            f"{shown} is empty.",
            "The process ended before it had written its snapshot, or the disk was full.",
        )


def shown_path(path: Path) -> str:
    """As text that can be sent: bytes that are none become U+FFFD."""
    return os.fsencode(path).decode(errors="replace")


def check_room(paths: Sequence[Path]) -> None:
    """Raises:
    Refused: the fast engine takes more memory than there is.
    Unreadable: no snapshot.
    """
    try:
        refuse_without(sum(map(_needed, paths)), " and ".join(path.name for path in paths))
    except Refused as error:
        raise Refused(error.what, f"{error.remedy} To insist: --anyway.") from None


def _needed(path: Path) -> int:
    with path.open("rb") as file:
        if python_file.is_python(file.read(64)):
            return _READER_BYTES + _PYTHON_EXPANDS * path.stat().st_size
    return memory_needed(path)
