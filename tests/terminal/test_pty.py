"""The real app in a real terminal that stalls, hangs up, or is killed: nothing is lost."""

from __future__ import annotations

import asyncio
import fcntl
import os
import pty
import re
import signal
import struct
import termios
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from heaptui.client import Client
from heaptui.model import Series
from heaptui.protocol import Pong
from tests.integration.operating import HEAPTUI, Operated, alive, wait_until

ESCAPES = re.compile(
    rb"\x1b(?:\[[0-?]*[ -/]*[@-~]|[\]P^_][^\x07\x1b]*(?:\x07|\x1b\\)?|[ -/]*[0-~])"
)
STALLED_S = 10


class Terminal:
    """`heaptui` on a pty that is read by a thread, for as long as nobody stalls it."""

    def __init__(self, heaptui: Operated, *argv: str, columns: int = 100, rows: int = 30) -> None:
        self._reads = threading.Event()
        self._reads.set()
        self._raw = b""
        self.pid, self.master = pty.fork()
        if self.pid == 0:
            self._resize(1, columns, rows)
            environment = {**heaptui.environment, "TERM": "xterm-256color"}
            os.execve(HEAPTUI[0], [*HEAPTUI, *argv], environment)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        with suppress(OSError):
            while True:
                self._reads.wait()
                piece = os.read(self.master, 1 << 16)
                if not piece:
                    return
                self._raw += piece

    @staticmethod
    def _resize(descriptor: int, columns: int, rows: int) -> None:
        fcntl.ioctl(descriptor, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def resize(self, columns: int, rows: int) -> None:
        self._resize(self.master, columns, rows)

    def text(self) -> str:
        """Everything that was painted so far, without where and how."""
        return " ".join(ESCAPES.sub(b" ", self._raw).decode(errors="replace").split())

    def wait_for(self, text: str) -> None:
        wait_until(lambda: text in self.text(), f"{text!r} on the screen")

    def forget(self) -> None:
        self._raw = b""

    def press(self, keys: str) -> None:
        os.write(self.master, keys.encode())

    def stall(self) -> None:
        """Nobody reads any more, as when the line hangs."""
        self._reads.clear()

    def go_on(self) -> None:
        self._reads.set()

    def unread(self) -> int:
        """Bytes that wait in the terminal."""
        return int(struct.unpack("i", fcntl.ioctl(self.master, termios.FIONREAD, b"\0" * 4))[0])

    def hang_up(self) -> None:
        """The terminal is gone: its processes get SIGHUP."""
        self.stall()
        # the reader may sit in a read, which would keep the terminal open
        self.resize(90, 28)
        os.close(self.master)
        self._reads.set()

    def ended(self) -> int:
        """Waits for the app's end; its exit code, negative for a signal."""
        status: list[int] = []

        def over() -> bool:
            pid, code = os.waitpid(self.pid, os.WNOHANG)
            status.append(code)
            return pid == self.pid

        wait_until(over, "the app to end")
        return os.waitstatus_to_exitcode(status[-1])

    def clean_up(self) -> None:
        self._reads.set()
        with suppress(ProcessLookupError, ChildProcessError):
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        with suppress(OSError):
            os.close(self.master)


@pytest.fixture
def heaptui(tmp_path: Path) -> Iterator[Operated]:
    operated = Operated(tmp_path / "state")
    try:
        yield operated
    finally:
        operated.clean_up()


@pytest.fixture
def terminal(heaptui: Operated) -> Iterator[Terminal]:
    opened = Terminal(heaptui)
    try:
        opened.wait_for("0 tasks")
        yield opened
    finally:
        opened.clean_up()


def pong(heaptui: Operated) -> Pong:
    async def ask() -> Pong:
        async with Client(heaptui.state, "test") as client:
            return await client.ping()

    return asyncio.run(ask())


def series(heaptui: Operated, task: str) -> Series:
    async def ask() -> Series:
        async with Client(heaptui.state, "test") as client:
            return await client.series(task, 60)

    return asyncio.run(ask())


def test_the_work_of_a_second_terminal_is_seen(heaptui, terminal):
    assert pong(heaptui).embedded
    assert pong(heaptui).pid == terminal.pid
    heaptui.run("sleep", "300", name="from-afar")
    terminal.wait_for("from-afar")


def test_a_stalled_line_holds_up_no_supervision(heaptui, terminal):
    ids = [heaptui.run("sleep", "300", name=f"steady-{n}") for n in range(3)]
    terminal.wait_for("steady-2")
    wait_until(lambda: heaptui.rows()["steady-0"]["rss_bytes"], "a first sample")
    terminal.stall()
    began = time.time()
    answered = 0
    # whole repaints, until the terminal takes no more and its writer is stuck
    while (now := time.time()) < began + STALLED_S:
        terminal.resize(180 + answered % 2, 50)
        asked = time.monotonic()
        assert len(heaptui.told("ps")) == 3
        answered += time.monotonic() - asked < 2
        wait_until(lambda now=now: time.time() >= now + 0.5, "the next look")
    assert terminal.unread() > 2000
    assert answered >= 8
    told = series(heaptui, ids[0])
    assert told.step_s == 1
    assert told.until >= began + STALLED_S - 2
    assert None not in told.low[-STALLED_S:]
    terminal.forget()
    terminal.go_on()
    heaptui.run("sleep", "300", name="after-it")
    terminal.wait_for("after-it")


@pytest.mark.parametrize("how", ["hang-up", "kill -9"])
def test_work_survives_the_end_of_its_terminal(heaptui, terminal, how):
    task_id = heaptui.run("sleep", "300", name="survivor")
    waits = heaptui.run("sh", "-c", "sleep 1; exit 3", name="ends-later")
    terminal.wait_for("ends-later")
    before = heaptui.until("survivor", "running")
    if how == "hang-up":
        terminal.hang_up()
        assert terminal.ended() == -signal.SIGHUP
    else:
        os.kill(terminal.pid, signal.SIGKILL)
        assert terminal.ended() == -signal.SIGKILL
    serving = wait_until(heaptui.supervisors, "the warden's supervisor")
    assert pong(heaptui).pid == serving[0]
    after = heaptui.rows()["survivor"]
    assert (after["id"], after["pid"], after["attempts"]) == (task_id, before["pid"], 1)
    assert alive(before["pid"])
    row = heaptui.until("ends-later", "failed")
    assert (row["id"], row["exit_code"], row["attempts"]) == (waits, 3, 1)


@pytest.mark.parametrize("keys", ["d", "q\r"])
def test_leaving_on_purpose_detaches(heaptui, terminal, keys):
    heaptui.run("sleep", "300", name="goes-on")
    terminal.wait_for("goes-on")
    before = heaptui.until("goes-on", "running")
    for key in keys:
        terminal.press(key)
        if key == "q":
            terminal.wait_for("Leave with 1 task live?")
    assert terminal.ended() == 0
    after = heaptui.until("goes-on", "running")
    assert (after["pid"], after["attempts"]) == (before["pid"], 1)
    assert heaptui.supervisors()


def test_coming_back_attaches_to_who_serves(heaptui):
    heaptui.run("sleep", "300", name="was-there")
    heaptui.until("was-there", "running")
    supervisor = heaptui.supervisor()
    back = Terminal(heaptui)
    try:
        back.wait_for("was-there")
        assert pong(heaptui).pid == supervisor
        assert not pong(heaptui).embedded
        back.press("d")
        assert back.ended() == 0
        assert heaptui.supervisor() == supervisor
    finally:
        back.clean_up()


def test_a_supervisor_that_dies_under_an_attached_app_is_replaced(heaptui):
    heaptui.run("sleep", "300", name="first")
    attached = Terminal(heaptui)
    try:
        attached.wait_for("first")
        os.kill(heaptui.supervisor(), signal.SIGKILL)
        heaptui.run("sleep", "300", name="second")
        attached.wait_for("second")
    finally:
        attached.clean_up()


def test_nothing_live_leaves_at_once_and_leaves_nothing_running(heaptui, terminal):
    terminal.press("q")
    assert terminal.ended() == 0
    wait_until(lambda: not heaptui.wardens() and not heaptui.supervisors(), "an empty machine")


def test_the_smallest_terminal_is_no_reason_to_crash(heaptui):
    heaptui.run("sleep", "300", name="tiny")
    heaptui.until("tiny", "running")
    small = Terminal(heaptui, columns=20, rows=5)
    try:
        wait_until(small.text, "anything on the screen")
        small.resize(100, 30)
        small.wait_for("tiny")
        small.resize(20, 5)
        small.press("d")
        assert small.ended() == 0
        assert "Traceback" not in small.text()
    finally:
        small.clean_up()


def test_the_demo_cleans_up_after_itself(heaptui):
    shown = Operated(heaptui.root.with_name(f"{heaptui.root.name}-demo"))
    screen = Terminal(heaptui, "demo")
    try:
        screen.wait_for("refactor-auth")
        screen.press("q")
        screen.wait_for("then leave")
        screen.press("S")
        assert screen.ended() == 0
        assert not shown.root.exists()
        assert not shown.wardens()
        assert not shown.supervisors()
    finally:
        screen.clean_up()
        shown.clean_up()
