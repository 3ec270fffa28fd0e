"""Unix sockets that this user alone may connect to."""

from __future__ import annotations

import os
import socket
import stat
from pathlib import Path

from heaptui.errors import Refused, StorageTrouble


def bind_privately(path: Path) -> socket.socket:
    """A socket bound to `path`, mode 0600, that nobody can connect to before it listens; in place
    of one that somebody who is gone left behind. The caller holds the right to this place.

    Raises:
        Refused: something else stands there, or it belongs to another user.
        StorageTrouble: it cannot be made.
    """
    free_place(path, os.getuid())
    bound = socket.socket(socket.AF_UNIX)
    try:
        bound.bind(os.fspath(path))
        # before it listens nobody can connect; a umask would be the whole process's
        path.chmod(0o600)
    except OSError as error:
        bound.close()
        raise StorageTrouble(
            f"The socket {path} cannot be made: {error.strerror or error}.",
            "Free space there or mend its permissions, or name another state directory with "
            "--state DIR.",
        ) from error
    return bound


def free_place(path: Path, uid: int) -> None:
    """Removes the socket that somebody who is gone left behind.

    Raises:
        Refused: something else stands there, or it is not of user `uid`.
    """
    try:
        status = path.lstat()
    except FileNotFoundError:
        return
    if status.st_uid != uid:
        raise Refused(
            f"The socket {path} belongs to another user (uid {status.st_uid}).",
            "Name a state directory of your own with --state DIR or HEAPTUI_STATE.",
        )
    if not stat.S_ISSOCK(status.st_mode):
        raise Refused(
            f"{path} is in the way: it is not a socket.",
            "Move it elsewhere, or name another state directory with --state DIR.",
        )
    path.unlink()
