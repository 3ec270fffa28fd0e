"""Dialogs and screens: they name their target, harm nobody by default, and lose nothing typed."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import Any

import pytest
from msgspec.structs import replace
from textual.pilot import Pilot
from textual.screen import Screen
from textual.widgets import Input

from heaptui.errors import Refused
from heaptui.model import Limits, State, VerdictKind
from heaptui.runtime.taskfile import Fallback
from heaptui.tui.keymap import BINDINGS
from heaptui.tui.leaving import Leaving
from heaptui.tui.remembered import Remembered
from heaptui.tui.screens.forget import ForgetScreen
from heaptui.tui.screens.help import HelpScreen, help_lines
from heaptui.tui.screens.history import HistoryScreen
from heaptui.tui.screens.launch import LaunchScreen
from heaptui.tui.screens.quit import QuitScreen
from heaptui.tui.screens.stop import StopScreen
from heaptui.tui.screens.task import TaskScreen
from heaptui.tui.widgets.dialog import Choices
from heaptui.tui.widgets.dock import Dock
from tests.terminal.dock_operator import DockApp, DockOperator, a_detail, a_record, a_row

DEADLINE_S = 10.0
OPEN = object()
DRAINED = "refactor-auth: drains: finishes what is in hand; what is left after 30s is stopped"
ASKED = "refactor-auth: TERM sent to 2 processes; what is left after 10s is killed"


@pytest.fixture(autouse=True)
def _utc(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()


class Answer:
    """What the screen was left with; `OPEN` while it is not."""

    def __init__(self) -> None:
        self.given: Any = OPEN

    def __call__(self, given: Any) -> None:
        self.given = given


async def opened(pilot: Pilot[object], screen: Screen[Any]) -> Answer:
    answer = Answer()
    await pilot.app.push_screen(screen, answer)
    await pilot.pause()
    return answer


async def until(pilot: Pilot[object], holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while not holds():
        assert time.monotonic() < deadline, painted(pilot)
        await pilot.pause(0.02)


def painted(pilot: Pilot[object]) -> str:
    return "\n".join(strip.text for strip in pilot.app.screen._compositor.render_strips())


def stops(operator: DockOperator) -> list[tuple[Any, ...]]:
    return [call for call in operator.calls if call[0] == "stop"]


# --- stop --------------------------------------------------------------------------------------
async def test_a_fresh_stop_dialog_has_cancel_in_focus_and_enter_harms_nobody() -> None:
    row = a_row()
    operator = DockOperator(a_detail(row))
    async with DockApp(operator, row).run_test(size=(80, 24)) as pilot:
        answer = await opened(pilot, StopScreen(operator, [row]))
        assert pilot.app.screen.query_one(Choices).current.label == "Cancel"
        await pilot.press("enter")
        await until(pilot, lambda: answer.given is not OPEN)
        assert answer.given is None
        assert stops(operator) == []


@pytest.mark.parametrize("key", ["escape", "q", "y", "k", "T", "delete", "n"])
async def test_no_other_key_harms(key: str) -> None:
    row = a_row()
    operator = DockOperator(a_detail(row))
    async with DockApp(operator, row).run_test(size=(80, 24)) as pilot:
        await opened(pilot, StopScreen(operator, [row], now=True))
        await pilot.press(key)
        await pilot.pause()
        assert stops(operator) == []


async def test_the_dialog_names_its_target() -> None:
    row = a_row()
    operator = DockOperator(a_detail(row))
    async with DockApp(operator, row).run_test(size=(80, 24)) as pilot:
        await opened(pilot, StopScreen(operator, [row]))
        await until(pilot, lambda: "(node 41822, node 41830, sh 41833" in painted(pilot))
        text = painted(pilot)
        assert "Stop refactor-auth?" in text
        assert "task 7f3a2c, attempt 1, pid 41822, started 21:39:10" in text
        assert "[ Cancel ]   d drain, 30s to finish in    t terminate, 10s grace" in text
        assert "no checkpoint is kept" in text and "recycle" not in text


@pytest.mark.parametrize(
    ("keys", "way", "says"),
    [
        (["d"], "drain", DRAINED),
        (["t"], "terminate", ASKED),
        (["K"], "kill", "refactor-auth: killed 2 processes"),
        (["tab", "enter"], "drain", DRAINED),
        (["tab", "tab", "enter"], "terminate", ASKED),
        (["left", "enter"], "kill", "refactor-auth: killed 2 processes"),
    ],
)
async def test_what_was_chosen_is_done_to_the_attempt_that_was_shown(
    keys: list[str], way: str, says: str
) -> None:
    row = a_row()
    operator = DockOperator(a_detail(row))
    async with DockApp(operator, row).run_test(size=(80, 24)) as pilot:
        answer = await opened(pilot, StopScreen(operator, [row]))
        await pilot.press(*keys)
        await until(pilot, lambda: answer.given is not OPEN)
        assert answer.given == says
        assert stops(operator) == [("stop", ("7f3a2c",), (1,), way)]


async def test_a_newer_attempt_is_never_hit() -> None:
    row = a_row()
    operator = DockOperator(a_detail(row))
    async with DockApp(operator, row).run_test(size=(80, 24)) as pilot:
        answer = await opened(pilot, StopScreen(operator, [row]))
        operator.put(replace(row, attempts=2, pid=50000))
        await pilot.press("K")
        await until(
            pilot, lambda: "is at attempt 2 now, not 1: nothing was done" in painted_flat(pilot)
        )
        assert stops(operator) == []
        assert pilot.app.screen.query_one(Choices).current.label == "Close"
        await pilot.press("K", "t")
        await pilot.pause()
        assert stops(operator) == []
        await pilot.press("enter")
        await until(pilot, lambda: answer.given is None)


def painted_flat(pilot: Pilot[object]) -> str:
    """The screen's words, whatever lines they were broken into."""
    return " ".join(painted(pilot).replace("│", " ").split())


