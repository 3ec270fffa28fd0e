"""What a file has beside its contents, carried over to the one that takes its place."""

from __future__ import annotations

import errno
import os
import stat

from heaptui.errors import Refused

_OF_THE_CONTENTS = frozenset({"security.ima", "security.evm"})
"""Attributes that vouch for the old contents."""


def keep(path: str, source: int, status: os.stat_result, target: int) -> None:
    """Owner, then mode (a new owner clears its special bits), then extended attributes, access
    lists among them; those only where Python knows them (Linux).

    Raises:
        Refused: this user may not; who reads the file next would find another's.
        OSError: any other trouble.
    """
    now = os.fstat(target)
    if (now.st_uid, now.st_gid) != (status.st_uid, status.st_gid):
        try:
            os.fchown(target, status.st_uid, status.st_gid)
        except PermissionError as error:
            raise Refused(
                f"{path!r} belongs to user {status.st_uid}, group {status.st_gid}; "
                "what would replace it, to another.",
                "Change it as that user, or with a program that writes into the file as it is.",
            ) from error
    os.fchmod(target, stat.S_IMODE(status.st_mode))
    if hasattr(os, "listxattr"):
        _keep_attributes(path, source, target)


def _keep_attributes(path: str, source: int, target: int) -> None:
    wanted, there = _attributes(source), _attributes(target)
    # a directory's default access list is given to each new file in it
    for name in there.keys() - wanted.keys():
        if not name.startswith("security."):
            os.removexattr(target, name)
    for name, value in wanted.items():
        if there.get(name) == value or name in _OF_THE_CONTENTS:
            continue
        try:
            os.setxattr(target, name, value)
        except PermissionError as error:
            raise Refused(
                f"{path!r} has the attribute {name}, which this user may not give to what would "
                "replace it.",
                "Change it as a user who may, or take the attribute off first (setfattr -x).",
            ) from error


def _attributes(fd: int) -> dict[str, bytes]:
    try:
        return {name: os.getxattr(fd, name) for name in os.listxattr(fd)}
    except OSError as error:
        if error.errno in (errno.ENOTSUP, errno.EOPNOTSUPP):
            return {}
        raise
