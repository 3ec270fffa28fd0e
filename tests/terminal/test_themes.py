"""Colours as an operator meets them: themes of their own, and terminals without colour."""

from __future__ import annotations

from pathlib import Path

import pytest
from rich.color import ColorType

from heaptui.tui.app import HeaptuiApp
from heaptui.tui.remembered import Remembered
from tests.terminal.fake_operator import FakeOperator, picture, scene
from tests.terminal.stage import make_app, on_stage, text_on, until


def _styles(app: HeaptuiApp) -> set[ColorType]:
    """The kinds of colour that are on the screen."""
    kinds = set()
    for line in app.screen._compositor.render_strips(app.size):
        strip = line
        for filter_ in app._filters:
            if filter_.enabled:
                strip = strip.apply_filter(filter_, app.screen.background_colors[1])
        for _, style, _ in strip:
            for colour in (style.color, style.bgcolor) if style is not None else ():
                if colour is not None:
                    kinds.add(colour.type)
    return kinds


async def test_no_color_is_obeyed_and_states_still_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    app = make_app(theme="light")
    async with on_stage(app):
        assert app.palette.name == "ansi"
        assert _styles(app) <= {ColorType.DEFAULT}
        assert "✗ e2e-login" in text_on(app)


async def test_sixteen_colours_stay_sixteen() -> None:
    app = make_app(theme="ansi")
    async with on_stage(app):
        assert _styles(app) <= {ColorType.DEFAULT, ColorType.STANDARD}


async def test_ascii_terminals_get_nothing_else() -> None:
    app = make_app(FakeOperator(picture(scene())), ascii=True)
    async with on_stage(app) as pilot:
        await pilot.press("end")
        await pilot.pause()
        table = "\n".join(strip.text for strip in app.screen_stack[0].table._strips)  # type: ignore[attr-defined]
        assert table.isascii()
        assert "x e2e-login" in table


async def test_a_theme_of_ones_own_and_one_message_for_all_that_is_wrong(tmp_path: Path) -> None:
    good = (Path(__file__).parents[2] / "themes" / "dark.toml").read_text("utf-8")
    (tmp_path / "mine.toml").write_text(good.replace("#f07178", "#ff0000"))
    (tmp_path / "bad.toml").write_text("[colours]")
    (tmp_path / "worse.toml").write_text("[")
    app = make_app(theme="mine", own_themes=tmp_path)
    async with on_stage(app) as pilot:
        assert app.palette.colours.red == "#ff0000"
        await until(pilot, lambda: app._notifications)
        (told,) = app._notifications
        assert "bad: " in told.message and "worse: " in told.message


async def test_a_theme_chosen_in_the_app_is_remembered() -> None:
    kept = Remembered()
    app = make_app(remembered=kept)
    async with on_stage(app) as pilot:
        app.theme = "light"
        await until(pilot, lambda: app.palette.name == "light")
        assert kept.theme == "light"
        assert "refactor-auth" in text_on(app)
