"""The app by its keys: cursor, filter, marks, order, alerts, and leaving."""

from __future__ import annotations

import msgspec
import pytest

from heaptui.client import Down
from heaptui.errors import Refused
from heaptui.model import Alert, State
from heaptui.protocol import Change
from heaptui.tui.remembered import Remembered
from heaptui.units import MIB
from tests.terminal.fake_operator import NOW, FakeOperator, host, many, picture, row, scene
from tests.terminal.stage import main, make_app, on_stage, text_on, until


async def test_the_first_picture_shows_machine_danger_and_tasks() -> None:
    app = make_app()
    async with on_stage(app):
        text = text_on(app)
    for said in (
        "heaptui",
        "18.2 of 24.0G",
        "▲ refactor-auth reaches its 2.0G cap in 1m20",
        "waits for a free slot: 12 of 12 are taken",
        "went over its cap of 1.5G",
        "8 tasks  3.60G",
        "K stop…",
    ):
        assert said in text


async def test_the_cursor_stays_with_its_task_through_new_orders_and_ends() -> None:
    operator = FakeOperator()
    app = make_app(operator)
    async with on_stage(app) as pilot:
        await pilot.press("down", "j")
        assert app.board.current is not None and app.board.current.name == "import-legacy"
        await pilot.press("o")
        assert app.board.order == "name" and app.board.current.name == "import-legacy"
        operator.send(Change(at=NOW, gone=["import"]))
        await until(pilot, lambda: app.board.current.name != "import-legacy")
        assert app.board.current.name == "refactor-auth"


async def test_keys_move_through_a_thousand() -> None:
    app = make_app(FakeOperator(picture(many(1000))), remembered=_ordered("name"))
    async with on_stage(app) as pilot:
        await pilot.press("end")
        assert app.board.index == 999 and "task-0999" in text_on(app)
        await pilot.press("pageup", "k")
        assert app.board.index == 999 - 19 or 900 < app.board.index < 998
        await pilot.press("home", "pagedown", "up")
        assert 10 < app.board.index < 30


def _ordered(name: str) -> Remembered:
    kept = Remembered()
    kept.order = name
    return kept


async def test_the_filter_works_as_it_is_typed_and_escape_clears_it() -> None:
    app = make_app()
    async with on_stage(app) as pilot:
        await pilot.press("slash", *"bench")
        await until(pilot, lambda: len(app.board.visible) == 2)
        await until(pilot, lambda: "2 of 8 tasks" in text_on(app))
        assert app.board.frozen
        await pilot.press("down")
        assert app.board.current is not None and app.board.current.name == "bench-ingest/2"
        await pilot.press("enter")
        assert not app.board.frozen and app.board.filter == "bench"
        await until(pilot, lambda: "/bench" in text_on(app))
        await pilot.press("escape")
        assert len(app.board.visible) == 8
        await pilot.press("slash", "x", "y", "escape")
        await until(pilot, lambda: app.board.filter == "" and not app.board.frozen)


async def test_marks_freeze_the_order_and_every_action_works_on_them() -> None:
    operator = FakeOperator()
    app = make_app(operator)
    async with on_stage(app) as pilot:
        await pilot.press("space", "space")
        assert [row.name for row in app.board.targets()] == ["refactor-auth", "docs-site"]
        assert app.board.frozen and "2 marked" in text_on(app)
        await pilot.press("K")
        await until(pilot, lambda: len(app.screen_stack) == 2)
        assert "2 tasks" in text_on(app)
        await pilot.press("escape")
        await until(pilot, lambda: len(app.screen_stack) == 1)
        assert operator.calls == []
        await pilot.press("escape")
        assert not app.board.frozen and not app.board.marks


async def test_stopping_asks_first_and_cancel_has_the_cursor() -> None:
    operator = FakeOperator()
    app = make_app(operator)
    async with on_stage(app) as pilot:
        await pilot.press("f9")
        await until(pilot, lambda: len(app.screen_stack) == 2)
        assert "refactor-auth" in text_on(app) and app.board.frozen
        await pilot.press("enter")
        await until(pilot, lambda: len(app.screen_stack) == 1)
        assert operator.calls == [] and not app.board.frozen


async def test_nothing_is_stopped_that_has_ended() -> None:
    app = make_app()
    async with on_stage(app) as pilot:
        await pilot.press("end", "K")
        await until(pilot, lambda: app._notifications)
        assert len(app.screen_stack) == 1


