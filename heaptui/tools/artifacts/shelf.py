"""Results that are too large to be answered: whole on disk, and the parts of them that matter.

One file each, named by chance, private (0600 in a directory that is 0700). Old ones go when there
are too many, they take too much, or their time is over: whoever kept an id for longer is told so.
"""

from __future__ import annotations

import os
import re
import secrets
import shlex
import stat
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from enum import Enum
from io import FileIO
from pathlib import Path

from msgspec import Struct

from heaptui.errors import Refused, StorageTrouble, Unreadable, UsageError
from heaptui.tools.answers import ARTIFACT, GREP_BYTES, Artifact
from heaptui.tools.artifacts.ends import Ends, Shown
from heaptui.tools.artifacts.salient import Salient
from heaptui.units import MIB, duration

_ID = re.compile(r"[0-9a-f]{16}")
_FILE = re.compile(r"[0-9a-f]{16}\.(?:txt|part)")
_BLOCK = 1 << 20
_HEAD_SHARE = 0.2


class Parts(Enum):
    """What is shown of it."""

    HEAD = "head"
    """The beginning: of what was read or found, whose order means something."""
    BOTH = "both"
    """A fifth of it the beginning, the rest the end: of what a command printed."""


class Retention(Struct, frozen=True, kw_only=True):
    """What is kept in a directory at most: files, bytes of them together, seconds of each."""

    files: int = 200
    bytes: int = 256 * MIB
    age_s: float = 7 * 86400.0


KEPT = Retention()


def spill(
    directory: Path,
    content: bytes | Iterable[bytes],
    *,
    parts: Parts = Parts.BOTH,
    shown_bytes: int = GREP_BYTES // 2,
    kept: Retention = KEPT,
) -> Artifact:
    """Writes it as it comes, a piece at a time, and shows `shown_bytes` of it at most, and its
    salient lines. Where it has more than may be kept at all, the file ends there (`cut`).

    The directory is made where it is missing; its older files go by `kept`.

    Raises:
        Refused: others may look into the directory, or it is somebody else's.
        StorageTrouble: it cannot be written; nothing of it stays.
        whatever `content` raises; nothing of it stays then either.
    """
    _private(directory)
    head = int(shown_bytes * _HEAD_SHARE) if parts is Parts.BOTH else shown_bytes
    ends = Ends(head, shown_bytes - head)
    salient = Salient()
    total = 0
    artifact_id = secrets.token_hex(8)
    path, part = _path(directory, artifact_id), directory / f"{artifact_id}.part"
    try:
        with _storing(directory):
            fd = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(fd, "wb", buffering=0) as file:
            for data in _blocks(content):
                with _storing(directory):
                    _write(file, data[: max(0, kept.bytes - total)])
                total += len(data)
                ends.feed(data)
                salient.feed(data)
        with _storing(directory):
            part.rename(path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    salient.close()
    prune(directory, kept)
    shown = ends.shown()
    return Artifact(
        id=artifact_id,
        path=str(path),
        bytes=total,
        lines=salient.lines,
        head=shown.head,
        tail=shown.tail,
        salient=salient.shown(shown.head_lines, shown.tail_lines),
        then=_reading_on(artifact_id, shown),
        cut=total > kept.bytes,
    )


def find(directory: Path, artifact_id: str) -> Path:
    """Where it is: a file in `directory`, which can be opened as a workspace to read it in.

    Raises:
        UsageError: that is no id.
        Unreadable: there is none of this id, or not any more.
    """
    if not _ID.fullmatch(artifact_id):
        raise UsageError(
            f"{artifact_id[:80]!r} is no artifact's id.", "An id has 16 digits, 0-9 and a-f."
        )
    path = _path(directory, artifact_id)
    if not path.is_file() or path.is_symlink():
        raise Unreadable(
            f"There is no artifact {artifact_id}, or not any more.",
            f"They are kept for {duration(KEPT.age_s)} at most: run again what it came from.",
        )
    return path


def prune(directory: Path, kept: Retention = KEPT) -> int:
    """Removes what is beyond `kept`, oldest first; the newest always stays. How many went."""
    found: list[tuple[float, str, int]] = []
    with os.scandir(directory) as entries:
        for entry in entries:
            if _FILE.fullmatch(entry.name):
                with suppress(FileNotFoundError):
                    status = entry.stat(follow_symlinks=False)
                    found.append((status.st_mtime, entry.name, status.st_size))
    found.sort(reverse=True)
    oldest = time.time() - kept.age_s
    total = removed = 0
    for place, (changed, name, size) in enumerate(found):
        total += size
        if place and (place >= kept.files or total > kept.bytes or changed < oldest):
            (directory / name).unlink(missing_ok=True)
            removed += 1
    return removed


def _blocks(content: bytes | Iterable[bytes]) -> Iterator[bytes]:
    for piece in (content,) if isinstance(content, bytes) else content:
        for at in range(0, len(piece), _BLOCK):
            yield piece[at : at + _BLOCK]


def _write(file: FileIO, data: bytes) -> None:
    left = memoryview(data)
    while left:
        left = left[file.write(left) :]


@contextmanager
def _storing(directory: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StorageTrouble(
            f"An artifact could not be written to {str(directory)!r}: {error.strerror}.",
            "Make room there, and run again what it came from.",
        ) from error


def _path(directory: Path, artifact_id: str) -> Path:
    return directory / f"{artifact_id}.txt"


def _private(directory: Path) -> None:
    with _storing(directory):
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        status = directory.lstat()
    if not stat.S_ISDIR(status.st_mode) or status.st_mode & 0o077 or status.st_uid != os.geteuid():
        raise Refused(
            f"{str(directory)!r} is not a directory of this user alone.",
            f"Results may hold secrets: chmod 700 {shlex.quote(str(directory))}",
        )


def _reading_on(artifact_id: str, shown: Shown) -> str:
    # by its id: its file is in nobody's workspace
    return f"heaptui tool read {ARTIFACT}{artifact_id} --offset {shown.head_lines + 1}"
