"""What is written for an operator to read, and how long it may become."""

from __future__ import annotations

import os
import time

LOG_BYTES, KEPT_BYTES = 256 << 10, 64 << 10


def log(text: str) -> None:
    """One line on stderr, which is the log; a full disk must not end the warden."""
    try:
        shorten(2)
        os.write(2, f"{time.strftime('%Y-%m-%d %H:%M:%S')} {text}\n".encode(errors="replace"))
    except OSError:
        return


def shorten_at(path: str) -> None:
    """As `shorten`; nothing where there is no such file."""
    try:
        file = os.open(path, os.O_RDWR | os.O_APPEND)
    except FileNotFoundError:
        return
    try:
        shorten(file)
    finally:
        os.close(file)


def shorten(file: int) -> None:
    """Leaves of a log beyond LOG_BYTES its last lines. `file` is open to read and to append: so
    must everybody's be who writes there."""
    size = os.fstat(file).st_size
    if size > LOG_BYTES:
        last = os.pread(file, KEPT_BYTES, size - KEPT_BYTES)
        os.ftruncate(file, 0)
        os.write(file, last.partition(b"\n")[2])
