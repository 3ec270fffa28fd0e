"""One connection to a supervisor: calls by number, and its stream."""

from __future__ import annotations

import asyncio
import itertools
from contextlib import aclosing, suppress
from typing import Any

import msgspec

from heaptui import protocol
from heaptui.errors import FAMILY, HeaptuiError, UsageError
from heaptui.peer import lines
from heaptui.protocol import Bye, Change, Picture, Reply

_ANSWER_MAX = 256 << 20
"""Bytes of the longest answer: a list of all tasks there ever were is one line."""


class Connection:
    """One connection: replies by sequence number, everything else into a bounded stream."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._seq = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[bytes]] = {}
        self.stream: asyncio.Queue[Picture | Change | None] = asyncio.Queue(maxsize=64)
        self.why = "the supervisor went away"
        self.closed = False
        self._pump = asyncio.create_task(self._read())

    async def _read(self) -> None:
        try:
            async with aclosing(lines(self._reader, _ANSWER_MAX)) as arriving:
                async for line in arriving:
                    match protocol.decode_downstream(line):
                        case Reply() as reply:
                            self._settle(reply)
                        case (Picture() | Change()) as picture:
                            # whoever is stalled stops here: the socket fills, the server skips
                            await self.stream.put(picture)
                        case Bye(reason):
                            self.why = reason
        except (OSError, ValueError, msgspec.DecodeError) as error:
            self.why = f"the connection broke: {error}"
        finally:
            for future in self._waiting.values():
                if not future.done():
                    future.set_exception(ConnectionResetError(self.why))
            self._waiting.clear()
            with suppress(asyncio.QueueFull):
                self.stream.put_nowait(None)
            self.closed = True
            self._writer.close()

    def _settle(self, reply: Reply) -> None:
        # a call that was not understood may be answered without its number
        meant = [reply.seq] if reply.seq else list(self._waiting)
        for seq in meant:
            future = self._waiting.pop(seq, None)
            if future is None or future.done():
                continue
            if reply.fault is None:
                future.set_result(bytes(reply.answer))
            else:
                kind = FAMILY.get(reply.fault.kind, HeaptuiError)
                future.set_exception(kind(reply.fault.what, reply.fault.remedy))

    async def call(self, request: Any) -> Any:
        if self.closed:
            raise ConnectionResetError(self.why)
        seq = next(self._seq)
        try:
            line = protocol.encode(protocol.Call(seq, request))
        except UnicodeEncodeError as error:
            raise UsageError(
                f"This request holds a byte that is not UTF-8 text, after {_before(error)!r}.",
                "Names, arguments, directories and variables of a task are UTF-8 text.",
            ) from error
        if len(line) > protocol.LINE_MAX:
            raise UsageError(
                f"This request takes {len(line) >> 20} MB; {protocol.LINE_MAX >> 20} at most fit.",
                "Ask in several steps: fewer tasks at once, shorter commands.",
            )
        future: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._waiting[seq] = future
        try:
            self._writer.write(line + b"\n")
            await self._writer.drain()
            raw = await future
        except ConnectionError:
            # the reader may not have had its turn yet: nobody must use this wire again
            self.closed = True
            raise
        finally:
            self._waiting.pop(seq, None)
        shape = protocol.CALLS[type(request)]
        return None if shape is None else msgspec.json.decode(raw, type=shape)

    async def close(self) -> None:
        self._pump.cancel()
        with suppress(asyncio.CancelledError):
            await self._pump


def _before(error: UnicodeEncodeError) -> str:
    return str(error.object[max(0, error.start - 20) : error.start])
