"""The dock in a running app: it follows, fetches no more than it must, and paints what changed."""

from __future__ import annotations

import asyncio
import os
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest
from msgspec.structs import replace
from textual.pilot import Pilot
from textual.widgets import Input

from heaptui.errors import Unreachable
from heaptui.model import Detail, Row, Series
from heaptui.tui.glyphs import ASCII
from heaptui.tui.lines import text_of
from heaptui.tui.widgets.dock import TABS, Dock
from heaptui.tui.widgets.lines_view import LinesView
from tests.terminal.dock_operator import DockApp, DockOperator, a_detail, a_row, a_series

DEADLINE_S = 10.0


@pytest.fixture(autouse=True)
def _utc(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()


async def until(pilot: Pilot[object], holds: Callable[[], bool]) -> None:
    """Lets the app work until `holds`, or fails."""
    deadline = time.monotonic() + DEADLINE_S
    while not holds():
        assert time.monotonic() < deadline, body(pilot)
        await pilot.pause(0.02)


def dock_of(pilot: Pilot[object]) -> Dock:
    return pilot.app.screen.query_one(Dock)


def body(pilot: Pilot[object]) -> str:
    view = pilot.app.screen.query_one("#dock-body", LinesView)
    seen = view.lines[view.top : view.top + view.size.height]
    return "\n".join(text_of(line) for line in seen)


def painted(pilot: Pilot[object]) -> str:
    """What the terminal shows of the whole screen."""
    return "\n".join(strip.text for strip in pilot.app.screen._compositor.render_strips())


def an_operator(**fields: object) -> tuple[DockOperator, Row]:
    row = a_row()
    operator = DockOperator(a_detail(row, **fields))
    operator.plot[row.id] = a_series()
    return operator, row


async def test_figures_come_from_the_row_at_once_and_the_chart_when_fetched() -> None:
    operator, row = an_operator()
    async with DockApp(operator, row).run_test(size=(120, 14)) as pilot:
        await until(pilot, lambda: "memory 1.93G" in body(pilot))
        await until(pilot, lambda: "-30 min" in body(pilot))
        assert "soft limit: 1.89 of 2.0G" in body(pilot)
        dock_of(pilot).follow(replace(row, memory_bytes=1 << 30))
        await pilot.pause()
        assert "memory 1.00G" in body(pilot)


@pytest.mark.parametrize(
    ("tab", "part"),
    [
        ("context", "reports no context"),
        ("processes", "├─ node worker.js"),
        ("events", "started as pid 41822"),
        ("snapshots", "No snapshots"),
        ("memory", "growth +88M"),
    ],
)
async def test_every_tab_shows_its_pane(tab: str, part: str) -> None:
    operator, row = an_operator()
    async with DockApp(operator, row).run_test(size=(80, 14)) as pilot:
        dock_of(pilot).tab(tab)
        await until(pilot, lambda: part in body(pilot))
        assert dock_of(pilot).active == tab


async def test_a_click_on_a_tab_shows_it() -> None:
    operator, row = an_operator()
    async with DockApp(operator, row).run_test(size=(80, 14)) as pilot:
        await pilot.pause()
        at = painted(pilot).splitlines()[0].index("5 Ev")
        await pilot.click("#dock-title", offset=(at + 1, 0))
        assert dock_of(pilot).active == "events"


async def test_no_task_is_said() -> None:
    async with DockApp(DockOperator(), None).run_test(size=(80, 14)) as pilot:
        await pilot.pause()
        assert "no task" in painted(pilot)
        assert body(pilot) == ""


class SlowOperator(DockOperator):
    """Answers `show` only when it is let."""

    def __init__(self, *details: Detail) -> None:
        super().__init__(*details)
        self.let = asyncio.Event()
        self.at_once = 0
        self.most_at_once = 0

    async def show(self, task: str, events: int = 200) -> Detail:
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            await self.let.wait()
            return await super().show(task, events)
        finally:
            self.at_once -= 1


async def test_a_fetch_that_finds_the_last_running_is_dropped() -> None:
    row = a_row()
    operator = SlowOperator(a_detail(row))
    async with DockApp(operator, row).run_test(size=(80, 14)) as pilot:
        dock = dock_of(pilot)
        dock.tab("processes")
        await until(pilot, lambda: operator.at_once == 1)
        for number in range(50):
            dock.follow(replace(row, memory_bytes=number))
            dock._tick()
        await pilot.pause()
        operator.let.set()
        await until(pilot, lambda: "node worker.js" in body(pilot))
        assert operator.most_at_once == 1
        assert operator.count("show") == 1


async def test_the_cursor_that_runs_through_the_table_fetches_nothing_on_the_way() -> None:
    rows = [a_row(id=f"id{n:04}", name=f"task-{n}") for n in range(100)]
    operator = DockOperator(*map(a_detail, rows))
    async with DockApp(operator, None).run_test(size=(80, 14)) as pilot:
        for row in rows:
            dock_of(pilot).follow(row)
        await until(pilot, lambda: operator.count("show") > 0)
        assert {call[1] for call in operator.calls if call[0] == "show"} == {"id0099"}
        assert "task-99" in painted(pilot)


async def test_an_answer_for_a_task_that_was_left_is_not_shown() -> None:
    one, other = a_row(), a_row(id="other1", name="other")
    operator = SlowOperator(a_detail(one), a_detail(other, processes=()))
    async with DockApp(operator, one).run_test(size=(80, 14)) as pilot:
        dock_of(pilot).tab("processes")
        await until(pilot, lambda: operator.at_once == 1)
        dock_of(pilot).follow(other)
        operator.let.set()
        await until(pilot, lambda: "not measured yet" in body(pilot))
        assert "worker.js" not in body(pilot)


async def test_nothing_is_painted_when_nothing_changed() -> None:
    operator, row = an_operator()
    async with DockApp(operator, row).run_test(size=(120, 14)) as pilot:
        await until(pilot, lambda: "-30 min" in body(pilot))
        refreshed: list[object] = []
        view = pilot.app.screen.query_one("#dock-body", LinesView)
        view.refresh = lambda *regions, **_: refreshed.append(regions)  # type: ignore[assignment]
        fetched = operator.count("series")
        dock_of(pilot).follow(replace(row, name=row.name))
        dock_of(pilot)._tick()
        await until(pilot, lambda: operator.count("series") > fetched)
        await pilot.pause()
        assert refreshed == []
        dock_of(pilot).follow(replace(row, processes=3))
        assert len(refreshed) == 1
        (regions,) = refreshed
        assert len(regions) == 1  # type: ignore[arg-type]


async def test_trouble_is_said_and_the_last_figures_stay() -> None:
    operator, row = an_operator()

    async def unreachable(task: str, span_s: float = 1800) -> Series:
        raise Unreachable("No supervisor answers.")

    async with DockApp(operator, row).run_test(size=(80, 14)) as pilot:
        await until(pilot, lambda: "-30 min" in body(pilot))
        operator.series = unreachable  # type: ignore[method-assign]
        dock_of(pilot)._tick()
        await until(pilot, lambda: "No supervisor answers." in painted(pilot))
        await until(pilot, lambda: "-30 min" in body(pilot))
        del operator.series  # type: ignore[method-assign]
        dock_of(pilot)._tick()
        await until(pilot, lambda: "No supervisor answers." not in painted(pilot))


async def test_names_and_commands_are_text() -> None:
    row = a_row(name="[red]x[/red]\x1b]0;t\x07\nsecond" + "y" * 10_000)
    operator = DockOperator(a_detail(row))
    async with DockApp(operator, row).run_test(size=(120, 14)) as pilot:
        await until(pilot, lambda: "[red]x" in painted(pilot))
        assert "\x1b" not in painted(pilot)
        assert "6 Snap" in painted(pilot)


async def test_ascii_where_the_terminal_has_nothing_else() -> None:
    operator, row = an_operator()
    async with DockApp(operator, row, glyphs=ASCII).run_test(size=(80, 14)) as pilot:
        await until(pilot, lambda: "-30 min" in body(pilot))
        assert painted(pilot).isascii()


@pytest.mark.parametrize("size", [(20, 5), (40, 6), (80, 24), (200, 50)])
async def test_any_size_shows_something(size: tuple[int, int]) -> None:
    operator, row = an_operator()
    async with DockApp(operator, row).run_test(size=size) as pilot:
        for name in TABS:
            dock_of(pilot).tab(name)
            await pilot.pause()
        assert painted(pilot).strip()


# --- output ------------------------------------------------------------------------------------
def printing(path: Path, row: Row | None = None) -> tuple[DockOperator, Row]:
    row = row or a_row(output_bytes=path.stat().st_size)
    return DockOperator(a_detail(row, output_path=str(path))), row


async def test_output_follows_its_end_and_reads_only_what_grew(tmp_path: Path) -> None:
    path = tmp_path / "out"
    path.write_text("".join(f"line {number}\n" for number in range(5000)))
    operator, row = printing(path)
    async with DockApp(operator, row).run_test(size=(80, 14)) as pilot:
        dock_of(pilot).tab("output")
        await until(pilot, lambda: "line 4999" in body(pilot))
        with path.open("a") as file:
            file.write("one more\n")
        dock_of(pilot)._stale = True
        shows = operator.count("show")
        dock_of(pilot)._tick()
        await until(pilot, lambda: operator.count("show") > shows)
        await pilot.pause()
        assert "one more" not in body(pilot)  # its row tells nothing new: the file is not read
        dock_of(pilot).follow(operator.put(replace(row, output_bytes=path.stat().st_size)))
        await until(pilot, lambda: "one more" in body(pilot))
        assert "following" in painted(pilot)


async def test_output_moves_back_over_all_of_it_and_returns(tmp_path: Path) -> None:
    path = tmp_path / "out"
    path.write_text("".join(f"line {number:06}\n" for number in range(60_000)))
    operator, row = printing(path)
    async with DockApp(operator, row).run_test(size=(80, 14)) as pilot:
        dock_of(pilot).tab("output")
        await until(pilot, lambda: "line 059999" in body(pilot))
        await pilot.press("up")
        await until(pilot, lambda: "not following" in painted(pilot))
        deadline = time.monotonic() + DEADLINE_S
        while "line 000000" not in body(pilot):
            assert time.monotonic() < deadline
            await pilot.press("home")
        view = pilot.app.screen.query_one("#dock-body", LinesView)
        assert len(view.lines) < 20_000
        await pilot.press("f")
        await until(pilot, lambda: "line 059999" in body(pilot))


async def test_output_is_searched_from_its_end(tmp_path: Path) -> None:
    path = tmp_path / "out"
    path.write_text(
        "".join(
            f"line {number:06}{' FAILED [x]' if number % 20_000 == 7 else ''}\n"
            for number in range(60_000)
        )
    )
    operator, row = printing(path)
    async with DockApp(operator, row).run_test(size=(80, 14)) as pilot:
        dock_of(pilot).tab("output")
        await until(pilot, lambda: "line 059999" in body(pilot))
        await pilot.press("slash", *"failed", "enter")
        await until(pilot, lambda: "line 040007 FAILED" in body(pilot))
        await pilot.press("n")
        await until(pilot, lambda: "line 020007 FAILED" in body(pilot))
        await pilot.press("n")
        await until(pilot, lambda: "line 000007 FAILED" in body(pilot))
        await pilot.press("n")
        await until(pilot, lambda: "no earlier match" in painted(pilot))
        await pilot.press("N")
        await until(pilot, lambda: "line 020007 FAILED" in body(pilot))
        await pilot.press("escape")
        await until(pilot, lambda: "older" not in painted(pilot))


async def test_the_search_takes_every_letter_as_text(tmp_path: Path) -> None:
    path = tmp_path / "out"
    path.write_text("jkfnN/[b]\n")
    operator, row = printing(path)
    async with DockApp(operator, row).run_test(size=(80, 14)) as pilot:
        dock_of(pilot).tab("output")
        await until(pilot, lambda: "jkfnN" in body(pilot))
        assert dock_of(pilot).focusable_search()
        await pilot.pause()
        await pilot.press("j", "k", "f", "n", "N")
        assert pilot.app.screen.query_one("#dock-search", Input).value == "jkfnN"
        await pilot.press("escape")
        assert not pilot.app.screen.query_one("#dock-search", Input).display


async def test_one_line_of_300_megabytes_is_shown_in_bounded_memory(tmp_path: Path) -> None:
    path = tmp_path / "out"
    with path.open("wb") as file:
        for _ in range(300):
            file.write(b"\x1b[31m[b]x" * ((1 << 20) // 9))
        os.truncate(path, 300 << 20)
    operator, row = printing(path)
    async with DockApp(operator, row).run_test(size=(80, 14)) as pilot:
        await pilot.pause()
        tracemalloc.start()
        dock_of(pilot).tab("output")
        await until(pilot, lambda: "printed 300M" in painted(pilot))
        await pilot.press("pageup", "pageup")
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak < 8 << 20
        assert "[b]x[b]x" in body(pilot)


async def test_output_that_cannot_be_read_says_so(tmp_path: Path) -> None:
    row = a_row()
    operator = DockOperator(a_detail(row, output_path=str(tmp_path / "gone")))
    async with DockApp(operator, row).run_test(size=(80, 14)) as pilot:
        dock_of(pilot).tab("output")
        await until(pilot, lambda: "cannot be read: No such file" in body(pilot))


async def test_only_output_has_a_search() -> None:
    operator, row = an_operator()
    async with DockApp(operator, row).run_test(size=(80, 14)) as pilot:
        await pilot.pause()
        assert not dock_of(pilot).focusable_search()


async def test_the_lines_that_are_seen_are_copied_whole(tmp_path: Path) -> None:
    path = tmp_path / "out"
    long = "x" * 100
    path.write_text("".join(f"step {n}\n" for n in range(50)) + f"\x1b[1m{long}\nlast\n")
    operator, row = an_operator(output_path=str(path))
    row = replace(row, output_bytes=path.stat().st_size)
    async with DockApp(operator, row).run_test(size=(80, 14)) as pilot:
        dock_of(pilot).tab("output")
        await until(pilot, lambda: "last" in body(pilot))
        seen = body(pilot).split()
        await pilot.press("y")
        copied = pilot.app.clipboard.splitlines()
        assert copied[-2:] == [long, "last"]
        assert copied[0] == f"step {seen[1]}"
        (toast,) = pilot.app._notifications
        assert toast.message == (
            f"{len(copied)} lines sent by OSC 52; with tmux: set -g set-clipboard on"
        )


async def test_where_there_is_no_output_nothing_is_copied() -> None:
    operator, row = an_operator()
    async with DockApp(operator, row).run_test(size=(80, 14)) as pilot:
        await pilot.press("y")
        assert not pilot.app._notifications
        dock_of(pilot).tab("output")
        await until(pilot, lambda: "no output yet" in body(pilot))
        await pilot.press("y")
        assert pilot.app.clipboard == ""
        (toast,) = pilot.app._notifications
        assert toast.message == "There is no output to copy."


async def test_the_output_names_the_keys_that_work_where_the_focus_is(tmp_path: Path) -> None:
    path = tmp_path / "out"
    path.write_text("one\n")
    operator, row = an_operator(output_path=str(path))
    async with DockApp(operator, row).run_test(size=(80, 14)) as pilot:
        dock_of(pilot).tab("output")
        await until(pilot, lambda: "y copy" in painted(pilot))
        pilot.app.set_focus(None)
        await until(pilot, lambda: "tab move, search, copy" in painted(pilot))
        assert "y copy" not in painted(pilot)
