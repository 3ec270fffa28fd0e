"""The server over stdio, asked by the official package's own client."""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
import re
import signal
import struct
import subprocess
import sys
import termios
from pathlib import Path

import anyio
import psutil
import pytest
from mcp.client.client import Client
from mcp.shared.exceptions import MCPError

from tests.integration.mcp.conftest import Connect

MIB = 1 << 20
LINES = 200_000


async def told(client: Client, tool: str, **arguments: object) -> tuple[str, str]:
    """The text and the notes of an answer."""
    answer = await client.call_tool(tool, arguments)
    assert not answer.is_error, answer
    texts = [content.text for content in answer.content]
    return "".join(texts[:-1]), texts[-1]


async def failed(client: Client, tool: str, **arguments: object) -> str:
    answer = await client.call_tool(tool, arguments)
    assert answer.is_error, answer
    (content,) = answer.content
    return content.text


def servers() -> list[psutil.Process]:
    """Those that run: what other tests have left does not."""
    below = psutil.Process().children()
    return [one for one in below if one.status() != psutil.STATUS_ZOMBIE]


def tag_in(notes: str) -> str:
    found = re.search(r"^\[tag (.*)\]$", notes, re.MULTILINE)
    assert found, notes
    return found[1]


@pytest.mark.parametrize("mode", ["legacy", "auto"])
async def test_the_five_tools_in_both_forms_of_the_protocol(
    connect: Connect, root: Path, mode: str
) -> None:
    async with connect(mode=mode) as client:
        listed = (await client.list_tools()).tools
        assert [tool.name for tool in listed] == ["read", "grep", "list", "write", "edit"]
        assert [tool.annotations.read_only_hint for tool in listed] == [True] * 3 + [False] * 2

        text, notes = await told(client, "read", path="a.txt", offset=2, limit=2)
        assert text == "     2\tline 2\n     3\tline 3\n"
        assert "lines 2-3 of a.txt" in notes and "offset=4" in notes
        text, notes = await told(client, "grep", pattern="line 7$")
        assert (text, notes) == ("a.txt:7:line 7", "[1 line]")
        text, notes = await told(client, "edit", path="a.txt", old="line 7\n", new="seven\n")
        assert (text, notes.splitlines()[0]) == (
            "",
            f"[a.txt: 1 place changed, in line 7; {(root / 'a.txt').stat().st_size:,} bytes now]",
        )
        text, notes = await told(client, "write", path="b.txt", content="é\n", create_only=True)
        assert (root / "b.txt").read_text() == "é\n"
        text, notes = await told(client, "list")
        assert [line.split()[-1] for line in text.splitlines()] == ["a.txt", "b.txt"]
        assert notes == "[.: 2 files, 0 directories, 0 others]"


async def test_large_answers_are_bounded_and_say_how_to_go_on(connect: Connect, root: Path) -> None:
    (root / "wide").write_text("".join(f"{n:05} {'x' * 120}\n" for n in range(20_000)))
    async with connect() as client:
        text, notes = await told(client, "read", path="wide")
        assert len(text) < 70_000
        onward = re.search(r"go on with offset=(\d+)", notes)
        assert onward
        after, _ = await told(client, "read", path="wide", offset=int(onward[1]), limit=1)
        assert after.split()[1] == f"{int(onward[1]) - 1:05}"

        text, notes = await told(client, "grep", pattern="x")
        assert len(text) < 60_000
        kept = re.search(r"artifact:[0-9a-f]+", notes)
        assert kept
        assert (await told(client, "read", path=kept[0], limit=1))[0].startswith("     1\twide:1:")
        assert (await told(client, "grep", pattern=":1999:", path=kept[0]))[0].count("\n") == 0

        whole, _ = await told(
            client, "read", path="wide", max_bytes=4 * MIB, max_tokens=10**9, limit=2000
        )
        assert whole.count("\n") == 2000


async def test_errors_are_the_tools_and_name_the_remedy(connect: Connect, root: Path) -> None:
    before = (root / "a.txt").read_bytes()
    async with connect() as client:
        assert "leads out of" in await failed(client, "read", path="/etc/passwd")
        assert "Name a path inside it" in await failed(client, "read", path="../x")
        assert "List the directory" in await failed(client, "read", path="absent")
        assert "a NUL byte" in await failed(client, "read", path="a\0b")
        assert "It takes path, offset" in await failed(client, "read", path="a.txt", line=3)
        assert "missing required field `path`" in await failed(client, "read")
        assert "Expected `int`" in await failed(client, "read", path="a.txt", offset="x")
        assert "no tag of a file" in await failed(
            client, "edit", path="a.txt", old="line 7\n", new="x", expect="mine"
        )
        assert "which is meant" in await failed(client, "edit", path="a.txt", old="line", new="x")
        assert "Nearest to it" in await failed(client, "edit", path="a.txt", old="line 7x", new="")
        # numbers as texts, and null for what is left out, are what some models send
        text, _ = await told(client, "read", path="a.txt", offset="3", limit=1, byte=None)
        assert text == "     3\tline 3\n"
        with pytest.raises(MCPError, match="There is no tool 'rm' here"):
            await client.call_tool("rm", {"path": "a.txt"})
        assert (await told(client, "read", path="a.txt", limit=1))[0] == "     1\tline 1\n"
    assert (root / "a.txt").read_bytes() == before


