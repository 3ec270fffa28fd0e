"""One worker's connection: lines in, lines out, and where its patience ends.

What a worker sends is untrusted, how often it sends too. Nothing here waits, and one call handles
no more than what a worker may say in some seconds.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Callable
from typing import Any

import msgspec

from heaptui.engine.allowance import Allowance
from heaptui.engine.long_lines import LongLines, Place
from heaptui.wire import (
    LINE_MAX,
    WORK_LINE_MAX,
    FromWorker,
    ToWorker,
    decode_from_worker,
    encode,
)

PER_S = 50.0
"""Messages a second that are listened to for long."""
AT_ONCE = 500.0
"""And as many at once: what waits in a socket after this engine stood still is no flood."""

_UNREAD_BYTES = 64 << 10
"""Of what we say to a worker; one that leaves more unread does not listen any more."""

_CHUNK = 16 << 10
_LONG = 16 << 10
"""Bytes of a line from which on there must be room for it, see long_lines.py."""

_buffer = memoryview(bytearray(_CHUNK))
"""What is read into, by whichever connection it is the turn of."""


class WorkerConnection(asyncio.BufferedProtocol):
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
        self._line_max = LINE_MAX
        self._room: LongLines | None = None
        self._place: Place | None = None
        self._held_up: set[str] = set()

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

    def takes_long_lines(self, room: LongLines) -> None:
        """From now on, as far as there is room for them."""
        self._line_max, self._room = WORK_LINE_MAX, room

    def hold_up(self) -> None:
        """What it says next is not read before `go_on`: what it said is still in hand."""
        self._stop_for("hand")

    def go_on(self) -> None:
        self._go_on_from("hand")
        self._settle()

    @property
    def socket(self) -> socket.socket:
        """To ask the kernel who is at the other end."""
        assert self._transport is not None
        found: socket.socket = self._transport.get_extra_info("socket")
        return found

    # --- asyncio.BufferedProtocol
    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        if self._closed:
            transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 (asyncio's name)
        if self._room is not None:
            self._hear_the_rest()
        self._closed = True
        if self._place is not None and self._room is not None:
            self._room.leave(self._place)
            self._place = None
        self._over(self, *self._wrong)

    def get_buffer(self, sizehint: int) -> memoryview:  # noqa: ARG002 (asyncio's name)
        return _buffer

    def buffer_updated(self, nbytes: int) -> None:
        self._take_in(bytes(_buffer[:nbytes]))

    # --- lines
    def _take_in(self, data: bytes) -> None:
        if self._closed:
            return
        held = self._held
        begin, seek = 0, len(held)
        held += data
        # a drip of single bytes costs as much as messages do; a long line comes in full chunks
        drips = b"\n" not in data and len(data) < _CHUNK
        flooded = drips and not self._allowance.take()
        while (end := held.find(b"\n", seek)) >= 0 and end - begin <= self._line_max:
            flooded = not self._allowance.take()
            if flooded:
                break
            if not self._take(bytes(held[begin:end])):
                return
            begin = seek = end + 1
        if flooded:
            self.let_go("flooded", f"sends more than {PER_S:.0f} messages a second")
        elif (end if end >= 0 else len(held)) - begin > self._line_max:
            self.let_go("nonsense", f"sends lines of more than {self._line_max >> 10}K")
        else:
            del held[:begin]
            self._settle()

    def _take(self, line: bytes) -> bool:
        """Whether it is still listened to."""
        try:
            message = decode_from_worker(line)
        except (msgspec.DecodeError, ValueError, RecursionError):
            self.let_go("nonsense", "says what heaptui does not understand")
        else:
            self._heard(self, message)
        return not self._closed

    def _hear_the_rest(self) -> None:
        """Writing to a worker that has ended closes the connection, with what it said last unread.
        The socket is open until this call returns."""
        handle = self.socket.fileno()
        while not self._closed:
            try:
                data = os.read(handle, _CHUNK)
            except OSError:  # nothing more, or it was reset
                return
            if not data:
                return
            self._take_in(data)

    # --- room
    def _settle(self) -> None:
        """Enters where long lines are in hand with one that is growing, and leaves when it is done
        with."""
        room, place = self._room, self._place
        if room is None or self._closed:
            return
        long = len(self._held) > _LONG
        if long and place is None:
            self._place = Place(lambda: self._go_on_from("room"), self.let_go)
            if not room.enter(self._place):
                self._stop_for("room")
        elif not long and place is not None:
            room.read(place)
            if "hand" not in self._held_up:
                self._place = None
                room.leave(place)

    def _stop_for(self, why: str) -> None:
        if not self._held_up and not self._closed and self._transport is not None:
            self._transport.pause_reading()
        self._held_up.add(why)

    def _go_on_from(self, why: str) -> None:
        self._held_up.discard(why)
        if not self._held_up and not self._closed and self._transport is not None:
            self._transport.resume_reading()