async def test_an_ended_task_is_tried_again() -> None:
    operator = FakeOperator()
    app = make_app(operator)
    async with on_stage(app) as pilot:
        await pilot.press("R")
        await until(pilot, lambda: app._notifications)
        assert operator.calls == []
        await pilot.press("end", "R")
        await until(pilot, lambda: operator.calls == [("retry", ("e2e-lo",))])


async def test_a_refusal_is_told_in_its_own_words() -> None:
    class Refusing(FakeOperator):
        async def retry(self, tasks):
            raise Refused("The queue is full of [bold]tasks.", "Wait.")

    app = make_app(Refusing())
    async with on_stage(app) as pilot:
        await pilot.press("end", "R")
        await until(pilot, lambda: "The queue is full of [bold]tasks." in text_on(app))


async def test_dispatch_is_paused_and_resumed() -> None:
    operator = FakeOperator()
    app = make_app(operator)
    async with on_stage(app) as pilot:
        await pilot.press("P")
        await until(pilot, lambda: "dispatch paused" in text_on(app))
        await pilot.press("P")
        await until(pilot, lambda: "dispatch paused" not in text_on(app))
        assert operator.calls == [("dispatch", True), ("dispatch", False)]


async def test_alerts_are_seen_one_by_one_and_lead_to_their_task() -> None:
    app = make_app()
    async with on_stage(app) as pilot:
        await pilot.press("end", "exclamation_mark")
        assert app.board.current is not None and app.board.current.name == "refactor-auth"
        await pilot.press("a", "exclamation_mark")
        assert app.board.current.name == "docs-site"
        assert "▲ docs-site" in text_on(app)
        await pilot.press("a")
        await until(pilot, lambda: "▲" not in text_on(app))


async def test_a_failed_task_is_put_away_when_seen() -> None:
    operator = FakeOperator(picture(scene(), []))
    app = make_app(operator)
    async with on_stage(app) as pilot:
        await pilot.press("end", "a")
        await until(pilot, lambda: "e2e-login" not in text_on(app).split("─")[0])
        assert app.board.collapsed == 1
        await until(pilot, lambda: "1 ended h history" in text_on(app))


async def test_the_order_is_remembered(tmp_path) -> None:
    kept = Remembered(tmp_path / "app.json")
    app = make_app(remembered=kept)
    async with on_stage(app) as pilot:
        await pilot.press("o", "O")
        assert "by name reversed" in text_on(app)
    again = Remembered(tmp_path / "app.json")
    assert (again.order, again.reverse) == ("name", True)


async def test_while_the_supervisor_is_away_the_last_picture_stays_and_says_so() -> None:
    operator = FakeOperator()
    app = make_app(operator)
    async with on_stage(app) as pilot:
        operator.send(Down("the supervisor went away"))
        await until(pilot, lambda: "figures are old" in text_on(app))
        assert "refactor-auth" in text_on(app)
        operator.send(picture())
        await until(pilot, lambda: "figures are old" not in text_on(app))


async def test_names_and_reasons_cannot_reach_markup_or_terminal() -> None:
    evil = row(
        "evil",
        name="[bold red]x[/] \x1b[2J\x1b]0;pwned\x07" + "n" * 10_000,
        state=State.FAILED,
        ended_at=NOW,
        reason="[link=http://x]y[/link] \x9b31m",
        argv=("sh", "-c", "\x1b[0m[/]"),
    )
    alert = Alert(id="a", level="red", text="[blink]now[/blink]\x1b[5m", task_id=evil.id)
    app = make_app(FakeOperator(picture([evil], [alert])))
    async with on_stage(app) as pilot:
        text = text_on(app)
        assert "[bold red]x[/]" in text and "[link=http://x]y[/link]" in text
        assert "[blink]now[/blink]" in text
        assert all(char.isprintable() or char == "\n" for char in text)
        await pilot.press("end", "R")
        await until(pilot, lambda: app._notifications)
        await pilot.pause()
        assert "[bold red]x[/]" in text_on(app)


async def test_nobody_is_asked_when_no_work_is_live() -> None:
    app = make_app(FakeOperator(picture([row("over", state=State.DONE, ended_at=NOW)])))
    async with on_stage(app) as pilot:
        await pilot.press("q")
        await until(pilot, lambda: app.return_value is not None)
    assert app.return_value == "quit"


