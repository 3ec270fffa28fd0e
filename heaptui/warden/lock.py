"""One warden for a state directory."""

from __future__ import annotations

import fcntl
import os

LOCK = "warden.lock"


def take(state: str) -> int | None:
    """The descriptor of the lock, which is held until the process ends; None: it is another's."""
    lock = os.open(os.path.join(state, LOCK), os.O_CREAT | os.O_RDWR, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        return None
    return lock


def holds(lock: int, state: str) -> bool:
    """Whether what was taken is still the lock of `state`, which may have been deleted, moved away
    or made anew."""
    try:
        return os.path.samestat(os.stat(os.path.join(state, LOCK)), os.fstat(lock))
    except OSError:
        return False
