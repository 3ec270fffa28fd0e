"""What the table paints: only what changed, and nothing when nothing did."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import msgspec
import pytest
from textual.geometry import Region
from textual.strip import Strip
from textual.widget import Widget

from heaptui.protocol import Change
from heaptui.tui.themes import load
from heaptui.tui.widgets.painting import changed, painted
from heaptui.units import MIB
from tests.terminal.fake_operator import NOW, FakeOperator, many, picture, scene
from tests.terminal.stage import main, make_app, on_stage, until


@contextmanager
def refreshes(widget: Widget) -> Iterator[list[Region]]:
    """The regions that `widget` asks to be painted."""
    asked: list[Region] = []
    original = widget.refresh

    def refresh(*regions: Region, **kw: object) -> Widget:
        asked.extend(regions or [widget.size.region])
        return original(*regions, **kw)  # type: ignore[arg-type]

    widget.refresh = refresh  # type: ignore[method-assign, assignment]
    try:
        yield asked
    finally:
        widget.refresh = original  # type: ignore[method-assign]


async def test_nothing_is_painted_when_nothing_changed() -> None:
    app = make_app(FakeOperator(picture(many(1000))))
    async with on_stage(app, (80, 24)) as pilot:
        with refreshes(main(app).table) as asked:
            main(app).paint()
            app.board.apply(Change(at=NOW, rows=many(1000)), NOW)
            main(app).paint()
            await pilot.pause()
        assert asked == []


async def test_a_changed_figure_paints_its_cells_alone() -> None:
    operator = FakeOperator()
    app = make_app(operator)
    async with on_stage(app) as pilot:
        calm = msgspec.structs.replace(scene()[3], cpu_percent=99.0)
        with refreshes(main(app).table) as asked:
            operator.send(Change(at=NOW, rows=[calm]))
            await until(pilot, lambda: asked)
        assert len(asked) == 1
        assert asked[0].y == 4 and asked[0].height == 1 and asked[0].width < 30


async def test_a_row_that_is_not_seen_paints_nothing() -> None:
    operator = FakeOperator(picture(many(1000)))
    app = make_app(operator)
    async with on_stage(app, (80, 24)) as pilot:
        hidden = app.board.rows[app.board.visible[500]]
        with refreshes(main(app).table) as asked:
            operator.send(Change(at=NOW, rows=[msgspec.structs.replace(hidden, cpu_percent=7.5)]))
            await until(pilot, lambda: app.board.rows[hidden.id].cpu_percent == 7.5)
            main(app).paint()
        assert asked == []


async def test_the_cursor_repaints_two_lines() -> None:
    app = make_app(FakeOperator(picture(many(1000))))
    async with on_stage(app, (80, 24)) as pilot:
        with refreshes(main(app).table) as asked:
            await pilot.press("j")
        assert sorted(region.y for region in asked) == [1, 2]


async def test_a_new_figure_and_a_move_show_the_same_as_a_fresh_paint() -> None:
    operator = FakeOperator(picture(many(60)))
    app = make_app(operator)
    async with on_stage(app, (100, 30)) as pilot:
        await pilot.press(*"jjjjjj", "space", "pagedown", "k")
        for n in range(5):
            rows = [
                msgspec.structs.replace(row, memory_bytes=(n * 97 % 900 + at) * MIB)
                for at, row in enumerate(many(60)[n::7])
            ]
            operator.send(Change(at=NOW, rows=rows))
            await until(pilot, lambda rows=rows: app.board.rows[rows[0].id] == rows[0])
        main(app).paint()
        shown = list(main(app).table._strips)
        main(app).table._kept.clear()
        assert main(app).table._drawn() == shown


async def test_clicking_moves_the_cursor_and_the_wheel_too() -> None:
    app = make_app()
    async with on_stage(app) as pilot:
        await pilot.click("#table", offset=(10, 3))
        assert app.board.index == 2
        await pilot.click("#table", offset=(10, 0))
        await pilot.click("#table", offset=(10, 15))
        assert app.board.index == 2


def test_only_cells_that_differ_are_counted_as_changed() -> None:
    palette = load()[0]["dark"]

    def line(*texts: str) -> Strip:
        roles = ("plain", "dim", "red", "sky")
        return painted(tuple(zip(texts, roles, strict=False)), 20, palette)

    old = line("abc", "def", "ghi")
    assert changed(old, line("abc", "def", "ghi")) is None
    assert changed(old, line("abc", "xyz", "ghi")) == (3, 3)
    assert changed(old, line("xbc", "def", "ghi")) == (0, 3)
    assert changed(None, old) == (0, 20)


@pytest.mark.parametrize("width", [0, 1, 5, 40])
def test_painted_lines_have_their_width(width: int) -> None:
    palette = load()[0]["dark"]
    strip = painted((("日本語 text", "plain"), ("more", "red")), width, palette, shaded=True)
    assert strip.cell_length == width == sum(segment.cell_length for segment in strip)
