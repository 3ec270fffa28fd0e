"""One task on the whole screen: its dock, and under it how it was launched and tried."""

from __future__ import annotations

from typing import ClassVar

from textual import events, on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.screen import Screen

from heaptui.client import Operator
from heaptui.errors import HeaptuiError
from heaptui.model import Detail, Row
from heaptui.tui.asking import Asking
from heaptui.tui.facts import task_facts
from heaptui.tui.heap_acting import HeapActing
from heaptui.tui.keymap import bindings
from heaptui.tui.lines import Line, Span, ruled
from heaptui.tui.screens.stop import Instead, StopScreen
from heaptui.tui.splitting.acting import SplitActing
from heaptui.tui.surroundings import children_of, clock_of, entries_of
from heaptui.tui.themes import glyphs_of
from heaptui.tui.widgets.dock import Dock
from heaptui.tui.widgets.footer import keys_line, keys_of
from heaptui.tui.widgets.lines_view import LinesView
from heaptui.tui.widgets.painting import OneLine

_REFRESH_S = 1.0
_HINT: Line = (("esc", "sky"), (" back", "dim"))
_KEYS = (
    "detail.collect", "detail.snapshot", "detail.split", "detail.hunt", "detail.recycle",
    "detail.raise", "detail.stop",
    "detail.other", "detail.back",
)  # fmt: skip


class TaskScreen(Screen[None]):
    """Everything about the task `task_id`, kept up to date while it is open."""

    DEFAULT_CSS = """
    TaskScreen { layout: vertical; background: $background; }
    TaskScreen Dock { height: 1fr; min-height: 8; }
    TaskScreen #facts { height: auto; max-height: 45%; }
    """

    BINDINGS: ClassVar[list[BindingType]] = bindings("detail")
    PLACES: ClassVar[tuple[str, ...]] = ("detail", "dock", "app")
    """Whose keys work here, for the help."""

    def __init__(self, operator: Operator, task_id: str) -> None:
        super().__init__()
        self._operator = operator
        self._task_id = task_id
        self._detail: Detail | None = None
        self._fetching = False
        self._trouble = ""

    def compose(self) -> ComposeResult:
        self._dock = Dock(self._operator, hint=_HINT, clock=clock_of(self))
        self._rule = OneLine(self._draw_rule)
        self._facts = LinesView(classes="fits", id="facts", focusable=True)
        yield self._dock
        yield self._rule
        yield self._facts
        self._keys = OneLine(self._draw_keys, shaded=True)
        yield self._keys

    def on_mount(self) -> None:
        asking = Asking(self.app, painted=self._ask)
        self._heap = HeapActing(self.app, self._operator, asking, self._rows)
        self._splitting = SplitActing(self.app, self._operator, asking, self._rows)
        self._dock.focus()
        self._ask()
        self.set_interval(_REFRESH_S, self._tick)

    def _draw_rule(self, width: int) -> Line:
        title: Span = (self._trouble, "amber") if self._trouble else ("launch and attempts", "dim")
        return ruled([title], width, glyphs_of(self).rule)

    def _draw_keys(self, width: int) -> Line:
        return keys_line(keys_of(entries_of(self), _KEYS, self.row), width)

    @property
    def row(self) -> Row | None:
        """The task's, as far as it is known."""
        return None if self._detail is None else self._detail.row

    # --- keeping up --------------------------------------------------------------------------
    def _tick(self) -> None:
        ended = self._detail is not None and self._detail.row.state.ended
        if self.is_current and not ended:
            self._ask()

    def _ask(self) -> None:
        if not self._fetching:
            self._fetching = True
            self.run_worker(self._fetch())

    async def _fetch(self) -> None:
        try:
            self._detail = await self._operator.show(self._task_id)
        except HeaptuiError as error:
            self._trouble = error.what
            self._rule.redraw()
            return
        finally:
            self._fetching = False
        self._trouble = ""
        self._rule.redraw()
        self._paint()

    @on(events.Resize)
    def _paint(self) -> None:
        if self._detail is None or not self.is_mounted:
            return
        row, now = self._detail.row, clock_of(self)()
        children = children_of(self, [row])
        self._dock.follow(row, children)
        self._keys.redraw()
        self._facts.show(task_facts(self._detail, self.size.width, now, children))

    # --- keys --------------------------------------------------------------------------------
    def action_back(self) -> None:
        self.dismiss()

    def action_tab(self, name: str) -> None:
        self._dock.tab(name)

    def action_other(self) -> None:
        if self._facts.has_focus:
            self._dock.focus()
        else:
            self._facts.focus()

    def action_move(self, lines: int) -> None:
        self._facts.action_move(lines)

    def action_page(self, pages: int) -> None:
        self._facts.action_page(pages)

    def _rows(self) -> list[Row]:
        return [] if self.row is None else [self.row]

    def action_collect(self) -> None:
        self._heap.collect()

    def action_snapshot(self) -> None:
        self._heap.snapshot()

    def action_hunt(self) -> None:
        self._heap.hunt()

    def action_raise_limits(self) -> None:
        self._heap.raise_limits()

    def action_recycle(self) -> None:
        self._heap.recycle()

    def action_split(self) -> None:
        self._splitting.split()

    def action_stop(self) -> None:
        detail = self._detail
        if detail is None or detail.row.state.ended:
            return
        self.app.push_screen(StopScreen(self._operator, [detail.row]), self._said)

    def _said(self, sentence_of_it: str | Instead | None) -> None:
        if isinstance(sentence_of_it, Instead):
            self._heap.recycle()
        elif sentence_of_it:
            self.notify(sentence_of_it, markup=False)
        self._ask()
