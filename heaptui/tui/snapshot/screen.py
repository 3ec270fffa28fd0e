"""A heap snapshot, or two, read on the spot: classes, objects, what holds them, how they differ.

The files are read by a process of their own; leaving the screen ends it. Lists open into lists,
escape goes back; under them stands who holds what is under the cursor.
"""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path
from typing import ClassVar

from textual import events, on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.screen import Screen
from textual.widgets import Input

from heaptui.heap.answers import ObjectRow, StringRow
from heaptui.tui.keymap import bindings
from heaptui.tui.lines import BLANK, Line, one_line, ruled
from heaptui.tui.snapshot.frame import (
    leaving,
    possible,
    title_line,
    trail_line,
    unanswered_lines,
    waiting_lines,
)
from heaptui.tui.snapshot.levels import (
    Level,
    can_match,
    has_text,
    match_of,
    next_order,
    opened,
    retainers,
)
from heaptui.tui.snapshot.lines import (
    header_notes,
    heading,
    leak_lines,
    leak_text,
    object_spans,
    path_lines,
    row_line,
    weight,
)
from heaptui.tui.snapshot.reading import Reading
from heaptui.tui.snapshot.value import ValueScreen
from heaptui.tui.surroundings import entries_of
from heaptui.tui.themes import glyphs_of
from heaptui.tui.widgets.footer import keys_line, keys_of
from heaptui.tui.widgets.lines_view import LinesView, scrolled
from heaptui.tui.widgets.painting import OneLine


