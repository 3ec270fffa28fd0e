"""What the benchmarks share: a supervisor of their own, a screen in a pty, and honest figures."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import pty
import shutil
import signal
import statistics
import struct
import subprocess
import sys
import tempfile
import termios
import threading
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path

from heaptui.client import Client
from heaptui.model import Kind, Limits, TaskSpec
from heaptui.paths import StateDir

Row = tuple[str, str, str]
"""What was measured, the figure beside its yardstick, the bar."""

MIB = 1 << 20
PAGE = os.sysconf("SC_PAGE_SIZE")
HEAPTUI = [sys.executable, "-m", "heaptui"]


def rss(pid: int) -> int:
    """Resident bytes, 0 when the process is gone."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * PAGE
    except OSError:
        return 0


def cpu_s(pid: int) -> float:
    """CPU seconds of a process with all its threads."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def environment() -> dict[str, str]:
    """An operator's: bytecode is cached, as after any installation."""
    return {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}


def quantile(values: Sequence[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def median(values: Sequence[float]) -> float:
    return statistics.median(values)


def spec(
    *argv: str, name: str = "bench", cap: int = 48 << 20, kind: Kind = Kind.COMMAND
) -> TaskSpec:
    return TaskSpec(
        argv=argv, cwd="/", name=name, kind=kind, limits=Limits(cap_bytes=cap, grace_s=1)
    )


@contextlib.contextmanager
def state_dir() -> Iterator[StateDir]:
    root = Path(tempfile.mkdtemp(prefix="heaptui-bench-"))
    try:
        yield StateDir(root).prepare()
    finally:
        shutil.rmtree(root, ignore_errors=True)


async def connected(state: StateDir, patience_s: float = 20) -> Client:
    client = Client(state, "bench", patience_s)
    await client.ping()
    return client


async def end_everything(state: StateDir) -> None:
    """Kills what runs, ends the supervisor, and waits for the warden to end by itself."""
    async with Client(state, "bench", patience_s=10) as client:
        rows = await client.tasks()
        if rows:
            await client.stop([row.id for row in rows], now=True)
            await client.settled([row.id for row in rows])
        warden = (await client.ping()).warden_pid
        await client.leave()
    deadline = time.monotonic() + 15
    while warden and rss(warden) and time.monotonic() < deadline:
        await asyncio.sleep(0.05)


@contextlib.asynccontextmanager
async def served(state: StateDir, concurrency: int = 64) -> AsyncIterator[tuple[Client, int]]:
    """`heaptui serve` in a process of its own: a client of it, and its pid."""
    process = subprocess.Popen(
        [*HEAPTUI, "--state", str(state.root), "serve"],
        stdin=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    client = await connected(state)
    try:
        await client.dispatch(concurrency=concurrency)
        yield client, process.pid
    finally:
        await client.close()
        await end_everything(state)
        process.wait(10)


class Screen:
    """heaptui in a pty of its own, read by a thread so that it is never held up."""

    def __init__(self, argv: Sequence[str], *, columns: int = 80, rows: int = 24) -> None:
        self.started = time.monotonic()
        self.bytes = 0
        self.seen = b""
        self._marks: dict[bytes, float] = {}
        self._reading = True
        self.pid, self._pty = pty.fork()
        if self.pid == 0:
            fcntl.ioctl(1, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
            environment = {**os.environ, "TERM": "xterm-256color", "COLORTERM": "truecolor"}
            os.execvpe(argv[0], list(argv), environment)
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        while self._reading:
            try:
                data = os.read(self._pty, 1 << 16)
            except OSError:
                return
            self.bytes += len(data)
            self.seen = (self.seen + data)[-(1 << 18) :]

    def wait_for(self, mark: bytes, timeout_s: float = 30) -> float:
        """Seconds from the start until `mark` was painted."""
        deadline = time.monotonic() + timeout_s
        while mark not in self.seen:
            if time.monotonic() > deadline:
                raise TimeoutError(f"{mark!r} was not painted: {self.seen[-400:]!r}")
            time.sleep(0.001)
        return time.monotonic() - self.started

    def press(self, keys: bytes) -> None:
        os.write(self._pty, keys)

    def end(self) -> None:
        """Kills it and waits; what it supervised goes on under the warden."""
        self._reading = False
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        os.close(self._pty)
