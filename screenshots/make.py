"""The README's pictures: the app, headless, over a real supervisor with the demo's real processes.

    python screenshots/make.py [DIRECTORY]

The long-running part of the demo's workload starts first; the burst of small tasks and the one that
fails follow when the charts have something to show, so that one picture holds every state. Takes
about four minutes, because the processes do. Everything lives in a temporary state directory, and
is ended and removed with it.
"""

from __future__ import annotations

import asyncio
import html
import os
import re
import shutil
import socket
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import msgspec
import psutil

from heaptui.cli.demo.command import PROGRAMS, workload
from heaptui.cli.starting import ensure_served
from heaptui.client import Client, Operator, Update
from heaptui.model import Row, State
from heaptui.paths import StateDir
from heaptui.protocol import Change, Picture
from heaptui.tui import early
from heaptui.units import MIB

HOST = "web-3"
"""The machine's name in the pictures."""
GROWING, FAILING, SMALL = "refactor-auth", "e2e-login", "triage"
PLACES = 6
"""Tasks at once: the four long ones, and two of the burst."""
GROWN_BYTES = 300 * MIB
"""Of the growing task, when the burst begins: beyond half its cap, and some minutes of chart."""
WITHIN_S = 400.0
LARGEST_BYTES = 300_000

WIDE, NARROW = (120, 40), (80, 24)

_FONT_FACES = re.compile(r"@font-face\s*\{.*?\}", re.DOTALL)
_TEXT = re.compile(r"<text[^>]*>([^<]*)</text>")


class OnHost:
    """The real operator, but that the machine has a name of nobody's."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    async def watch(self) -> AsyncIterator[Update]:
        async for update in self._client.watch():
            if isinstance(update, Picture | Change) and update.host and update.host.sample:
                sample = msgspec.structs.replace(update.host.sample, name=HOST)
                host = msgspec.structs.replace(update.host, sample=sample)
                yield msgspec.structs.replace(update, host=host)
            else:
                yield update


class Studio:
    """One directory of pictures; nothing of this machine gets into them."""

    def __init__(self, directory: Path, unwanted: tuple[str, ...]) -> None:
        self._directory = directory
        self._unwanted = unwanted

    def keep(self, name: str, svg: str) -> None:
        """Writes a picture, unless it names this machine or is too large."""
        shown = _words(svg)
        for text in self._unwanted:
            if text in shown:
                raise SystemExit(f"{name} shows {text!r}")
        data = svg.encode()
        if len(data) > LARGEST_BYTES:
            raise SystemExit(f"{name} has {len(data)} bytes, more than {LARGEST_BYTES}")
        (self._directory / name).write_bytes(data)
        print(f"{name}: {len(data)} bytes", file=sys.stderr)


def _words(svg: str) -> str:
    return html.unescape(" ".join(_TEXT.findall(svg))).replace("\xa0", " ")


def _picture(app: Any) -> str:
    """The screen as SVG, in the reader's own monospace font: a picture fetches nothing."""
    svg: str = app.export_screenshot(title="heaptui")
    fonts = "ui-monospace, 'DejaVu Sans Mono', Menlo, Consolas, monospace"
    return _FONT_FACES.sub("", svg).replace("Fira Code, monospace", fonts)


async def _until(holds: Callable[[], Any], what: str) -> None:
    """Waits until `holds`; looks again with every frame."""
    deadline = time.monotonic() + WITHIN_S
    while not holds():
        if time.monotonic() > deadline:
            raise SystemExit(f"in vain waited for {what}")
        await asyncio.sleep(0.02)


async def _showing(pilot: Any, *words: str) -> str:
    """The picture, once it holds all of `words`."""

    def there() -> bool:
        shown = _words(_picture(pilot.app))
        return all(word in shown for word in words)

    await _until(there, f"a picture with {words}")
    await pilot.pause()
    return _picture(pilot.app)


