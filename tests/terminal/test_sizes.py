"""Every size of terminal: nothing crashes, and what gives way does so in order."""

from __future__ import annotations

import pytest

from heaptui.model import Row
from tests.terminal.fake_operator import FakeOperator, many, picture, scene
from tests.terminal.stage import main, make_app, on_stage, text_on, until


@pytest.mark.parametrize("rows", [scene(), [], many(300)], ids=["scene", "empty", "many"])
@pytest.mark.parametrize(
    "size", [(1, 1), (3, 2), (20, 5), (40, 8), (60, 16), (80, 24), (120, 40), (200, 50), (400, 90)]
)
async def test_it_fits(size: tuple[int, int], rows: list[Row]) -> None:
    app = make_app(FakeOperator(picture(rows)))
    async with on_stage(app, size) as pilot:
        await pilot.press("j", "z", "4", "slash", "escape", "z")
        lines = text_on(app).split("\n")
        assert len(lines) <= size[1] and max(map(len, lines)) <= size[0]


async def test_a_tiny_terminal_shows_the_table_and_says_so() -> None:
    app = make_app()
    async with on_stage(app, (20, 5)):
        lines = text_on(app).split("\n")
    assert lines[0] == "20x5: needs 60x16"
    assert "refac" in lines[2] and "1.93G" in lines[2]


async def test_a_small_terminal_shows_the_table_alone() -> None:
    app = make_app()
    async with on_stage(app, (59, 20)):
        text = text_on(app)
    assert "pressure" not in text and "1 Mem" not in text
    assert "refactor-auth" in text and "needs" not in text


async def test_a_resize_brings_everything_back() -> None:
    app = make_app()
    async with on_stage(app, (80, 24)) as pilot:
        await pilot.resize_terminal(20, 5)
        await until(pilot, lambda: "needs 60x16" in text_on(app))
        await pilot.resize_terminal(120, 40)
        await until(pilot, lambda: "8 tasks" in text_on(app) and "1 Memory" in text_on(app))
        assert "needs" not in text_on(app)


async def test_without_tasks_the_first_minute_is_shown_and_goes_when_one_comes() -> None:
    operator = FakeOperator(picture([]))
    app = make_app(operator)
    async with on_stage(app, (80, 24)) as pilot:
        assert "No task is running." in text_on(app)
        assert not main(app)._dock.display
        operator.send(picture())
        await until(pilot, lambda: "refactor-auth" in text_on(app))
        assert "No task is running." not in text_on(app)
        await until(pilot, lambda: main(app)._dock.display)
