"""The whole text of a string from a heap, harmless."""

from __future__ import annotations

from typing import ClassVar

from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import Screen

from heaptui.output import printable
from heaptui.tui.lines import Line, one_line, ruled, wrapped
from heaptui.tui.themes import glyphs_of
from heaptui.tui.widgets.lines_view import LinesView
from heaptui.tui.widgets.painting import OneLine

_KEYS: Line = ((" ↑↓ pgup pgdn", "sky"), (" move   ", "plain"), ("esc", "sky"), (" back", "plain"))


class ValueScreen(Screen[None]):
    """`subject` says whose text it is."""

    DEFAULT_CSS = "ValueScreen { layout: vertical; background: $background; }"

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,b,backspace,v", "dismiss(None)", "back", id="value.back", show=False),
        Binding("up,k", "move(-1)", "up", id="value.up", show=False),
        Binding("down,j", "move(1)", "down", id="value.down", show=False),
        Binding("pageup", "page(-1)", "page up", id="value.page-up", show=False),
        Binding("pagedown,space", "page(1)", "page down", id="value.page-down", show=False),
    ]

    def __init__(self, subject: str, text: str) -> None:
        super().__init__()
        self._subject = subject
        self._text = text
        self._lines = LinesView(focusable=True)

    def compose(self) -> ComposeResult:
        yield OneLine(self._draw_title)
        yield self._lines
        yield OneLine(lambda _: _KEYS, shaded=True)

    def on_mount(self) -> None:
        self._lines.focus()

    def _draw_title(self, width: int) -> Line:
        many = f"  {len(self._text):,} characters"
        return ruled(
            [(one_line(self._subject), "strong"), (many, "dim")], width, glyphs_of(self).rule
        )

    @on(events.Resize)
    def _paint(self) -> None:
        width = max(10, self.size.width - 2)
        pieces = [
            piece
            for line in printable(self._text).split("\n")
            for piece in (wrapped(line, width) if line else [""])
        ]
        self._lines.show([((f" {piece}", "plain"),) for piece in pieces])

    def action_move(self, by: int) -> None:
        self._lines.action_move(by)

    def action_page(self, pages: int) -> None:
        self._lines.action_page(pages)
