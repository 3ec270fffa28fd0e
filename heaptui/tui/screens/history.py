"""The attempts that ended: found, ordered, and why each one did."""

from __future__ import annotations

from typing import ClassVar

from textual import events, on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.screen import Screen
from textual.widgets import Input

from heaptui.client import Operator
from heaptui.errors import HeaptuiError
from heaptui.model import AttemptRecord
from heaptui.tui.keymap import bindings
from heaptui.tui.lines import Line, Span, one_line, ruled
from heaptui.tui.order import following
from heaptui.tui.records import ORDERS, arranged, evidence_lines, heading, record_line
from heaptui.tui.surroundings import clock_of, entries_of
from heaptui.tui.themes import glyphs_of
from heaptui.tui.widgets.footer import keys_line, keys_of
from heaptui.tui.widgets.lines_view import LinesView, scrolled
from heaptui.tui.widgets.painting import OneLine

LIMIT = 1000
"""Attempts that are shown at most, the newest; a filter looks at all of them."""

_SETTLE_S = 0.15

_KEYS = ("history.open", "history.filter", "history.order", "history.back")


class HistoryScreen(Screen[None]):
    """Attempts from the store, and under the table what is known of the one under the cursor."""

    DEFAULT_CSS = """
    HistoryScreen { layout: vertical; background: $background; }
    HistoryScreen #why { height: 5; }
    HistoryScreen #history-filter { height: 1; display: none; padding: 0 1; }
    """

    BINDINGS: ClassVar[list[BindingType]] = bindings("history")
    PLACES: ClassVar[tuple[str, ...]] = ("history", "app")
    """Whose keys work here, for the help."""

    def __init__(self, operator: Operator) -> None:
        super().__init__()
        self._operator = operator
        self._records: list[AttemptRecord] = []
        self._order = next(iter(ORDERS))
        self._match = ""
        self._cursor: int | None = None
        self._said = "reading…"
        self._title = OneLine(self._draw_title)
        self._heading = OneLine(heading)
        self._table = LinesView(id="history-table", focusable=True)
        self._rule = OneLine(self._draw_rule)
        self._why = LinesView(id="why")
        self._filter = Input(
            id="history-filter",
            compact=True,
            placeholder="name, kind, verdict",
            select_on_focus=False,
        )

    def compose(self) -> ComposeResult:
        self._filter.cursor_blink = False
        yield self._title
        yield self._heading
        yield self._table
        yield self._rule
        yield self._why
        yield self._filter
        keys = keys_of(entries_of(self), _KEYS)
        yield OneLine(lambda width: keys_line(keys, width), shaded=True)

    def on_mount(self) -> None:
        self._table.focus()
        self._ask()

    def _draw_title(self, width: int) -> Line:
        rule = glyphs_of(self).rule
        count = len(self._records)
        many = f"{count} attempt{'s' * (count != 1)}" + (", the newest" if count == LIMIT else "")
        spans: list[Span] = [("History", "strong"), (f"  {many}", "dim")]
        spans.append((f"  by {self._order}", "sky"))
        if self._match:
            spans += [("  /", "sky"), (one_line(self._match), "strong")]
        return ruled(spans, width, rule)

    def _draw_rule(self, width: int) -> Line:
        return ruled([("why", "dim")], width, glyphs_of(self).rule)

    # --- data --------------------------------------------------------------------------------
    def _ask(self) -> None:
        # what is typed on supersedes what was asked before: only the last answer is of use
        self.run_worker(self._fetch(self._match), group="history", exclusive=True)

    async def _fetch(self, match: str) -> None:
        try:
            found = await self._operator.history(LIMIT, match)
        except HeaptuiError as error:
            self._said = error.what
        else:
            self._records, self._said = found, ""
        self._arrange()

    def _arrange(self) -> None:
        """In order, with the cursor on the attempt it was on."""
        current = self._current
        self._records = arranged(self._records, self._order)
        ids = [record.id for record in self._records]
        at = ids.index(current.id) if current is not None and current.id in ids else 0
        self._cursor = at if ids else None
        self._paint()

    @property
    def _current(self) -> AttemptRecord | None:
        if self._cursor is None or self._cursor >= len(self._records):
            return None
        return self._records[self._cursor]

    @on(events.Resize)
    def _paint(self) -> None:
        if not self.is_mounted:
            return
        now, width, height = clock_of(self)(), self.size.width, self._table.size.height
        lines = [record_line(record, width, now) for record in self._records]
        if not lines:
            nothing = "No attempt has ended yet." if not self._match else "No attempt fits."
            lines = [((f"  {self._said or nothing}", "dim"),)]
        top = self._table.top
        if self._cursor is not None:
            top = scrolled(top, self._cursor, height)
        self._table.show(lines, top, self._cursor)
        current = self._current
        self._why.show([] if current is None else evidence_lines(current, width, now))
        for line in (self._title, self._heading, self._rule):
            line.redraw()

    # --- keys --------------------------------------------------------------------------------
    def action_back(self) -> None:
        if self._filter.display:
            self._close_filter()
        elif self._match:
            self._filter.value = ""
        else:
            self.dismiss()

    def action_move(self, by: int) -> None:
        if self._cursor is not None:
            self._cursor = max(0, min(self._cursor + by, len(self._records) - 1))
            self._paint()

    def action_page(self, pages: int) -> None:
        self.action_move(pages * max(1, self._table.size.height - 1))

    @on(LinesView.Wheeled)
    def _wheeled(self, event: LinesView.Wheeled) -> None:
        event.stop()
        self.action_move(event.lines)

    def action_order(self) -> None:
        self._order = following(self._order, list(ORDERS))
        self._arrange()

    def action_filter(self) -> None:
        self._filter.display = True
        self._filter.focus()

    def _close_filter(self) -> None:
        self._filter.display = False
        self._table.focus()

    @on(Input.Changed, "#history-filter")
    def _typed(self, event: Input.Changed) -> None:
        event.stop()
        self._match = event.value
        match = event.value
        self.set_timer(_SETTLE_S, lambda: self._ask() if match == self._match else None)

    @on(Input.Submitted, "#history-filter")
    def _typed_all(self, event: Input.Submitted) -> None:
        event.stop()
        self._close_filter()

    def action_open(self) -> None:
        current = self._current
        if current is None:
            return
        from heaptui.tui.screens.task import TaskScreen

        self.app.push_screen(TaskScreen(self._operator, current.task_id))