@asynccontextmanager
async def _screen(client: Client, size: tuple[int, int], **launch: str) -> AsyncIterator[Any]:
    """The app over `client`, its first picture painted."""
    from heaptui.tui.app import HeaptuiApp
    from heaptui.tui.glyphs import UNICODE
    from heaptui.tui.remembered import Remembered

    remembered = Remembered()
    remembered.launch = launch
    operator: Operator = OnHost(client)
    app = HeaptuiApp(
        operator,
        state_label="demo",
        theme="dark",
        ascii=False,
        keys={},
        remembered=remembered,
        embedded=False,
    )
    app.glyphs = UNICODE
    async with app.run_test(size=size) as pilot:
        await _until(lambda: app.board.host is not None, "the first picture")
        yield pilot


async def _take(studio: Studio, client: Client) -> None:
    specs = workload(str(PROGRAMS))
    burst = [spec for spec in specs if spec.name == FAILING or spec.name.startswith(SMALL)]
    environment = dict(os.environ)
    await client.dispatch(concurrency=PLACES)
    await client.submit([spec for spec in specs if spec not in burst], environment)
    async with _screen(client, WIDE) as pilot:

        def rows() -> list[Row]:
            return list(pilot.app.board.rows.values())

        await _until(lambda: _grown(rows()), f"{GROWING} to hold {GROWN_BYTES >> 20} MB")
        await pilot.press("exclamation_mark")
        await client.submit(burst, environment)
        await _until(
            lambda: _every_state(rows()) and pilot.app.board.host.failed, "a task in every state"
        )
        studio.keep("main-120.svg", await _showing(pilot, GROWING, "started: pid", "exit code 3"))
        await pilot.press("4", "z")
        studio.keep("output-120.svg", await _showing(pilot, "results cached", "following"))
        await pilot.press("z", "1", "question_mark")
        studio.keep("help-120.svg", await _showing(pilot, "Finding and order"))
    async with _screen(client, NARROW, cwd="~/shop", cap="2G", timeout="20m") as pilot:
        await _showing(pilot, GROWING)
        await pilot.press("exclamation_mark")
        studio.keep("main-80.svg", await _showing(pilot, "started: pid", "exit code 3"))
        await pilot.press("K")
        studio.keep("stop-80.svg", await _showing(pilot, f"Stop {GROWING}?", "gives back"))
        await pilot.press("escape", "n", *"node agent.js --goal ", "quotation_mark")
        await pilot.press(*"update the snapshots", "quotation_mark")
        studio.keep("launch-80.svg", await _showing(pilot, "Launch a task", "runs node agent.js"))


def _grown(rows: list[Row]) -> bool:
    return any(row.name == GROWING and (row.memory_bytes or 0) >= GROWN_BYTES for row in rows)


def _every_state(rows: list[Row]) -> bool:
    small = [row.state for row in rows if row.name.startswith(SMALL)]
    failed = any(row.name == FAILING and row.state is State.FAILED for row in rows)
    return failed and {State.DONE, State.RUNNING, State.QUEUED} <= set(small)


async def _studio(studio: Studio, state: StateDir) -> None:
    async with Client(state, "screenshots") as client:
        warden = (await client.ping()).warden_pid
        try:
            await _take(studio, client)
        finally:
            rows = await client.tasks()
            if rows:
                await client.stop([row.id for row in rows], now=True)
                await client.settled([row.id for row in rows])
            await client.leave()
            if warden is not None and psutil.pid_exists(warden):
                await asyncio.to_thread(psutil.Process(warden).wait, 10)


@contextmanager
def _temporary_home() -> Iterator[Path]:
    """A home with a project in it, so that a dialog has a directory to name."""
    root = Path(tempfile.mkdtemp(prefix="heaptui-pictures-"))
    (root / "home" / "shop").mkdir(parents=True)
    os.environ["HOME"] = str(root / "home")
    os.environ["TZ"] = "UTC"
    time.tzset()
    try:
        yield root
    finally:
        shutil.rmtree(root, ignore_errors=True)


def main() -> None:
    here = Path(__file__).resolve().parent
    directory = Path(sys.argv[1]) if len(sys.argv) > 1 else here
    os.environ.pop("NO_COLOR", None)
    early.prepare()
    unwanted = (str(here.parent), str(Path.home()), tempfile.gettempdir(), socket.gethostname())
    with _temporary_home() as root:
        state = StateDir(root / "state").prepare()
        ensure_served(state)
        asyncio.run(_studio(Studio(directory, unwanted), state))


if __name__ == "__main__":
    main()
