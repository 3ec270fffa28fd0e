"""Themes: ours are whole, the operator's are read strictly."""

from __future__ import annotations

from pathlib import Path

import pytest

from heaptui.tui import themes
from heaptui.tui.themes import BadTheme

_GOOD = (Path(themes.__file__).parents[2] / "themes" / "dark.toml").read_text("utf-8")


def test_ours_are_there_and_become_textuals() -> None:
    palettes, wrong = themes.load()
    assert {"dark", "light", "ansi"} <= palettes.keys() and wrong == []
    for palette in palettes.values():
        theme = palette.textual()
        assert theme.name == palette.name and theme.ansi == palette.ansi
        assert set(themes.ROLES) <= theme.variables.keys()


def test_dark_is_the_pictures_palette() -> None:
    dark = themes.load()[0]["dark"].colours
    assert (dark.background, dark.plain, dark.red) == ("#12161d", "#c8d0dc", "#f07178")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (('red = "#f07178"', ""), "red is missing"),
        (('red = "#f07178"', 'red = "#f07178"\npink = "#ffffff"'), "pink is no role"),
        (('"#f07178"', '"reddish"'), "'reddish' is no colour"),
        (('"#f07178"', "7"), "7 is no colour"),
        (("[colours]", "[colours"), "mine: "),
        (("dark = true", "ansi = true"), "is no colour; write one of"),
    ],
)
def test_a_bad_theme_says_what_is_wrong(change: tuple[str, str], said: str) -> None:
    with pytest.raises(BadTheme, match="mine") as raised:
        themes.read(_GOOD.replace(*change), "mine")
    assert said in str(raised.value)


def test_the_operators_themes_come_on_top_and_failures_are_told_together(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text(_GOOD)
    (tmp_path / "worse.toml").write_text("[colours]")
    (tmp_path / "worst.toml").write_bytes(b"\xff")
    palettes, wrong = themes.load(tmp_path)
    assert "mine" in palettes and "worse" not in palettes
    assert len(wrong) == 2


def test_a_theme_may_be_a_file(tmp_path: Path) -> None:
    path = tmp_path / "own.toml"
    path.write_text(_GOOD)
    palettes, wrong = themes.load(None, str(path))
    assert wrong == [] and themes.choose(str(path), palettes, 256)[0].name == str(path)
    _, wrong = themes.load(None, str(tmp_path / "absent.toml"))
    assert len(wrong) == 1 and "absent.toml" in wrong[0]


def test_a_theme_is_chosen_by_name_or_by_the_terminal() -> None:
    palettes, _ = themes.load()
    assert themes.choose("light", palettes, 16)[0].name == "light"
    assert themes.choose("auto", palettes, 1 << 24)[0].name == "dark"
    assert themes.choose("", palettes, 16)[0].name == "ansi"
    palette, said = themes.choose("none such", palettes, 256)
    assert palette.name == "dark" and said is not None and "none such" in said


def test_sixteen_colours_reverse_the_cursors_line() -> None:
    ansi = themes.load()[0]["ansi"]
    assert ansi.under_cursor(ansi.red).reverse and ansi.under_cursor(ansi.red).color is None
    assert ansi.under_cursor(ansi.strong).bold
    dark = themes.load()[0]["dark"]
    assert dark.under_cursor(dark.red).color == dark.red.color
