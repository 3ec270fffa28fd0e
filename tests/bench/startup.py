"""From the command to the first useful picture, over a bare Textual app's own start."""

from __future__ import annotations

import asyncio
import sys

from tests.bench.harness import (
    HEAPTUI,
    Row,
    Screen,
    end_everything,
    median,
    served,
    spec,
    state_dir,
)

RUNS = 7
BARE = """
from textual.app import App
from textual.widgets import Static
class Bare(App):
    def compose(self):
        yield Static("picture")
Bare().run()
"""


def _painted(argv: list[str], mark: bytes) -> float:
    screen = Screen(argv)
    try:
        return screen.wait_for(mark)
    finally:
        screen.end()


async def _compared() -> list[Row]:
    bare, fresh, attached = [], [], []
    with state_dir() as state:
        async with served(state) as (client, _):
            await client.submit([spec("sleep", "600", name="picture")], {"PATH": "/usr/bin:/bin"})
            heaptui = [*HEAPTUI, "--state", str(state.root)]
            for _ in range(RUNS):
                bare.append(_painted([sys.executable, "-c", BARE], b"picture"))
                attached.append(_painted(heaptui, b"picture"))
    for _ in range(RUNS):
        with state_dir() as state:
            # nothing to do yet: the first minute's page names the key that begins
            screen = Screen([*HEAPTUI, "--state", str(state.root)])
            fresh.append(screen.wait_for(b"launch"))
            screen.end()
            await _gone(state)
    yardstick = median(bare)
    return [
        (
            what,
            f"{median(ours):.2f} s, {median(ours) / yardstick:.2f}x bare Textual "
            f"({yardstick:.2f} s), medians of {RUNS}",
            "<= 2x",
        )
        for what, ours in (
            ("start to first picture, attaching", attached),
            ("start to first picture, with its own supervisor", fresh),
        )
    ]


async def _gone(state) -> None:
    """The app was killed: whatever took over ends by itself, it has nothing to watch."""
    from heaptui.errors import Unreachable

    try:
        await end_everything(state)
    except Unreachable:
        return


def run() -> list[Row]:
    return asyncio.run(_compared())


if __name__ == "__main__":
    for row in run():
        print(*row, sep=" | ")
