"""The client against a supervisor that the test plays: real sockets, scripted answers."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable

import msgspec
import pytest

from heaptui import protocol
from heaptui.client import Client, Down, sendable
from heaptui.client import client as under_test
from heaptui.errors import NoSuchTask, Refused, Unreachable, UsageError
from heaptui.model import Host, TaskSpec
from heaptui.paths import StateDir
from heaptui.protocol import Bye, Change, Picture, Pong, Reply, encode

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
PONG = Pong(version="1", pid=1, warden_pid=2, supervisor_id="s", embedded=False, since=0.0)


@pytest.fixture
def state(tmp_path):
    return StateDir(tmp_path / "s").prepare()


def reply(seq: int, answer: object = PONG) -> bytes:
    return encode(Reply(seq=seq, answer=msgspec.Raw(encode(answer)))) + b"\n"


@contextlib.asynccontextmanager
async def played(state: StateDir, handler: Handler) -> AsyncIterator[None]:
    """A server whose conversations are `handler`'s; hello is answered for it."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        hello = json.loads(await reader.readline())
        assert hello["call"] == {"type": "hello", "client": "t", "version": protocol.VERSION}
        writer.write(reply(hello["seq"]))
        try:
            await handler(reader, writer)
        finally:
            writer.close()

    path = state.socket("supervisor")
    path.unlink(missing_ok=True)
    server = await asyncio.start_unix_server(talk, path)
    try:
        yield
    finally:
        server.close()
        path.unlink(missing_ok=True)


async def test_an_answer_in_several_pieces_and_out_of_order(state):
    async def handler(reader, writer):
        first, second = [json.loads(await reader.readline()) for _ in range(2)]
        data = reply(second["seq"], 2) + reply(first["seq"], 1)
        for at in range(0, len(data), 7):
            writer.write(data[at : at + 7])
            await writer.drain()
            await asyncio.sleep(0)
        await reader.read()

    async with played(state, handler), Client(state, "t") as client:
        assert await asyncio.gather(client.forget(["a"]), client.forget(["b"])) == [1, 2]


async def test_a_fault_is_raised_as_what_it_was(state):
    async def handler(reader, writer):
        call = json.loads(await reader.readline())
        fault = protocol.Fault("no-such-task", "what", "remedy")
        writer.write(encode(Reply(seq=call["seq"], fault=fault)) + b"\n")
        await reader.read()

    async with played(state, handler), Client(state, "t") as client:
        with pytest.raises(NoSuchTask, match="what") as caught:
            await client.show("x")
    assert caught.value.remedy == "remedy"


async def test_a_fault_without_a_number_is_for_whoever_waits(state):
    async def handler(reader, writer):
        await reader.readline()
        fault = protocol.Fault("usage", "not understood")
        writer.write(encode(Reply(seq=0, fault=fault)) + b"\n")
        await reader.read()

    async with played(state, handler), Client(state, "t") as client:
        with pytest.raises(UsageError, match="not understood"):
            await client.ping()


async def test_a_request_that_cannot_be_sent_is_refused_before_it_is(state):
    async def handler(reader, writer):
        assert await reader.read() == b""

    huge = TaskSpec(argv=("x" * protocol.LINE_MAX,), cwd="/")
    async with played(state, handler), Client(state, "t") as client:
        with pytest.raises(UsageError, match="32 at most fit"):
            await client.submit([huge], {})


async def test_a_long_answer_is_no_trouble(state):
    long = "x" * (3 * protocol.LINE_MAX)

    async def handler(reader, writer):
        call = json.loads(await reader.readline())
        writer.write(reply(call["seq"], Host(sample=None, store_trouble=long)))
        await writer.drain()
        await reader.read()

    async with played(state, handler), Client(state, "t") as client:
        assert (await client.dispatch()).store_trouble == long


async def test_a_call_is_sent_again_to_the_next_supervisor_with_the_same_ids(state):
    heard: list[dict] = []

    async def dies(reader, writer):
        heard.append(json.loads(await reader.readline())["call"])

    async def answers(reader, writer):
        call = json.loads(await reader.readline())
        heard.append(call["call"])
        writer.write(reply(call["seq"], call["call"]["ids"]))
        await reader.read()

    async with Client(state, "t") as client:
        spec = TaskSpec(argv=("true",), cwd="/")
        async with played(state, dies):
            sending = asyncio.create_task(client.submit([spec], {}))
            while not heard:
                await asyncio.sleep(0)
        async with played(state, answers):
            (task_id,) = await sending
    assert {one["ids"][0] for one in heard} == {task_id}


async def _cut_off(state, ask) -> list[dict]:
    """The calls that arrive when the supervisor dies of the first, and another one follows."""
    heard: list[dict] = []

    async def dies(reader, writer):
        heard.append(json.loads(await reader.readline())["call"])

    async def answers(reader, writer):
        call = json.loads(await reader.readline())
        heard.append(call["call"])
        writer.write(reply(call["seq"], []))
        await reader.read()

    async with Client(state, "t") as client:
        async with played(state, dies):
            asking = asyncio.create_task(ask(client))
            while not heard:
                await asyncio.sleep(0)
        async with played(state, answers):
            await asking
    return heard


async def test_the_successor_is_not_asked_to_leave(state):
    assert await _cut_off(state, lambda client: client.leave()) == [{"type": "leave"}]


