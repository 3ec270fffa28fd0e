"""The lines that a client sends, in memory that no line can grow, and without a thread that waits
for one: so that a signal ends the server at once."""

from __future__ import annotations

import asyncio
import os
from typing import Self

from heaptui.errors import Refused

MESSAGE_BYTES = 32 << 20
"""Of one line; a whole file is written by one."""
_READ_BYTES = 1 << 16


class Incoming:
    """Lines of a descriptor of a pipe or a socket, as text, until it ends."""

    def __init__(self, reader: asyncio.StreamReader) -> None:
        self._reader = reader

    @classmethod
    async def of(cls, fd: int) -> Self:
        """The descriptor is closed with it.

        Raises:
            Refused: it is no pipe or socket.
        """
        reader = asyncio.StreamReader(limit=_READ_BYTES)
        loop = asyncio.get_running_loop()
        try:
            await loop.connect_read_pipe(
                lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(fd, "rb", buffering=0)
            )
        except (ValueError, OSError) as error:
            raise Refused(
                "Standard input is neither a pipe nor a socket: no client speaks there.",
                "Have a client start it; its configuration names the command `heaptui mcp`.",
            ) from error
        return cls(reader)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> str:
        """
        Raises:
            Refused: a line is longer than MESSAGE_BYTES.
        """
        parts: list[bytes] = []
        while True:
            try:
                parts.append(await self._reader.readuntil(b"\n"))
                break
            except asyncio.LimitOverrunError as over:
                # no line end in what is there yet, or one behind more than a piece
                parts.append(await self._reader.readexactly(over.consumed))
                if sum(map(len, parts)) > MESSAGE_BYTES:
                    raise Refused(
                        f"The client sent a message of more than {MESSAGE_BYTES >> 20} MiB.",
                        "Write large files with a program, not through a tool call.",
                    ) from over
            except asyncio.IncompleteReadError as end:
                # a message that nobody ended was not sent
                raise StopAsyncIteration from end
        return b"".join(parts).decode("utf-8", "replace")