async def test_a_file_that_was_changed_since_is_not_overwritten(
    connect: Connect, root: Path
) -> None:
    async with connect() as client:
        _, notes = await told(client, "read", path="a.txt")
        (root / "a.txt").write_text("theirs\n")
        stale = {"path": "a.txt", "expect": tag_in(notes)}
        assert "not as it was" in await failed(client, "write", content="mine\n", **stale)
        assert "not as it was" in await failed(client, "edit", old="theirs", new="mine", **stale)
        assert (root / "a.txt").read_text() == "theirs\n"
        _, notes = await told(client, "read", path="a.txt")
        await told(client, "write", path="a.txt", content="mine\n", expect=tag_in(notes))
        assert (root / "a.txt").read_text() == "mine\n"


async def test_read_only_offers_nothing_that_writes(connect: Connect, root: Path) -> None:
    async with connect("--read-only") as client:
        listed = (await client.list_tools()).tools
        assert [tool.name for tool in listed] == ["read", "grep", "list"]
        with pytest.raises(MCPError, match="no tool 'write'"):
            await client.call_tool("write", {"path": "b", "content": ""})
    assert not (root / "b").exists()


def long_to_search(root: Path) -> None:
    (root / "0").write_bytes(b"some line of a log, as they are\n" * MIB)
    for number in range(1, 600):
        os.link(root / "0", root / str(number))


async def searching(server: psutil.Process) -> psutil.Process:
    """The child that searches, as soon as there is one that has begun to."""
    with anyio.fail_after(30):
        while True:
            for child in server.children():
                try:
                    if child.cpu_times().user > 0.05:
                        return child
                except psutil.NoSuchProcess:
                    continue
            await anyio.sleep(0.01)


async def test_a_cancelled_call_ends_its_search_and_the_next_is_answered(
    connect: Connect, root: Path
) -> None:
    long_to_search(root)
    async with connect() as client:
        (server,) = servers()
        async with anyio.create_task_group() as asking:
            asking.start_soon(client.call_tool, "grep", {"pattern": "absent"})
            search = await searching(server)
            asking.cancel_scope.cancel()
        with anyio.fail_after(10):
            while search.is_running() and search.status() != psutil.STATUS_ZOMBIE:
                await anyio.sleep(0.01)
        assert (await told(client, "read", path="a.txt", limit=1))[0] == "     1\tline 1\n"
        assert server.children() == []


async def test_a_read_does_not_wait_for_many_searches(connect: Connect, root: Path) -> None:
    long_to_search(root)
    async with connect() as client:
        (server,) = servers()
        async with anyio.create_task_group() as asking:
            for _ in range(6):
                asking.start_soon(client.call_tool, "grep", {"pattern": "absent"})
            search = await searching(server)
            assert (await told(client, "read", path="a.txt", limit=1))[0] == "     1\tline 1\n"
            assert search.is_running()
            assert search.status() != psutil.STATUS_ZOMBIE
            asking.cancel_scope.cancel()


async def test_a_long_call_tells_that_it_works(connect: Connect, root: Path) -> None:
    long_to_search(root)
    heard = anyio.Event()
    progress: list[tuple[float, float | None]] = []

    async def listen(done: float, total: float | None, message: str | None) -> None:
        progress.append((done, total))
        heard.set()

    async with connect() as client:

        async def ask() -> None:
            await client.call_tool("grep", {"pattern": "absent"}, progress_callback=listen)

        async with anyio.create_task_group() as asking:
            asking.start_soon(ask)
            with anyio.fail_after(30):
                await heard.wait()
            asking.cancel_scope.cancel()
    done, total = progress[0]
    assert total == 30 and 0 < done <= total


def message(*, method: str, id: int | None = None, **params: object) -> bytes:
    """One line; without an id a notification."""
    numbered = {} if id is None else {"id": id}
    whole = {"jsonrpc": "2.0", "method": method, "params": params, **numbered}
    return json.dumps(whole).encode() + b"\n"


HELLO = message(
    id=1,
    method="initialize",
    protocolVersion="2025-06-18",
    capabilities={},
    clientInfo={"name": "test", "version": "1"},
) + message(method="notifications/initialized")


