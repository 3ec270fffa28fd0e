"""Programs under the Python preload, and the engine's side of their socket."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

from heaptui import wire
from heaptui.runtime import preload as _preload

PRELOAD = Path(str(_preload.__path__[0])) / "python"
DEADLINE_S = 30.0


def interpreters() -> list[str]:
    """This Python and what other versions of CPython answer by name."""
    found = {f"{sys.version_info[0]}.{sys.version_info[1]}": sys.executable}
    for minor in range(8, 15):
        name = f"3.{minor}"
        path = shutil.which(f"python{name}")
        if name not in found and path is not None:
            asked = subprocess.run(
                [path, "-c", "import sys; print(sys.implementation.name)"],
                capture_output=True,
                text=True,
                check=False,
            )
            if asked.returncode == 0 and asked.stdout == "cpython\n":
                found[name] = path
    return [found[name] for name in sorted(found)]


def environment(tmp_path: Path, *, hooked: bool = True, **more: str) -> dict[str, str]:
    env = {
        key: value
        for key, value in os.environ.items()
        if not key.startswith(("PYTHON", "HEAPTUI_", "PYTEST"))
    }
    env |= {"PYTHONUNBUFFERED": "1", "PYTHONDONTWRITEBYTECODE": "1"}
    if hooked:
        env |= {"HEAPTUI_SOCKET": str(tmp_path / "s"), "HEAPTUI_TASK": "t7.1"}
    path = more.pop("PYTHONPATH", "")
    if hooked or path:
        env["PYTHONPATH"] = ":".join(filter(None, (str(placed(tmp_path)) if hooked else "", path)))
    return env | more


def placed(tmp_path: Path) -> Path:
    """A copy, as tasks get it."""
    place = tmp_path / "preload"
    if not place.exists():
        shutil.copytree(PRELOAD, place, ignore=shutil.ignore_patterns("__pycache__"))
    return place


class Worker:
    """The engine's end of one connection."""

    def __init__(self, connection: socket.socket) -> None:
        self._socket = connection
        self._lines = connection.makefile("rb")
        self._ids = iter(range(1, 1000))
        hello = self.next()
        assert isinstance(hello, wire.Hello)
        self.hello = hello

    def next(self) -> wire.FromWorker:
        line = self._lines.readline()
        assert line, "the worker hung up"
        assert len(line) <= wire.LINE_MAX
        return wire.decode_from_worker(line)

    def heap(self) -> wire.Heap:
        """The next report."""
        while True:
            told = self.next()
            if isinstance(told, wire.Heap):
                return told

    def ask(self, kind: type[Any], **fields: object) -> Any:
        """Sends a command; returns its answer and the phases before it."""
        ident = next(self._ids)
        self.send(wire.encode(kind(id=ident, **fields)) + b"\n")
        phases: list[str] = []
        while True:
            told = self.next()
            if isinstance(told, wire.Phase) and told.id == ident:
                phases.append(told.name)
            elif isinstance(told, wire.Done | wire.Failed | wire.Heap) and told.id == ident:
                return told, phases

    def send(self, data: bytes) -> None:
        self._socket.sendall(data)

    def close(self) -> None:
        self._lines.close()
        self._socket.close()


class Engine:
    def __init__(self, path: Path) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.bind(str(path))
        self._socket.listen(50)
        self._socket.settimeout(DEADLINE_S)
        self._workers: list[Worker] = []

    def accept(self) -> Worker:
        connection, _ = self._socket.accept()
        connection.settimeout(DEADLINE_S)
        worker = Worker(connection)
        self._workers.append(worker)
        return worker

    def raw(self) -> socket.socket:
        connection, _ = self._socket.accept()
        connection.settimeout(DEADLINE_S)
        return connection

    def close(self) -> None:
        for worker in self._workers:
            worker.close()
        self._socket.close()


@contextmanager
def engine(tmp_path: Path) -> Iterator[Engine]:
    one = Engine(tmp_path / "s")
    try:
        yield one
    finally:
        one.close()


@contextmanager
def running(
    python: str, code: str, tmp_path: Path, *options: str, **more: str
) -> Iterator[subprocess.Popen[str]]:
    """A program that is ended with the block; with a line on its standard output it is ready."""
    process = subprocess.Popen(
        [python, *options, "-c", code],
        env=environment(tmp_path, **more),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def until(holds: Any) -> None:
    """Waits for a state."""
    deadline = time.monotonic() + DEADLINE_S
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def decoded(data: bytes) -> Any:
    return msgspec.json.decode(data)
