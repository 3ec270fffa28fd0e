"""The keys of heaps: what they ask, what they do, and what they never do without asking."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from textual.pilot import Pilot
from textual.widgets import Input

from heaptui.errors import Refused
from heaptui.protocol import Change
from heaptui.tui.screens.finding import FindingScreen
from heaptui.tui.screens.snapshots import SnapshotsScreen
from heaptui.units import GIB, MIB
from tests.terminal.fake_operator import NOW, FakeOperator, picture, scene
from tests.terminal.heap_scene import WRITING, a_finding, a_snapshot, an_activity
from tests.terminal.stage import main, make_app, on_stage, text_on, until

SIZES = pytest.mark.parametrize("size", [(80, 24), (120, 40)], ids=["80x24", "120x40"])


def acted(operator: FakeOperator) -> list[Any]:
    """What was asked for that changes something."""
    return [call for call in operator.calls if call[0] not in ("plan", "snapshots")]


async def dialog(pilot: Pilot[Any], *words: str) -> None:
    """Waits until all of it is on the screen."""
    await until(pilot, lambda: all(word in text_on(pilot.app) for word in words))


async def told(pilot: Pilot[Any], *words: str) -> None:
    """Waits for the sentence that says what came of a key, however it is broken into lines."""

    def said() -> str:
        return "\n".join(each.message for each in pilot.app._notifications)

    await until(pilot, lambda: all(word in said() for word in words))


def with_snapshots() -> FakeOperator:
    operator = FakeOperator()
    worst = scene()[0]
    operator.heap.kept = [a_snapshot(n, worst) for n in (1, 2, 3)]
    operator.heap.found = [a_finding(worst)]
    return operator


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[tuple[list[str], str]]:
    """What was opened in the snapshots' reader, which is another part's matter."""
    from heaptui.tui import snapshot

    seen: list[tuple[list[str], str]] = []

    def open_snapshot(app: object, paths: Sequence[Path], title: str) -> None:
        seen.append(([path.name.split(".")[-2] for path in paths], title))

    monkeypatch.setattr(snapshot, "open_snapshot", open_snapshot)
    return seen


# --- collect ------------------------------------------------------------
async def test_a_small_heap_is_collected_by_one_key_and_the_result_is_a_sentence() -> None:
    operator = FakeOperator()
    app = make_app(operator)
    async with on_stage(app) as pilot:
        await pilot.press("j", "j", "j", "j")
        assert "g collect " in text_on(app)
        await pilot.press("g")
        await told(pilot, "bench-ingest/1: heap 97M → 43M")
        assert acted(operator) == [("collect", ("bench1",), (1,))]


@SIZES
async def test_a_large_heap_is_asked_about_and_cancel_has_the_cursor(size: tuple[int, int]) -> None:
    operator = FakeOperator()
    app = make_app(operator)
    async with on_stage(app, size) as pilot:
        assert "g collect…" in text_on(app)
        await pilot.press("g")
        await dialog(pilot, "Collect refactor-auth?", "pause 0.1s to 5.6s", "[ Cancel ]")
        await pilot.press("enter")
        await until(pilot, lambda: len(app.screen_stack) == 1)
        assert acted(operator) == []
        await pilot.press("g", "g")
        await until(pilot, lambda: acted(operator) == [("collect", ("refact",), (1,))])


async def test_marked_tasks_are_collected_together() -> None:
    operator = FakeOperator()
    app = make_app(operator)
    async with on_stage(app) as pilot:
        await pilot.press("space", "space", "g")
        await dialog(pilot, "Collect 2 tasks?")
        await pilot.press("g")
        await told(pilot, "2 heaps collected", "longest pause 412 ms")
        assert acted(operator) == [("collect", ("refact", "docs-s"), (1, 1))]
        assert not app.board.marks


async def test_without_a_heap_the_keys_say_why_and_do_nothing() -> None:
    operator = FakeOperator()
    app = make_app(operator)
    async with on_stage(app) as pilot:
        await pilot.press("j", "j")
        assert "g collect" not in text_on(app).splitlines()[-1]
        for key in ("g", "s", "L"):
            await pilot.press(key)
            await told(pilot, "it was started without the preload")
            app.clear_notifications()
            await pilot.pause()
        assert acted(operator) == [] and len(app.screen_stack) == 1


async def test_an_error_of_a_collection_is_told_in_its_own_words() -> None:
    operator = FakeOperator()
    operator.heap.refusal = Refused("It is at attempt 2 now, [bold]not 1.\x1b[2J", "Look again.")
    app = make_app(operator)
    async with on_stage(app) as pilot:
        await pilot.press("j", "j", "j", "j", "g")
        await dialog(pilot, "It is at attempt 2 now, [bold]not 1.", "Look again.")


# --- snapshot ------------------------------------------------------------
@SIZES
async def test_a_snapshot_is_planned_before_it_is_taken(size: tuple[int, int]) -> None:
    operator = FakeOperator()
    app = make_app(operator)
    async with on_stage(app, size) as pilot:
        await pilot.press("s")
        await dialog(
            pilot,
            "Snapshot of refactor-auth?",
            "attempt 1, pid 41822, node 20.20.0",
            "takes about 5.4s",
            "cannot",
            "0600",
            "process 1 of 2",
            "[ Cancel ]   t take it",
        )
        await pilot.press("enter")
        await until(pilot, lambda: len(app.screen_stack) == 1)
        assert acted(operator) == []
        await pilot.press("s")
        await dialog(pilot, "t take it")
        await pilot.press("t")
        await told(pilot, "snapshot of 280M in 4.5s", "6 then enter reads it")
        assert acted(operator) == [("take", "refact", 1, 41822, False, False)]


async def test_another_process_is_planned_anew_and_it_is_that_one_which_is_taken() -> None:
    operator = FakeOperator()
    app = make_app(operator)
    async with on_stage(app) as pilot:
        await pilot.press("s")
        await dialog(pilot, "p other process")
        await pilot.press("p")
        await dialog(pilot, "pid 41830", "worker.js", "takes about 0.3s", "t take it")
        await pilot.press("t")
        await until(pilot, lambda: acted(operator) == [("take", "refact", 1, 41830, False, False)])


@SIZES
@pytest.mark.parametrize(
    ("verdict", "offered", "taken"),
    [
        ("raise", "t cap to 3.10G meanwhile, take it", (True, False)),
        ("ask", "t take it all the same", (False, True)),
    ],
)
async def test_what_does_not_simply_fit_says_what_taking_it_means(
    size: tuple[int, int], verdict: str, offered: str, taken: tuple[bool, bool]
) -> None:
    operator = FakeOperator()
    operator.heap.verdict = verdict
    app = make_app(operator)
    async with on_stage(app, size) as pilot:
        await pilot.press("s")
        await dialog(pilot, offered, "g collect first", "+ raise for the next attempt")
        await pilot.press("t")
        await until(pilot, lambda: acted(operator) == [("take", "refact", 1, 41822, *taken)])


@SIZES
async def test_a_refused_snapshot_shows_the_arithmetic_and_the_milder_ways(
    size: tuple[int, int],
) -> None:
    operator = FakeOperator()
    operator.heap.verdict = "refused"
    app = make_app(operator)
    async with on_stage(app, size) as pilot:
        await pilot.press("s")
        await dialog(pilot, "It needs 423M at least", "disk: up to 310M", "g collect first")
        await pilot.press("t")
        await pilot.pause()
        assert len(app.screen_stack) == 2 and acted(operator) == []
        await pilot.press("plus")
        await dialog(pilot, "Raise refactor-auth?")
        await pilot.press("escape", "s")
        await dialog(pilot, "g collect first")
        await pilot.press("g")
        await dialog(pilot, "Collect refactor-auth?")


async def test_a_task_that_began_anew_under_the_dialog_is_left_alone() -> None:
    operator = FakeOperator()
    app = make_app(operator)
    async with on_stage(app) as pilot:
        operator.rows["refact"] = replace(operator.rows["refact"], attempts=2)
        await pilot.press("s")
        await dialog(pilot, "at attempt 2 now, not 1")
        await pilot.press("t", "enter")
        await until(pilot, lambda: len(app.screen_stack) == 1)
        assert acted(operator) == []


# --- leak hunt ------------------------------------------------------------
@SIZES
async def test_a_leak_hunt_ends_with_its_finding(
    size: tuple[int, int], opened: list[tuple[list[str], str]]
) -> None:
    operator = FakeOperator()
    app = make_app(operator)
    async with on_stage(app, size) as pilot:
        await pilot.press("L")
        await dialog(pilot, "Hunt a leak in refactor-auth?", "stands still twice", "h hunt")
        await pilot.press("w", *"x", "enter")
        await dialog(pilot, "Write seconds, or a number with s, m, h or d")
        await pilot.press("backspace", "backspace", "backspace", *"90s", "tab", *"500", "enter")
        await until(pilot, lambda: not isinstance(app.focused, Input))
        await pilot.press("h")
        await until(pilot, lambda: isinstance(app.screen, FindingScreen))
        assert acted(operator) == [("hunt", "refact", 1, 90.0, 500, False)]
        await dialog(pilot, "In words:", "telemetry/loggers.js:18", "held by loggers.queue", "took")
        assert "enter compare the two" in text_on(app)
        await pilot.press("v")
        assert opened == [(["1", "2"], "refactor-auth 21:59:10 to 22:01:40")]
        await pilot.press("escape")
        await until(pilot, lambda: len(app.screen_stack) == 1)


async def test_a_finding_does_not_open_over_what_one_is_typing() -> None:
    class Slow(FakeOperator):
        def __init__(self) -> None:
            super().__init__()
            import asyncio

            self.over = asyncio.Event()
            hunt = self.hunt

            async def later(task: str, **given: Any) -> Any:
                await self.over.wait()
                return await hunt(task, **given)

            self.hunt = later  # type: ignore[assignment]

    operator = Slow()
    app = make_app(operator)
    async with on_stage(app) as pilot:
        await pilot.press("L")
        await dialog(pilot, "h hunt")
        await pilot.press("h")
        await until(pilot, lambda: len(app.screen_stack) == 1)
        await pilot.press("slash", *"ref")
        operator.over.set()
        await told(pilot, "the leak hunt is over: TelemetryEvent +27M a minute")
        assert len(app.screen_stack) == 1 and app.board.filter == "ref"


async def test_a_hunt_that_cannot_be_is_not_offered() -> None:
    operator = FakeOperator()
    operator.heap.verdict = "refused"
    app = make_app(operator)
    async with on_stage(app) as pilot:
        await pilot.press("L")
        await dialog(pilot, "It needs 423M at least", "g collect first")
        await pilot.press("h")
        await pilot.pause()
        assert acted(operator) == [] and len(app.screen_stack) == 2


# --- raise ------------------------------------------------------------
@SIZES
async def test_limits_are_raised_for_the_next_attempt(size: tuple[int, int]) -> None:
    operator = FakeOperator()
    app = make_app(operator)
    async with on_stage(app, size) as pilot:
        await pilot.press("plus")
        await dialog(
            pilot, "Raise refactor-auth?", "1 cap 3.0G", "5 heap 12.0G", "the one that runs"
        )
        await pilot.press("5")
        await dialog(pilot, "12.0G asked for", "24.0G, 5.80G", "Ask for less")
        await pilot.press("o", *"5G", "tab", *"3G", "enter")
        await told(pilot, "cap 5.0G and heap limit 3.0G from the next attempt on")
        assert acted(operator)[-1] == ("raise", ("refact",), (1,), 5 * GIB, 3 * GIB)
        assert len(app.screen_stack) == 1


async def test_an_ended_task_can_be_queued_right_after() -> None:
    operator = FakeOperator()
    app = make_app(operator)
    async with on_stage(app) as pilot:
        await pilot.press("end", "plus", "1")
        await dialog(pilot, "[ Close ]", "R queue it now")
        await pilot.press("R")
        await told(pilot, "from the next attempt on; queued")
        assert [call[0] for call in acted(operator)] == ["raise", "retry"]


# --- long work ------------------------------------------------------------
@SIZES
async def test_long_work_shows_itself_and_escape_asks_to_cancel_it(size: tuple[int, int]) -> None:
    operator = FakeOperator()
    app = make_app(operator)
    async with on_stage(app, size) as pilot:
        assert not main(app)._activities.display
        operator.send(Change(at=NOW, activities=[WRITING, an_activity()]))
        await dialog(pilot, "waits 1m12 more", "esc cancel", "writes a snapshot")
        await pilot.press("space", "escape")
        await pilot.pause()
        assert not app.board.marks and len(app.screen_stack) == 1
        await pilot.press("escape")
        await dialog(pilot, "Cancel the leak hunt of refactor-auth?", "[ Go on ]")
        await pilot.press("enter")
        await until(pilot, lambda: len(app.screen_stack) == 1)
        assert acted(operator) == []
        await pilot.press("escape", "c")
        await until(pilot, lambda: acted(operator) == [("cancel", "a1")])
        operator.send(Change(at=NOW, activities=[]))
        await until(pilot, lambda: not main(app)._activities.display)


async def test_escape_does_nothing_to_what_cannot_be_cancelled() -> None:
    operator = FakeOperator(replace(picture(), activities=[WRITING]))
    app = make_app(operator)
    async with on_stage(app) as pilot:
        await dialog(pilot, "cannot be cancelled")
        await pilot.press("escape")
        await pilot.pause()
        assert len(app.screen_stack) == 1 and acted(operator) == []


# --- what was kept ------------------------------------------------------------
@SIZES
async def test_the_docks_list_reads_compares_and_deletes(
    size: tuple[int, int], opened: list[tuple[list[str], str]]
) -> None:
    operator = with_snapshots()
    app = make_app(operator)
    async with on_stage(app, size) as pilot:
        await pilot.press("6")
        await dialog(pilot, "finding", "340M", "enter read   space mark   D compare")
        await pilot.press("j", "enter")
        assert opened.pop() == (["3"], "refactor-auth 22:04:10")
        await pilot.press("D")
        assert opened.pop()[0] == ["2", "3"]
        await pilot.press("space", "j", "D")
        assert opened.pop()[0] == ["1", "3"]
        await pilot.press("delete")
        await dialog(pilot, "Delete this snapshot?", "refactor-auth.1.41822.1.heapsnapshot")
        await pilot.press("enter")
        await until(pilot, lambda: len(app.screen_stack) == 1)
        assert acted(operator) == []
        await pilot.press("delete", "x")
        await told(pilot, "280M deleted")
        assert acted(operator) == [("delete", (1,))]
        await until(pilot, lambda: "14m" not in text_on(app))
        await pilot.press("home", "enter")
        await until(pilot, lambda: isinstance(app.screen, FindingScreen))
        await pilot.press("enter")
        await told(pilot, "That takes a snapshot that is not kept any more")


async def test_an_empty_list_never_lets_its_keys_through_to_the_task() -> None:
    operator = FakeOperator()
    app = make_app(operator)
    async with on_stage(app) as pilot:
        await pilot.press("end", "6")
        await dialog(pilot, "No snapshots of this task.", "it has ended")
        for key in ("delete", "enter", "space", "D"):
            await pilot.press(key)
            await pilot.pause()
        assert len(app.screen_stack) == 1 and not app.board.marks
        await pilot.press("escape")
        assert not main(app)._in_dock()


async def test_the_snapshots_of_all_tasks_have_a_screen(
    opened: list[tuple[list[str], str]],
) -> None:
    operator = with_snapshots()
    operator.heap.kept.append(a_snapshot(8, scene()[1], bytes=10 * MIB))
    app = make_app(operator)
    async with on_stage(app, (80, 24)) as pilot:
        await pilot.press("S")
        await until(pilot, lambda: isinstance(app.screen, SnapshotsScreen))
        await dialog(pilot, "4 files, 940M", "docs-site", "refactor-auth")
        await pilot.press("home", "enter")
        assert opened.pop()[0] == ["8"]
        await pilot.press("D")
        await told(pilot, "mark one with space")
        await pilot.press("end", "up", "D")
        assert opened.pop()[0] == ["1", "2"]
        await pilot.press("escape")
        await until(pilot, lambda: len(app.screen_stack) == 1)


async def test_no_snapshots_at_all_says_how_to_get_some() -> None:
    app = make_app()
    async with on_stage(app, (80, 24)) as pilot:
        await pilot.press("S")
        await dialog(pilot, "No snapshot is kept.", "L hunts a leak")
        await pilot.press("enter", "delete", "down", "pagedown")
        await until(pilot, lambda: app._notifications)


async def test_the_heap_keys_work_on_the_full_view_too() -> None:
    operator = FakeOperator()
    app = make_app(operator)
    async with on_stage(app) as pilot:
        await pilot.press("enter")
        await dialog(pilot, "pid 41822  node 20.20.0", "pid 41830")
        await pilot.press("s")
        await dialog(pilot, "Snapshot of refactor-auth?")
        await pilot.press("escape", "plus")
        await dialog(pilot, "Raise refactor-auth?")
        await pilot.press("escape", "g")
        await dialog(pilot, "Collect refactor-auth?")


async def test_heap_keys_are_in_the_palette_and_the_help_says_why_not() -> None:
    app = make_app()
    async with on_stage(app) as pilot:
        commands = {command.title for command in app.get_system_commands(main(app))}
        assert "take a heap snapshot; says first what it costs" in commands
        assert "the snapshots and findings of all tasks" in commands
        await pilot.press("j", "j", "question_mark")
        await dialog(pilot, "not now: it was")
