"""Snapshots read on the screen: real files, a real reader, no mouse."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest
from textual import events
from textual.pilot import Pilot

from heaptui.runtime.node import wheel
from heaptui.tui.snapshot import open_snapshot
from heaptui.tui.snapshot.screen import SnapshotScreen
from heaptui.tui.snapshot.value import ValueScreen
from heaptui.tui.widgets.lines_view import LinesView
from tests.terminal.stage import main, make_app, on_stage, text_on, until

NODE = shutil.which("node") or str(wheel())

PROGRAM = r"""
const v8 = require('v8');
class Thought { constructor(n) { this.body = Buffer.from('body of ' + n).toString('latin1'); } }
const queue = [];
globalThis.keeps = () => queue;
globalThis.odd = 'red \x1b[31m alert ' + '.'.repeat(3000);
for (let n = 0; n < 500; n++) queue.push(new Thought(n));
v8.writeHeapSnapshot('before.heapsnapshot');
for (let n = 0; n < 3000; n++) queue.push(new Thought(n));
v8.writeHeapSnapshot('after.heapsnapshot');
"""


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Of one process, before and after it took 3,000 more events."""
    directory = tmp_path_factory.mktemp("heaps")
    (directory / "events.js").write_text(PROGRAM)
    subprocess.run([NODE, "events.js"], cwd=directory, check=True, timeout=60)
    return directory / "before.heapsnapshot", directory / "after.heapsnapshot"


Children = Callable[[], list[psutil.Process]]


@pytest.fixture
def readers() -> Children:
    """This process's children, ended or not, but for those that other tests have left."""
    others = psutil.Process().children()
    return lambda: [child for child in psutil.Process().children() if child not in others]


async def _opened(pilot: Pilot[Any], *paths: Path) -> SnapshotScreen:
    open_snapshot(pilot.app, paths, "agent 03:23")
    await until(pilot, lambda: isinstance(pilot.app.screen, SnapshotScreen))
    screen = pilot.app.screen
    assert isinstance(screen, SnapshotScreen)
    await until(pilot, lambda: re.search(r"1 of \d", text_on(pilot.app)))
    return screen


async def _onto(pilot: Pilot[Any], name: str) -> None:
    """Finds the class, and puts the cursor on it."""
    await pilot.press("slash", *name, "enter")
    await until(
        pilot,
        lambda: (
            re.search(rf"\d  by \w+  /{name}$", text_on(pilot.app), re.MULTILINE)
            and re.search(rf"^ {name} ", text_on(pilot.app), re.MULTILINE)
        ),
    )
    rows = [line.split()[0] for line in text_on(pilot.app).splitlines()[3:] if line.strip()]
    for _ in range(rows.index(name)):
        await pilot.press("down")


@pytest.mark.parametrize("size", [(80, 24), (120, 40)])
async def test_classes_open_into_objects_and_say_who_holds_them(
    files: tuple[Path, Path], size: tuple[int, int]
) -> None:
    app = make_app()
    async with on_stage(app, size) as pilot:
        await _opened(pilot, files[1])
        await _onto(pilot, "Thought")
        assert "3,500" in text_on(app)
        await until(pilot, lambda: "who holds Thought @" in text_on(app))
        assert "queue" in text_on(app).rpartition("who holds")[2]
        await pilot.press("enter")
        await until(pilot, lambda: "classes > Thought  1 of 3,500" in text_on(app))
        await pilot.press("enter")
        await until(pilot, lambda: ".body" in text_on(app))
        await pilot.press("b", "b")
        await until(pilot, lambda: "classes  1 of" in text_on(app))
        await pilot.press("escape")
        await until(pilot, lambda: app.screen is main(app))


async def test_retainers_are_followed_to_the_holder(files: tuple[Path, Path]) -> None:
    app = make_app()
    async with on_stage(app) as pilot:
        await _opened(pilot, files[1])
        await _onto(pilot, "Thought")
        await pilot.press("enter")
        await until(pilot, lambda: "> Thought  1 of" in text_on(app))
        await pilot.press("r")
        await until(pilot, lambda: "who has Thought @" in text_on(app))
        await until(pilot, lambda: re.search(r"\[\d+\]  Array", text_on(app)))


async def test_two_snapshots_show_what_grew_and_what_holds_it(files: tuple[Path, Path]) -> None:
    app = make_app()
    async with on_stage(app) as pilot:
        await _opened(pilot, *files)
        await _onto(pilot, "Thought")
        assert re.search(r" Thought +3,000 +0 ", text_on(app))
        await pilot.press("5")
        await until(pilot, lambda: "held by" in text_on(app))
        shown = text_on(app)
        assert "queue" in shown
        assert "events.js" in shown
        assert "w write the finding" in shown


