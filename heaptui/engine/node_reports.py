"""What Node.js writes about its own death: read, and kept without what it gives away.

A report (`--report-on-fatalerror`) holds the whole environment, the command line, the network's
interfaces and peers. It is untrusted, and may be half written. What is kept of it is named here,
part by part, and everything else goes: soon after a report was written, and what is no whole one at
the attempt's end.
Format: nodejs.org/api/report.html, versions 2 to 5.
"""

from __future__ import annotations

import contextlib
import heapq
import os
import re
import stat
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import msgspec
from msgspec import Struct

from heaptui.engine.base import RuntimeReport
from heaptui.output import printable

REPORTS_MAX = 8
"""How many are kept of an attempt: the newest."""

_BYTES_MAX = 4 << 20
_AT_ONCE = 64
_KEPT_PREFIX = "node."
_KEPT = re.compile(r"node\.-?\d+\.\d{3}\.json")
_NUMBERED = re.compile(r".*(\d{3})\.json", re.DOTALL)
"""By these Node tells the reports of one process apart. The rest of a name is anybody's."""

_WIDTH = 200

_PARTS = (
    "javascriptHeap",
    "nativeStack",
    "resourceUsage",
    "uvthreadResourceUsage",
    "userLimits",
)
_HEADER = (
    "reportVersion",
    "event",
    "trigger",
    "dumpEventTime",
    "processId",
    "threadId",
    "nodejsVersion",
    "glibcVersionRuntime",
    "wordSize",
    "arch",
    "platform",
    "componentVersions",
    "osName",
    "osRelease",
    "osMachine",
)


class Found(Struct, frozen=True):
    """A report, and when it was written (seconds since the epoch)."""

    report: RuntimeReport
    at: float


class _Heap(Struct, frozen=True):
    usedMemory: int | None = None  # noqa: N815 - Node's names
    memoryLimit: int | None = None  # noqa: N815


class _Header(Struct, frozen=True):
    processId: int  # noqa: N815
    trigger: str
    event: str = ""


class _Report(Struct, frozen=True):
    header: _Header
    javascriptHeap: _Heap = _Heap()  # noqa: N815


def take_in(directory: Path) -> list[Found]:
    """Reads the reports of an attempt that has ended, oldest first, and leaves of each what may be
    kept, 0600. What cannot be read as one, or is one too many, is deleted, and so is the directory
    when nothing stays in it. Done again it finds the same.

    Blocks.
    """
    try:
        place = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return []
    try:
        found = _taken(place, directory)
    finally:
        os.close(place)
    if not found:
        with contextlib.suppress(OSError):  # somebody else put something there
            directory.rmdir()
    return found


def strip(directory: Path) -> None:
    """As `take_in`, of an attempt that runs, and may have lost a child: some of the reports that
    are whole. What is none stays, for it may be being written, and so does the directory.

    Blocks.
    """
    try:
        place = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return
    try:
        raw = (name for name in _names(place) if not _KEPT.fullmatch(name))
        for name in list(islice(raw, _AT_ONCE)):
            if _rewritten(place, directory, name) is not None:
                _delete(place, name)
        kept = [name for name in _names(place) if _KEPT.fullmatch(name)]
        for name in sorted(kept, key=lambda name: _written_at(place, name))[:-REPORTS_MAX]:
            _delete(place, name)
    finally:
        os.close(place)


def _taken(place: int, directory: Path) -> list[Found]:
    newest = heapq.nlargest(
        REPORTS_MAX, ((_written_at(place, name), name) for name in _names(place))
    )
    found: list[Found] = []
    for at, name in reversed(newest):
        report = _rewritten(place, directory, name)
        if report is not None:
            found.append(Found(report, at))
    kept = {Path(one.report.path).name for one in found}
    for name in _names(place):
        if name not in kept:
            _delete(place, name)
    return found


def _names(place: int) -> Iterator[str]:
    """However many a program has put there."""
    with os.scandir(place) as entries:
        for entry in entries:
            yield entry.name


def _written_at(place: int, name: str) -> float:
    try:
        return os.stat(name, dir_fd=place, follow_symlinks=False).st_mtime
    except OSError:
        return 0.0


def _rewritten(place: int, directory: Path, name: str) -> RuntimeReport | None:
    content = _content(place, name)
    if content is None:
        return None
    try:
        told = msgspec.json.decode(content, type=_Report)
        parts = msgspec.json.decode(content, type=dict[str, msgspec.Raw])
        header = msgspec.json.decode(parts["header"], type=dict[str, msgspec.Raw])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    kept: dict[str, object] = {"header": {key: header[key] for key in _HEADER if key in header}}
    kept |= {key: parts[key] for key in _PARTS if key in parts}
    path = _keep(place, directory, name, told.header.processId, msgspec.json.encode(kept))
    return RuntimeReport(
        pid=told.header.processId,
        runtime="node",
        trigger=_harmless(told.header.trigger),
        message=_harmless(told.header.event),
        heap_used_bytes=told.javascriptHeap.usedMemory,
        heap_limit_bytes=told.javascriptHeap.memoryLimit,
        path=path,
    )


def _content(place: int, name: str) -> bytes | None:
    """None for what is no plain file, or too large for a report."""
    try:
        # a pipe of this name would hold up whoever opens it
        fd = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=place)
    except OSError:
        return None
    try:
        status = os.fstat(fd)
        if not stat.S_ISREG(status.st_mode) or status.st_size > _BYTES_MAX:
            return None
        with os.fdopen(os.dup(fd), "rb") as file:
            return file.read(_BYTES_MAX)
    except OSError:
        return None
    finally:
        os.close(fd)


def _keep(place: int, directory: Path, raw: str, pid: int, content: bytes) -> str:
    """Writes what is kept of the report `raw`, as old as that; where it is, empty when there is no
    room for it."""
    numbered = _NUMBERED.fullmatch(raw)
    name = f"{_KEPT_PREFIX}{pid}.{numbered[1] if numbered else '000'}.json"
    beside = f"{_KEPT_PREFIX}new"
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        written = os.stat(raw, dir_fd=place, follow_symlinks=False).st_mtime
        fd = os.open(beside, flags, 0o600, dir_fd=place)
    except OSError:
        return ""
    try:
        with os.fdopen(fd, "wb") as file:
            file.write(content)
        os.utime(beside, (written, written), dir_fd=place)
        os.rename(beside, name, src_dir_fd=place, dst_dir_fd=place)
    except OSError:
        _delete(place, beside)
        return ""
    return str(directory / name)


def _delete(place: int, name: str) -> None:
    try:
        os.unlink(name, dir_fd=place)
    except OSError:  # a directory, which is no report
        return


def _harmless(text: str) -> str:
    return " ".join(printable(text[:_WIDTH]).split())
