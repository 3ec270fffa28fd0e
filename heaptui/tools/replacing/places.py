"""The place of a file that is to be written: the directory held open, the name in it, and the file
that has it now."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from heaptui.errors import Refused, Unreadable
from heaptui.tools.replacing.staleness import stale
from heaptui.tools.workspace.pseudo import made_by_the_kernel
from heaptui.tools.workspace.regular import opened
from heaptui.tools.workspace.root import Workspace


@dataclass(frozen=True, slots=True)
class Place:
    """`path` as it was named; `name` is the file's own in `directory`, behind links. `source` is
    opened to read and `status` its state from before anything of it was read; both None where the
    name is free."""

    path: str
    directory: int
    name: str
    source: int | None
    status: os.stat_result | None


@contextmanager
def place(workspace: Workspace, path: str, *, parents: bool = False) -> Iterator[Place]:
    """With `parents`, directories that miss are made, and stay whatever happens then.

    Raises:
        Refused: the workspace is read-only, the path leads out of it, or what is there is
            no regular file, is read-only, or may not be written by this user.
        Unreadable: the directory is not there, or the file may not be read.
        UsageError: no path of a file.
    """
    workspace.check_writable(path)
    with ExitStack() as held:
        directory, name = _parent(workspace, path, parents)
        held.callback(os.close, directory)
        kernel = made_by_the_kernel(directory)
        if kernel:
            raise Refused(
                f"{path!r} is no file of a disk: {kernel} is made by the kernel, and what is "
                "written there are orders to it.",
                "Name a file on a disk; a setting of the system is changed with its own program.",
            )
        source, status = _there(workspace, path, directory, name)
        if source is not None:
            held.callback(os.close, source)
        if status is not None:
            _check_permission(path, directory, name, status)
        try:
            yield Place(path, directory, name, source, status)
        except OSError as error:
            raise workspace.refusal(path, error) from error


def same_inode(one: os.stat_result, other: os.stat_result) -> bool:
    """The same while one of them is held open: the number of a deleted one is given again."""
    return (one.st_dev, one.st_ino) == (other.st_dev, other.st_ino)


def same_file(one: os.stat_result, other: os.stat_result) -> bool:
    """The same contents under whatever name; a rename alone changes the time of the inode."""
    return (
        same_inode(one, other)
        and one.st_size == other.st_size
        and one.st_mtime_ns == other.st_mtime_ns
    )


def _parent(workspace: Workspace, path: str, parents: bool) -> tuple[int, str]:
    try:
        return workspace.open_parent(path)
    except Unreadable as error:
        cause = error.__cause__
        if not (isinstance(cause, OSError) and cause.errno == errno.ENOENT):
            raise
        if not parents:
            raise Unreadable(
                f"The directory of {path!r} is not there.",
                "Have it made along with the file (parents), or name another.",
            ) from error
    _make_parents(workspace, path)
    return workspace.open_parent(path)


def _make_parents(workspace: Workspace, path: str) -> None:
    names = workspace.relative(path).split("/")
    for count in range(1, len(names)):
        if names[count - 1] in ("", ".", ".."):
            continue
        directory, name = workspace.open_parent("/".join(names[:count]))
        try:
            os.mkdir(name, dir_fd=directory)
        except FileExistsError:
            pass
        except OSError as error:
            raise workspace.refusal(path, error) from error
        finally:
            os.close(directory)


def _there(
    workspace: Workspace, path: str, directory: int, name: str
) -> tuple[int | None, os.stat_result | None]:
    try:
        there = os.stat(name, dir_fd=directory, follow_symlinks=False)
    except FileNotFoundError:
        return None, None
    except OSError as error:
        raise workspace.refusal(path, error) from error
    source = opened(workspace, path)
    status = os.fstat(source)
    if not same_inode(status, there):
        os.close(source)
        raise stale(path, "another file took its name while it was opened")
    return source, status


def _check_permission(path: str, directory: int, name: str, status: os.stat_result) -> None:
    """Renaming needs no right to the file itself: without this, one that is read-only would
    be replaced like any other."""
    by_mode = status.st_mode & 0o222 == 0
    effective = os.access in os.supports_effective_ids
    if by_mode or not os.access(name, os.W_OK, dir_fd=directory, effective_ids=effective):
        raise Refused(
            f"{path!r} is read-only{'' if by_mode else ' to this user'}.",
            "If it is meant to be changed, make it writable first (chmod u+w).",
        )
