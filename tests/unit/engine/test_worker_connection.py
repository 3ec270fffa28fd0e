"""What of a worker's connection is heard, when and how much: over real sockets."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator

import pytest

from heaptui.engine.long_lines import LongLines, Place
from heaptui.engine.worker_connection import WorkerConnection
from heaptui.wire import Checkpoint, FromWorker, Kept, Progress


class Ends:
    """Both ends of a connection, the worker's as a plain socket."""

    def __init__(self) -> None:
        self.heard: list[FromWorker] = []
        self.news = asyncio.Event()
        self.over: list[tuple[str | None, str | None]] = []
        self.connection = WorkerConnection(self._heard, self._over)
        ours, self.worker = socket.socketpair()
        self._ours = ours

    async def open(self) -> None:
        loop = asyncio.get_running_loop()
        await loop.connect_accepted_socket(lambda: self.connection, self._ours)

    def _heard(self, _: WorkerConnection, message: FromWorker) -> None:
        self.heard.append(message)
        self.news.set()

    def _over(self, _: WorkerConnection, kind: str | None, why: str | None) -> None:
        self.over.append((kind, why))
        self.news.set()

    async def until(self, messages: int, *, over: bool = False) -> None:
        async with asyncio.timeout(30):
            while len(self.heard) < messages or (over and not self.over):
                self.news.clear()
                await self.news.wait()

    async def say(self, data: bytes) -> None:
        self.worker.setblocking(False)
        await asyncio.get_running_loop().sock_sendall(self.worker, data)


@pytest.fixture
async def ends() -> AsyncIterator[Ends]:
    made = Ends()
    await made.open()
    yield made
    made.connection.let_go()
    made.worker.close()


def progress(n: int) -> bytes:
    return b'{"type":"progress","done":%d}\n' % n


def long_line(size: int) -> bytes:
    return b'{"type":"checkpoint","data":"' + b"x" * size + b'"}\n'


async def test_nothing_is_read_while_something_is_in_hand(ends):
    ends.connection.takes_long_lines(LongLines())
    await ends.say(progress(1))
    await ends.until(1)
    ends.connection.hold_up()
    await ends.say(progress(2))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert len(ends.heard) == 1
    ends.connection.go_on()
    await ends.until(2)


async def test_what_lies_unread_when_our_answer_finds_nobody_is_heard(ends):
    ends.connection.takes_long_lines(LongLines())
    await ends.say(progress(1))
    await ends.until(1)
    ends.connection.hold_up()
    await ends.say(progress(2) + progress(3))
    ends.worker.close()
    ends.connection.send(Kept("checkpoint"))
    await ends.until(3, over=True)
    assert ends.heard == [Progress(done=n) for n in (1, 2, 3)]
    assert ends.over == [(None, None)]


async def test_one_that_is_let_go_is_not_heard_any_more(ends):
    ends.connection.takes_long_lines(LongLines())
    await ends.say(progress(1))
    await ends.until(1)
    ends.connection.hold_up()
    await ends.say(progress(2))
    ends.connection.let_go("nonsense", "says so")
    await ends.until(1, over=True)
    assert (len(ends.heard), ends.over) == (1, [("nonsense", "says so")])


async def test_a_long_line_waits_for_its_room_and_gives_it_back(ends):
    room = LongLines(1)
    another = Place(lambda: None, lambda: None)
    room.enter(another)
    ends.connection.takes_long_lines(room)
    saying = asyncio.create_task(ends.say(long_line(900_000) + progress(1)))
    async with asyncio.timeout(30):
        while not room._waiting:
            await asyncio.sleep(0.005)
    held = len(ends.connection._held)
    assert 16 << 10 < held <= 32 << 10
    room.leave(another)
    await ends.until(2)
    await saying
    assert isinstance(ends.heard[0], Checkpoint)
    assert len(bytes(ends.heard[0].data)) == 900_002
    assert not room._inside
    assert room.enter(another)


async def test_its_room_is_kept_while_it_is_in_hand(ends):
    room = LongLines(1)
    ends.connection.takes_long_lines(room)
    heard = ends.heard

    def hold(connection: WorkerConnection, message: FromWorker) -> None:
        heard.append(message)
        connection.hold_up()
        ends.news.set()

    ends.connection._heard = hold
    await ends.say(long_line(100_000))
    await ends.until(1)
    assert len(room._inside) == 1
    ends.connection.go_on()
    assert not room._inside


async def test_room_of_one_that_is_gone_is_given_back(ends):
    room = LongLines(1)
    ends.connection.takes_long_lines(room)
    await ends.say(long_line(100_000)[:-10])
    async with asyncio.timeout(30):
        while not room._inside:
            await asyncio.sleep(0.005)
    ends.worker.close()
    await ends.until(0, over=True)
    assert not room._inside


async def test_without_the_work_half_a_long_line_is_nonsense(ends):
    await ends.say(b"[" * (80 << 10))
    await ends.until(0, over=True)
    assert ends.over == [("nonsense", "sends lines of more than 64K")]
