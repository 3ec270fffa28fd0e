"""A widget that shows lines, paints only the cells that changed, and moves over them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from textual import events
from textual.geometry import Region, Size
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from heaptui.tui.lines import BLANK, Line, width_of
from heaptui.tui.themes import glyphs_of, palette_of
from heaptui.tui.widgets.painting import changed, painted

_WHEEL = 3
"""Lines that one turn of the wheel goes."""


def scrolled(top: int, at: int, height: int) -> int:
    """The first line to be seen so that line `at` is, as near to `top` as that can be."""
    return min(max(top, at - height + 1), at)


class LinesView(Widget):
    """Lines from the top. `top` is the index of the first one that is seen, `cursor` of the one
    that is shaded, if any."""

    DEFAULT_CSS = """
    LinesView { height: 1fr; width: 1fr; }
    LinesView.fits { height: auto; }
    """

    class Moved(Message):
        """The operator moved over the lines; `at_end` tells whether the last one is seen."""

        def __init__(self, view: LinesView, at_end: bool) -> None:
            super().__init__()
            self.view = view
            self.at_end = at_end

        @property
        def control(self) -> LinesView:
            return self.view

    class Wheeled(Message):
        """The wheel was turned over lines with a cursor: whose it is moves it by `lines`."""

        def __init__(self, view: LinesView, lines: int) -> None:
            super().__init__()
            self.view = view
            self.lines = lines

        @property
        def control(self) -> LinesView:
            return self.view

    class Resized(Message):
        """There is more or less room for the lines of `view`."""

        def __init__(self, view: LinesView) -> None:
            super().__init__()
            self.view = view

        @property
        def control(self) -> LinesView:
            return self.view

    def __init__(self, lines: Sequence[Line] = (), *, focusable: bool = False, **kw: Any) -> None:
        super().__init__(**kw)
        self._lines: tuple[Line, ...] = tuple(lines)
        self.top = 0
        self.cursor: int | None = None
        self._strips: dict[int, Strip] = {}
        self.can_focus = focusable

    @property
    def lines(self) -> tuple[Line, ...]:
        """What is shown."""
        return self._lines

    @property
    def at_end(self) -> bool:
        """The last line is seen."""
        return self.top >= self._last_top

    @property
    def _last_top(self) -> int:
        return max(0, len(self._lines) - self.size.height)

    def show(
        self, lines: Sequence[Line], top: int | None = None, cursor: int | None = None
    ) -> None:
        """Replace the lines, the line with the cursor and, with `top`, the first one seen. Only
        cells that differ are painted."""
        count = len(self._lines)
        self._lines, self.cursor = tuple(lines), cursor
        self.top = max(0, min(self.top if top is None else top, self._last_top))
        if not self.is_mounted:
            return
        if self.has_class("fits") and count != len(self._lines):
            self.refresh(layout=True)
            return
        regions = []
        for y in range(self.size.height):
            strip = self._drawn(y)
            span = changed(self._strips.get(y), strip)
            if span is not None:
                self._strips[y] = strip
                regions.append(Region(span[0], y, span[1], 1))
        if regions:
            self.refresh(*regions)

    def _drawn(self, y: int) -> Strip:
        index = self.top + y
        line = self._lines[index] if index < len(self._lines) else BLANK
        shaded = index == self.cursor
        return painted(line, self.size.width, palette_of(self), glyphs_of(self), shaded=shaded)

    def move_to(self, top: int) -> None:
        """See the lines from `top` on."""
        self.show(self._lines, top, self.cursor)
        self.post_message(self.Moved(self, self.at_end))

    def action_move(self, lines: int) -> None:
        self.move_to(self.top + lines)

    def action_page(self, pages: int) -> None:
        self.move_to(self.top + pages * max(1, self.size.height - 1))

    def action_first(self) -> None:
        self.move_to(0)

    def action_last(self) -> None:
        self.move_to(self._last_top)

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        event.stop()
        self._turned(_WHEEL)

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        event.stop()
        self._turned(-_WHEEL)

    def _turned(self, lines: int) -> None:
        if self.cursor is None:
            self.action_move(lines)
        else:
            self.post_message(self.Wheeled(self, lines))

    def on_resize(self) -> None:
        self._strips.clear()
        self.top = max(0, min(self.top, self._last_top))
        self.post_message(self.Resized(self))

    def notify_style_update(self) -> None:
        self._strips.clear()
        super().notify_style_update()

    def get_content_width(self, container: Size, viewport: Size) -> int:  # noqa: ARG002
        return max((width_of(line) for line in self._lines), default=0)

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:  # noqa: ARG002
        return len(self._lines)

    def render_line(self, y: int) -> Strip:
        strip = self._strips.get(y)
        if strip is None or strip.cell_length != self.size.width:
            strip = self._strips[y] = self._drawn(y)
        return strip
