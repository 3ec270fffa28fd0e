"""The app on a stage: a scripted operator, a clock that stands still, a terminal of any size."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from textual.pilot import Pilot

from heaptui.tui.app import HeaptuiApp
from heaptui.tui.glyphs import UNICODE
from heaptui.tui.remembered import Remembered
from heaptui.tui.screens.main import MainScreen
from tests.terminal import fake_operator
from tests.terminal.fake_operator import FakeOperator

DEADLINE_S = 10.0


def make_app(operator: FakeOperator | None = None, **settings: Any) -> HeaptuiApp:
    """The app with the pictures' scene; `settings` replace the defaults."""
    defaults: dict[str, Any] = {
        "state_label": "state",
        "theme": "dark",
        "ascii": False,
        "keys": {},
        "remembered": Remembered(),
        "embedded": True,
        "clock": fake_operator.now,
    }
    app = HeaptuiApp(operator or FakeOperator(), **(defaults | settings))
    if not settings.get("ascii"):
        # the tests' own output may be anything
        app.glyphs = UNICODE
    return app


async def until(pilot: Pilot[Any], what: Callable[[], object]) -> None:
    """Waits until `what` holds."""
    deadline = time.monotonic() + DEADLINE_S
    while not what():
        assert time.monotonic() < deadline, f"never came true: {what}"
        await pilot.pause()
        await asyncio.sleep(0.005)


@asynccontextmanager
async def on_stage(app: HeaptuiApp, size: tuple[int, int] = (120, 40)) -> AsyncIterator[Pilot[Any]]:
    """The app with its first picture painted."""
    async with app.run_test(size=size, notifications=True) as pilot:
        await until(pilot, lambda: app.board.host is not None)
        await pilot.pause()
        yield pilot


def main(app: HeaptuiApp) -> MainScreen:
    screen = app.screen_stack[0]
    assert isinstance(screen, MainScreen)
    return screen


def text_on(app: HeaptuiApp) -> str:
    """The screen as characters."""
    width, height = app.size
    lines = app.screen._compositor.render_strips(app.size)
    assert len(lines) <= height
    return "\n".join(strip.text[:width].rstrip() for strip in lines)