async def test_a_retry_that_was_cut_off_is_not_sent_again_blindly(state):
    with pytest.raises(Unreachable, match="before it answered") as caught:
        await _cut_off(state, lambda client: client.retry(["a"]))
    assert "heaptui ps" in caught.value.remedy


async def test_a_retry_of_named_attempts_may_be_sent_again(state):
    heard = await _cut_off(state, lambda client: client.retry(["a"], attempts=[3]))
    assert heard == [{"type": "retry", "tasks": ["a"], "attempts": [3]}] * 2


async def test_some_tasks_are_asked_for_by_their_ids(state):
    heard = await _cut_off(state, lambda client: client.tasks(all=True, ids=["a", "b"]))
    assert heard[0] == {"type": "list", "all": True, "ids": ["a", "b"]}


async def test_bytes_that_are_no_text_are_refused_and_the_conversation_goes_on(state):
    async def handler(reader, writer):
        call = json.loads(await reader.readline())
        writer.write(reply(call["seq"]))
        await reader.read()

    async with played(state, handler), Client(state, "t") as client:
        with pytest.raises(UsageError, match="not UTF-8 text, after 'caf'"):
            await client.show("caf\udce9")
        assert await client.ping() == PONG


def test_what_cannot_be_told_of_an_environment_is_named():
    environment = {"A": "b", "CAF\udce9": "x", "X": "\udcff", "É": "ü", "E\x1b[2J": "x", "N": "\n"}
    assert sendable(environment) == (
        {"A": "b", "É": "ü", "N": "\n"},
        ["CAF\udce9", "X", "E\x1b[2J"],
    )


async def test_a_supervisor_that_always_hangs_up_is_given_up(state):
    calls = 0

    async def handler(reader, writer):
        nonlocal calls
        await reader.readline()
        calls += 1

    async with played(state, handler), Client(state, "t", patience_s=0.3) as client:
        with pytest.raises(Unreachable, match="went away"):
            await client.ping()
    assert 1 < calls < 50


async def test_nobody_there_is_said_with_what_to_do(state):
    async with Client(state, "t", patience_s=0.0) as client:
        with pytest.raises(Unreachable) as caught:
            await client.ping()
    assert "heaptui serve" in caught.value.remedy


async def test_one_that_is_missing_is_brought_up(state):
    wanted = asyncio.Event()
    loop = asyncio.get_running_loop()

    async def handler(reader, writer):
        call = json.loads(await reader.readline())
        writer.write(reply(call["seq"]))
        await reader.read()

    def revive() -> None:
        loop.call_soon_threadsafe(wanted.set)

    async with Client(state, "t", patience_s=20, revive=revive) as client:
        asking = asyncio.create_task(client.ping())
        await wanted.wait()
        async with played(state, handler):
            assert await asking == PONG


async def test_why_none_can_be_brought_up_is_told_at_once(state):
    def revive() -> None:
        raise Refused("a newer heaptui made it")

    async with Client(state, "t", patience_s=20, revive=revive) as client:
        with pytest.raises(Refused, match="newer"):
            await client.ping()


async def test_another_users_supervisor_is_refused(state, monkeypatch):
    async def handler(reader, writer):
        await reader.read()

    async with played(state, handler), Client(state, "t") as client:
        monkeypatch.setattr(under_test, "peer_uid", lambda _: 12345)
        with pytest.raises(Refused, match="uid 12345"):
            await client.ping()


async def test_a_stream_tells_of_its_gaps_and_begins_anew(state):
    picture = Picture(at=1.0, host=Host(sample=None), rows=[], alerts=[])

    async def handler(reader, writer):
        call = json.loads(await reader.readline())
        assert call["call"] == {"type": "watch"}
        for message in (Reply(seq=call["seq"]), picture, Change(at=2.0), Bye("it leaves")):
            writer.write(encode(message) + b"\n")

    seen: list[object] = []
    async with (
        played(state, handler),
        Client(state, "t") as client,
        contextlib.aclosing(client.watch()) as updates,
    ):
        async for update in updates:
            seen.append(update)
            if len(seen) == 6:
                break
    assert [type(one) for one in seen] == [Picture, Change, Down] * 2
    assert seen[2] == Down("it leaves")


async def test_a_stream_whose_reader_is_stalled_piles_up_nothing(state):
    change = encode(Change(at=2.0, gone=["x" * 1000] * 100)) + b"\n"
    sent = 0
    stuck = asyncio.Event()

    async def handler(reader, writer):
        nonlocal sent
        call = json.loads(await reader.readline())
        writer.write(reply(call["seq"], None))
        while sent < 5000:
            writer.write(change)
            sent += 1
            try:
                async with asyncio.timeout(0.5):
                    await writer.drain()
            except TimeoutError:
                break
        stuck.set()
        await reader.read()

    async with (
        played(state, handler),
        Client(state, "t") as client,
        contextlib.aclosing(client.watch()) as updates,
    ):
        await anext(updates)
        await stuck.wait()
    assert sent < 200


async def test_garbage_from_the_other_side_ends_the_connection_with_its_reason(state):
    async def handler(reader, writer):
        await reader.readline()
        writer.write(b"what?\n")
        await reader.read()

    async with played(state, handler), Client(state, "t", patience_s=0.2) as client:
        with pytest.raises(Unreachable, match="the connection broke"):
            await client.ping()
