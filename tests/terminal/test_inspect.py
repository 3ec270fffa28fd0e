"""Processes that heaptui did not start, on the screen: listed, asked about first, then asked."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot

from heaptui.inspection import foreign
from heaptui.runtime.node import wheel
from heaptui.tui.inspect import open_inspect
from heaptui.tui.inspect.screen import InspectScreen
from heaptui.tui.screens.confirm import ConfirmScreen
from tests.terminal.stage import make_app, on_stage, text_on, until

NODE = shutil.which("node") or str(wheel())

pytestmark = pytest.mark.skipif(
    not Path("/proc/self/status").exists(), reason="Node is only entered where /proc is"
)


@pytest.fixture
def node(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    monkeypatch.setattr(foreign, "YOUNGEST_S", 0.0)
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port = one.getsockname()[1]
    program = "console.log('up'); setInterval(() => {}, 1e6)"
    with subprocess.Popen(
        [NODE, f"--inspect-port={port}", "-e", program],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={"PATH": os.environ["PATH"]},
    ) as running:
        assert running.stdout is not None
        assert running.stdout.readline() == b"up\n"
        yield running.pid
        running.kill()


@pytest.fixture
def python() -> Iterator[int]:
    program = "import threading; print('up', flush=True); threading.Event().wait()"
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) as running:
        assert running.stdout is not None
        assert running.stdout.readline() == b"up\n"
        yield running.pid
        running.kill()


async def _on(pilot: Pilot[Any], pid: int) -> InspectScreen:
    """The screen with its cursor on this process."""
    app = pilot.app
    open_inspect(app)
    await until(pilot, lambda: "─ pid " in text_on(app))
    screen = app.screen
    assert isinstance(screen, InspectScreen)
    # the machine may run more than the table has lines for
    for _ in range(500):
        if f"─ pid {pid} " in text_on(app):
            return screen
        await pilot.press("down")
    raise AssertionError(f"{pid} is not in the list")


@pytest.mark.parametrize("size", [(80, 24), (120, 40)])
async def test_nothing_is_done_before_it_is_agreed(node: int, size: tuple[int, int]) -> None:
    app = make_app()
    async with on_stage(app, size) as pilot:
        await _on(pilot, node)
        assert "SIGUSR1 opens its inspector" in text_on(app)
        await pilot.press("g")
        await until(pilot, lambda: isinstance(app.screen, ConfirmScreen))
        assert f"pid {node}, not started by heaptui" in text_on(app)
        await pilot.press("enter")  # Cancel has the cursor
        await until(pilot, lambda: isinstance(app.screen, InspectScreen))
        assert "→" not in text_on(app)


async def test_its_garbage_is_collected_and_said_with_figures(node: int) -> None:
    app = make_app()
    async with on_stage(app) as pilot:
        await _on(pilot, node)
        await pilot.press("g")
        await until(pilot, lambda: isinstance(app.screen, ConfirmScreen))
        await pilot.press("y")
        await until(pilot, lambda: f"{node}: heap" in text_on(app))


async def test_what_cannot_be_done_says_why(python: int) -> None:
    app = make_app()
    async with on_stage(app) as pilot:
        screen = await _on(pilot, python)
        if not hasattr(sys, "remote_exec"):
            assert "3.14 or newer" in text_on(app)
            await pilot.press("g")
            assert app.screen is screen
        await pilot.press("t")
        await until(pilot, lambda: "thread MainThread" in text_on(app))
