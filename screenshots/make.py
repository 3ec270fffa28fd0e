"""The README's pictures: the app, headless, over a real supervisor with the demo's real processes.

    python screenshots/make.py [DIRECTORY]

First a task that leaks, for the pictures of heaps. Then the long-running part of the demo's
workload starts; the burst of small tasks and the one that fails follow when the charts have
something to show, so that one picture holds every state. Takes about five minutes, because the
processes do. Everything lives in a temporary state directory, and is ended and removed with it.
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
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import msgspec
import psutil

from heaptui.cli.demo.command import PROGRAMS, workload, works_through
from heaptui.cli.starting import ensure_served
from heaptui.client import Client, Operator, Update
from heaptui.model import Activity, Kind, Limits, Row, Snapshot, State, TaskSpec
from heaptui.paths import StateDir
from heaptui.protocol import Change, Picture
from heaptui.splitting.listed import files
from heaptui.tui import early
from heaptui.units import MIB

HOST = "web-3"
"""The machine's name in the pictures."""
GROWING, FAILING, SMALL = "refactor-auth", "e2e-login", "triage"
RECYCLED = "migrate-users"
PLACES = 7
"""Tasks at once: the five long ones, and two of the burst."""
GROWN_BYTES = 300 * MIB
"""Of the growing task, when the burst begins: beyond half its cap, and some minutes of chart."""
WITHIN_S = 400.0
LARGEST_BYTES = 300_000

SHOWN_ROOT = "/srv/agents/team-three/web-3-a/on/a/disk/of/its/own"
"""What stands in the pictures for the temporary directory, cut to its length: columns stay."""
LEAKING = "support-bot"
LEAK = """\
const loggers = { queue: [] };

class TelemetryEvent {
  constructor(n) { this.request = { id: n, body: JSON.stringify(Array(2500).fill(n)) }; }
}

const page = (n) => JSON.stringify(Array(20000).fill(n));
const cache = new Map(Array.from({ length: 400 }, (_, n) => [n, page(n)]));

function record(n) {
  loggers.queue.push(new TelemetryEvent(n));
  cache.get(n % 400);
}

let n = 0;
setInterval(() => { for (let k = 0; k < 4; k += 1) record(n++); }, 50);
"""
"""A leak as they are found: a queue at a module's top that nobody empties."""
HUNT_S = "30s"
DIVIDED = "e2e-login"
WORKING = 'for file in "$@"; do sleep 0.7; echo "$file" >> "$HEAPTUI_DONE"; done'
"""Something that takes its time for each of its files, and says which are done."""

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

    def __init__(self, directory: Path, unwanted: tuple[str, ...], root: Path) -> None:
        self._directory = directory
        self._unwanted = unwanted
        self._root = str(root)

    def keep(self, name: str, svg: str) -> None:
        """Writes a picture, unless it names this machine or is too large."""
        # a path that a column cut short is replaced as well
        for end in range(len(self._root), len("/tmp") - 1, -1):
            svg = svg.replace(self._root[:end], SHOWN_ROOT[:end])
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
    lasting = [spec for spec in specs if spec not in burst]
    await client.submit(lasting, environment, [works_through(spec) for spec in lasting])
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
        await _to(pilot, RECYCLED)
        await pilot.press("z", "5")
        studio.keep("recycled-120.svg", await _showing(pilot, RECYCLED, "goes on from its"))
        await pilot.press("m")
        studio.keep("measures-120.svg", await _showing(pilot, SMALL, "duration"))
        await pilot.press("escape", "1", "question_mark")
        studio.keep("help-120.svg", await _showing(pilot, "The table", "Heaps", "Tasks"))
    async with _screen(client, NARROW, cwd="~/shop", cap="2G", timeout="20m") as pilot:
        await _showing(pilot, GROWING)
        await _to(pilot, GROWING)
        studio.keep("main-80.svg", await _showing(pilot, GROWING, RECYCLED))
        await pilot.press("K")
        studio.keep("stop-80.svg", await _showing(pilot, f"Stop {GROWING}?", "terminate"))
        await pilot.press("escape", "n", *"node agent.js --goal ", "quotation_mark")
        await pilot.press(*"update the snapshots", "quotation_mark")
        studio.keep("launch-80.svg", await _showing(pilot, "Launch a task", "runs node agent.js"))


async def _to(pilot: Any, name: str) -> None:
    """Moves to the row of that name."""
    board = pilot.app.board
    await pilot.press("home")
    for _ in board.visible:
        if board.cursor is not None and board.rows[board.cursor].name == name:
            return
        await pilot.press("j")
    raise SystemExit(f"there is no {name}")


