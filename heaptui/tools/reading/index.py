"""Where the lines of a large file are: how many line ends lie before every 128 KiB of it.

It comes out of reading and takes no pass of its own; 64 KB tell the lines of a gigabyte. It holds
for one state of one file (device, inode, size, times), and is kept in memory and, for large files,
in a directory: what was counted once is not counted again.
"""

from __future__ import annotations

import os
import struct
import sys
import time
import zlib
from array import array
from collections import OrderedDict
from contextlib import suppress
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from threading import Lock

from heaptui.tools.answers import Tag

CHUNK = 128 << 10
"""Bytes from one count to the next; small enough to stay in the processor's cache."""
COUNTS_MOST = 1 << 20
"""Counts that are kept of one file: 8 MB, for its first 128 GiB."""
SETTLED_NS = 50_000_000
"""A file that changed so short a time ago could change again without its times showing it: the
kernel's clock for files ticks in milliseconds."""

_MEMORY = 8 << 20
_KEPT_FROM = 64
"""Chunks: what is smaller is counted anew faster than a file of it is found."""
_FILES_MOST = 256
_MAGIC = b"heaptui\1"
_HEAD = struct.Struct("<8sI32sq")


@dataclass(slots=True)
class Counts:
    """`before[i]` line ends lie in the first i chunks; `lines` once the end was seen: how many
    lines there are, an unterminated last one too."""

    before: array[int] = field(default_factory=lambda: array("Q", (0,)))
    lines: int | None = None

    def copy(self) -> Counts:
        return Counts(self.before[:], self.lines)


class Indexes:
    """Counts by the state of the file: the last ones used in memory (8 MB), and 256 files of them
    in `directory`, where one is given. Threads may share it."""

    def __init__(self, directory: Path | None = None) -> None:
        self._directory = directory
        self._lock = Lock()
        self._held: OrderedDict[Tag, Counts] = OrderedDict()
        self._bytes = 0

    def of(self, tag: Tag) -> Counts:
        """A copy of what is known, to count on with."""
        key = _key(tag)
        with self._lock:
            if key in self._held:
                self._held.move_to_end(key)
                return self._held[key].copy()
        counts = self._stored(key)
        if counts is None:
            return Counts()
        self._hold(key, counts)
        return counts.copy()

    def keep(self, tag: Tag, counts: Counts) -> None:
        """Of a file that was in that state before and after it was counted. What tells less than
        is known already is dropped. A directory that cannot be written costs time, no answer."""
        key = _key(tag)
        if not self._hold(key, counts.copy()) or len(counts.before) <= _KEPT_FROM:
            return
        if self._directory is not None:
            with suppress(OSError):
                _write(self._directory, _name(key), _packed(key, counts))

    def _hold(self, key: Tag, counts: Counts) -> bool:
        """Whether it tells more than what was held."""
        with self._lock:
            known = self._held.get(key)
            if known is not None and _told(known) >= _told(counts):
                return False
            self._held[key] = counts
            self._held.move_to_end(key)
            self._bytes += 8 * (len(counts.before) - (len(known.before) if known else 0))
            while self._bytes > _MEMORY and len(self._held) > 1:
                _, oldest = self._held.popitem(last=False)
                self._bytes -= 8 * len(oldest.before)
        return True

    def _stored(self, key: Tag) -> Counts | None:
        if self._directory is None:
            return None
        try:
            data = (self._directory / _name(key)).read_bytes()
        except OSError:
            return None
        return _unpacked(key, data)


def settled(tag: Tag) -> bool:
    """Whether it changed long enough ago for its times to tell the next change."""
    return time.time_ns() - tag.ctime_ns >= SETTLED_NS


def _key(tag: Tag) -> Tag:
    return Tag(tag.dev, tag.ino, tag.size, tag.mtime_ns, tag.ctime_ns)


def _told(counts: Counts) -> tuple[int, bool]:
    return len(counts.before), counts.lines is not None


def _digest(key: Tag) -> bytes:
    return sha256(repr((key.dev, key.ino, key.size, key.mtime_ns, key.ctime_ns)).encode()).digest()


def _name(key: Tag) -> str:
    return _digest(key).hex()[:32] + ".lines"


def _packed(key: Tag, counts: Counts) -> bytes:
    body = _little_endian(counts.before).tobytes()
    lines = -1 if counts.lines is None else counts.lines
    return _HEAD.pack(_MAGIC, zlib.crc32(body), _digest(key), lines) + body


def _unpacked(key: Tag, data: bytes) -> Counts | None:
    """None where it is damaged, or another file's."""
    body = data[_HEAD.size :]
    if len(data) < _HEAD.size or not body or len(body) % 8:
        return None
    magic, crc, digest, lines = _HEAD.unpack_from(data)
    if magic != _MAGIC or crc != zlib.crc32(body) or digest != _digest(key):
        return None
    before = array("Q")
    before.frombytes(body)
    return Counts(_little_endian(before), None if lines < 0 else lines)


def _little_endian(counts: array[int]) -> array[int]:
    if sys.byteorder == "little":
        return counts
    swapped = counts[:]
    swapped.byteswap()
    return swapped


def _write(directory: Path, name: str, data: bytes) -> None:
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    _make_room(directory)
    temporary = directory / f".{name}.{os.getpid()}.{time.monotonic_ns()}"
    fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(fd, "wb") as file:
            file.write(data)
        temporary.replace(directory / name)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def _make_room(directory: Path) -> None:
    """The oldest go first; what was left half written goes with them."""
    found = []
    with os.scandir(directory) as entries:
        for entry in entries:
            with suppress(FileNotFoundError):
                found.append((entry.stat().st_mtime_ns, entry.path))
    for _, path in sorted(found)[: max(0, len(found) - _FILES_MOST + 1)]:
        Path(path).unlink(missing_ok=True)