async def test_leaving_live_work_asks_and_detaching_is_what_enter_does() -> None:
    app = make_app()
    async with on_stage(app) as pilot:
        await pilot.press("q")
        await until(pilot, lambda: len(app.screen_stack) == 2)
        await pilot.press("escape")
        await until(pilot, lambda: len(app.screen_stack) == 1)
        await pilot.press("ctrl+c")
        await until(pilot, lambda: len(app.screen_stack) == 2)
        await pilot.press("enter")
        await until(pilot, lambda: app.return_value is not None)
    assert app.return_value == "detach"


async def test_detaching_by_its_key() -> None:
    app = make_app()
    async with on_stage(app) as pilot:
        await pilot.press("d")
        await until(pilot, lambda: app.return_value is not None)
    assert app.return_value == "detach"


async def test_the_dock_follows_the_cursor_and_takes_the_keys() -> None:
    app = make_app()
    async with on_stage(app) as pilot:
        await pilot.press("j", "4")
        await until(pilot, lambda: "─ docs-site" in text_on(app))
        assert main(app)._dock.active == "output"
        await pilot.press("tab")
        assert main(app)._in_dock()
        await pilot.press("escape")
        assert not main(app)._in_dock()
        height = main(app)._dock.size.height
        await pilot.press("z")
        await until(pilot, lambda: main(app)._dock.size.height > height)
        await pilot.press("escape")
        await until(pilot, lambda: main(app)._dock.size.height == height)


async def test_every_screen_opens_and_closes() -> None:
    app = make_app()
    async with on_stage(app) as pilot:
        for key in ("enter", "h", "n", "question_mark", "delete", "ctrl+p"):
            if key == "delete":
                await pilot.press("end")
            await pilot.press(key)
            await until(pilot, lambda: len(app.screen_stack) == 2)
            await pilot.pause()
            await pilot.press("escape")
            await until(pilot, lambda: len(app.screen_stack) == 1)


async def test_the_palette_runs_an_action_by_its_name() -> None:
    app = make_app()
    async with on_stage(app) as pilot:
        await pilot.press("ctrl+p", *"history")
        await until(pilot, lambda: len(app.screen_stack) == 2)
        commands = {command.title for command in app.get_system_commands(main(app))}
        assert "the attempts that ended" in commands
        assert "queue an ended task for another attempt" not in commands
        await pilot.press("escape")


async def test_keys_of_the_configuration_are_obeyed_and_mistakes_are_told() -> None:
    app = make_app(keys={"task.new": "ctrl+n", "task.explode": "x"})
    async with on_stage(app) as pilot:
        await until(pilot, lambda: "task.explode is no action" in text_on(app))
        assert "ctrl+n new" in text_on(app)
        await pilot.press("n")
        await pilot.pause()
        assert len(app.screen_stack) == 1
        await pilot.press("ctrl+n")
        await until(pilot, lambda: len(app.screen_stack) == 2)


async def test_a_change_under_a_dialog_waits_until_it_is_closed() -> None:
    operator = FakeOperator()
    app = make_app(operator)
    async with on_stage(app) as pilot:
        before = app.board.visible
        await pilot.press("K")
        await until(pilot, lambda: app.board.frozen)
        grown = [msgspec.structs.replace(row, memory_bytes=1020 * MIB) for row in many(3)]
        operator.send(Change(at=NOW + 60, rows=grown, host=host()))
        await until(pilot, lambda: len(app.board.visible) == 11)
        assert app.board.visible[:8] == before
        await pilot.press("escape")
        await until(pilot, lambda: not app.board.frozen)


@pytest.mark.parametrize("name", ["dark", "light", "ansi", "auto", "none such"])
async def test_every_theme_starts(name: str) -> None:
    app = make_app(theme=name)
    async with on_stage(app):
        assert app.palette.name in ("dark", "light", "ansi")
        assert "refactor-auth" in text_on(app)


@pytest.mark.parametrize("theme", ["dark", "ansi"])
@pytest.mark.parametrize("key", ["K", "q", "n"])
async def test_the_table_is_seen_behind_a_dialog(key: str, theme: str) -> None:
    app = make_app(theme=theme)
    async with on_stage(app, (120, 40)) as pilot:
        await pilot.press(key)
        await until(pilot, lambda: len(app.screen_stack) == 2)
        await until(pilot, lambda: "TRY" in text_on(app))
        assert "refactor-auth" in text_on(app)