class SnapshotScreen(Screen[None]):
    """Closes with its reader. `subject` names the task and the instant."""

    DEFAULT_CSS = """
    SnapshotScreen { layout: vertical; background: $background; }
    SnapshotScreen #reading-filter { height: 1; display: none; padding: 0 1; }
    """

    BINDINGS: ClassVar[list[BindingType]] = bindings("reading")
    PLACES: ClassVar[tuple[str, ...]] = ("reading", "app")
    """Whose keys work here, for the help."""

    def __init__(self, paths: tuple[Path, ...], subject: str) -> None:
        super().__init__()
        self._subject = subject
        self._reading = Reading(paths, self._paint, self._tell)
        self._title = OneLine(self._draw_title)
        self._trail = OneLine(self._draw_trail)
        self._heading = OneLine(self._draw_heading)
        self._table = LinesView(id="reading-table", focusable=True)
        self._rule = OneLine(self._draw_rule)
        self._about = LinesView(id="reading-holds")
        self._filter = Input(id="reading-filter", compact=True, select_on_focus=False)
        self._keys = OneLine(self._draw_keys, shaded=True)

    def compose(self) -> ComposeResult:
        self._filter.cursor_blink = False
        yield self._title
        yield self._trail
        yield self._heading
        yield self._table
        yield self._rule
        yield self._about
        yield self._filter
        yield self._keys

    def on_mount(self) -> None:
        self._table.focus()
        self.set_interval(1.0, self._tick)
        self.run_worker(self._reading.run(self._complete), group="reading")

    def _tick(self) -> None:
        """The time that loading takes goes on, also in a long phase."""
        if not self._reading.headers:
            self._paint()

    def _complete(self) -> None:
        """Asks for what is to be shown and not here yet."""
        self._paint()
        self.run_worker(self._completed(), group="ask", exclusive=True)

    async def _completed(self) -> None:
        await self._reading.complete()
        self._settle()

    def _settle(self) -> None:
        """Asks who holds what is under the cursor, when that is another row."""
        if self._reading.moved_on():
            self.run_worker(self._reading.find_holder(), group="holds", exclusive=True)

    # --- the lines ---------------------------------------------------------------------------
    def _draw_title(self, width: int) -> Line:
        return title_line(self._reading, self._subject, width, glyphs_of(self))

    def _draw_trail(self, width: int) -> Line:
        return trail_line(self._reading.stack, width, glyphs_of(self))

    def _draw_heading(self, width: int) -> Line:
        level = self._reading.level
        return heading(None if level is None else level.current, width)

    def _draw_rule(self, width: int) -> Line:
        holds = one_line(self._reading.holds) or "who holds it"
        return ruled([(holds, "dim")], width, glyphs_of(self).rule)

    def _draw_keys(self, width: int) -> Line:
        reading, entries = self._reading, entries_of(self)
        (back, _), *_ = keys_of(entries, ["reading.back"])
        return keys_line([*keys_of(entries, possible(reading)), (back, leaving(reading))], width)

    # --- painting ----------------------------------------------------------------------------
    @on(events.Resize)
    def _paint(self) -> None:
        if not self.is_mounted:
            return
        alone = not self._reading.headers or self._reading.tab == "finding"
        for widget in (self._rule, self._about, self._heading):
            widget.display = not alone
        height = max(4, min(12, self.size.height // 3))
        self._about.styles.height = height
        self._paint_table()
        self._about.show(self._holder_lines(height), 0)
        for line in (self._title, self._trail, self._heading, self._rule, self._keys):
            line.redraw()

    def _paint_table(self) -> None:
        reading, level = self._reading, self._reading.level
        width, height = self.size.width, max(1, self._table.size.height)
        glyphs = glyphs_of(self)
        if not reading.headers:
            elapsed = time.monotonic() - reading.began
            self._table.show(waiting_lines(reading, elapsed, width, glyphs), 0)
        elif reading.tab == "finding" and reading.leak is not None:
            self._table.show([BLANK, *leak_lines(reading.leak, width, glyphs)])
        elif level is None or not level.rows:
            self._table.show(unanswered_lines(reading, width), 0)
        else:
            most = max(map(weight, level.rows), default=0)
            level.top = scrolled(level.top, level.cursor, height)
            # only what is seen: a list may be of many thousand rows
            seen = level.rows[level.top : level.top + height]
            lines = [row_line(row, width, glyphs, most) for row in seen]
            self._table.show(lines, 0, level.cursor - level.top)

    def _holder_lines(self, height: int) -> list[Line]:
        width, held = self.size.width, self._reading.held
        if held is not None:
            return path_lines(held, width, height, glyphs_of(self))
        return header_notes(self._reading.headers, width)

    # --- keys --------------------------------------------------------------------------------
    def action_back(self) -> None:
        if self._filter.display:
            self._close_filter()
        elif len(self._reading.stack) > 1:
            self._reading.stack.pop()
            self._settle()
            self._paint()
        else:
            self.dismiss()

    def action_move(self, by: int) -> None:
        level = self._reading.level
        if level is None:
            self._table.action_move(by)
            return
        level.cursor = max(0, min(level.cursor + by, len(level.rows) - 1))
        self._paint()
        self._settle()
        if level.wants_more:
            self._complete()

    def action_page(self, pages: int) -> None:
        self.action_move(pages * max(1, self._table.size.height - 1))

    @on(LinesView.Wheeled)
    def _wheeled(self, event: LinesView.Wheeled) -> None:
        event.stop()
        self.action_move(event.lines)

    def action_tab(self, name: str) -> None:
        reading = self._reading
        if reading.has(name):
            reading.tab = name
            self._complete()
        elif reading.headers:
            missing = "heaptui[heap]" if not reading.fast else "a second snapshot to compare with"
            self._tell(f"The tab {name} needs {missing}.")

    def action_open(self) -> None:
        level = self._reading.level
        if level is not None:
            self._push(opened(level, fast=self._reading.fast))

    def action_retainers(self) -> None:
        level = self._reading.level
        if level is not None:
            self._push(retainers(level))

    def _push(self, level: Level | None) -> None:
        if level is None:
            self._tell("There is nothing to open here.")
            return
        self._reading.stack.append(level)
        self._complete()

    def action_value(self) -> None:
        level = self._reading.level
        current = None if level is None else level.current
        if isinstance(current, ObjectRow | StringRow) and has_text(current):
            self.run_worker(self._show_value(current), group="value", exclusive=True)
        elif current is not None:
            self._tell("This is no string: enter shows what is in it.")

    async def _show_value(self, row: ObjectRow | StringRow) -> None:
        text = await self._reading.value(row)
        if text is None:
            return
        if isinstance(row, ObjectRow):
            name = "".join(span for span, _ in object_spans(row))
        else:
            name = f"{row.count:,} of this text"
        self.app.push_screen(ValueScreen(name, text))

    def action_order(self) -> None:
        level = self._reading.level
        following = None if level is None else next_order(level.question)
        if level is not None and following is not None:
            level.asked_anew(order=following)
            self._complete()

    def action_filter(self) -> None:
        level = self._reading.level
        if level is None or not can_match(level.question):
            self._tell("Only classes and strings can be searched.")
            return
        self._filter.value = match_of(level.question)
        self._filter.display = True
        self._filter.focus()

    def _close_filter(self) -> None:
        self._filter.display = False
        self._table.focus()

    @on(Input.Submitted, "#reading-filter")
    def _typed(self, event: Input.Submitted) -> None:
        event.stop()
        if self._reading.level is not None:
            self._reading.level.asked_anew(match=event.value)
        self._close_filter()
        self._complete()

    async def action_write(self) -> None:
        leak = self._reading.leak
        if leak is None:
            self._tell("There is no finding to write: compare two snapshots first.")
            return
        name = time.strftime("heaptui-finding-%Y%m%d-%H%M%S.txt")
        try:
            path = await asyncio.to_thread(_write, name, leak_text(leak))
        except OSError as error:
            self._tell(f"{name} cannot be written to the working directory: {error.strerror}.")
            return
        self._tell(f"Written to {path}: it may hold secrets, mode 0600.")

    def _tell(self, text: str) -> None:
        self.app.clear_notifications()
        self.app.notify(one_line(text), markup=False)


def _write(name: str, text: str) -> Path:
    """A new file in the working directory that only this user can read.

    Raises:
        OSError: there is one of that name, or none can be made.
    """
    path = Path.cwd() / name
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(text)
    return path
