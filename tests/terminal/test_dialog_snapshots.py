"""Pictures of the dock and the dialogs at 80x24 and 120x40, with a clock that stands still."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.screen import Screen

from heaptui.model import State, VerdictKind
from heaptui.tui.keymap import BINDINGS
from heaptui.tui.remembered import Remembered
from heaptui.tui.screens.finding import FindingScreen
from heaptui.tui.screens.help import HelpScreen
from heaptui.tui.screens.history import HistoryScreen
from heaptui.tui.screens.hunt import HuntScreen
from heaptui.tui.screens.launch import LaunchScreen
from heaptui.tui.screens.quit import QuitScreen
from heaptui.tui.screens.raising import RaiseScreen
from heaptui.tui.screens.snapshots import SnapshotsScreen
from heaptui.tui.screens.stop import StopScreen
from heaptui.tui.screens.take import TakeScreen
from heaptui.tui.screens.task import TaskScreen
from heaptui.tui.widgets.dock import Dock
from tests.terminal.dock_operator import (
    DockApp,
    DockOperator,
    G,
    a_detail,
    a_record,
    a_row,
    a_series,
)
from tests.terminal.heap_scene import a_finding, a_snapshot, heaps_of

SIZES = pytest.mark.parametrize("size", [(80, 24), (120, 40)], ids=["80x24", "120x40"])
Compare = Callable[..., bool]


@pytest.fixture(autouse=True)
def _still(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    monkeypatch.chdir("/")


HEAP = {"heap_used_bytes": int(1.41 * G), "heaps": 2}


def an_operator() -> DockOperator:
    row = a_row(**HEAP)
    operator = DockOperator(a_detail(row, heaps=heaps_of(row)))
    operator.plot[row.id] = a_series()
    operator.heap.verdict = "raise"
    operator.heap.kept = [a_snapshot(number, row) for number in (1, 2, 3)]
    operator.heap.found = [a_finding(row)]
    operator.records = [
        a_record(number)
        if number % 3
        else a_record(
            number,
            verdict=VerdictKind.CAP,
            exit_code=None,
            signal=9,
            reason="killed at its cap of 1.0G",
            evidence=("memory.events: oom_kill 1",),
        )
        for number in range(60)
    ]
    return operator


def fetched(operator: DockOperator) -> Callable[[], bool]:
    return lambda: operator.count("series") > 0


async def settle(pilot: Pilot[object], holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not holds():
        assert time.monotonic() < deadline
        await pilot.pause(0.02)
    await pilot.pause()


@SIZES
@pytest.mark.parametrize("tab", ["memory", "context", "processes", "output", "events", "snapshots"])
def test_dock(snap_compare: Compare, size: tuple[int, int], tab: str, tmp_path: Path) -> None:
    path = tmp_path / "out"
    path.write_text("".join(f"\x1b[32mstep {n}\x1b[0m [bold]of 60[/bold]\n" for n in range(60)))
    row = a_row(output_bytes=path.stat().st_size, **HEAP)
    operator = DockOperator(a_detail(row, output_path=str(path), heaps=heaps_of(row)))
    operator.heap.kept = [a_snapshot(number, row) for number in (1, 2, 3)]
    operator.heap.found = [a_finding(row)]
    operator.plot[row.id] = a_series()

    async def before(pilot: Pilot[object]) -> None:
        dock = pilot.app.query_one(Dock)
        dock.tab(tab)
        if tab in ("processes", "output", "events", "snapshots"):
            await settle(pilot, lambda: len(dock._body.lines) > 3)
        elif tab == "memory":
            await settle(pilot, fetched(operator))

    assert snap_compare(DockApp(operator, row), terminal_size=size, run_before=before)


MAIN = ("app", "main", "table")

SCREENS: dict[str, Callable[[DockOperator], Screen[Any]]] = {
    "stop": lambda operator: StopScreen(operator, [a_row()]),
    "stop-many": lambda operator: StopScreen(
        operator, [a_row(id=f"id{n}", name=f"bench-ingest-{n}", pid=900 + n) for n in range(1, 12)]
    ),
    "quit": lambda _: QuitScreen(12, True),
    "launch": lambda operator: LaunchScreen(operator, Remembered()),
    "task": lambda operator: TaskScreen(operator, "7f3a2c"),
    "history": HistoryScreen,
    "take": lambda operator: TakeScreen(operator, a_row(**HEAP)),
    "hunt": lambda operator: HuntScreen(operator, a_row(**HEAP)),
    "raise": lambda operator: RaiseScreen(operator, [a_row(**HEAP)]),
    "finding": lambda operator: FindingScreen(operator, a_finding(a_row())),
    "snapshots": SnapshotsScreen,
    "help": lambda _: HelpScreen([e for e in BINDINGS if e.where in MAIN], a_row()),
}

FETCHES = {
    "stop": "show",
    "task": "series",
    "history": "history",
    "take": "plan",
    "hunt": "plan",
    "finding": "snapshots",
    "snapshots": "snapshots",
}
"""The call after which a screen has everything it shows."""


@SIZES
@pytest.mark.parametrize("name", SCREENS)
def test_screen(snap_compare: Compare, size: tuple[int, int], name: str) -> None:
    operator = an_operator()

    async def before(pilot: Pilot[object]) -> None:
        await settle(pilot, fetched(operator))
        call = FETCHES.get(name, "")
        count = operator.count(call)
        await pilot.app.push_screen(SCREENS[name](operator))
        await settle(pilot, lambda: not call or operator.count(call) > count)

    assert snap_compare(DockApp(operator, a_row()), terminal_size=size, run_before=before)


@pytest.mark.parametrize("state", [State.QUEUED, State.FAILED])
def test_a_task_that_does_not_run(snap_compare: Compare, state: State) -> None:
    row = a_row(
        state=state,
        memory_bytes=None,
        wait_reason="waits for 1.2G of free memory" if state is State.QUEUED else None,
        started_at=None if state is State.QUEUED else a_row().started_at,
        ended_at=None if state is State.QUEUED else a_row().created_at + 1000,
        reason=None if state is State.QUEUED else "killed at its cap of 2.0G",
        signal=None if state is State.QUEUED else 9,
    )
    operator = DockOperator(a_detail(row))

    async def before(pilot: Pilot[object]) -> None:
        await settle(pilot, fetched(operator))

    assert snap_compare(DockApp(operator, row), terminal_size=(80, 12), run_before=before)


@pytest.mark.parametrize("theme", ["light"])
def test_another_theme(snap_compare: Compare, theme: str) -> None:
    operator = an_operator()

    async def before(pilot: Pilot[object]) -> None:
        await settle(pilot, fetched(operator))
        await pilot.app.push_screen(StopScreen(operator, [a_row()]))
        await settle(pilot, lambda: operator.count("show") > 1)

    app = DockApp(operator, a_row(), palette=theme)
    assert snap_compare(app, terminal_size=(80, 24), run_before=before)
