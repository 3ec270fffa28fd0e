"""A warden under test: started as an operator's heaptui would, and spoken to over its socket."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import heaptui

WARDEN = Path(heaptui.__file__).with_name("warden") / "__main__.py"
DEADLINE_S = 30.0
Event = dict[str, Any]


def wait_until(holds: Callable[[], Any], what: str, deadline_s: float = DEADLINE_S) -> Any:
    """Its first true value; fails loudly when there is none before the deadline."""
    until = time.monotonic() + deadline_s
    while not (value := holds()):
        assert time.monotonic() < until, f"in vain waited for: {what}"
        time.sleep(0.005)
    return value


def alive(pid: int) -> bool:
    """Whether it runs: a zombie has ended."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return stat.rpartition(")")[2].split()[0] not in "ZX"


class HungUp(AssertionError):
    """The connection ended where an event was due."""


class Connection:
    """What a supervisor sees of a warden."""

    def __init__(self, path: Path, name: str = "test") -> None:
        self.name = name
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(DEADLINE_S)
        self.socket.connect(str(path))
        self.file = self.socket.makefile("rb")
        self.seen: list[Event] = []
        self.passed_over: list[Event] = []

    def say(self, **order: Any) -> None:
        self.socket.sendall(json.dumps(order).encode() + b"\n")

    def hello(self) -> Event:
        self.say(op="hello", supervisor=self.name, pid=os.getpid())
        return self.next("state")

    def receive(self) -> Event | None:
        """The next event, None at the end of the connection."""
        line = self.file.readline()
        if not line:
            return None
        self.seen.append(json.loads(line))
        return self.seen[-1]

    def next(self, kind: str, task: str | None = None) -> Event:
        """The first event of this kind (and task) that was not returned yet."""

        def wanted(event: Event) -> bool:
            return event["ev"] == kind and task in (None, event.get("task"))

        for event in filter(wanted, self.passed_over):
            self.passed_over.remove(event)
            return event
        while (event := self.receive()) is not None:
            if wanted(event):
                return event
            self.passed_over.append(event)
        raise HungUp(f"the warden hung up before {kind} {task or ''}")

    def spawn(self, task: str, *argv: str, out: Path | str, **more: Any) -> None:
        order: Event = {"attempt": 1, "cwd": "/", "env": {"PATH": os.environ["PATH"]}}
        self.say(op="spawn", task=task, argv=argv, out=str(out), **{**order, **more})

    def ack(self, event: Event) -> None:
        self.say(op="ack", task=event["task"], attempt=event["attempt"])

    def settle(self) -> Event:
        """Everything said so far was obeyed once this returns: a fresh state."""
        return self.hello()

    def close(self) -> None:
        self.file.close()
        self.socket.close()


class Bench:
    """One state directory, its wardens one after the other, and what they started."""

    def __init__(self, state: Path, serve: list[str]) -> None:
        self.state = state
        self.serve = serve
        self.path = state / "w.sock"
        self.wardens: list[subprocess.Popen[bytes]] = []
        self.connections: list[Connection] = []

    @property
    def journal(self) -> Path:
        return self.state / "warden.journal"

    @property
    def log(self) -> str:
        return (self.state / "warden.log").read_text()

    @property
    def pid(self) -> int:
        return self.wardens[-1].pid

    def start(self) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-I", "-S", "-X", "frozen_modules", str(WARDEN)]
        warden = subprocess.Popen(
            [*command, str(self.state), str(self.path), json.dumps(self.serve)],
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )
        self.wardens.append(warden)
        return warden

    def connect(self, name: str = "test") -> Connection:
        """A connection that has not said hello yet."""

        def attempt() -> Connection | None:
            with suppress(FileNotFoundError, ConnectionRefusedError):
                return Connection(self.path, name)
            assert self.wardens[-1].poll() is None, self.log
            return None

        connection = wait_until(attempt, "the warden's socket")
        self.connections.append(connection)
        return connection

    def open(self) -> Connection:
        """A new warden and a supervisor that is connected to it.

        A connection may be reset: until the children of a killed warden notice, its socket answers.
        """
        self.start()

        def attempt() -> Connection | None:
            with suppress(ConnectionResetError, BrokenPipeError, HungUp):
                connection = self.connect()
                connection.hello()
                return connection
            return None

        connection: Connection = wait_until(attempt, "the warden's first state")
        return connection

    def kill(self) -> None:
        """kill -9 of the warden."""
        self.wardens[-1].kill()
        self.wardens[-1].wait(DEADLINE_S)

    def rss(self) -> int:
        """Bytes that the warden occupies."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        return next(int(x.split()[1]) for x in status.splitlines() if x.startswith("VmRSS")) * 1024

    def rows(self) -> list[Event]:
        return [json.loads(line) for line in self.journal.read_text().splitlines()]

    def clean_up(self) -> None:
        """Ends what this bench's wardens started, by pid, and then the wardens."""
        for connection in self.connections:
            connection.close()
        for warden in self.wardens:
            warden.kill()
            warden.wait(DEADLINE_S)
        seen = [event for connection in self.connections for event in connection.seen]
        pids = {event["pid"] for event in seen if event["ev"] == "started"}
        ended = {event["pid"] for event in seen if event["ev"] == "ended"}
        for pid in pids - ended:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