async def test_of_several_targets_those_that_changed_are_left_out() -> None:
    rows = [a_row(id=f"id{n}", name=f"job-{n}", pid=100 + n) for n in range(3)]
    operator = DockOperator(*map(a_detail, rows))
    async with DockApp(operator, rows[0]).run_test(size=(80, 24)) as pilot:
        answer = await opened(pilot, StopScreen(operator, rows))
        assert "Stop 3 tasks?" in painted(pilot)
        assert "tasks 3  processes 6  memory 5.79G" in painted(pilot)
        operator.put(replace(rows[1], state=State.DONE))
        await pilot.press("t")
        await until(pilot, lambda: "job-1 has ended meanwhile" in painted_flat(pilot))
        assert stops(operator) == []
        await pilot.press("t")
        await until(pilot, lambda: answer.given is not OPEN)
        assert stops(operator) == [("stop", ("id0", "id2"), (1, 1), "terminate")]
        says = "2 tasks: TERM sent to 4 processes; what is left after 10s is killed"
        assert answer.given == says


async def test_a_refusal_is_shown_with_its_remedy() -> None:
    row = a_row()
    operator = DockOperator(a_detail(row))
    operator.refusal = Refused("It is [bold]another[/bold] now.", "Look again.")
    async with DockApp(operator, row).run_test(size=(80, 24)) as pilot:
        answer = await opened(pilot, StopScreen(operator, [row]))
        await pilot.press("t")
        await until(pilot, lambda: "It is [bold]another[/bold] now." in painted(pilot))
        assert "Look again." in painted(pilot)
        assert answer.given is OPEN


async def test_a_waiting_task_leaves_the_queue() -> None:
    row = a_row(state=State.QUEUED, pid=None, started_at=None, attempts=0)
    operator = DockOperator(a_detail(row))
    async with DockApp(operator, row).run_test(size=(80, 24)) as pilot:
        answer = await opened(pilot, StopScreen(operator, [row]))
        assert "kill now" not in painted(pilot)
        await pilot.press("t")
        await until(pilot, lambda: answer.given == "refactor-auth: taken from the queue")


async def test_a_name_is_never_markup() -> None:
    row = a_row(name="[red]x[/]\x1b[2J [$error")
    operator = DockOperator(a_detail(row))
    async with DockApp(operator, row).run_test(size=(80, 24)) as pilot:
        for screen in (StopScreen(operator, [row]), ForgetScreen(operator, [row])):
            await opened(pilot, screen)
            assert "[red]x[/] [$error?" in painted(pilot)
            assert "\x1b" not in painted(pilot)
            await pilot.press("escape")


