"""One replacement at a time in a directory, among those that ask for their turn.

While a replacement that came too late is taken back, its file can be seen for a moment. Another
that took that moment's file for the true one, and took its place, would make it stay.
"""

from __future__ import annotations

import fcntl
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_PATIENCE_S = 2.0
"""A turn takes microseconds; who holds the lock for longer is no replacement."""
_LOOK_AGAIN_S = 0.001


@contextmanager
def turn(directory: int, go_on: Callable[[], None]) -> Iterator[None]:
    """Holds the directory's lock, which nobody else has to respect. It is done without where there
    are no locks, or somebody keeps it. `go_on` raises when it is to stop waiting."""
    held = _locked(directory, go_on)
    try:
        yield
    finally:
        if held:
            fcntl.flock(directory, fcntl.LOCK_UN)


def _locked(directory: int, go_on: Callable[[], None]) -> bool:
    until = time.monotonic() + _PATIENCE_S
    while True:
        try:
            fcntl.flock(directory, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        except BlockingIOError:
            go_on()
            if time.monotonic() > until:
                return False
            # the system can wait for a lock, but not for so long only
            time.sleep(_LOOK_AGAIN_S)
        except OSError:
            return False
