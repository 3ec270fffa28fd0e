"""The other end of a unix socket: who it is, and the lines it sends."""

from __future__ import annotations

import asyncio
import socket
import struct
import sys
from collections.abc import AsyncGenerator

_CHUNK = 1 << 18


def peer_uid(connection: socket.socket) -> int | None:
    """The peer's user id, None where the system does not tell (the socket's mode then decides)."""
    if hasattr(socket, "SO_PEERCRED"):
        credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
        return int(struct.unpack("iII", credentials)[1])
    if sys.platform == "darwin":
        # LOCAL_PEERCRED at SOL_LOCAL gives a struct xucred (sys/un.h, sys/ucred.h)
        return int(struct.unpack_from("II", connection.getsockopt(0, 1, 76))[1])
    return None


class TooLong(ValueError):
    """The other end sent a line beyond all measure; the connection is of no further use."""


async def lines(reader: asyncio.StreamReader, most: int) -> AsyncGenerator[bytes, None]:
    """The lines that arrive, without their ends; one that the end of the stream cut is left out.

    `most` bytes are the longest line. Unlike the reader's own limit it does not say how much may
    pile up unread: that stays small, however long a line may be.

    Raises:
        TooLong: a line of more than `most` bytes.
        OSError: the connection broke.
    """
    held: list[bytes] = []
    size = 0
    while chunk := await reader.read(_CHUNK):
        *whole, rest = chunk.split(b"\n")
        for line in whole:
            if size + len(line) > most:
                raise TooLong(f"a line of more than {most} bytes")
            yield b"".join((*held, line))
            held.clear()
            size = 0
        held.append(rest)
        size += len(rest)
        if size > most:
            raise TooLong(f"a line of more than {most} bytes")
