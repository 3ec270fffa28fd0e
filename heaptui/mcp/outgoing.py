"""The lines that a client is sent, without a thread that waits for it to read them: so that a
server whose client does not read can be ended all the same."""

from __future__ import annotations

import asyncio
import os


class Outgoing:
    """Writes to a descriptor of any kind, which is not to wait (os.set_blocking)."""

    def __init__(self, fd: int) -> None:
        self._fd = fd

    async def write(self, text: str) -> None:
        """All of it; waits until there is room.

        Raises:
            OSError: nobody reads there any more, or the disk behind it is full.
        """
        left = memoryview(text.encode())
        while left:
            try:
                left = left[os.write(self._fd, left) :]
            except BlockingIOError:
                await _writable(self._fd)

    async def flush(self) -> None:
        """Nothing is held back."""


async def _writable(fd: int) -> None:
    loop = asyncio.get_running_loop()
    ready = asyncio.Event()
    loop.add_writer(fd, ready.set)
    try:
        await ready.wait()
    finally:
        loop.remove_writer(fd)