# --- quit and forget ---------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("key", "gives"), [("enter", "detach"), ("escape", None), ("S", "stop"), ("right", OPEN)]
)
async def test_leaving_with_work_live_detaches_by_default(key: str, gives: object) -> None:
    async with DockApp(DockOperator(), None).run_test(size=(80, 24)) as pilot:
        answer = await opened(pilot, QuitScreen(12, True))
        text = painted_flat(pilot)
        assert "12 tasks go on" in text
        assert "Come back with heaptui" in text
        await pilot.press(key)
        await pilot.pause()
        assert answer.given == gives


async def test_where_nobody_would_miss_the_work_stopping_comes_first() -> None:
    demo = Leaving(come_back="heaptui demo", first="stop")
    async with DockApp(DockOperator(), None).run_test(size=(80, 24)) as pilot:
        answer = await opened(pilot, QuitScreen(12, True, demo))
        assert "Come back with heaptui demo." in painted_flat(pilot)
        await pilot.press("enter")
        await pilot.pause()
        assert answer.given == "stop"


async def test_leaving_says_who_keeps_the_tasks() -> None:
    async with DockApp(DockOperator(), None).run_test(size=(80, 24)) as pilot:
        await opened(pilot, QuitScreen(1, False))
        assert "1 task goes on. Their supervisor does not run in this terminal" in painted_flat(
            pilot
        )


async def test_forgetting_needs_its_key() -> None:
    row = a_row(state=State.FAILED)
    operator = DockOperator(a_detail(row))
    async with DockApp(operator, row).run_test(size=(80, 24)) as pilot:
        answer = await opened(pilot, ForgetScreen(operator, [row]))
        await pilot.press("enter")
        await until(pilot, lambda: answer.given is None)
        assert operator.count("forget") == 0
        answer = await opened(pilot, ForgetScreen(operator, [row]))
        await pilot.press("f")
        await until(pilot, lambda: answer.given == "refactor-auth: forgotten")


# --- launch ------------------------------------------------------------------------------------
async def test_a_task_is_launched_by_typing_its_command() -> None:
    operator, remembered = DockOperator(), Remembered()
    async with DockApp(operator, None).run_test(size=(80, 24)) as pilot:
        answer = await opened(pilot, LaunchScreen(operator, remembered))
        await pilot.press(*"node 'my agent.js'")
        text = painted(pilot)
        assert "runs node 'my agent.js'" in text
        assert "node, by the command" in text
        await pilot.press("tab", "tab", "tab", *"2G", "enter")
        await until(pilot, lambda: answer.given == ["new000"])
        (spec,) = operator.submitted
        assert spec.argv == ("node", "my agent.js")
        assert spec.limits.cap_bytes == 2 << 30
        assert operator.calls[-1][2] == dict(os.environ)
        assert remembered.launch["cap"] == "2G"
        assert remembered.launch["command"] == "node 'my agent.js'"
        assert "name" not in remembered.launch


async def test_the_last_values_are_there_again() -> None:
    operator, remembered = DockOperator(), Remembered()
    remembered.launch = {"command": "sleep 5", "cap": "300M"}
    async with DockApp(operator, None).run_test(size=(80, 24)) as pilot:
        answer = await opened(pilot, LaunchScreen(operator, remembered))
        await pilot.press("enter")
        await until(pilot, lambda: answer.given is not OPEN)
        assert operator.submitted[0].argv == ("sleep", "5")
        assert operator.submitted[0].limits.cap_bytes == 300 << 20


async def test_what_no_field_says_is_as_configured() -> None:
    operator = DockOperator()
    configured = Fallback(Limits(grace_s=45, output_bytes=1 << 20), retries=3)
    async with DockApp(operator, None).run_test(size=(80, 24)) as pilot:
        answer = await opened(pilot, LaunchScreen(operator, Remembered(), configured))
        assert pilot.app.screen.query_one("#field-retries", Input).placeholder == "3"
        await pilot.press(*"true", "enter")
        await until(pilot, lambda: answer.given is not OPEN)
        (spec,) = operator.submitted
        assert (spec.retries, spec.limits) == (3, configured.limits)


