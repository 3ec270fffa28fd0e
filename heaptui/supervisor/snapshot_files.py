"""The files of heap snapshots: where they go, what they are called, whether they are whole.

They hold whatever the program held, secrets too: 0600, in a directory of 0700.
"""

from __future__ import annotations

import os
import re
import struct
import time
from pathlib import Path

from heaptui.errors import Refused, StorageTrouble
from heaptui.paths import StateDir, private
from heaptui.supervisor.estimates import format_of

PART = ".part"
"""What a worker appends while it writes (wire.py)."""

_SUFFIX = {"v8": ".heapsnapshot", "python": ".pyheap"}
_LOOKED_AT = 8192
_CHUNK = struct.Struct("<4sIII")
_UNFIT = re.compile(r"[^A-Za-z0-9._-]+")


def directory(state: StateDir, configured: str | None) -> Path:
    """Where they go unless the operator names a file."""
    return Path(configured) if configured else state.root / "snapshots"


def named(runtime: str, name: str, task_id: str, attempt: int, pid: int, at: float) -> str:
    """A name that says what it is of, and that no other one has."""
    stem = _UNFIT.sub("-", name).strip("-.")[:40] or "task"
    stamp = time.strftime("%Y%m%dT%H%M%S", time.gmtime(at))
    milliseconds = int(at * 1000) % 1000
    return f"{stem}-{task_id}-{attempt}-{pid}-{stamp}{milliseconds:03}{_SUFFIX[format_of(runtime)]}"


def place(asked: str | None, ours: Path, name: str) -> Path:
    """Where the file goes: what was asked for, else `name` in our own directory, which is made.

    Raises:
        Refused: the path asked for cannot be taken.
        StorageTrouble: our own directory cannot be made.
    """
    if asked is None:
        try:
            private(ours)
        except OSError as error:
            raise StorageTrouble(
                f"The directory of snapshots cannot be made: {error.strerror or error}.",
                "Free space there, or name a file elsewhere.",
            ) from error
        return ours / name
    path = Path(asked)
    if not path.is_absolute():
        raise Refused(f"{asked[:200]} is not an absolute path.", "Name the file from the root on.")
    if not path.parent.is_dir():
        raise Refused(f"There is no directory {path.parent}.", "Make it first, or name another.")
    for taken in (path, part(path)):
        if os.path.lexists(taken):
            raise Refused(
                f"{taken} is there already: nothing is written over it.",
                "Name another file, or delete that one.",
            )
    if not os.access(path.parent, os.W_OK | os.X_OK):
        raise Refused(f"{path.parent} cannot be written.", "Name a directory of your own.")
    return path


def part(path: Path) -> Path:
    """What the file is called until it is whole."""
    return path.with_name(path.name + PART)


def room_on_disk(path: Path) -> tuple[int, int]:
    """Bytes that this user may still write where `path` goes, and which device that is.

    Raises:
        OSError: its directory cannot be looked at.
    """
    parent = path.parent
    while not parent.exists():
        parent = parent.parent
    figures = os.statvfs(parent)
    return figures.f_bavail * figures.f_frsize, parent.stat().st_dev


def size_if_whole(path: Path, kind: str) -> int:
    """Its bytes; it is 0600 afterwards.

    Raises:
        Refused: it is not there, empty, of another format, or cut off.
    """
    try:
        with path.open("rb") as file:
            os.fchmod(file.fileno(), 0o600)
            size = os.fstat(file.fileno()).st_size
            head = file.read(_LOOKED_AT)
            file.seek(max(0, size - _LOOKED_AT))
            tail = file.read()
    except OSError as error:
        raise Refused(f"The snapshot cannot be read: {error.strerror or error}.", "") from error
    if not size:
        raise Refused("The snapshot is empty.", "Is the disk full?")
    if not _WHOLE[kind](head, tail):
        raise Refused(
            f"The snapshot at {path} is cut off or no snapshot at all.",
            "Look at the disk's room; take it again.",
        )
    return size


def _whole_v8(head: bytes, tail: bytes) -> bool:
    return head.startswith(b'{"snapshot":') and tail.rstrip().endswith(b"}")


def _whole_python(head: bytes, tail: bytes) -> bool:
    """Its last chunk is DONE, and what that holds ends with the file."""
    last = tail.rfind(b"DONE")
    if not head.startswith(b"HEAPTUI PYTHON HEAP ") or last < 0 or len(tail) - last < _CHUNK.size:
        return False
    _, _, stored, _ = _CHUNK.unpack_from(tail, last)
    return bool(last + _CHUNK.size + stored == len(tail))


_WHOLE = {"v8": _whole_v8, "python": _whole_python}


def clear_parts(ours: Path, keep: set[Path]) -> list[Path]:
    """Deletes what was begun in our own directory and never became whole; those of `keep` may yet.

    Raises:
        OSError: it cannot be listed.
    """
    try:
        found = [path for path in ours.iterdir() if path.name.endswith(PART)]
    except FileNotFoundError:
        return []
    gone = [path for path in found if path not in keep]
    for path in gone:
        path.unlink(missing_ok=True)
    return gone