async def test_a_finding_is_written_to_a_private_file(
    files: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    app = make_app()
    async with on_stage(app) as pilot:
        await _opened(pilot, *files)
        await pilot.press("5")
        await until(pilot, lambda: "held by" in text_on(app))
        await pilot.press("w")
        await until(pilot, lambda: list(tmp_path.iterdir()))
        (written,) = tmp_path.iterdir()
        assert "queue" in written.read_text()
        assert written.stat().st_mode & 0o777 == 0o600


async def test_text_from_a_heap_never_reaches_the_terminal_raw(files: tuple[Path, Path]) -> None:
    app = make_app()
    async with on_stage(app) as pilot:
        await _opened(pilot, files[1])
        await pilot.press("4")
        await until(pilot, lambda: "strings  1 of" in text_on(app))
        await pilot.press("slash", *"alert", "enter")
        await until(pilot, lambda: re.search(r"^ red .* alert", text_on(app), re.MULTILINE))
        assert "\x1b" not in text_on(app)
        await pilot.press("v")
        await until(pilot, lambda: isinstance(app.screen, ValueScreen))
        assert "\x1b" not in text_on(app)
        assert "3,0" in text_on(app)  # its length, with all that was cut off in the list


async def test_what_is_no_snapshot_is_said_to_be_none(tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.heapsnapshot"
    wrong.write_text('{"snapshot": {}}')
    app = make_app()
    async with on_stage(app) as pilot:
        open_snapshot(app, [wrong], "agent 03:23")
        await until(
            pilot, lambda: "wrong.heapsnapshot" in text_on(app) and "esc close" in text_on(app)
        )
        await pilot.press("escape")
        await until(pilot, lambda: app.screen is main(app))


async def test_leaving_while_it_loads_ends_the_reader(
    files: tuple[Path, Path], readers: Children
) -> None:
    app = make_app()
    async with on_stage(app) as pilot:
        open_snapshot(app, list(files), "agent 03:23")
        await until(pilot, readers)
        await pilot.press("escape")
        await until(pilot, lambda: app.screen is main(app))
        await until(pilot, lambda: not readers())


async def test_the_wheel_moves_the_cursor_and_a_long_list_is_drawn_where_it_is_seen(
    files: tuple[Path, Path],
) -> None:
    app = make_app()
    async with on_stage(app, (80, 24)) as pilot:
        screen = await _opened(pilot, files[1])
        await _onto(pilot, "Thought")
        await pilot.press("enter")
        await until(pilot, lambda: "> Thought  1 of 3,500" in text_on(app))
        table = screen.query_one("#reading-table", LinesView)
        table.post_message(
            events.MouseScrollDown(table, 1, 1, 0, 1, 0, shift=False, meta=False, ctrl=False)
        )
        await until(pilot, lambda: "> Thought  4 of 3,500" in text_on(app))
        await pilot.press("end")
        await until(pilot, lambda: "> Thought  200 of 3,500" in text_on(app))
        assert len(table.lines) <= 24


async def test_what_does_not_answer_says_why_in_the_place_of_the_rows(
    files: tuple[Path, Path], readers: Children
) -> None:
    app = make_app()
    async with on_stage(app, (80, 24)) as pilot:
        await _opened(pilot, files[1])
        (reading,) = readers()
        reading.kill()
        await pilot.press("4")
        await until(pilot, lambda: "The reader was killed" in text_on(app))
        assert "asking" not in text_on(app)


async def test_only_what_can_be_done_here_is_in_the_footer(files: tuple[Path, Path]) -> None:
    app = make_app()
    async with on_stage(app, (80, 24)) as pilot:
        await _opened(pilot, files[1])
        assert text_on(app).endswith("enter open   / filter   o order   esc close")
        await _onto(pilot, "Thought")
        await pilot.press("enter")
        await until(pilot, lambda: "> Thought  1 of" in text_on(app))
        assert text_on(app).endswith("enter open   r retainers   esc back")
        await pilot.press("v")
        await until(pilot, lambda: "This is no string" in text_on(app))
        await pilot.press("4")
        await until(pilot, lambda: "v value" in text_on(app).splitlines()[-1])
        await pilot.press("slash", *"no such text", "enter")
        await until(pilot, lambda: "nothing has that in its name" in text_on(app))
        await until(pilot, lambda: "who holds this text" not in text_on(app))