@pytest.mark.parametrize(
    ("name", "typed", "says"),
    [
        ("cap", "2x", "Write a number with k, M, G or T"),
        ("timeout", "soon", "Write seconds, or a number with s, m, h or d"),
        ("kind", "rust", "Write one of command, node, python"),
        ("retries", "many", "Write a whole number from 0"),
        ("cwd", "/no/such", "Make it, or name another"),
    ],
)
async def test_a_wrong_field_is_told_at_the_field(name: str, typed: str, says: str) -> None:
    operator = DockOperator()
    async with DockApp(operator, None).run_test(size=(80, 24)) as pilot:
        answer = await opened(pilot, LaunchScreen(operator, Remembered()))
        await pilot.press(*"true")
        field = pilot.app.screen.query_one(f"#field-{name}", Input)
        field.focus()
        await pilot.press(*typed)
        lines = painted(pilot).splitlines()
        at = next(y for y, line in enumerate(lines) if typed in line)
        assert says in lines[at + 1]
        pilot.app.screen.query_one("#field-command", Input).focus()
        await pilot.press("enter")
        await pilot.pause()
        assert pilot.app.focused is field
        assert operator.submitted == []
        assert answer.given is OPEN


async def test_a_refused_launch_loses_nothing_that_was_typed() -> None:
    operator = DockOperator()
    operator.refusal = Refused("The program 'nod[e]' was not found.", "Install it.")
    async with DockApp(operator, None).run_test(size=(80, 24)) as pilot:
        answer = await opened(pilot, LaunchScreen(operator, Remembered()))
        await pilot.press(*"nod[e] --x", "enter")
        await until(pilot, lambda: "The program 'nod[e]' was not found." in painted(pilot))
        assert "Install it." in painted(pilot)
        assert pilot.app.screen.query_one("#field-command", Input).value == "nod[e] --x"
        assert answer.given is OPEN
        operator.refusal = None
        await pilot.press("enter")
        await until(pilot, lambda: answer.given == ["new000"])


async def test_an_empty_command_is_told() -> None:
    operator = DockOperator()
    async with DockApp(operator, None).run_test(size=(80, 24)) as pilot:
        await opened(pilot, LaunchScreen(operator, Remembered()))
        assert "Write a program" not in painted(pilot)
        await pilot.press("enter")
        await pilot.pause()
        assert "Write a program and its arguments." in painted(pilot)
        assert operator.submitted == []


async def test_every_field_is_seen_at_80x24() -> None:
    async with DockApp(DockOperator(), None).run_test(size=(80, 24)) as pilot:
        await opened(pilot, LaunchScreen(DockOperator(), Remembered()))
        text = painted(pilot)
        for label in [
            "command",
            "name",
            "kind",
            "cap",
            "heap",
            "time-out",
            "preset",
            "preload",
            "traced",
            "retries",
            "count",
            "priority",
            "in",
            "enter",
            "esc",
        ]:
            assert f"{label} " in text


# --- task, history, help -----------------------------------------------------------------------
async def test_the_task_screen_has_dock_limits_launch_and_attempts() -> None:
    row = a_row()
    operator = DockOperator(a_detail(row))
    async with DockApp(operator, row).run_test(size=(80, 24)) as pilot:
        answer = await opened(pilot, TaskScreen(operator, row.id))
        await until(pilot, lambda: "--max-old-space-size=1536" in painted(pilot))
        text = painted(pilot)
        assert "memory 1.93G by cgroup" in text
        assert "cap 2.0G by cgroup v2, given" in text
        assert "GEMINI_API_KEY, NODE_ENV (values are never shown)" in text
        assert "21:39:10 until now" in text
        await pilot.press("3")
        assert pilot.app.screen.query_one(Dock).active == "processes"
        await pilot.press("escape")
        await until(pilot, lambda: answer.given is None)


async def test_the_task_screen_of_a_task_that_is_gone_says_so() -> None:
    operator = DockOperator()
    async with DockApp(operator, None).run_test(size=(80, 24)) as pilot:
        await opened(pilot, TaskScreen(operator, "gone"))
        await until(pilot, lambda: "There is no task gone." in painted(pilot))


