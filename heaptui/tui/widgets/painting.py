"""From lines to strips, and which cells of a line differ: only those are painted."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rich.segment import Segment
from textual.geometry import Region
from textual.strip import Strip
from textual.widget import Widget

from heaptui.tui.glyphs import UNICODE, Glyphs
from heaptui.tui.lines import Line, fitted
from heaptui.tui.themes import Palette, glyphs_of, palette_of

_FILLED = ("brand", "chosen")


def painted(
    line: Line,
    width: int,
    palette: Palette,
    glyphs: Glyphs = UNICODE,
    *,
    shaded: bool = False,
) -> Strip:
    """Exactly `width` cells of `line`, `shaded` as the cursor's line. Blanks join the piece before
    them: a change of colour that nobody sees is not sent."""
    segments: list[Segment] = []
    text, role = "", ""
    for piece, its in fitted(line, width):
        if its == role or (text and role not in _FILLED and piece.isspace()):
            text += glyphs.spelled(piece)
            continue
        if text:
            segments.append(_segment(text, role, palette, shaded=shaded))
        text, role = glyphs.spelled(piece), its
    if text:
        segments.append(_segment(text, role, palette, shaded=shaded))
    return Strip(segments, width)


def _segment(text: str, role: str, palette: Palette, *, shaded: bool) -> Segment:
    style = getattr(palette, role)
    return Segment(text, palette.base + (palette.under_cursor(style) if shaded else style))


def changed(old: Strip | None, new: Strip) -> tuple[int, int] | None:
    """First cell and number of cells that differ, None when nothing does."""
    if old is None or old.cell_length != new.cell_length:
        return (0, new.cell_length)
    before, after = list(old), list(new)
    if before == after:
        return None
    start = 0
    while before and after and before[0] == after[0]:
        start += before[0].cell_length
        del before[0], after[0]
    end = new.cell_length
    while before and after and before[-1] == after[-1]:
        end -= before[-1].cell_length
        del before[-1], after[-1]
    return start, end - start


class OneLine(Widget):
    """One line that `draw` gives for a width; `redraw` paints the cells that differ."""

    DEFAULT_CSS = "OneLine { height: 1; width: 1fr; }"

    def __init__(self, draw: Callable[[int], Line], *, shaded: bool = False, **kw: Any) -> None:
        super().__init__(**kw)
        self._draw = draw
        self._shaded = shaded
        self._strip: Strip | None = None

    def _drawn(self) -> Strip:
        width = self.size.width
        line, palette, glyphs = self._draw(width), palette_of(self), glyphs_of(self)
        return painted(line, width, palette, glyphs, shaded=self._shaded)

    def redraw(self) -> None:
        if not self.display or not self.size.width:
            return
        strip = self._drawn()
        span = changed(self._strip, strip)
        self._strip = strip
        if span is not None:
            self.refresh(Region(span[0], 0, span[1], 1))

    def notify_style_update(self) -> None:
        self._strip = None
        super().notify_style_update()

    def render_line(self, y: int) -> Strip:  # noqa: ARG002 - there is but one
        if self._strip is None or self._strip.cell_length != self.size.width:
            self._strip = self._drawn()
        return self._strip
