"""The metrics over HTTP: on real sockets, asked well and badly."""

from __future__ import annotations

import asyncio
import socket
from contextlib import suppress

import pytest

from heaptui.errors import Refused
from heaptui.scraping import CALLERS_MOST, REQUEST_MOST, Page, is_request, listening, on_loopback

TEXT = "heaptui_up 1\n# EOF\n"


class Counted:
    """A page, and how often it was made."""

    def __init__(self) -> None:
        self.made = 0
        self.page = Page(self._text)
        self.go = asyncio.Event()
        self.go.set()

    async def _text(self) -> str:
        self.made += 1
        await self.go.wait()
        return TEXT


@pytest.fixture
def counted() -> Counted:
    return Counted()


async def asked(port: int, request: bytes) -> tuple[str, dict[str, str], str]:
    """Status line, fields and body of the answer."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(request)
        answer = (await reader.read()).decode()
    finally:
        writer.close()
    head, _, body = answer.partition("\r\n\r\n")
    first, *fields = head.split("\r\n")
    return first, dict(field.split(": ", 1) for field in fields), body


def get(path: str = "/metrics", host: str = "localhost", method: str = "GET") -> bytes:
    return f"{method} {path} HTTP/1.1\r\nAccept: */*\r\nHost: {host}\r\n\r\n".encode()


@pytest.mark.parametrize(
    ("line", "is_one"),
    [
        (b"GET /metrics HTTP/1.1\r", True),
        (b"GET /metrics HTTP/1.0", True),
        (b"POST / HTTP/1.1\r", True),
        (b'{"seq":1,"call":{"type":"ping"}}', False),
        (b'{"GET / HTTP/1.1":1}', False),
        (b"GET /metrics", False),
        (b"get /metrics HTTP/1.1", False),
        (b"GET /metrics HTTP/2", False),
        (b"GET " + b"x" * 5000 + b" HTTP/1.1", False),
        (b"", False),
    ],
)
def test_a_request_is_told_from_a_call(line, is_one):
    assert is_request(line) is is_one


@pytest.mark.parametrize(
    "host", ["localhost", "LOCALHOST:9464", "127.0.0.1", "127.0.0.1:1", "[::1]", "[::1]:9464"]
)
async def test_who_asks_this_machine_is_told_the_metrics(counted, host):
    async with listening(0, counted.page) as port:
        first, fields, body = await asked(port, get(host=host))
    assert first == "HTTP/1.1 200 OK"
    assert body == TEXT
    assert fields["Content-Type"].startswith("application/openmetrics-text; version=1.0.0")
    assert fields["Content-Length"] == str(len(TEXT))
    assert fields["Connection"] == "close"


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (get("/"), 404),
        (get("/metrics/"), 404),
        (get("/metrics?name=x"), 200),
        (get(method="POST"), 405),
        (get(method="HEAD"), 405),
        (get(host="evil.example"), 403),
        (get(host="evil.example:9464"), 403),
        (get(host="localhost.evil.example"), 403),
        (get(host="127.0.0.1.evil.example"), 403),
        (b"GET /metrics HTTP/1.1\r\n\r\n", 400),
        (b"GET /metrics HTTP/1.0\r\n\r\n", 200),
        (b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nHost: evil\r\n\r\n", 400),
        (b"nonsense\r\n\r\n", 400),
        (b'{"seq":1,"call":{"type":"ping"}}\n', 400),
        (b"GET /metrics HTTP/1.1\r\n" + b"X: y\r\n" * (REQUEST_MOST // 6 + 1) + b"\r\n", 431),
    ],
)
async def test_what_is_not_a_scrape_is_refused(counted, request_, status):
    async with listening(0, counted.page) as port:
        first, fields, body = await asked(port, request_)
    assert first.startswith(f"HTTP/1.1 {status} ")
    assert fields["Content-Length"] == str(len(body.encode()))
    assert (body == TEXT) is (status == 200)
    assert fields.get("Allow") == ("GET" if status == 405 else None)
    assert counted.made == (status == 200)


async def test_a_line_beyond_all_measure_is_hung_up_on(counted):
    async with listening(0, counted.page) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"x" * (3 * REQUEST_MOST))
        # what it had not read yet makes of a close a reset
        with suppress(ConnectionError):
            assert await reader.read() == b""
        writer.close()
    assert counted.made == 0


async def test_those_who_ask_at_once_share_one_text(counted):
    counted.go.clear()
    async with listening(0, counted.page) as port:
        asking = [asyncio.create_task(asked(port, get())) for _ in range(5)]
        while not counted.made:
            await asyncio.sleep(0)
        counted.go.set()
        found = await asyncio.gather(*asking)
    assert [first for first, _, _ in found] == ["HTTP/1.1 200 OK"] * 5
    assert counted.made == 1


async def test_more_than_a_few_at_once_are_hung_up_on(counted):
    counted.go.clear()
    async with listening(0, counted.page) as port, asyncio.timeout(10):
        asking = [asyncio.create_task(asked(port, get())) for _ in range(CALLERS_MOST + 4)]
        await asyncio.wait(asking, return_when=asyncio.FIRST_COMPLETED)
        counted.go.set()
        found = await asyncio.gather(*asking, return_exceptions=True)
    told = [one for one in found if isinstance(one, tuple) and one[0]]
    assert {first for first, _, _ in told} == {"HTTP/1.1 200 OK"}
    assert len(told) == CALLERS_MOST
    assert counted.made == 1


async def test_leaving_does_not_wait_for_who_says_nothing(counted):
    async with asyncio.timeout(5):
        async with listening(0, counted.page) as port:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"GET /met")
            await asked(port, get())
        assert await reader.read() == b""
        writer.close()


async def test_only_this_machine_is_listened_to(counted):
    async with listening(0, counted.page) as port:
        with socket.socket() as other:
            other.bind(("127.0.0.2", port))


async def test_a_port_that_is_taken_is_told_and_what_stands_beside_it_goes_on(counted):
    told: list[str] = []
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(Refused, match=f"127.0.0.1:{port}"):
            async with listening(port, counted.page):
                raise AssertionError("two listen on one port")
        async with on_loopback(port, counted.page, told.append):
            async with asyncio.timeout(10):
                while not told:
                    await asyncio.sleep(0.01)
    assert len(told) == 1
    assert f"127.0.0.1:{port}" in told[0] and "metrics.port" in told[0]


async def test_a_port_that_is_free_is_answered_on(counted):
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    told: list[str] = []
    async with on_loopback(port, counted.page, told.append), asyncio.timeout(10):
        while True:
            try:
                first, _, body = await asked(port, get())
                break
            except ConnectionRefusedError:
                await asyncio.sleep(0.01)
    assert (first, body, told) == ("HTTP/1.1 200 OK", TEXT, [])
