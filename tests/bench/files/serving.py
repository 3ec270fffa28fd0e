"""The tools as agents reach them: `heaptui mcp` over stdio, beside a server of the same package
whose one tool does nothing; and `heaptui tool read` from a shell, beside `heaptui --version`.

python -m tests.bench.files.serving    HEAPTUI_BENCH_CALLS: how many (1000)
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

import anyio
import psutil
from mcp.client.client import Client
from mcp.client.stdio import StdioServerParameters

from tests.bench.files.reading import write_log
from tests.bench.harness import HEAPTUI, MIB, Row, median, quantile, rss

BYTES = 100 * MIB
CALLS = 1000
STARTS = 5
_WARM = 100

_NOTHING = """
import asyncio
import mcp_types as types
from mcp.server.lowlevel import Server
from mcp.server.stdio import stdio_server

async def tools(request, params):
    return types.ListToolsResult(tools=[types.Tool(name="none", input_schema={"type": "object"})])

async def call(request, params):
    return types.CallToolResult(content=[types.TextContent(text="")])

async def serve():
    server = Server("nothing", on_list_tools=tools, on_call_tool=call)
    async with stdio_server() as (read, write):
        await server.run(read, write, server.create_initialization_options())

asyncio.run(serve())
"""


@dataclass(slots=True)
class _Seen:
    """Seconds until a client had the list of tools, seconds of each call, bytes of the server when
    it was warm and at the end."""

    starts: list[float] = field(default_factory=list)
    calls: list[float] = field(default_factory=list)
    warm: int = 0
    end: int = 0


async def _used(
    command: list[str], state: Path, calls: int, call: Callable[[Client, int], Awaitable[object]]
) -> _Seen:
    seen = _Seen()
    server = StdioServerParameters(
        command=command[0], args=command[1:], env={"HEAPTUI_STATE": str(state)}
    )
    for last in [False] * (STARTS - 1) + [True]:
        before = {child.pid for child in psutil.Process().children()}
        began = time.monotonic()
        async with Client(server) as client:
            await client.list_tools()
            seen.starts.append(time.monotonic() - began)
            if not last:
                continue
            (pid,) = {child.pid for child in psutil.Process().children()} - before
            for number in range(_WARM + calls):
                if number == _WARM:
                    seen.warm = rss(pid)
                began = time.monotonic()
                await call(client, number)
                seen.calls.append(time.monotonic() - began)
            seen.end = rss(pid)
            del seen.calls[:_WARM]
    return seen


def _cpu(argv: list[str], state: Path, directory: Path) -> float:
    """Milliseconds of CPU, the least of a few: what else runs here only adds to it."""
    took = []
    for _ in range(3 * STARTS):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run(
            argv,
            cwd=directory,
            env={**os.environ, "HEAPTUI_STATE": str(state)},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            check=True,
        )
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        took.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return min(took) * 1000


def run() -> list[Row]:
    calls = int(os.environ.get("HEAPTUI_BENCH_CALLS", CALLS))
    with tempfile.TemporaryDirectory(prefix="heaptui-bench-") as name:
        state, root = Path(name, "state"), Path(name, "root")
        root.mkdir()
        lines = write_log(root / "log", BYTES)

        async def nothing(client: Client, _: int) -> None:
            await client.call_tool("none", {})

        async def read(client: Client, number: int, limit: int = 2000) -> None:
            # all over the file, and no two the same
            offset = 1 + number * 7919 % (lines - 2000)
            answer = await client.call_tool(
                "read", {"path": "log", "offset": offset, "limit": limit}
            )
            assert not answer.is_error, answer

        async def line(client: Client, number: int) -> None:
            await read(client, number, 1)

        ours = [*HEAPTUI, "mcp", "--root", str(root)]
        bare = anyio.run(_used, [sys.executable, "-c", _NOTHING], state, calls, nothing)
        one = anyio.run(_used, ours, state, calls, line)
        full = anyio.run(_used, ours, state, calls, read)
        version = _cpu([*HEAPTUI, "--version"], state, root)
        shell = _cpu(
            [*HEAPTUI, "tool", "read", "log", "--offset", "5", "--limit", "3"], state, root
        )
    starts = [*one.starts, *full.starts]
    return [
        (
            "heaptui mcp: start until the client has the tools",
            f"{median(starts):.2f} s, a server of the package that does nothing "
            f"{median(bare.starts):.2f} s",
            "<= 1.5x",
        ),
        (
            "heaptui mcp: a call, one line of a 100 MB log",
            f"{median(one.calls) * 1000:.1f} ms, p99 {quantile(one.calls, 0.99) * 1000:.1f} ms; "
            f"one that does nothing {median(bare.calls) * 1000:.1f} ms",
            "measured",
        ),
        (
            "heaptui mcp: a call, as much of it as an answer may have",
            f"{median(full.calls) * 1000:.1f} ms, p99 {quantile(full.calls, 0.99) * 1000:.1f} ms",
            "measured",
        ),
        (
            f"heaptui mcp: memory, {calls} full reads of a 100 MB log",
            f"{full.warm / MIB:.1f} MB after {_WARM}, {full.end / MIB:.1f} MB after {calls} more; "
            f"one that does nothing {bare.end / MIB:.1f} MB",
            "flat",
        ),
        (
            "heaptui tool read: CPU of a call",
            f"{shell:.0f} ms, heaptui --version {version:.0f} ms",
            "measured",
        ),
    ]


if __name__ == "__main__":
    for row in run():
        print(*row, sep=" | ")
