"""Loops over arrays, compiled once by numba and kept in the user's cache.

Import numba only through here: it settles where compiled code is kept before it loads.
"""

from __future__ import annotations

import contextlib
import gc
import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar, cast

from heaptui.errors import HeaptuiError
from heaptui.paths import private

_Function = TypeVar("_Function", bound=Callable[..., object])


@contextlib.contextmanager
def uncollected() -> Iterator[None]:
    """Python's own collector rests: hundreds of thousands of objects that all live on come with
    numba and with compiled code, and to look through them again and again takes a fifth of the
    time."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


def cache_dir() -> Path:
    """`$NUMBA_CACHE_DIR`, else `$XDG_CACHE_HOME/heaptui/compiled`: never beside the source, which
    may be read-only or another user's. Where neither can be written, a directory of the user's
    own under the system's temporary one. What lies there is run: it is 0700 and checked."""
    chosen = os.environ.get("NUMBA_CACHE_DIR")
    try:
        if chosen:
            place = Path(chosen)
            place.mkdir(parents=True, exist_ok=True)
        else:
            base = os.environ.get("XDG_CACHE_HOME", "")
            root = Path(base) if base.startswith("/") else Path.home() / ".cache"
            place = root / "heaptui" / "compiled"
            private(place)
        with tempfile.TemporaryFile(dir=place):
            return place
    except (OSError, RuntimeError, HeaptuiError):
        place = Path(tempfile.gettempdir()) / f"heaptui-{os.getuid()}"
        private(place)
        private(place / "compiled")
        return place / "compiled"


os.environ["NUMBA_CACHE_DIR"] = str(cache_dir())

with uncollected():
    import numba

NUMBA = str(numba.__version__)


def compiled(function: _Function) -> _Function:
    """The function in machine code, compiled at its first call ever; runs without the GIL.

    No bounds are checked in there: callers prove them.
    """
    return cast(_Function, numba.njit(cache=True, nogil=True, error_model="numpy")(function))
