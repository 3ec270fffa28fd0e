"""The directory that the tools work in, and nothing outside of it."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from types import TracebackType
from typing import Self

from heaptui.errors import HeaptuiError, Refused, StorageTrouble, Unreadable, UsageError
from heaptui.tools.workspace.beneath import open_beneath

_O_PATH: int = getattr(os, "O_PATH", 0)
_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_LINKS = 40


class Workspace:
    """A directory held open: paths are resolved beneath the directory that was there when it was
    opened, even when another took its name since. Not `writable`: nothing can be changed.

    Paths are relative to it, or absolute and inside it; links are followed while they stay inside,
    absolute ones never. Names that are no UTF-8 come and go with surrogate escapes (os.fsencode).
    """

    __slots__ = ("_fd", "_spellings", "root", "writable")

    def __init__(self, root: Path, fd: int, spellings: tuple[str, ...], writable: bool) -> None:
        self.root = root
        self.writable = writable
        self._fd = fd
        self._spellings = spellings

    @classmethod
    def open(cls, root: Path, *, writable: bool = False) -> Self:
        """The root itself may be a link, and on any file system: whoever names it is trusted.

        Raises:
            Unreadable: it is not there, is no directory, or may not be entered.
            UsageError: it is no path at all.
        """
        name = os.fspath(root)
        if "\0" in name:
            raise UsageError(f"{name!r} is no path: it has a NUL byte.", "Name a directory.")
        try:
            # both spellings of it are taken off absolute paths; nothing is opened by them
            absolute, real = os.path.abspath(name), os.path.realpath(name)  # noqa: PTH100
            fd = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError as error:
            raise Unreadable(
                f"The workspace {name!r} cannot be opened: {os.strerror(error.errno or 0)}.",
                "Name a directory that is there and may be entered.",
            ) from error
        return cls(Path(absolute), fd, tuple({absolute: 0, real: 0}), writable)

    def close(self) -> None:
        """Closes the directory; the workspace opens nothing any more."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def fileno(self) -> int:
        """The directory's descriptor, which stays the workspace's."""
        return self._fd

    def relative(self, path: str) -> str:
        """`path` from the workspace on; `..` and links stay in it, for whoever opens it.

        Raises:
            UsageError: no path: empty, with a NUL byte, or not encodable.
            Refused: absolute, and outside.
        """
        if not path:
            raise UsageError("A path is missing.", "Name one; . is the workspace itself.")
        if "\0" in path:
            raise UsageError(
                f"{path[:200]!r} is no path: it has a NUL byte.", "Name the file without it."
            )
        try:
            os.fsencode(path)
        except UnicodeEncodeError as error:
            raise UsageError(
                f"{path[:200]!r} cannot be a name on this system.", "Name the file as it is listed."
            ) from error
        if not path.startswith("/"):
            return path
        for root in self._spellings:
            if path == root or path.startswith(root.rstrip("/") + "/"):
                return path[len(root) :].lstrip("/") or "."
        raise self._outside(path)

    def open_file(self, path: str, flags: int, mode: int = 0o600) -> int:
        """A descriptor of it, which is the caller's to close; not inherited, and never a
        controlling terminal.

        Raises:
            Refused: it leads out of the workspace, or would be changed in one for reading only.
            Unreadable: it is not there, or may not be opened.
            UsageError: no path.
            StorageTrouble: no descriptor, memory or room is left for it.
        """
        relative = self.relative(path)
        if flags & _WRITES and not flags & _O_PATH:
            self.check_writable(path)
        extra = os.O_CLOEXEC if flags & _O_PATH else os.O_CLOEXEC | os.O_NOCTTY
        try:
            return open_beneath(self._fd, os.fsencode(relative), flags | extra, mode)
        except OSError as error:
            raise self.refusal(path, error) from error

    def open_parent(self, path: str) -> tuple[int, str]:
        """The directory in which `path` is a name, opened and the caller's to close, and that name:
        of the file itself where `path` is a link to one, so that what replaces it leaves the link.
        The file need not be there; that it is not a link may change as soon as it was looked at.

        Raises:
            as open_file, and UsageError where it names no file: the workspace itself, `..`, `dir/`.
        """
        relative = self.relative(path)
        for _ in range(_LINKS):
            parent, _, name = relative.rpartition("/")
            if name in ("", ".", ".."):
                raise UsageError(f"{path!r} names no file.", "Name a file in a directory.")
            try:
                fd = open_beneath(
                    self._fd,
                    os.fsencode(parent or "."),
                    os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC,
                )
            except OSError as error:
                raise self.refusal(path, error) from error
            try:
                target = os.readlink(name, dir_fd=fd)
            except OSError as error:
                is_there = os.fstat(fd).st_nlink > 0  # in a deleted one nothing can be made
                if error.errno == errno.EINVAL or (error.errno == errno.ENOENT and is_there):
                    return fd, name  # no link, or nothing yet
                os.close(fd)
                raise self.refusal(path, error) from error
            os.close(fd)
            if target.startswith("/"):
                raise self._outside(path)
            relative = f"{parent}/{target}" if parent else target
        raise self.refusal(path, OSError(errno.ELOOP, os.strerror(errno.ELOOP)))

    def check_writable(self, path: str) -> None:
        """Raises Refused where nothing may be changed."""
        if not self.writable:
            raise Refused(
                f"{path!r} cannot be changed: the workspace {str(self.root)!r} is read-only.",
                "Open it for writing, if that is meant.",
            )

    def refusal(self, path: str, error: OSError) -> HeaptuiError:
        """What an error of the system means for whoever named the path."""
        match error.errno:
            case errno.EXDEV:
                return self._outside(path)
            case errno.ELOOP:
                return Refused(
                    f"{path!r} is a link that leads in a circle, or a special one of /proc.",
                    "Name the file itself.",
                )
            case errno.ENOENT | errno.ESTALE if self._gone():
                return Unreadable(
                    f"The workspace {str(self.root)!r} is gone: its directory was deleted.",
                    "Make the directory again, and start again in it.",
                )
            case errno.ENOENT:
                return Unreadable(f"{path!r} is not there.", "List the directory to see what is.")
            case errno.EISDIR:
                return Refused(f"{path!r} is a directory.", "List it, or name a file in it.")
            case errno.ENOTDIR:
                return Unreadable(
                    f"{path!r} goes through, or is, what is no directory.",
                    "List the directory to see what is there.",
                )
            case errno.ENAMETOOLONG:
                return UsageError(
                    f"{path[:200]!r}... is longer than a path can be.", "Name it from nearer by."
                )
            case errno.EACCES | errno.EPERM:
                return Unreadable(
                    f"{path!r} may not be opened by this user.", "Change its mode, if it is yours."
                )
            case errno.EROFS:
                return Refused(
                    f"{path!r} is on a file system for reading only.", "Write somewhere else."
                )
            case errno.EMFILE | errno.ENFILE | errno.ENOMEM | errno.ENOSPC | errno.EDQUOT:
                return StorageTrouble(
                    f"{path!r} could not be opened: {os.strerror(error.errno)}.",
                    "Make room, and try again.",
                )
        return Unreadable(
            f"{path!r} could not be opened: {os.strerror(error.errno or 0)}.",
            "See that it is a file that can be opened.",
        )

    def _gone(self) -> bool:
        try:
            return os.fstat(self._fd).st_nlink == 0
        except OSError:
            return True

    def _outside(self, path: str) -> Refused:
        return Refused(
            f"{path!r} leads out of the workspace {str(self.root)!r}.",
            "Name a path inside it; links may not leave it, and not be absolute.",
        )


def shown(name: str) -> str:
    """A name as it can stand in an answer: what of it is no UTF-8 as \\xNN."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")
