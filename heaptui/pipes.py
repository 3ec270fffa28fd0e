"""What a child of an event loop writes, read without pipes of asyncio's: with those a process has
not ended, in some versions of Python, before everybody who inherited them has."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from heaptui.output import printable

TAIL_BYTES = 4096
LINE_MOST = 200
"""Letters."""

_READ_BYTES = 1 << 16
_LAST_READS = 17
"""More than a pipe holds, of the largest size that anybody may give it."""


@contextmanager
def reading(loop: asyncio.AbstractEventLoop, take: Callable[[bytes], bool]) -> Iterator[int]:
    """A descriptor to write to, which the caller closes. Gives `take` what is written until it has
    enough; to the last byte that was written before the end of the block. What goes on writing
    then is not waited for."""
    source, descriptor = os.pipe()
    os.set_blocking(source, False)

    def read() -> bool:
        """Whether there may be more."""
        try:
            data = os.read(source, _READ_BYTES)
        except BlockingIOError:
            return False
        more = bool(data) and take(data)
        if not more:
            loop.remove_reader(source)
        return more

    loop.add_reader(source, read)
    try:
        yield descriptor
    finally:
        for _ in range(_LAST_READS):
            if not read():
                break
        loop.remove_reader(source)
        os.close(source)


@contextmanager
def tail(loop: asyncio.AbstractEventLoop) -> Iterator[tuple[bytearray, int]]:
    """The last TAIL_BYTES that are written to a descriptor, which the caller closes."""
    last = bytearray()

    def take(data: bytes) -> bool:
        last.extend(data)
        del last[:-TAIL_BYTES]
        return True

    with reading(loop, take) as descriptor:
        yield last, descriptor


def last_line(said: bytes | bytearray) -> str:
    """The last line of it with anything on it, harmless and not too long; empty where there is
    none."""
    lines = printable(said.decode(errors="replace")).split("\n")
    return next((line.strip() for line in reversed(lines) if line.strip()), "")[:LINE_MOST]
