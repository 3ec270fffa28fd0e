"""V8's inspector over its WebSocket: evaluate an expression in a Node process that listens.

Little but `Runtime.evaluate` is used, and no domain is enabled: an enabled console keeps the
arguments of the last thousand calls alive, and what HeapProfiler is asked is queued until the
program's own code returns, which in a busy loop is never. An evaluation interrupts even that.

Protocol: https://chromedevtools.github.io/devtools-protocol/
"""

from __future__ import annotations

import asyncio
import http.client
import itertools
import json
import urllib.parse
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec
from msgspec import Struct

from heaptui.errors import HeaptuiError, Refused

if TYPE_CHECKING:
    from websockets.asyncio.client import ClientConnection

_ANSWER_WITHIN_S = 3.0
_HOST = "127.0.0.1"
_ENDS = "NodeRuntime.waitingForDisconnect"
_MESSAGE_MAX = 1 << 20
"""Bytes: what is evaluated comes to some figures; whoever says more is no inspector."""

Kind = TypeVar("Kind")


class _Value(Struct):
    value: Any = None
    description: str = ""


class _Thrown(Struct):
    text: str = ""
    exception: _Value = msgspec.field(default_factory=_Value)


class _Evaluated(Struct, rename="camel"):
    result: _Value = msgspec.field(default_factory=_Value)
    exception_details: _Thrown | None = None


class _Fault(Struct):
    message: str = ""


class _Message(Struct):
    """An answer, or news, which has no `id`."""

    id: int | None = None
    method: str = ""
    result: _Evaluated = msgspec.field(default_factory=_Evaluated)
    error: _Fault | None = None


class Session:
    """One connection to a process's inspector."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self._ids = itertools.count(1)

    async def evaluate(self, expression: str, kind: type[Kind], within_s: float) -> Kind:
        """What `expression`, a call that returns `JSON.stringify(...)`, comes to.

        Raises:
            Refused: it threw, came to something else than a `kind`, or did not answer within
                `within_s` seconds: then the program is in a native call, where nothing can be
                evaluated.
            ConnectionError: the process ended.
        """
        id = await self.send(expression)
        try:
            async with asyncio.timeout(within_s):
                answer = await self._answer(id)
        except TimeoutError as error:
            raise Refused(
                f"It did not answer within {within_s:.0f} s: it waits for a native call.",
                "Try again later; only /proc and SIGKILL reach a process inside one.",
            ) from error
        thrown = answer.result.exception_details
        if thrown is not None or answer.error is not None:
            said = thrown and (thrown.exception.description or thrown.text)
            said = said or (answer.error.message if answer.error else "")
            raise Refused(f"It answered with an error: {said.partition(chr(10))[0][:200]}.")
        try:
            return msgspec.json.decode(answer.result.result.value, type=kind)
        except (msgspec.DecodeError, TypeError) as error:
            raise _not_understood() from error

    async def send(self, expression: str) -> int:
        """Evaluates without waiting for the answer; its number. Raises ConnectionError when it has
        ended."""
        parameters = {
            "expression": expression,
            "returnByValue": True,
            "includeCommandLineAPI": True,
        }
        return await self._command("Runtime.evaluate", parameters)

    async def hear_of_its_end(self) -> None:
        """A program that exits waits for whoever is connected: it says so, and we let it go. Raises
        ConnectionError when it has ended."""
        await self._command("NodeRuntime.notifyWhenWaitingForDisconnect", {"enabled": True})

    async def _command(self, method: str, parameters: dict[str, Any]) -> int:
        from websockets.exceptions import ConnectionClosed

        id = next(self._ids)
        command = {"id": id, "method": method, "params": parameters}
        try:
            await self._socket.send(json.dumps(command))
        except ConnectionClosed as error:
            raise _over() from error
        return id

    async def _answer(self, id: int) -> _Message:
        from websockets.exceptions import ConnectionClosed

        try:
            while True:
                message = msgspec.json.decode(await self._socket.recv(), type=_Message)
                if message.id == id:
                    return message
                if message.method == _ENDS:
                    raise _over()
        except ConnectionClosed as error:
            raise _over() from error
        except msgspec.DecodeError as error:
            raise _not_understood() from error


def _over() -> ConnectionError:
    return ConnectionResetError("it closed its inspector, or ended")


def _not_understood() -> Refused:
    return Refused("It answers what heaptui does not understand.", "Is it Node's own inspector?")


@asynccontextmanager
async def connected(port: int) -> AsyncIterator[Session]:
    """A session with the inspector that listens on this port of the loopback address.

    Raises:
        Refused: what listens there is no inspector of Node's.
        ConnectionError: it ended meanwhile.
    """
    from websockets.asyncio.client import connect
    from websockets.exceptions import WebSocketException

    url = await asyncio.to_thread(_debugger_url, port)
    try:
        # no pings: a process inside a native call does not answer them
        socket = await connect(
            url,
            compression=None,
            max_size=_MESSAGE_MAX,
            ping_interval=None,
            open_timeout=_ANSWER_WITHIN_S,
            close_timeout=0.2,
            proxy=None,
        )
    except (OSError, WebSocketException, TimeoutError) as error:
        raise Refused(f"Its inspector on port {port} does not let us in: {error}.") from error
    session = Session(socket)
    try:
        await session.hear_of_its_end()
        yield session
    finally:
        await socket.close()


def version_at(port: int) -> str | None:
    """`v20.20.2`, as what listens there introduces itself; None when it is no inspector."""
    try:
        told = _get(port, "/json/version")
        name, _, version = str(told["Browser"]).partition("/")
    except (OSError, ValueError, KeyError, TypeError, http.client.HTTPException):
        return None
    return version if name == "node.js" else None


def _debugger_url(port: int) -> str:
    try:
        targets = _get(port, "/json/list")
        name = urllib.parse.quote(targets[0]["id"], safe="")
    except (OSError, ValueError, LookupError, TypeError, http.client.HTTPException) as error:
        raise HeaptuiError(
            f"What listens on port {port} does not answer as Node's inspector: {error}.",
            "Another program may have taken the port meanwhile; try again.",
        ) from error
    # not the address that it tells: that could be anybody's
    return f"ws://{_HOST}:{port}/{name}"


def _get(port: int, path: str) -> Any:
    connection = http.client.HTTPConnection(_HOST, port, timeout=_ANSWER_WITHIN_S)
    try:
        connection.request("GET", path)
        return json.loads(connection.getresponse().read(1 << 20))
    finally:
        connection.close()
