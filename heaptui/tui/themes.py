"""Colours as roles of meaning, read from TOML, one file a theme.

Calm is `plain`; `amber` is beyond the soft limit or soon at the cap; `red` at the cap or ended
badly; `sky` what heaptui does, and keys; `violet` the V8 heap; `quantity` a figure without
judgement. A colour is `#rrggbb` or one of a terminal's own sixteen (`red`, `bright_black`,
`default`); a theme with `ansi = true` uses the latter only.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from functools import cached_property
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, cast

from rich.style import Style
from textual.theme import Theme

from heaptui.tui.glyphs import Glyphs

if TYPE_CHECKING:
    from textual.dom import DOMNode

DEFAULT = "dark"
SIXTEEN = "ansi"
"""The theme where the terminal has sixteen colours, or none are wanted."""

_NAMES = ("black", "red", "green", "yellow", "blue", "magenta", "cyan", "white")
_ANSI = frozenset(("default", *_NAMES, *(f"bright_{name}" for name in _NAMES)))
_HEX = re.compile(r"#[0-9a-fA-F]{6}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Colours:
    """A theme's colours by role, as its file has them."""

    background: str
    plain: str
    dim: str
    amber: str
    red: str
    sky: str
    violet: str
    quantity: str
    cursor: str
    rule: str


ROLES = tuple(field.name for field in fields(Colours))


class BadTheme(Exception):
    """A theme's file cannot be used: `str` says which, and what is wrong with it."""


@dataclass(frozen=True)
class Palette:
    """A theme's roles as styles; none carries a background but those that say so."""

    name: str
    colours: Colours
    dark: bool = True
    ansi: bool = False

    @cached_property
    def plain(self) -> Style:
        return Style(color=self.colours.plain)

    @cached_property
    def strong(self) -> Style:
        """Names and titles."""
        return Style(color=self.colours.plain, bold=True)

    @cached_property
    def dim(self) -> Style:
        return Style(color=self.colours.dim)

    @cached_property
    def amber(self) -> Style:
        return Style(color=self.colours.amber)

    @cached_property
    def red(self) -> Style:
        return Style(color=self.colours.red)

    @cached_property
    def sky(self) -> Style:
        return Style(color=self.colours.sky)

    @cached_property
    def active(self) -> Style:
        """Which of several is open."""
        return Style(color=self.colours.sky, bold=True)

    @cached_property
    def violet(self) -> Style:
        return Style(color=self.colours.violet)

    @cached_property
    def quantity(self) -> Style:
        return Style(color=self.colours.quantity)

    @cached_property
    def rule(self) -> Style:
        """Lines that part one area from the next."""
        return Style(color=self.colours.rule)

    @cached_property
    def brand(self) -> Style:
        """heaptui's own name: dark on sky."""
        if self.ansi:
            return Style(color=self.colours.sky, reverse=True, bold=True)
        return Style(color=self.colours.background, bgcolor=self.colours.sky, bold=True)

    @cached_property
    def chosen(self) -> Style:
        """What has the focus: a button, a choice."""
        if self.ansi:
            return Style(reverse=True, bold=True)
        return Style(color=self.colours.background, bgcolor=self.colours.plain, bold=True)

    @cached_property
    def base(self) -> Style:
        """Plain on the screen's background."""
        return Style(color=self.colours.plain, bgcolor=self.colours.background)

    @cached_property
    def shade(self) -> Style:
        """The background of the cursor's line and of the footer."""
        return Style(reverse=True) if self.ansi else Style(bgcolor=self.colours.cursor)

    def under_cursor(self, style: Style) -> Style:
        """`style` on the cursor's line. Sixteen colours have no quiet background: there the whole
        line is reversed, and colours give way to the state's sign."""
        if self.ansi:
            return Style(reverse=True, bold=style.bold)
        return style + self.shade

    def textual(self) -> Theme:
        """The same as Textual's theme; each role is also a variable for stylesheets (`$dim`)."""
        named = {role: _named(getattr(self.colours, role)) for role in ROLES}
        return Theme(
            name=self.name,
            primary=named["sky"],
            secondary=named["violet"],
            accent=named["sky"],
            warning=named["amber"],
            error=named["red"],
            success=named["quantity"],
            foreground=named["plain"],
            background=named["background"],
            surface=named["background"],
            panel=named["cursor"],
            boost=named["cursor"],
            dark=self.dark,
            ansi=self.ansi,
            variables=named
            | {
                "border": named["rule"],
                "border-blurred": named["rule"],
                "scrollbar": named["rule"],
                "scrollbar-hover": named["dim"],
                "scrollbar-active": named["sky"],
                "scrollbar-background": named["background"],
                "scrollbar-background-hover": named["background"],
                "scrollbar-background-active": named["background"],
                "scrollbar-corner-color": named["background"],
            }
            | (_SIXTEEN_VARIABLES if self.ansi else {}),
        )