async def test_stop_is_reached_from_the_task_screen() -> None:
    row = a_row()
    operator = DockOperator(a_detail(row))
    async with DockApp(operator, row).run_test(size=(80, 24)) as pilot:
        await opened(pilot, TaskScreen(operator, row.id))
        await until(pilot, lambda: "--max-old" in painted(pilot))
        await pilot.press("K")
        await until(pilot, lambda: "Stop refactor-auth?" in painted(pilot))


def with_history() -> DockOperator:
    operator = DockOperator(a_detail(a_row(id="t00003")))
    operator.records = [a_record(number) for number in range(200)]
    operator.records[3] = a_record(
        3,
        verdict=VerdictKind.CAP,
        exit_code=None,
        signal=9,
        reason="killed at its cap of 1.0G",
        evidence=("memory.events: oom_kill 1",),
        peak_bytes=1 << 30,
    )
    return operator


async def test_history_shows_why_attempts_ended() -> None:
    async with DockApp(with_history(), None).run_test(size=(80, 24)) as pilot:
        await opened(pilot, HistoryScreen(with_history()))
        await until(pilot, lambda: "task-0 " in painted(pilot))
        assert "memory.events" not in painted(pilot)
        await pilot.press("down", "down", "down")
        assert "memory.events: oom_kill 1" in painted(pilot)


async def test_history_is_ordered_with_the_cursor_on_its_attempt() -> None:
    async with DockApp(with_history(), None).run_test(size=(80, 24)) as pilot:
        await opened(pilot, HistoryScreen(with_history()))
        await until(pilot, lambda: "task-0 " in painted(pilot))
        await pilot.press("down", "down", "down", "o")
        lines = painted(pilot).splitlines()
        assert "by peak" in lines[0]
        assert "task-3 " in lines[2]
        assert "memory.events: oom_kill 1" in painted(pilot)


async def test_history_is_filtered_as_one_types() -> None:
    operator = with_history()
    async with DockApp(operator, None).run_test(size=(80, 24)) as pilot:
        answer = await opened(pilot, HistoryScreen(operator))
        await until(pilot, lambda: "task-0 " in painted(pilot))
        await pilot.press("slash", *"task-17")
        await until(pilot, lambda: "11 attempts" in painted(pilot))
        await pilot.press("enter", "o", "escape")
        await until(pilot, lambda: "200 attempts" in painted(pilot))
        await pilot.press("escape")
        await until(pilot, lambda: answer.given is None)


async def test_history_opens_the_task() -> None:
    operator = with_history()
    async with DockApp(operator, None).run_test(size=(80, 24)) as pilot:
        await opened(pilot, HistoryScreen(operator))
        await until(pilot, lambda: "task-0 " in painted(pilot))
        await pilot.press("down", "down", "down", "enter")
        await until(pilot, lambda: "--max-old-space-size" in painted(pilot))


async def test_an_empty_history_says_so() -> None:
    async with DockApp(DockOperator(), None).run_test(size=(80, 24)) as pilot:
        await opened(pilot, HistoryScreen(DockOperator()))
        await until(pilot, lambda: "No attempt has ended yet." in painted(pilot))
        await pilot.press("enter", "down", "o")


def test_help_has_every_entry_and_the_reason_why_not() -> None:
    lines = help_lines(BINDINGS, a_row(), 76)
    text = " ".join("".join(piece for piece, _ in line) for line in lines)
    flat = " ".join(text.split())
    for entry in BINDINGS:
        assert entry.text in flat
        assert entry.shown in flat
    assert "not now: it has not ended" in flat
    forget = next(line for line in lines if "delete an ended task" in "".join(t for t, _ in line))
    assert {role for _, role in forget} == {"dim"}


@pytest.mark.parametrize("size", [(20, 5), (80, 24), (120, 40), (200, 50)])
async def test_help_opens_and_closes_at_any_size(size: tuple[int, int]) -> None:
    async with DockApp(DockOperator(), None).run_test(size=size) as pilot:
        answer = await opened(pilot, HelpScreen(BINDINGS, a_row()))
        await pilot.press("pagedown", "pagedown", "up")
        assert painted(pilot).strip()
        await pilot.press("question_mark")
        await until(pilot, lambda: answer.given is None)