async def _take_heaps(studio: Studio, client: Client, root: Path) -> None:
    """A task that leaks: its snapshot's dialog, the hunt, what it found, and the two files read."""
    program = root / "home" / "shop" / "loggers.js"
    program.write_text(LEAK)
    spec = TaskSpec(
        argv=(str(program),),
        cwd=str(program.parent),
        name=LEAKING,
        kind=Kind.NODE,
        limits=Limits(cap_bytes=2 << 30),
    )
    await client.submit([spec], dict(os.environ))
    async with _screen(client, NARROW) as pilot:
        await _until(lambda: _has_heap(pilot.app.board.rows.values()), "the heap's figures")
        await pilot.press("s")
        studio.keep("snapshot-80.svg", await _showing(pilot, f"Snapshot of {LEAKING}?", "take it"))
    async with _screen(client, WIDE) as pilot:
        await _until(lambda: _has_heap(pilot.app.board.rows.values()), "the heap's figures")
        await pilot.press("L")
        await _showing(pilot, "hunt", "change the wait")
        await pilot.press("w", "backspace", "backspace", *HUNT_S, "enter", "h")
        await _until(lambda: _half_done(pilot.app.board.activities), "half of the hunt's wait")
        studio.keep("heap-120.svg", await _showing(pilot, "esc", "outside"))
        studio.keep("hunt-120.svg", await _showing(pilot, "In words:", "what holds it", "took"))
        await _read(studio, pilot, await client.snapshots())
    ids = [row.id for row in await client.tasks()]
    await client.stop(ids, now=True)
    await client.settled(ids)
    await client.forget(ids)


async def _take_family(studio: Studio, client: Client, root: Path) -> None:
    """A task that works through files: the preview of its split, and its children at work."""
    shop = root / "home" / "shop"
    for directory, count, kilobytes in (("login", 14, 8), ("reset", 10, 12), ("orders", 24, 5)):
        place = shop / "tests" / directory
        place.mkdir(parents=True)
        for number in range(count):
            (place / f"{directory}-{number:02}.spec.ts").write_text("x" * 1024 * kilobytes)
    spec = TaskSpec(
        argv=("sh", "-c", WORKING, "sh", "{items}"),
        cwd=str(shop),
        name=DIVIDED,
        limits=Limits(cap_bytes=512 * MIB),
    )
    works = files(["tests/**/*.spec.ts"], shop)
    (id,) = await client.submit([spec], dict(os.environ), [works])
    async with _screen(client, WIDE) as pilot:

        def of_family(*states: State) -> list[Row]:
            rows = pilot.app.board.rows.values()
            return [row for row in rows if row.parent == id and row.state in states]

        await _until(lambda: (pilot.app.board.rows[id].items_done or 0) >= 5, "five files")
        await pilot.press("x")
        studio.keep("split-120.svg", await _showing(pilot, "login", "split"))
        await pilot.press("enter")
        await _until(lambda: of_family(State.DONE) and of_family(State.RUNNING), "children")
        studio.keep("tree-120.svg", await _showing(pilot, "split into", "├"))
    await client.stop([id], now=True)
    await client.settled([id])
    await client.forget([id])


async def _read(studio: Studio, pilot: Any, snapshots: list[Snapshot]) -> None:
    """The two files of the hunt: how they differ, what the second holds, and who holds that."""
    from heaptui.tui.snapshot import open_snapshot

    second, first = snapshots[:2]
    paths = [Path(first.path), Path(second.path)]
    open_snapshot(pilot.app, paths, f"{LEAKING} before and after")
    studio.keep("diff-120.svg", await _showing(pilot, "classes that differ", "TelemetryEvent"))
    open_snapshot(pilot.app, paths[1:], LEAKING)
    studio.keep("summary-120.svg", await _showing(pilot, "RETAINED", "TelemetryEvent"))


def _has_heap(rows: Iterable[Row]) -> bool:
    return any(row.name == LEAKING and row.heap_used_bytes for row in rows)


def _half_done(activities: Iterable[Activity]) -> bool:
    return any(each.kind == "hunt" and (each.fraction or 0) > 0.5 for each in activities)


def _grown(rows: list[Row]) -> bool:
    return any(row.name == GROWING and (row.memory_bytes or 0) >= GROWN_BYTES for row in rows)


def _every_state(rows: list[Row]) -> bool:
    small = [row.state for row in rows if row.name.startswith(SMALL)]
    failed = any(row.name == FAILING and row.state is State.FAILED for row in rows)
    return failed and {State.DONE, State.RUNNING, State.QUEUED} <= set(small)


async def _studio(studio: Studio, state: StateDir, root: Path) -> None:
    async with Client(state, "screenshots") as client:
        warden = (await client.ping()).warden_pid
        try:
            await _take_family(studio, client, root)
            await _take_heaps(studio, client, root)
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
        asyncio.run(_studio(Studio(directory, unwanted, root), state, root))


if __name__ == "__main__":
    main()