_SIXTEEN_VARIABLES = {
    "ansi-background": "ansi_default",
    "ansi-foreground": "ansi_default",
    "block-cursor-foreground": "ansi_black",
    "block-cursor-background": "ansi_white",
    "input-cursor-background": "ansi_white",
    "input-cursor-foreground": "ansi_black",
    "input-selection-background": "ansi_cyan",
    "input-selection-foreground": "ansi_black",
    "screen-selection-background": "ansi_cyan",
    "screen-selection-foreground": "ansi_black",
}
"""What Textual's own stylesheets ask of a theme of the terminal's colours: there is no blending."""


def _named(colour: str) -> str:
    return colour if colour.startswith("#") else f"ansi_{colour}"


class _Shown(Protocol):
    palette: Palette
    glyphs: Glyphs


def palette_of(node: DOMNode) -> Palette:
    """The palette of the app that `node` is in."""
    return cast("_Shown", node.app).palette


def glyphs_of(node: DOMNode) -> Glyphs:
    """The signs that the terminal of the app that `node` is in can show."""
    return cast("_Shown", node.app).glyphs


def read(text: str, name: str) -> Palette:
    """A theme's file.

    Raises:
        BadTheme: not TOML, a role is missing or unknown, or a colour is none.
    """
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise BadTheme(f"{name}: {error}") from error
    ansi = table.get("ansi", False)
    given = table.get("colours", {})
    if not isinstance(given, dict):
        raise BadTheme(f"{name}: [colours] has to be a table")
    _check(name, given, ansi=bool(ansi))
    return Palette(name, Colours(**given), dark=bool(table.get("dark", True)), ansi=bool(ansi))


def _check(name: str, given: Mapping[str, object], *, ansi: bool) -> None:
    missing = [role for role in ROLES if role not in given]
    unknown = [role for role in given if role not in ROLES]
    if missing or unknown:
        words = [f"{role} is missing" for role in missing]
        words += [f"{role} is no role" for role in unknown]
        raise BadTheme(f"{name}: {', '.join(words)}; the roles are {', '.join(ROLES)}")
    for role, colour in given.items():
        fits = isinstance(colour, str) and (
            colour in _ANSI if ansi else _HEX.fullmatch(colour) is not None
        )
        if not fits:
            forms = "one of " + ", ".join(sorted(_ANSI)) if ansi else "#rrggbb"
            raise BadTheme(f"{name}: {role} = {colour!r} is no colour; write {forms}")


def _shipped() -> Iterable[tuple[str, str]]:
    """Name and text of each theme of ours: in a wheel inside the package, in a checkout beside."""
    inside = files("heaptui") / "themes"
    folder = inside if inside.is_dir() else Path(__file__).parents[2] / "themes"
    for entry in sorted(folder.iterdir(), key=lambda entry: entry.name):
        if entry.name.endswith(".toml"):
            yield entry.name.removesuffix(".toml"), entry.read_text("utf-8")


def load(own: Path | None = None, named: str = "") -> tuple[dict[str, Palette], list[str]]:
    """All themes by name, and what was wrong: ours, over them the operator's from the directory
    `own`, and the file `named` where that is a path to one (its name is then that path)."""
    palettes = {name: read(text, name) for name, text in _shipped()}
    wrong: list[str] = []
    paths = {path.stem: path for path in sorted(own.glob("*.toml"))} if own is not None else {}
    if named.endswith(".toml"):
        paths[named] = Path(named).expanduser()
    for name, path in paths.items():
        try:
            palettes[name] = read(path.read_text("utf-8"), name)
        except (BadTheme, OSError, UnicodeDecodeError) as error:
            wrong.append(str(error))
    return palettes, wrong


def choose(
    wanted: str, palettes: Mapping[str, Palette], colours: int
) -> tuple[Palette, str | None]:
    """The theme of that name, else (also for `auto`) the one that fits a terminal of so many
    `colours`; the second value says when a wanted one does not exist."""
    fitting = palettes[SIXTEEN if colours <= 16 else DEFAULT]
    if wanted in ("", "auto"):
        return fitting, None
    if wanted in palettes:
        return palettes[wanted], None
    return fitting, f"There is no theme {wanted!r}; there are {', '.join(sorted(palettes))}."
