"""The dock's widget: follows a task, fetches what its visible pane needs, and paints it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import Any, ClassVar, Self

from textual import events, on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.reactive import reactive
from textual.widget import Widget
from textual.widgets import Input

from heaptui.client import Operator
from heaptui.errors import HeaptuiError
from heaptui.model import Detail, Row, Series, State
from heaptui.tui.keymap import bindings
from heaptui.tui.lines import Line, one_line
from heaptui.tui.themes import glyphs_of
from heaptui.tui.widgets.dock.absent import snapshot_lines
from heaptui.tui.widgets.dock.chart import ascii_dots, braille
from heaptui.tui.widgets.dock.context import context_lines
from heaptui.tui.widgets.dock.events import event_lines
from heaptui.tui.widgets.dock.kept_pane import KeptPane
from heaptui.tui.widgets.dock.memory import memory_lines, span_of
from heaptui.tui.widgets.dock.output_pane import OutputPane
from heaptui.tui.widgets.dock.processes import process_lines
from heaptui.tui.widgets.dock.title import HINT, ROOMY, SHORT_HINT, Title, title
from heaptui.tui.widgets.lines_view import LinesView
from heaptui.tui.widgets.painting import OneLine

FETCH_S = 1.0
"""Seconds between two fetches of the same pane at least."""

SETTLE_S = 0.12
"""Seconds the cursor rests on a task before anything is fetched of it."""

_EVENTS = 200


class Dock(Widget):
    """Six panes on the task under the cursor.

    `hint` stands at the right of the title. `clock` gives seconds since the epoch.
    """

    DEFAULT_CSS = """
    Dock { height: 1fr; layout: vertical; }
    Dock #dock-title { height: 1; }
    Dock #dock-foot { height: 1; display: none; }
    Dock #dock-search { height: 1; display: none; border: none; padding: 0 1; }
    """

    BINDINGS: ClassVar[list[BindingType]] = bindings("dock")

    active: reactive[str] = reactive("memory", init=False)

    def __init__(
        self,
        operator: Operator,
        *,
        hint: Line | None = None,
        clock: Callable[[], float] = time.time,
        **kw: Any,
    ) -> None:
        super().__init__(**kw)
        self._operator = operator
        self._hint = hint
        self._clock = clock
        self._row: Row | None = None
        self._children: Sequence[Row] = ()
        self._detail: Detail | None = None
        self._series: Series | None = None
        self._trouble = ""
        self._stale = False
        self._fetching = False
        self._newest_seen = True
        self._title = OneLine(self._draw_title, id="dock-title")
        self._body = LinesView(id="dock-body", focusable=True)
        self._foot = OneLine(self._draw_foot, id="dock-foot")
        self._search = Input(
            id="dock-search", compact=True, placeholder="find in the output", select_on_focus=False
        )
        self._output = OutputPane(self._body, self._paint_foot)
        self._kept = KeptPane(operator, self._body, self._paint)

    def compose(self) -> ComposeResult:
        self._search.cursor_blink = False
        yield self._title
        yield self._body
        yield self._foot
        yield self._search

    def on_mount(self) -> None:
        self.set_interval(FETCH_S, self._tick)
        self.call_after_refresh(self._tick)

    # --- what the screen calls ---------------------------------------------------------------
    def follow(self, row: Row | None, children: Sequence[Row] = ()) -> None:
        """Show another task, or newer figures of the same one; None: there is none. `children` are
        those it was split into, as far as they are held."""
        before_them, self._children = self._children, children
        if row is self._row:
            if children != before_them:
                self._paint()
            return
        before, self._row = self._row, row
        self._stale = True
        if before is None or row is None or before.id != row.id:
            self._detail, self._series, self._trouble = None, None, ""
            self._output.clear()
            self._kept.follow(None if row is None else row.id)
            self._body.show((), 0)
            if self.is_mounted:
                self.set_timer(SETTLE_S, lambda: self._fetch_if(row))
        self._paint()

    def tab(self, name: str) -> None:
        """Show the pane `name`, one of `TABS`."""
        self.active = name

    def focusable_search(self) -> bool:
        """Open the search of the pane that is shown; False when it has none."""
        if self.active != "output" or self._row is None:
            return False
        self._search.display = True
        self._search.value = self._output.needle
        self._search.focus()
        return True

    def focus(self, scroll_visible: bool = True) -> Self:
        """The keys go to the pane's lines."""
        self._body.focus(scroll_visible)
        return self

    # --- painting ----------------------------------------------------------------------------
    def watch_active(self) -> None:
        self._newest_seen = True
        self._body.show((), 0)
        self._paint()
        self._stale = True
        self._tick()

    @on(LinesView.Resized, "#dock-body")
    def _resized(self, event: LinesView.Resized) -> None:
        event.stop()
        self._paint()

    def _paint(self) -> None:
        if not self.is_mounted or self.size.width == 0:
            return
        self._title.redraw()
        row, body = self._row, self._body
        width, height = body.size.width, body.size.height
        if row is None:
            body.show([])
        elif self.active == "output":
            self._output.paint()
        elif self.active == "events":
            detail = self._detail
            lines = event_lines(detail.events, width, self._clock()) if detail else []
            body.show(lines, len(lines) if self._newest_seen else None)
        elif self.active == "snapshots" and not self._kept.empty:
            self._kept.paint(self._clock())
        else:
            body.show(self._lines(row, width, height))
        self._paint_foot()

    def _lines(self, row: Row, width: int, height: int) -> list[Line]:
        if self.active == "memory":
            dots = braille if glyphs_of(self).braille else ascii_dots
            room = (width, height)
            return memory_lines(
                row,
                self._detail,
                self._series,
                room,
                now=self._clock(),
                dots=dots,
                children=self._children,
            )
        if self.active == "processes":
            detail = self._detail
            return process_lines(row, detail.processes, width, detail.heaps) if detail else []
        if self.active == "context":
            return context_lines(row, width, glyphs_of(self))
        return snapshot_lines(row, width)

    def _draw_title(self, width: int) -> Line:
        return self._titled(width).line

    def _titled(self, width: int) -> Title:
        hint = self._hint or (HINT if width >= ROOMY else SHORT_HINT)
        name = "no task" if self._row is None else one_line(self._row.name or self._row.id)
        return title(name, self.active, width, hint, glyphs_of(self).rule)

    def _draw_foot(self, width: int) -> Line:
        if self._trouble:
            return ((f" {self._trouble}", "amber"),)
        if self.active != "output":
            return ()
        return self._output.status(width, focused=self._body.has_focus)

    def _paint_foot(self) -> None:
        shown = bool(self._trouble) or (self.active == "output" and self._row is not None)
        self._foot.display = shown and not self._search.display
        self._foot.redraw()

    # --- fetching ----------------------------------------------------------------------------
    def _tick(self) -> None:
        row = self._row
        # a chart and a time that is left go on even while no figure of the row changes
        moves = (
            row is not None
            and self.active == "memory"
            and (row.state.live or row.state is State.BACKOFF)
        )
        if (self._stale or moves) and self.display and self.screen.is_current:
            self._fetch_if(row)

    def _fetch_if(self, row: Row | None) -> None:
        """Fetch unless the cursor went on, or the last fetch still runs: then drop this one."""
        current = self._row
        if row is None or current is None or row.id != current.id or self._fetching:
            return
        self._fetching, self._stale = True, False
        self.run_worker(self._fetch(current, self.active), group="dock-fetch")

    async def _fetch(self, row: Row, pane: str) -> None:
        series, detail = self._series, self._detail
        try:
            if pane == "memory":
                span = span_of(row, self._clock())
                series, detail = await asyncio.gather(
                    self._operator.series(row.id, span), self._operator.show(row.id, _EVENTS)
                )
            elif pane in ("processes", "output", "events"):
                detail = await self._operator.show(row.id, _EVENTS)
            elif pane == "snapshots":
                await self._kept.fetch()
            else:
                return
        except HeaptuiError as error:
            self._trouble = error.what
            self._paint_foot()
            return
        finally:
            self._fetching = False
        if self._row is None or self._row.id != row.id:
            self._stale = True
            return
        self._trouble, self._series, self._detail = "", series, detail
        if self.active == "output" and detail is not None:
            await self._output.refresh(self._row, detail)
            self._paint_foot()
        else:
            self._paint()

    # --- keys --------------------------------------------------------------------------------
    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Keys that have no use in this pane go on to the screen."""
        if action in ("follow", "search", "copy"):
            return self.active == "output"
        if action in ("older", "newer"):
            return self.active == "output" and bool(self._output.needle)
        if action == "end_search":
            return self._search.display or (self.active == "output" and bool(self._output.needle))
        if action in ("open_snapshot", "mark_snapshot", "compare", "delete_snapshot"):
            # also while the list is empty: the same key would act on the whole task
            return self.active == "snapshots"
        return super().check_action(action, parameters)

    def action_move(self, lines: int) -> None:
        if self.active == "snapshots":
            self._kept.move(lines)
        else:
            self._body.action_move(lines)

    @on(LinesView.Wheeled, "#dock-body")
    def _wheeled(self, event: LinesView.Wheeled) -> None:
        event.stop()
        self.action_move(event.lines)

    def action_page(self, pages: int) -> None:
        if self.active == "snapshots":
            self._kept.page(pages)
        else:
            self._body.action_page(pages)

    def action_first(self) -> None:
        if self.active == "snapshots":
            self._kept.go(last=False)
        else:
            self._body.action_first()

    def action_last(self) -> None:
        if self.active == "snapshots":
            self._kept.go(last=True)
        else:
            self._body.action_last()

    def action_open_snapshot(self) -> None:
        self._kept.acting.open()

    def action_mark_snapshot(self) -> None:
        self._kept.mark()

    def action_compare(self) -> None:
        self._kept.acting.compare()

    def action_delete_snapshot(self) -> None:
        self._kept.acting.delete()

    def action_search(self) -> None:
        self.focusable_search()

    async def action_follow(self) -> None:
        await self._output.toggle_following()

    def action_copy(self) -> None:
        lines = self._output.seen
        self.app.clear_notifications()
        if not lines:
            self.app.notify("There is no output to copy.", markup=False)
            return
        self.app.copy_to_clipboard("".join(f"{line}\n" for line in lines))
        count = "1 line" if len(lines) == 1 else f"{len(lines)} lines"
        self.app.notify(f"{count} sent by OSC 52; with tmux: set -g set-clipboard on", markup=False)

    async def action_older(self) -> None:
        await self._output.older()

    async def action_newer(self) -> None:
        await self._output.newer()

    async def action_end_search(self) -> None:
        if self._search.display:
            self._close_search()
        else:
            await self._output.find("")

    @on(events.DescendantFocus)
    @on(events.DescendantBlur)
    def _focus_moved(self) -> None:
        self._paint_foot()

    @on(LinesView.Moved, "#dock-body")
    async def _moved(self, event: LinesView.Moved) -> None:
        event.stop()
        self._newest_seen = event.at_end
        if self.active == "output":
            await self._output.moved()

    @on(Input.Submitted, "#dock-search")
    async def _searched(self, event: Input.Submitted) -> None:
        event.stop()
        self._close_search()
        await self._output.find(event.value)

    def _close_search(self) -> None:
        self._search.display = False
        self._body.focus()
        self._paint_foot()

    @on(events.Click, "#dock-title")
    def _clicked(self, event: events.Click) -> None:
        for name, (begin, end) in self._titled(self.size.width).places.items():
            if begin <= event.x < end:
                self.tab(name)
