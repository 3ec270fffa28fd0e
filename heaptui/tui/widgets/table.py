"""The table of tasks: paints the cells that changed and nothing else.

It reads the board and changes only its cursor and marks; which rows there are, and in which
order, is the board's matter.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from rich.cells import cell_len
from textual import events
from textual.geometry import Region
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from heaptui.model import Row
from heaptui.tui.board import Board
from heaptui.tui.families import Kinship
from heaptui.tui.glyphs import Glyphs
from heaptui.tui.keymap import bindings
from heaptui.tui.keys import Entry, first_keys
from heaptui.tui.themes import palette_of
from heaptui.tui.widgets.columns import PROGRESS_WIDE, Layout, heading, layout
from heaptui.tui.widgets.look import Look
from heaptui.tui.widgets.painting import changed, painted
from heaptui.tui.widgets.rows import row_line
from heaptui.tui.words import label_of, tells_progress

_NAME_STEP = 4
_LOOKED_AT = 400
"""Names whose lengths count for the width of the column: reading a thousand every second for the
sake of one more cell is not worth it."""


class WorkerTable(Widget, can_focus=True):
    """A heading and the rows of `board.visible`; `clock` gives seconds since the epoch, `entries`
    the keys that rows name."""

    BINDINGS = bindings("table")
    DEFAULT_CSS = "WorkerTable { height: 1fr; width: 1fr; }"

    class Moved(Message):
        """The cursor is on another task, or a mark was set."""

    class Opened(Message):
        """The operator wants to see the cursor's task."""

    def __init__(
        self,
        board: Board,
        glyphs: Glyphs,
        clock: Callable[[], float],
        entries: Iterable[Entry],
        **kw: Any,
    ) -> None:
        super().__init__(**kw)
        self._keys = first_keys(entries)
        self._board = board
        self._glyphs = glyphs
        self._clock = clock
        self._top = 0
        self._longest = 0
        self._layout: Layout | None = None
        self._strips: list[Strip] = []
        # a row's strip as long as neither the row nor how it is shown changes
        self._kept: dict[str, tuple[Row, tuple[bool, bool, int, Kinship], Strip]] = {}

    @property
    def span(self) -> tuple[int, int]:
        """First row seen and the one after the last."""
        return self._top, min(self._top + self._page, len(self._board.visible))

    @property
    def _page(self) -> int:
        return max(1, self.size.height - 1)

    # --- painting ----------------------------------------------------------------------------
    def paint(self) -> None:
        """Brings the screen up to date with the board."""
        if not self.size.width or not self.size.height:
            return
        self._follow_cursor()
        self._fit_columns()
        regions = []
        drawn = self._drawn()
        for y, strip in enumerate(drawn):
            old = self._strips[y] if y < len(self._strips) else None
            if (cells := changed(old, strip)) is not None:
                regions.append(Region(cells[0], y, cells[1], 1))
        self._strips = drawn
        if regions:
            self.refresh(*regions)

    def _follow_cursor(self) -> None:
        last_top = max(0, len(self._board.visible) - self._page)
        at = self._board.index
        if at >= 0:
            self._top = max(at - self._page + 1, min(self._top, at))
        self._top = max(0, min(self._top, last_top))

    def _fit_columns(self) -> None:
        rows = [self._board.rows[id] for id in self._board.visible[:_LOOKED_AT]]
        longest = max(map(self._named, rows), default=0)
        # never narrower again: columns do not move because a task left
        self._longest = max(self._longest, -(-longest // _NAME_STEP) * _NAME_STEP)
        heap = any(row.heap_used_bytes is not None for row in rows) or (
            self._layout is not None and self._layout.has_any("heap", "heap-short")
        )
        wide = self.size.width >= PROGRESS_WIDE
        progress = wide and (
            any(map(tells_progress, rows))
            or (self._layout is not None and self._layout.has("progress"))
        )
        context = any(row.context_tokens is not None for row in rows) or (
            self._layout is not None and self._layout.has_any("context", "context-short")
        )
        fitting = layout(
            self.size.width, self._longest, heap=heap, progress=progress, context=context
        )
        if fitting != self._layout:
            self._layout = fitting
            self._kept.clear()

    def _named(self, row: Row) -> int:
        """Cells that its name takes here."""
        branch = self._board.kinship(row.id).branch
        return len(branch) + cell_len(label_of(row, within=bool(branch)))

    def _drawn(self) -> list[Strip]:
        if self._layout is None:
            self._fit_columns()
        assert self._layout is not None
        width, palette, glyphs = self.size.width, palette_of(self), self._glyphs
        board = self._board
        look = Look(layout=self._layout, now=self._clock(), glyphs=glyphs, keys=self._keys)
        strips = [painted(heading(self._layout, board.order), width, palette, glyphs)]
        first, after = self.span
        kept, self._kept = self._kept, {}
        for id in board.visible[first:after]:
            row, here, marked = board.rows[id], id == board.cursor, id in board.marks
            kinship = board.kinship(id)
            key = (here, marked, int(look.now), kinship)
            before = kept.get(id)
            if before is None or before[0] is not row or before[1] != key:
                line = row_line(row, look, cursor=here, marked=marked, kinship=kinship)
                before = (row, key, painted(line, width, palette, glyphs, shaded=here))
            self._kept[id] = before
            strips.append(before[2])
        blank = painted((), width, palette, glyphs)
        return (strips + [blank] * self.size.height)[: self.size.height]

    def render_line(self, y: int) -> Strip:
        if y >= len(self._strips) or self._strips[y].cell_length != self.size.width:
            self._fit_columns()
            self._strips = self._drawn()
        return self._strips[y]

    def on_resize(self) -> None:
        self.paint()

    def notify_style_update(self) -> None:
        self._strips = []
        self._kept.clear()
        super().notify_style_update()

    # --- keys and mouse ----------------------------------------------------------------------
    def _move_to(self, index: int) -> None:
        self._board.move_to(index)
        self._moved()

    def _moved(self) -> None:
        self.paint()
        self.post_message(self.Moved())

    def action_cursor_up(self) -> None:
        self._move_to(self._board.index - 1)

    def action_cursor_down(self) -> None:
        self._move_to(self._board.index + 1)

    def action_page_up(self) -> None:
        self._move_to(self._board.index - self._page)

    def action_page_down(self) -> None:
        self._move_to(self._board.index + self._page)

    def action_first(self) -> None:
        self._move_to(0)

    def action_last(self) -> None:
        self._move_to(len(self._board.visible) - 1)

    def action_mark(self) -> None:
        self._board.mark()
        self._move_to(self._board.index + 1)

    def action_fold(self) -> None:
        if self._board.fold():
            self._moved()

    def action_unfold(self) -> None:
        if self._board.unfold():
            self._moved()

    def action_open(self) -> None:
        self.post_message(self.Opened())

    def on_click(self, event: events.Click) -> None:
        if event.y > 0 and self._top + event.y - 1 < len(self._board.visible):
            self._move_to(self._top + event.y - 1)
            if event.chain == 2:
                self.action_open()

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        event.stop()
        self._move_to(self._board.index + 3)

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        event.stop()
        self._move_to(self._board.index - 3)
