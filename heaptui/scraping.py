"""The metrics over HTTP: as much of RFC 9112 as a scraper speaks, and no more.

On the operators' socket a conversation that begins with a request is answered as one; on
127.0.0.1 there is a listener when the configuration names a port. There any user of this machine
can ask, so nothing but the metrics is told, a browser that was led here by a foreign name is sent
away, and neither many nor slow callers take more than a bounded share.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager, suppress
from dataclasses import dataclass
from http import HTTPStatus

from heaptui.errors import Refused
from heaptui.peer import TooLong, lines

REQUEST_MOST = 8192
"""Bytes of a request's head."""
FRESH_S = 1.0
"""Figures move once a second: who asks again within it is told the same."""

CONTENT_TYPE = "application/openmetrics-text; version=1.0.0; charset=utf-8"

_LOOPBACK = "127.0.0.1"
_OWN_NAMES = frozenset((_LOOPBACK, "localhost", "[::1]"))
_WITHIN_S = 10.0
CALLERS_MOST = 16
_AGAIN_S = 5.0
_REQUEST = re.compile(rb"([A-Z]{3,16}) (\S{1,2048}) HTTP/1\.([01])\r?")


def is_request(line: bytes) -> bool:
    """Whether a connection that begins with this line speaks HTTP."""
    return _REQUEST.fullmatch(line) is not None


@dataclass(frozen=True, slots=True)
class Answer:
    status: HTTPStatus
    body: str
    kind: str = "text/plain; charset=utf-8"
    allow: str | None = None

    def encoded(self) -> bytes:
        body = self.body.encode()
        head = [
            f"HTTP/1.1 {self.status.value} {self.status.phrase}",
            f"Content-Type: {self.kind}",
            f"Content-Length: {len(body)}",
            "Cache-Control: no-store",
            "X-Content-Type-Options: nosniff",
            "Connection: close",
        ]
        if self.allow is not None:
            head.append(f"Allow: {self.allow}")
        return "\r\n".join((*head, "", "")).encode("ascii") + body


class Page:
    """The metrics for all who ask: made once for those who ask at the same time, and not more
    often than the figures move."""

    def __init__(self, text: Callable[[], Awaitable[str]]) -> None:
        self._text = text
        self._making = asyncio.Lock()
        self._made, self._made_at = "", 0.0

    async def read(self) -> str:
        async with self._making:
            now = asyncio.get_running_loop().time()
            if not self._made or now - self._made_at >= FRESH_S:
                self._made = await self._text()
                self._made_at = now
            return self._made


async def answered(
    request_line: bytes, rest: AsyncIterator[bytes], page: Page, *, own_names_only: bool
) -> Answer:
    """The answer to a request whose further lines are `rest`. With `own_names_only` the caller must
    have asked for this machine by one of its own names: a page that a browser shows cannot read
    the metrics under a name that it made point here (DNS rebinding)."""
    match = _REQUEST.fullmatch(request_line)
    if match is None:
        return _refused(HTTPStatus.BAD_REQUEST, "This is no HTTP request.")
    try:
        hosts = await _hosts(request_line, rest)
    except TooLong as error:
        return _refused(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, f"This is {error}.")
    method, target, minor = match.groups()
    if len(hosts) > 1 or (not hosts and minor == b"1"):
        return _refused(HTTPStatus.BAD_REQUEST, "A request names one host.")
    if own_names_only and hosts and _name_of(hosts[0]) not in _OWN_NAMES:
        return _refused(HTTPStatus.FORBIDDEN, "This machine is asked for by another name.")
    if target.partition(b"?")[0] != b"/metrics":
        return _refused(HTTPStatus.NOT_FOUND, "There is only /metrics.")
    if method != b"GET":
        return _refused(HTTPStatus.METHOD_NOT_ALLOWED, "Metrics can only be read.", allow="GET")
    return Answer(HTTPStatus.OK, await page.read(), CONTENT_TYPE)


def _refused(status: HTTPStatus, why: str, allow: str | None = None) -> Answer:
    return Answer(status, f"{why}\n", allow=allow)


async def _hosts(request_line: bytes, rest: AsyncIterator[bytes]) -> list[str]:
    """What the head's `Host` fields say.

    Raises:
        TooLong: it is beyond all measure.
    """
    found: list[str] = []
    size = len(request_line)
    async for line in rest:
        size += len(line) + 1
        if size > REQUEST_MOST:
            raise TooLong(f"a request's head of more than {REQUEST_MOST} bytes")
        field = line.rstrip(b"\r")
        if not field:
            break
        name, _, value = field.partition(b":")
        if name.lower() == b"host":
            found.append(value.strip().decode("latin-1").lower())
    return found


def _name_of(host: str) -> str:
    """Without the port."""
    name, colon, port = host.rpartition(":")
    return name if colon and port.isdecimal() else host


@asynccontextmanager
async def on_loopback(port: int, page: Page, told: Callable[[str], None]) -> AsyncIterator[None]:
    """Answers on 127.0.0.1 for the length of the block. A port that somebody else has is tried
    again until it is free; `told` hears of that once, and when it is."""
    keeping = asyncio.create_task(_keep_listening(port, page, told), name="metrics port")
    try:
        yield
    finally:
        keeping.cancel()
        with suppress(asyncio.CancelledError):
            await keeping


async def _keep_listening(port: int, page: Page, told: Callable[[str], None]) -> None:
    waited = False
    while True:
        try:
            async with listening(port, page):
                if waited:
                    told(f"Metrics are told on {_LOOPBACK}:{port} now.")
                await asyncio.Event().wait()
        except Refused as refused:
            if not waited:
                told(str(refused))
            waited = True
            # nobody tells when a port is given back
            await asyncio.sleep(_AGAIN_S)


@asynccontextmanager
async def listening(port: int, page: Page) -> AsyncIterator[int]:
    """Answers on 127.0.0.1 for the length of the block; gives the port, which is a free one for 0.

    Raises:
        Refused: the port cannot be had.
    """
    callers: dict[asyncio.Task[None], asyncio.StreamWriter] = {}

    async def accepted(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        callers[task] = writer
        try:
            if len(callers) > CALLERS_MOST:
                writer.transport.abort()
                return
            async with asyncio.timeout(_WITHIN_S):
                await _serve_one(reader, writer, page)
        except (ConnectionError, TimeoutError, TooLong):
            # it is gone, or shall be
            pass
        finally:
            del callers[task]
            writer.close()

    try:
        listener = await asyncio.start_server(accepted, _LOOPBACK, port, limit=REQUEST_MOST)
    except OSError as error:
        raise Refused(
            f"Metrics are not told on {_LOOPBACK}:{port}: {error.strerror or error}.",
            "They are on the supervisor's socket: `heaptui metrics`. Choose another metrics.port, "
            "or end what has this one.",
        ) from error
    try:
        yield listener.sockets[0].getsockname()[1]
    finally:
        listener.close()
        for writer in callers.values():
            writer.transport.abort()
        await asyncio.gather(*callers, return_exceptions=True)


async def _serve_one(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, page: Page
) -> None:
    async with aclosing(lines(reader, REQUEST_MOST)) as arriving:
        line = await anext(arriving, b"")
        answer = await answered(line, arriving, page, own_names_only=True)
    writer.write(answer.encoded())
    await writer.drain()
