"""What every dialog is made of: a frame with a title, lines, and a row of choices."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from textual import events
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.geometry import Region, Size
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from heaptui.tui.lines import Line, Span, flow, joined, width_of
from heaptui.tui.themes import glyphs_of, palette_of
from heaptui.tui.widgets.painting import painted

WIDTH = 66
"""Cells of the text in a dialog: with its frame it leaves a margin at 80 columns."""


class Frame(Vertical):
    """A box in the middle of the screen with a title in its border."""

    DEFAULT_CSS = """
    Frame {
        width: 72; height: auto; max-width: 100%; max-height: 100%;
        border: round $dim; padding: 1 2; background: $background;
        border-title-color: $foreground; border-title-style: bold;
        border-title-background: $background;
    }
    """

    def __init__(self, title: str, *children: Widget, **kw: Any) -> None:
        super().__init__(*children, **kw)
        # a Content is never read as markup, whatever the name of a task holds
        self.border_title = Content(title)


@dataclass(frozen=True, slots=True)
class Choice:
    """One way out of a dialog: its key ("" has none), what it says, and the answer it stands
    for."""

    key: str
    label: str
    answer: str


class Choices(Widget, can_focus=True):
    """The ways out; the first has the cursor. A key answers at once, enter answers the cursor's."""

    DEFAULT_CSS = "Choices { height: auto; width: 100%; }"

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("right,down,tab", "move(1)", "next", id="dialog.next", show=False),
        Binding("left,up,shift+tab", "move(-1)", "previous", id="dialog.previous", show=False),
        Binding("enter,space", "choose", "choose", id="dialog.choose", show=False),
    ]

    class Chosen(Message):
        """The operator decided."""

        def __init__(self, answer: str) -> None:
            super().__init__()
            self.answer = answer

    def __init__(self, choices: Sequence[Choice], **kw: Any) -> None:
        super().__init__(**kw)
        self._choices = tuple(choices)
        self._at = 0

    @property
    def current(self) -> Choice:
        """The one that enter answers."""
        return self._choices[self._at]

    def offer(self, choices: Sequence[Choice]) -> None:
        """Other choices, with the cursor on the first."""
        self._choices, self._at = tuple(choices), 0
        self.refresh(layout=True)

    def action_move(self, by: int) -> None:
        self._at = (self._at + by) % len(self._choices)
        self.refresh()

    def action_choose(self) -> None:
        self.post_message(self.Chosen(self.current.answer))

    def on_key(self, event: events.Key) -> None:
        for choice in self._choices:
            if choice.key and event.character == choice.key:
                event.stop()
                self.post_message(self.Chosen(choice.answer))

    def on_click(self, event: events.Click) -> None:
        offset = event.get_content_offset(self)
        if offset is None:
            return
        for index, region in enumerate(self._regions(self.size.width)):
            if region.contains_point(offset):
                self._at = index
                self.action_choose()

    def _pieces(self) -> list[Line]:
        return [self._piece(index, choice) for index, choice in enumerate(self._choices)]

    def _piece(self, index: int, choice: Choice) -> Line:
        text = f"[ {choice.label} ]" if not choice.key else f" {choice.key} {choice.label} "
        if index == self._at and self.has_focus:
            return ((text, "chosen"),)
        spans: tuple[Span, ...] = ((text, "plain"),)
        if choice.key:
            spans = ((f" {choice.key}", "sky"), (f" {choice.label} ", "plain"))
        return joined(spans)

    def _lines(self, width: int) -> list[Line]:
        return flow(self._pieces(), max(1, width), gap=2)

    def _regions(self, width: int) -> list[Region]:
        regions: list[Region] = []
        x = y = 0
        for piece in self._pieces():
            length = width_of(piece)
            if x and x + 2 + length > width:
                x, y = 0, y + 1
            elif x:
                x += 2
            regions.append(Region(x, y, length, 1))
            x += length
        return regions

    def on_focus(self) -> None:
        self.refresh()

    def on_blur(self) -> None:
        self.refresh()

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:  # noqa: ARG002
        return len(self._lines(width))

    def render_line(self, y: int) -> Strip:
        lines = self._lines(self.size.width)
        line: Line = lines[y] if y < len(lines) else ()
        return painted(line, self.size.width, palette_of(self), glyphs_of(self))
