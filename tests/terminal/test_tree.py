"""The tree in the app: its keys, what it remembers, and what ends with a parent."""

from __future__ import annotations

from pathlib import Path

import pytest

from heaptui.inputs import Source
from heaptui.tui.remembered import Remembered
from heaptui.tui.screens.launch import LaunchScreen
from heaptui.tui.screens.stop import StopScreen, outcome
from tests.terminal.dock_operator import DockApp, DockOperator
from tests.terminal.fake_operator import FakeOperator, row
from tests.terminal.family_scene import family_picture, parent
from tests.terminal.stage import make_app, on_stage, text_on, until


def line_with(text: str, what: str) -> str:
    return next(line for line in text.splitlines() if what in line)


@pytest.mark.parametrize("size", [(1, 1), (20, 5), (60, 16), (80, 24), (120, 40), (200, 50)])
async def test_it_fits(size: tuple[int, int]) -> None:
    app = make_app(FakeOperator(family_picture()))
    async with on_stage(app, size) as pilot:
        await pilot.press("j", "left", "right", "t", "enter", "escape", "t", "K", "escape")
        lines = text_on(app).split("\n")
        assert len(lines) <= size[1] and max(map(len, lines)) <= size[0]


async def test_t_goes_from_the_tree_to_all_alike_and_that_is_remembered() -> None:
    remembered = Remembered()
    app = make_app(FakeOperator(family_picture()), remembered=remembered)
    async with on_stage(app, (80, 24)) as pilot:
        assert "● ├ 2 password reset    850M" in text_on(app)
        assert "57/200" in line_with(text_on(app), "split into 4")
        await pilot.press("t")
        assert "├" not in text_on(app) and "● e2e-login:2" in text_on(app)
        assert not remembered.tree
        await pilot.press("t")
        assert "├ 2 password reset" in text_on(app) and remembered.tree
    again = make_app(FakeOperator(family_picture()), remembered=Remembered())
    again.board.as_tree(False, 0.0)
    async with on_stage(again, (80, 24)):
        assert "├" not in text_on(again)


async def test_left_and_right_close_and_open_a_family() -> None:
    app = make_app(FakeOperator(family_picture()))
    async with on_stage(app, (80, 24)) as pilot:
        await pilot.press("j", "j", "left")
        assert app.board.cursor == "parent"
        await pilot.press("left")
        assert "password reset    850M" not in text_on(app) and "split into 4" in text_on(app)
        await pilot.press("right")
        assert "password reset    850M" in text_on(app)


async def test_marks_and_stops_work_on_children_too() -> None:
    operator = FakeOperator(family_picture())
    app = make_app(operator)
    async with on_stage(app, (80, 24)) as pilot:
        await pilot.press("j", "j", "space", "space", "K")
        await until(pilot, lambda: isinstance(app.screen, StopScreen))
        assert "Stop 2 tasks?" in text_on(app) and "2 children" in text_on(app)
        await pilot.press("t")
        await until(pilot, lambda: any(call[0] == "stop" for call in operator.calls))
        assert operator.calls[-1] == ("stop", (("child2", "child3"), [1, 1], "terminate"))


async def test_stopping_a_parent_names_the_children_that_end() -> None:
    operator = FakeOperator(family_picture())
    app = make_app(operator)
    async with on_stage(app, (80, 24)) as pilot:
        await pilot.press("j", "K")
        await until(pilot, lambda: isinstance(app.screen, StopScreen))
        text = text_on(app)
        assert "ends its 3 children that have not ended" in text
        assert "2 password reset  running" in text and "take it from the queue" not in text
        assert "1 login form      done" not in text.partition("gives back")[0].partition("ends")[2]
        await pilot.press("t")
        await until(pilot, lambda: any(call[0] == "stop" for call in operator.calls))
        assert operator.calls[-1] == ("stop", (("parent",), [1], "terminate"))
    said = outcome([parent()], "terminate", 30.0)
    assert "TERM sent to 3 processes of its children" in said
    assert "of children too" in outcome([parent(), row("a")], "kill", 30.0)


async def test_without_unicode_the_tree_has_stand_ins() -> None:
    app = make_app(FakeOperator(family_picture()), ascii=True)
    async with on_stage(app, (80, 24)) as pilot:
        text = text_on(app)
        assert "Y e2e-login" in text and "* | 2 password reset" in text
        assert "o | ` 2 the rest" in text
        await pilot.press("j", "2")
        assert text_on(app).isascii()


async def test_the_launch_dialog_looks_up_what_a_task_works_through(tmp_path: Path) -> None:
    for name in ("a.ts", "b.ts"):
        (tmp_path / name).write_text("text")
    operator = DockOperator()
    async with DockApp(operator, None).run_test(size=(80, 24)) as pilot:
        screen = LaunchScreen(operator, Remembered())
        left: list[list[str] | None] = []
        await pilot.app.push_screen(screen, left.append)
        await pilot.press(*"cat {items}")
        screen.query_one("#field-cwd").value = str(tmp_path)  # type: ignore[attr-defined]
        screen.query_one("#field-inputs").focus()
        await pilot.press(*"*.py", "enter")
        await until(pilot, lambda: "fits no file" in text_on(pilot.app))  # type: ignore[arg-type]
        assert not left and not operator.submitted
        await pilot.press("ctrl+u", *"*.ts", "enter")
        await until(pilot, lambda: left)
        (inputs,) = operator.inputs
        assert inputs is not None and inputs.source is Source.FILES
        assert [item.name for item in inputs.items] == ["a.ts", "b.ts"]
