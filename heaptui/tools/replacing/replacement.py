"""A file replaced by another, all at once, and only if it is still the one that was read.

The new one is written beside it, gets its owner, mode and attributes, and is on the disk before
the two names are exchanged. What then stands under the temporary name is what was displaced: if
that is not the file that was read, somebody else's came in between, and the names are exchanged
back. Checking before a rename instead loses some of theirs: nothing says what a rename overwrote.

Where the system or the file system cannot exchange names, that check and a rename are what is
left, and the answer says `verified=False`. A new file takes a name that must be free; where a
rename cannot ask for that, a second link can.

Nobody sees a file half written. Other names of it (hard links) keep the old contents; who has it
open goes on with the old one.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import NamedTuple

from heaptui.errors import HeaptuiError, Refused, StorageTrouble, Unreadable
from heaptui.tools.answers import Tag
from heaptui.tools.replacing import temporaries
from heaptui.tools.replacing.exchanging import exchanged, placed
from heaptui.tools.replacing.keeping import keep
from heaptui.tools.replacing.places import Place, same_file, same_inode
from heaptui.tools.replacing.staleness import HASHED_UP_TO, digest, stale
from heaptui.tools.replacing.turns import turn
from heaptui.tools.workspace.regular import tag_of

_ROUNDS = 1000
"""How often names are exchanged back while others keep replacing the file."""
_NO_LINKS = frozenset({errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK})


class Replaced(NamedTuple):
    """The new file; `links` are other names that still have the old contents."""

    tag: Tag
    verified: bool
    links: int


def replace(place: Place, fill: Callable[[int], None], go_on: Callable[[], None]) -> Replaced:
    """What `fill` writes to the descriptor it is given takes the place. Whatever it raises, and
    whatever fails before the end, nothing has changed and no temporary file is left.

    Raises:
        Refused: the file is not any more what it was when the place was opened, or this user may
            not give its like.
        StorageTrouble: the disk is full or broken.
        Unreadable: the directory is gone.
    """
    temporaries.sweep(place.directory)
    try:
        with _temporary(place) as (fd, name):
            fill(fd)
            if place.source is not None and place.status is not None:
                keep(place.path, place.source, place.status, fd)
            os.fsync(fd)
            sha256 = digest(fd, go_on) if os.fstat(fd).st_size <= HASHED_UP_TO else ""
            go_on()
            with turn(place.directory, go_on):
                verified = _exchange(place, name, fd) if place.status else _put(place, name)
            # the new file may have had both names until now: that counts as a change of it
            _unlink(place, name)
            tag = tag_of(fd, sha256)
    except EOFError as error:
        raise stale(place.path, "it was cut off while it was copied") from error
    except OSError as error:
        raise _trouble(place, error) from error
    _make_lasting(place)
    links = place.status.st_nlink - 1 if place.status else 0
    return Replaced(tag, verified, links)


@contextmanager
def _temporary(place: Place) -> Iterator[tuple[int, str]]:
    fd, name = temporaries.make(place.directory, 0o600 if place.status else 0o666)
    try:
        yield fd, name
    finally:
        _unlink(place, name)
        os.close(fd)


def _unlink(place: Place, name: str) -> None:
    with suppress(FileNotFoundError):
        os.unlink(name, dir_fd=place.directory)


def _exchange(place: Place, name: str, fd: int) -> bool:
    _check_unchanged(place)
    try:
        if not exchanged(place.directory, name, place.name):
            os.rename(name, place.name, src_dir_fd=place.directory, dst_dir_fd=place.directory)
            return False
    except FileNotFoundError as error:
        raise stale(place.path, "it was deleted") from error
    displaced = _status(place, name)
    if displaced is None:
        return False  # somebody removed it; which one it was nobody can tell
    if place.status and same_file(displaced, place.status):
        return True
    _give_back(place, name, displaced, os.fstat(fd))
    raise stale(place.path, "another program replaced it, and what that wrote was kept")


def _give_back(place: Place, name: str, theirs: os.stat_result, ours: os.stat_result) -> None:
    """Somebody's file, which is newer than ours, stands under the temporary name: it goes back. If
    what comes out for it is not ours, a still newer one came, and goes back in turn."""
    expected, held = ours, theirs
    for _ in range(_ROUNDS):
        try:
            exchanged(place.directory, name, place.name)
        except FileNotFoundError:
            # ours was deleted; theirs, which nobody meant, takes the name if it is free
            with suppress(FileNotFoundError, FileExistsError):
                placed(place.directory, name, place.name)
            return
        came = _status(place, name)
        if came is None or same_inode(came, ours) or same_file(came, expected):
            return
        expected, held = held, came


def _check_unchanged(place: Place) -> None:
    now = _status(place, place.name)
    if now is None:
        raise stale(place.path, "it was deleted")
    was = place.status
    if was is None or place.source is None:
        return
    if not same_file(now, was):
        raise stale(place.path, "another program replaced it, or wrote to it")
    if os.fstat(place.source).st_ctime_ns != was.st_ctime_ns:
        raise stale(place.path, "its owner, mode or attributes were changed")


def _put(place: Place, name: str) -> bool:
    """The new file takes its name, which must be free."""
    try:
        if placed(place.directory, name, place.name):
            return True
        try:
            os.link(name, place.name, src_dir_fd=place.directory, dst_dir_fd=place.directory)
            return True
        except OSError as error:
            if error.errno not in _NO_LINKS:
                raise
        if _status(place, place.name) is not None:
            raise FileExistsError
        os.rename(name, place.name, src_dir_fd=place.directory, dst_dir_fd=place.directory)
        return False
    except FileExistsError as error:
        raise stale(place.path, "it was made by another program meanwhile") from error


def _make_lasting(place: Place) -> None:
    try:
        os.fsync(place.directory)
    except OSError as error:
        if error.errno == errno.EINVAL:
            return  # a file system that does this by itself, or never
        raise StorageTrouble(
            f"{place.path!r} was changed, but its directory could not be brought to the disk: "
            f"{os.strerror(error.errno or 0)}.",
            "See whether the disk is in order (dmesg); until then a power failure may undo it.",
        ) from error


def _status(place: Place, name: str) -> os.stat_result | None:
    try:
        return os.stat(name, dir_fd=place.directory, follow_symlinks=False)
    except FileNotFoundError:
        return None


def _trouble(place: Place, error: OSError) -> HeaptuiError:
    why = os.strerror(error.errno or 0)
    match error.errno:
        case errno.ENOENT:
            return Unreadable(
                f"The directory of {place.path!r} is gone.", "Make it again, or name another."
            )
        case errno.EACCES | errno.EPERM:
            return Refused(
                f"{place.path!r} may not be replaced by this user: {why}.",
                "Its directory must be writable, and the file not be immutable (lsattr).",
            )
        case errno.EROFS:
            return Refused(
                f"{place.path!r} is on a read-only file system.", "Write somewhere else."
            )
        case errno.EBUSY:
            return Refused(
                f"{place.path!r} is a mount point, which no other file can take the place of. "
                "Nothing was changed.",
                "Change the file where it was mounted from.",
            )
        case errno.ENAMETOOLONG:
            return Refused(f"{place.path[:200]!r}... is too long a name.", "Choose a shorter one.")
        case errno.ENOSPC | errno.EDQUOT:
            return StorageTrouble(
                f"{place.path!r} does not fit on its disk: {why}. Nothing was changed.",
                "Make room: the old and the new file must fit beside each other.",
            )
        case errno.EFBIG:
            return StorageTrouble(
                f"{place.path!r} would be larger than a file may be here. Nothing was changed.",
                "Raise the limit (ulimit -f), or write less.",
            )
    return StorageTrouble(
        f"{place.path!r} could not be written: {why}. Nothing was changed.",
        "See whether its disk is in order (dmesg).",
    )