@pytest.mark.parametrize("ending", [None, signal.SIGTERM, signal.SIGHUP])
async def test_it_ends_with_its_client_and_leaves_nothing(
    command: list[str], root: Path, ending: signal.Signals | None
) -> None:
    long_to_search(root)
    server = await asyncio.create_subprocess_exec(
        *command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert server.stdin is not None and server.stdout is not None

    server.stdin.write(HELLO)
    answer = json.loads(await server.stdout.readline())
    assert answer["result"]["serverInfo"]["name"] == "heaptui"
    absent = {"pattern": "absent"}
    server.stdin.write(message(id=2, method="tools/call", name="grep", arguments=absent))
    search = await searching(psutil.Process(server.pid))
    if ending is None:
        server.stdin.close()
    else:
        server.send_signal(ending)
    async with asyncio.timeout(10):
        assert await server.wait() == 0
    assert not search.is_running() or search.status() == psutil.STATUS_ZOMBIE


def begun(command: list[str]) -> subprocess.Popen[bytes]:
    """A server that has been greeted, and has answered."""
    server = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0
    )
    assert server.stdin is not None and server.stdout is not None
    server.stdin.write(HELLO)
    assert server.stdout.readline()
    return server


def waiting_in(pipe: int) -> int:
    """Bytes that nobody has read yet."""
    (count,) = struct.unpack("i", fcntl.ioctl(pipe, termios.FIONREAD, bytes(4)))
    return int(count)


async def test_a_client_that_does_not_read_cannot_keep_it(command: list[str], root: Path) -> None:
    (root / "wide").write_bytes((b"x" * 1500 + b"\n") * 2000)
    with begun(command) as server:
        assert server.stdin is not None and server.stdout is not None
        try:
            much = {"path": "wide", "max_bytes": 4 * MIB, "max_tokens": 10**9}
            server.stdin.write(message(id=2, method="tools/call", name="read", arguments=much))
            with anyio.fail_after(20):
                while waiting_in(server.stdout.fileno()) < 64 << 10:
                    await anyio.sleep(0.01)
            server.send_signal(signal.SIGTERM)
            assert await asyncio.to_thread(server.wait, 20) == 0
        finally:
            server.kill()


async def test_a_client_that_is_gone_ends_it_without_a_word(command: list[str]) -> None:
    with begun(command) as server:
        assert server.stdin is not None and server.stdout is not None and server.stderr is not None
        try:
            server.stdout.close()
            server.stdin.write(message(id=2, method="ping"))
            assert await asyncio.to_thread(server.wait, 20) == 0
            assert server.stderr.read() == b""
        finally:
            server.kill()


async def test_a_message_without_an_end_does_not_fill_the_memory(command: list[str]) -> None:
    server = await asyncio.create_subprocess_exec(
        *command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert server.stdin is not None and server.stderr is not None
    sent = 0
    try:
        while sent < 100 * MIB:
            server.stdin.write(b"x" * MIB)
            await server.stdin.drain()
            sent += MIB
    except (BrokenPipeError, ConnectionResetError):
        pass
    async with asyncio.timeout(20):
        words = (await server.stderr.read()).decode()
        assert await server.wait() == 5
    assert sent < 60 * MIB
    assert "more than 32 MiB" in words and "Traceback" not in words


async def test_rubbish_is_passed_over(command: list[str]) -> None:
    server = await asyncio.create_subprocess_exec(
        *command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert server.stdin is not None and server.stdout is not None
    ping = json.dumps({"jsonrpc": "2.0", "id": 7, "method": "ping"})
    server.stdin.write(b"no json\n\xff\xfe\n\n[]\n" + ping.encode() + b"\n")
    async with asyncio.timeout(30):
        assert json.loads(await server.stdout.readline())["id"] == 7
        server.stdin.close()
        assert await server.wait() == 0


async def test_its_memory_stays_flat(connect: Connect, root: Path) -> None:
    (root / "log").write_bytes(b"a line of thirty-two characters\n" * LINES)

    async def calls(client: Client, many: int) -> int:
        for number in range(many):
            await told(client, "read", path="log", offset=1 + (number * 7919) % LINES)
        return servers()[0].memory_info().rss

    async with connect() as client:
        warm = await calls(client, 60)
        assert await calls(client, 200) - warm < 3 * MIB


def run(command: list[str], **options: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, check=False, capture_output=True, text=True, timeout=30, **options
    )


def test_without_the_package_the_remedy_is_named(command: list[str]) -> None:
    program = "import sys\nsys.modules['mcp'] = None\n" + command[2]
    done = run([sys.executable, "-c", program, *command[3:]], input="")
    assert done.returncode == 5
    assert "is not installed" in done.stderr
    assert "pip install 'heaptui[mcp]'" in done.stderr


def test_where_nobody_speaks_it_says_so(command: list[str], tmp_path: Path) -> None:
    nothing = tmp_path / "nothing"
    nothing.touch()
    with nothing.open("rb") as file:
        done = run(command, stdin=file)
    assert (done.returncode, done.stdout) == (5, "")
    assert "no client speaks there" in done.stderr
    ours, theirs = os.openpty()
    done = run(command, stdin=theirs)
    os.close(ours)
    os.close(theirs)
    assert done.returncode == 5
    assert "a terminal" in done.stderr


def test_a_workspace_that_is_not_there(command: list[str], root: Path) -> None:
    done = run([*command[:-1], str(root / "absent")], input="")
    assert done.returncode == 7
    assert "absent" in done.stderr
