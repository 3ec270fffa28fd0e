"""The server: the tools by the official package, over stdin and stdout of this process."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Awaitable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from typing import Any, TypeVar, cast

import anyio
import mcp_types as types
from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel import Server
from mcp.server.stdio import stdio_server
from mcp.shared.exceptions import MCPError

from heaptui import __version__
from heaptui.mcp.arguments import DEFINITIONS, Definition
from heaptui.mcp.calls import Told, call
from heaptui.mcp.incoming import Incoming
from heaptui.mcp.outgoing import Outgoing
from heaptui.tools.answers import WITHIN_S
from heaptui.tools.front import Tools

_T = TypeVar("_T")
_Request = ServerRequestContext[Any, Any]

AT_ONCE = 4
"""Calls that work at the same time; what each holds is bounded. One that waits for its turn holds
no more than its message."""
SEARCHES_AT_ONCE = 2
"""Of those: a search may take half a minute, and nobody who reads a line waits for it."""
PROGRESS_S = 1.0
_ENDINGS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
INSTRUCTIONS = (
    "File tools that read, search and change files of any size in bounded memory. Every answer is "
    "bounded and ends with notes in brackets: where to go on, and the tag that write and edit take "
    "as expect."
)


async def serve(tools: Tools) -> None:
    """Serves one client until it closes stdin, or this process is told to end (SIGTERM, SIGINT,
    SIGHUP): calls that work then are cancelled, and have ended when this returns.

    Raises:
        Refused: nobody speaks on stdin, or a message is too long.
    """
    loop = asyncio.get_running_loop()
    loop.set_default_executor(ThreadPoolExecutor(AT_ONCE, thread_name_prefix="tool"))
    server = _server(tools)
    with anyio.CancelScope() as scope:
        for number in _ENDINGS:
            if signal.getsignal(number) is not signal.SIG_IGN:  # as nohup has it
                loop.add_signal_handler(number, scope.cancel)
        try:
            with _outgoing() as stdout:
                stdin = cast(Any, await _incoming())
                async with stdio_server(stdin, cast(Any, stdout)) as (read, write):
                    await server.run(read, write, server.create_initialization_options())
        except* (BrokenPipeError, ConnectionResetError):
            pass  # the client is gone
        finally:
            # a second signal finds the system's own answer to it
            for number in _ENDINGS:
                loop.remove_signal_handler(number)


async def _incoming() -> Incoming:
    """stdin, which nothing else in this process, and no child, reads any more."""
    fd = os.dup(sys.stdin.fileno())
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, sys.stdin.fileno())
    os.close(nothing)
    return await Incoming.of(fd)


@contextmanager
def _outgoing() -> Iterator[Outgoing]:
    """stdout, where nothing else in this process, and no child, writes meanwhile."""
    standard = sys.stdout.fileno()
    fd = os.dup(standard)
    waits = os.get_blocking(fd)
    nothing = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, standard)
    os.close(nothing)
    os.set_blocking(fd, False)
    try:
        yield Outgoing(fd)
    finally:
        # whoever else has it, a shell, may not be ready for one that does not wait
        os.set_blocking(fd, waits)
        os.dup2(fd, standard)
        os.close(fd)


def _server(tools: Tools) -> Server[Any]:
    offered = {
        definition.name: definition
        for definition in DEFINITIONS
        if tools.workspace.writable or not definition.writes
    }
    places, searches = asyncio.Semaphore(AT_ONCE), asyncio.Semaphore(SEARCHES_AT_ONCE)

    async def list_tools(_: _Request, __: Any) -> types.ListToolsResult:
        return types.ListToolsResult(tools=[_tool(each) for each in offered.values()])

    async def call_tool(
        request: _Request, params: types.CallToolRequestParams
    ) -> types.CallToolResult:
        if params.name not in offered:
            raise MCPError(
                code=types.INVALID_PARAMS,
                message=f"There is no tool {params.name[:80]!r} here: {', '.join(offered)}.",
            )
        async with searches if params.name == "grep" else nullcontext(), places:
            working = call(tools, params.name, params.arguments or {})
            return _result(await _with_progress(request, _apart(working)))

    server: Server[Any] = Server(
        "heaptui",
        version=__version__,
        title="heaptui file tools",
        instructions=INSTRUCTIONS,
        on_list_tools=list_tools,
        on_call_tool=call_tool,
    )
    # it names spans for a tracer, of which there is none here
    server.middleware.clear()
    return server


def _tool(definition: Definition) -> types.Tool:
    return types.Tool(
        name=definition.name,
        title=definition.title,
        description=definition.description,
        input_schema=definition.schema(),
        annotations=types.ToolAnnotations(
            title=definition.title,
            read_only_hint=not definition.writes,
            destructive_hint=definition.writes,
            idempotent_hint=not definition.writes,
            open_world_hint=False,
        ),
    )


def _result(told: Told) -> types.CallToolResult:
    texts = [text for text in (told.text, told.notes) if text]
    return types.CallToolResult(
        content=[types.TextContent(text=text) for text in texts], is_error=told.failed
    )


async def _with_progress(request: _Request, working: Awaitable[_T]) -> _T:
    """Says each second that it still works, where that was asked for."""
    if not request.meta or request.meta.get("progress_token") is None:
        return await working

    async def tell() -> None:
        began = anyio.current_time()
        while True:
            await anyio.sleep(PROGRESS_S)
            passed = anyio.current_time() - began
            await request.session.report_progress(passed, WITHIN_S, f"{passed:.0f} s")

    async with anyio.create_task_group() as telling:
        telling.start_soon(tell)
        answer = await working
        telling.cancel_scope.cancel()
    return answer


async def _apart(working: Awaitable[_T]) -> _T:
    """As a task of its own, which is cancelled once and then waited for: a cancelled scope of anyio
    cancels whatever waits in it again and again, and a tool must be able to wait for its thread."""
    task = asyncio.ensure_future(working)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        task.cancel()
        with anyio.CancelScope(shield=True):
            await asyncio.wait([task])
        raise
