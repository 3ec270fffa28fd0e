"""List: what is in a directory, bounded, in order of name, and how much of each kind there is.

The whole directory is counted, and only the first names are kept: memory does not depend on how
many there are.
"""

from __future__ import annotations

import heapq
import os
import stat
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field

from heaptui.errors import Refused, Unreadable, UsageError
from heaptui.tools.answers import LIST_ENTRIES, WITHIN_S, Entry, Listed, Stopped
from heaptui.tools.reading.source import Cancelled
from heaptui.tools.workspace.root import Workspace, shown

COUNTED_MOST = 1_000_000
"""Names that are counted in one directory."""
_LOOK_EVERY = 256


@dataclass(slots=True)
class _Counted:
    kinds: dict[str, int] = field(default_factory=dict)
    names: int = 0
    stopped: Stopped = Stopped.END
    more: bool = False


def list_directory(
    workspace: Workspace,
    path: str = ".",
    *,
    limit: int = LIST_ENTRIES,
    within_s: float = WITHIN_S,
    cancelled: Cancelled | None = None,
) -> Listed:
    """The first `limit` names (never more than LIST_ENTRIES) in order of name, links as what they
    are. What disappears meanwhile stays with what is known of it. Where time ran out, or it is
    `cancelled`, they are the first of those that were seen.

    Raises:
        UsageError: a limit below one, or no path.
        Refused: no directory, or outside the workspace.
        Unreadable: not there, or may not be listed.
        StorageTrouble: no descriptor or memory for it.
    """
    if limit < 1:
        raise UsageError(f"{limit} entries are nothing to list.", "Ask for at least one.")
    fd = _directory(workspace, path)
    try:
        counted = _Counted()
        until = time.monotonic() + within_s
        try:
            first = heapq.nsmallest(min(limit, LIST_ENTRIES), _names(fd, counted, until, cancelled))
        except OSError as error:
            raise workspace.refusal(path, error) from error
        entries = tuple(_entry(fd, name, kind) for name, kind in first)
    finally:
        os.close(fd)
    if counted.stopped is Stopped.END and len(entries) < counted.names:
        counted.stopped = Stopped.LINES
    return Listed(
        path=shown(workspace.relative(path)),
        entries=entries,
        files=counted.kinds.get("file", 0),
        directories=counted.kinds.get("directory", 0),
        others=counted.names - sum(counted.kinds.get(kind, 0) for kind in ("file", "directory")),
        stopped=counted.stopped,
        more=counted.more,
    )


def _directory(workspace: Workspace, path: str) -> int:
    """Opened as a directory or not at all, so that nothing else is opened by it."""
    try:
        return workspace.open_file(path, os.O_RDONLY | os.O_DIRECTORY)
    except Unreadable as error:
        if isinstance(error.__cause__, NotADirectoryError):
            raise Refused(
                f"{path!r} is no directory.", "Read it, or list its directory."
            ) from error
        raise


def _names(
    fd: int, counted: _Counted, until: float, cancelled: Cancelled | None
) -> Iterator[tuple[str, str]]:
    """Each name with its kind, counted."""
    with os.scandir(fd) as entries:
        for entry in entries:
            if counted.names == COUNTED_MOST:
                counted.stopped, counted.more = Stopped.LINES, True
                return
            if counted.names % _LOOK_EVERY == 0:
                why = _why_stop(until, cancelled)
                if why is not None:
                    counted.stopped, counted.more = why, True
                    return
            kind = _kind(entry)
            counted.names += 1
            counted.kinds[kind] = counted.kinds.get(kind, 0) + 1
            yield entry.name, kind


def _why_stop(until: float, cancelled: Cancelled | None) -> Stopped | None:
    if cancelled is not None and cancelled():
        return Stopped.CANCELLED
    return Stopped.TIME if time.monotonic() > until else None


def _kind(entry: os.DirEntry[str]) -> str:
    if entry.is_symlink():
        return "link"
    if entry.is_dir(follow_symlinks=False):
        return "directory"
    return "file" if entry.is_file(follow_symlinks=False) else "other"


def _entry(fd: int, name: str, kind: str) -> Entry:
    size: int | None = None
    mtime: float | None = None
    target: str | None = None
    with suppress(OSError):  # it disappeared: its name and kind are still what was listed
        status = os.stat(name, dir_fd=fd, follow_symlinks=False)
        mtime = status.st_mtime
        size = status.st_size if stat.S_ISREG(status.st_mode) else None
        if kind == "link":
            target = shown(os.readlink(name, dir_fd=fd))
    return Entry(name=shown(name), kind=kind, bytes=size, mtime=mtime, target=target)
