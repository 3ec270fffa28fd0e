"""One worker's connection: lines in, lines out, and where its patience ends.

What a worker sends is untrusted, how often it sends too. Nothing here waits, and one call handles
no more than what a worker may say in some seconds.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from typing import Any

import msgspec

from heaptui.engine.allowance import Allowance
from heaptui.heap.wire import LINE_MAX, FromWorker, ToWorker, decode_from_worker, encode

PER_S = 50.0
"""Messages a second that are listened to for long."""
AT_ONCE = 500.0
"""And as many at once: what waits in a socket after this engine stood still is no flood."""

_UNREAD_BYTES = 64 << 10
"""Of what we say to a worker; one that leaves more unread does not listen any more."""


class WorkerConnection(asyncio.Protocol):
    """`heard` gets every message; `over` is called once, when the connection has ended, with the
    kind and the words of what the worker did wrong, or with None twice."""

    def __init__(
        self,
        heard: Callable[[WorkerConnection, FromWorker], None],
        over: Callable[[WorkerConnection, str | None, str | None], None],
    ) -> None:
        self._heard = heard
        self._over = over
        self._transport: asyncio.Transport | None = None
        self._held = bytearray()
        self._allowance = Allowance(PER_S, AT_ONCE)
        self._wrong: tuple[str, str] | tuple[None, None] = (None, None)
        self._closed = False

    def send(self, message: ToWorker) -> bool:
        """Without waiting; False when there is nobody any more who would read it."""
        if self._transport is None or self._closed:
            return False
        if self._transport.get_write_buffer_size() > _UNREAD_BYTES:
            self.let_go("deaf", "does not read what it is told")
            return False
        self._transport.write(encode(message) + b"\n")
        return True

    def let_go(self, kind: str | None = None, why: str | None = None) -> None:
        """Closes it at once; `kind` and `why` when the worker is to blame."""
        if self._closed:
            return
        self._closed = True
        self._wrong = (kind, why) if kind is not None and why is not None else (None, None)
        self._held.clear()
        if self._transport is not None:
            self._transport.abort()
        else:  # it was never made: nobody else will say that it is over
            self._over(self, None, None)

    @property
    def socket(self) -> socket.socket:
        """To ask the kernel who is at the other end."""
        assert self._transport is not None
        found: socket.socket = self._transport.get_extra_info("socket")
        return found

    # --- asyncio.Protocol
    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        if self._closed:
            transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 (asyncio's name)
        self._closed = True
        self._over(self, *self._wrong)

    def data_received(self, data: bytes) -> None:
        if self._closed:
            return
        held = self._held
        begin, seek = 0, len(held)
        held += data
        # a drip of single bytes costs as much as messages do
        flooded = b"\n" not in data and not self._allowance.take()
        while (end := held.find(b"\n", seek)) >= 0 and end - begin <= LINE_MAX:
            flooded = not self._allowance.take()
            if flooded:
                break
            if not self._take(bytes(held[begin:end])):
                return
            begin = seek = end + 1
        if flooded:
            self.let_go("flooded", f"sends more than {PER_S:.0f} messages a second")
        elif (end if end >= 0 else len(held)) - begin > LINE_MAX:
            self.let_go("nonsense", f"sends lines of more than {LINE_MAX >> 10}K")
        else:
            del held[:begin]

    def _take(self, line: bytes) -> bool:
        """Whether it is still listened to."""
        try:
            message = decode_from_worker(line)
        except (msgspec.DecodeError, ValueError, RecursionError):
            self.let_go("nonsense", "says what heaptui does not understand")
        else:
            self._heard(self, message)
        return not self._closed
