"""The engine's side of the control socket for tests: it listens, and keeps what workers say."""

from __future__ import annotations

import asyncio
import contextlib
import os
import tempfile
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import TypeVar

import msgspec

from heaptui import wire
from heaptui.runtime import node
from heaptui.runtime.preload.place import Preload, environment
from heaptui.wire import Done, Failed, FromWorker, Heap, Hello, Phase

WITHIN_S = 30.0

Told = TypeVar("Told", bound=FromWorker)


def nodes() -> list[Path]:
    """Every different Node of this machine: at least one, `make setup` sees to it."""
    found = [node.locate(dict(os.environ), Path("/")), node.wheel()]
    return list(dict.fromkeys(path for path in found if path))


class Worker:
    """One connection of a process."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._ids = 0
        self.hello: Hello
        self.phases: list[str] = []

    async def hear(self) -> FromWorker | None:
        """The next message, None when it is gone."""
        try:
            line = await asyncio.wait_for(self._reader.readline(), WITHIN_S)
        except ConnectionResetError:
            return None
        return wire.decode_from_worker(line) if line else None

    async def until(self, kind: type[Told], fits: Callable[[Told], bool] = lambda _: True) -> Told:
        """The next message of this kind that fits; others are passed over."""
        async with asyncio.timeout(WITHIN_S):
            while (message := await self.hear()) is not None:
                if isinstance(message, Phase):
                    self.phases.append(message.name)
                if isinstance(message, kind) and fits(message):
                    return message
        raise EOFError("the worker is gone")

    def send(self, data: bytes) -> None:
        self._writer.write(data)

    def say(self, message: msgspec.Struct) -> None:
        self.send(wire.encode(message) + b"\n")

    async def heap(self) -> Heap:
        self._ids += 1
        asked = self._ids
        self.say(wire.AskHeap(asked))
        return await self.until(Heap, lambda answer: answer.id == asked)

    async def collect(self) -> Done | Failed:
        self._ids += 1
        self.say(wire.Collect(self._ids))
        return await self.ended(self._ids)

    async def snapshot(self, path: Path | str) -> Done | Failed:
        self._ids += 1
        self.say(wire.Snap(self._ids, str(path)))
        return await self.ended(self._ids)

    async def ended(self, asked: int) -> Done | Failed:
        self.phases.clear()
        async with asyncio.timeout(WITHIN_S):
            while (message := await self.hear()) is not None:
                if isinstance(message, Phase) and message.id == asked:
                    self.phases.append(message.name)
                if isinstance(message, Done | Failed) and message.id == asked:
                    return message
        raise EOFError("the worker is gone")

    async def busy(self) -> None:
        """Waits until its main thread is known not to answer."""
        while (await self.heap()).main == "idle":
            pass

    async def gone(self) -> None:
        while await self.hear() is not None:
            pass

    def close(self) -> None:
        self._writer.close()


class Engine:
    """Listens on a socket of its own; `connected` gives the workers in the order they came."""

    def __init__(self, preload: Preload) -> None:
        self.preload = preload
        self.directory = Path(tempfile.mkdtemp(prefix="heaptui-test-"))
        self.socket = self.directory / "heap.sock"
        self._workers: asyncio.Queue[Worker] = asyncio.Queue()
        self._all: list[Worker] = []
        self._server: asyncio.Server | None = None
        self._programs: list[asyncio.subprocess.Process] = []

    async def listen(self) -> None:
        self._server = await asyncio.start_unix_server(
            self._accept, self.socket, limit=wire.LINE_MAX
        )

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        worker = Worker(reader, writer)
        self._all.append(worker)
        line = await reader.readline()
        if not line:
            return  # a short program: it was gone before its first word
        hello = wire.decode_from_worker(line)
        assert isinstance(hello, Hello), hello
        worker.hello = hello
        self._workers.put_nowait(worker)

    async def connected(self) -> Worker:
        return await asyncio.wait_for(self._workers.get(), WITHIN_S)

    @property
    def waiting(self) -> int:
        """Workers that said hello and were not asked for."""
        return self._workers.qsize()

    def env(self, **more: str) -> dict[str, str]:
        base = {key: os.environ[key] for key in ("PATH", "HOME", "LANG") if key in os.environ}
        base |= {"HEAPTUI_TASK": "k7.1"} | more
        return environment(base, self.preload, str(self.socket), node_version=None)

    async def start(self, binary: Path, *words: str, **env: str) -> asyncio.subprocess.Process:
        program = await asyncio.create_subprocess_exec(
            binary,
            *words,
            env=self.env(**env),
            cwd=self.directory,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        self._programs.append(program)
        return program

    async def running(self, binary: Path, code: str) -> Worker:
        await self.start(binary, "-e", code)
        return await self.connected()

    async def stop_listening(self) -> None:
        """As a supervisor that ends: the socket is gone and its connections are closed."""
        assert self._server is not None
        self._server.close()
        for worker in self._all:
            worker.close()
        self._all.clear()
        self.socket.unlink(missing_ok=True)
        self._server = None

    async def end(self) -> None:
        for program in self._programs:
            if program.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    program.kill()
            await program.communicate()
        if self._server is not None:
            await self.stop_listening()
        for path in self.directory.iterdir():
            path.unlink()
        self.directory.rmdir()


@contextlib.asynccontextmanager
async def engine(preload: Preload, *, listening: bool = True) -> AsyncIterator[Engine]:
    made = Engine(preload)
    try:
        if listening:
            await made.listen()
        yield made
    finally:
        await made.end()
