"""A hostile process that swaps what a path leads through, as fast as it can, while it is opened."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from heaptui.errors import HeaptuiError

INSIDE, OUTSIDE = b"inside", b"outside"

_SWAP = """
import os, sys, threading
root, outside = sys.argv[1:]
os.chdir(root)
ended = threading.Event()
threading.Thread(target=lambda: (sys.stdin.read(), ended.set()), daemon=True).start()
targets = [outside, os.path.relpath(outside, root), "../outside"]
turn = 0
while not ended.is_set():
    turn += 1
    # the directory on the way becomes a link out of the workspace, and itself again
    os.symlink(targets[turn % 3], "link")
    os.rename("way", "kept")
    os.rename("link", "way")
    os.unlink("way")
    os.rename("kept", "way")
    # the last name becomes a link, a FIFO that nobody writes to, and a file again
    os.symlink(targets[turn % 3] + "/file", "link")
    os.rename("link", "last")
    os.mkfifo("fifo")
    os.rename("fifo", "last")
    with open("new", "wb") as file:
        file.write(b"inside")
    os.rename("new", "last")
    if turn == 1:
        print("swapping", flush=True)
"""


@contextmanager
def swapped(directory: Path) -> Iterator[Path]:
    """The root of a workspace in which `way/file` and `last` never stay what they are."""
    root, outside = directory / "root", directory / "outside"
    (root / "way").mkdir(parents=True)
    (root / "way" / "file").write_bytes(INSIDE)
    (root / "last").write_bytes(INSIDE)
    outside.mkdir()
    (outside / "file").write_bytes(OUTSIDE)
    with subprocess.Popen(
        [sys.executable, "-c", _SWAP, root, outside],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as hostile:
        try:
            assert hostile.stdout is not None
            assert hostile.stdout.readline() == b"swapping\n"
            yield root
            assert hostile.poll() is None, "it ended while it should have swapped"
        finally:
            assert hostile.stdin is not None
            hostile.stdin.close()
            hostile.wait(30)


@dataclass(slots=True)
class Tally:
    """What so many openings led to: `escapes` led out of the workspace, `special` to a FIFO."""

    opened: int = 0
    refused: int = 0
    escapes: int = 0
    special: int = 0


def tally(opened: Callable[[str], int], times: int, *, within_s: float = 60.0) -> Tally:
    """Opens both paths in turn, `times` at least, and until it was both given and refused one."""
    result = Tally()
    until = time.monotonic() + within_s
    count = 0
    while count < times or not (result.opened and result.refused):
        assert time.monotonic() < until, f"only one side was ever seen: {result}"
        count += 1
        try:
            fd = opened("way/file" if count % 2 else "last")
        except (HeaptuiError, OSError):
            result.refused += 1
            continue
        try:
            if stat.S_ISFIFO(os.fstat(fd).st_mode):
                result.special += 1
            elif os.read(fd, 64) == INSIDE:
                result.opened += 1
            else:
                result.escapes += 1
        finally:
            os.close(fd)
    return result
