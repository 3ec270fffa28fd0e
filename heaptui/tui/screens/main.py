"""The screen that is always there: machine, table, dock."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from textual import events, on
from textual.app import ComposeResult
from textual.containers import Center, Horizontal, Middle
from textual.screen import Screen
from textual.widgets import Input

from heaptui.model import Row
from heaptui.tui import order
from heaptui.tui.acting import Acting
from heaptui.tui.asking import Asking
from heaptui.tui.heap_acting import HeapActing
from heaptui.tui.keymap import bindings
from heaptui.tui.lines import Line
from heaptui.tui.splitting.acting import SplitActing
from heaptui.tui.widgets.activities import activity_lines, to_cancel
from heaptui.tui.widgets.alerts import alert_line
from heaptui.tui.widgets.dock import Dock
from heaptui.tui.widgets.footer import footer_line, keys_line, keys_of
from heaptui.tui.widgets.header import header_line
from heaptui.tui.widgets.lines_view import LinesView
from heaptui.tui.widgets.painting import OneLine
from heaptui.tui.widgets.summary import summary_line
from heaptui.tui.widgets.table import WorkerTable
from heaptui.tui.widgets.welcome import welcome_lines

if TYPE_CHECKING:
    from heaptui.tui.app import HeaptuiApp
    from heaptui.tui.screens.alerts import Answer

_TICK_S = 1.0
_LEAST = (60, 16)
"""Columns and rows below which there is the table alone."""
_TINY = (40, 8)
"""Below this a line says so."""
_AIRY = (100, 26)
"""From here on a blank line stands between the areas."""

_IN_SNAPSHOTS = (
    "snapshot.open", "snapshot.mark", "snapshot.compare", "snapshot.delete", "view.back",
)  # fmt: skip


class MainScreen(Screen[None], inherit_bindings=False):
    PLACES = ("app", "main", "table", "dock")
    """Whose keys are taken here."""
    BINDINGS = bindings("main")
    AUTO_FOCUS = "WorkerTable"
    DEFAULT_CSS = """
    MainScreen { layout: vertical; overflow: hidden; }
    MainScreen #too-small, MainScreen #alert, MainScreen #activities,
    MainScreen .gap { display: none; }
    MainScreen #welcome { display: none; height: 1fr; }
    MainScreen #welcome LinesView { width: auto; }
    MainScreen #under { height: 1; }
    MainScreen #prompt-sign, MainScreen #prompt { display: none; }
    MainScreen #prompt-sign { width: 3; }
    MainScreen #prompt {
        width: 30; height: 1; border: none; padding: 0;
        background: $background; background-tint: transparent;
    }
    MainScreen.table-only #header, MainScreen.table-only #under, MainScreen.table-only #dock,
    MainScreen.table-only #footer { display: none; }
    """

    def __init__(self, app: HeaptuiApp) -> None:
        super().__init__()
        self._app = app
        self._board = app.board
        asking = Asking(app, app.board, self.paint)
        self._heap = HeapActing(app, app.operator, asking, app.board.targets)
        self._splitting = SplitActing(app, app.operator, asking, app.board.targets)
        self._acting = Acting(app, self.paint, self._heap.recycle_these)
        self._tall = False
        clock, glyphs = app.clock, app.glyphs
        self._too_small = OneLine(self._draw_too_small, id="too-small")
        self._header = OneLine(self._draw_header, id="header")
        self._alert = OneLine(self._draw_alert, id="alert")
        self.table = WorkerTable(self._board, glyphs, clock, app.entries, id="table")
        self._welcome_lines = LinesView(classes="fits")
        self._summary = OneLine(self._draw_summary, id="summary")
        self._prompt = Input(id="prompt", compact=True, select_on_focus=False)
        self._prompt_sign = OneLine(lambda _: ((" / ", "sky"),), id="prompt-sign")
        self._activities = LinesView(classes="fits", id="activities")
        self._dock = Dock(app.operator, clock=clock, id="dock")
        self._footer = OneLine(self._draw_footer, shaded=True, id="footer")

    def compose(self) -> ComposeResult:
        self._prompt.cursor_blink = False
        yield self._too_small
        yield self._header
        yield self._alert
        yield OneLine(lambda _: (), classes="gap")
        yield self.table
        with Middle(id="welcome"), Center():
            yield self._welcome_lines
        with Horizontal(id="under"):
            yield self._prompt_sign
            yield self._prompt
            yield self._summary
        yield self._activities
        yield OneLine(lambda _: (), classes="gap")
        yield self._dock
        yield self._footer

    def on_mount(self) -> None:
        self.set_interval(_TICK_S, self._tick)
        self._fit()
        self.paint()

    # --- the lines ---------------------------------------------------------------------------
    def _draw_too_small(self, width: int) -> Line:
        size = self.app.size
        return ((f"{size.width}x{size.height}: needs 60x16"[:width], "amber"),)

    def _draw_header(self, width: int) -> Line:
        board, app = self._board, self._app
        label = app.state_label
        return header_line(board.host, width, app.glyphs, name=label, down=board.down)

    def _draw_alert(self, width: int) -> Line:
        board = self._board
        row = self._alerted()
        here = row is not None and row.id == board.cursor
        return alert_line(board.alerts, row, width, self._app.glyphs, self._app.entries, here=here)

    def _alerted(self) -> Row | None:
        """The task of the alert that is shown."""
        alerts = self._board.alerts
        id = alerts[0].task_id if alerts else None
        return None if id is None else self._board.rows.get(id)

    def _draw_summary(self, width: int) -> Line:
        typing = bool(self._prompt.display)
        return summary_line(self._board, self.table.span, width, self._app.glyphs, typing=typing)

    def _draw_footer(self, width: int) -> Line:
        if self._prompt.has_focus:
            return keys_line([("enter", "keep the filter"), ("escape", "clear it")], width)
        if self._in_dock() and self._dock.active == "snapshots":
            return keys_line(keys_of(self._app.entries, _IN_SNAPSHOTS), width)
        return footer_line(self._app.entries, self._board.targets(), width)

    # --- painting ----------------------------------------------------------------------------
    def paint(self) -> None:
        """Brings everything up to date with the board."""
        if not self.is_mounted:
            return
        board = self._board
        empty = not board.visible and not board.filter
        self._show(self.table, not empty)
        alone = self.has_class("table-only")
        self._show(self._dock, not empty and not alone)
        self._show(self._summary, not empty)
        self._show(self.query_one("#welcome"), empty)
        self._show(self._alert, bool(board.alerts) and not alone)
        if empty:
            lines = welcome_lines(board.host, self.size.width, ended=board.collapsed)
            self._welcome_lines.show(lines)
        activities = activity_lines(
            board.activities, self.size.width, self._app.clock(), self._app.glyphs
        )
        self._show(self._activities, bool(activities) and not alone)
        self._activities.show(activities)
        self.table.paint()
        self._follow()
        for line in (self._too_small, self._header, self._alert, self._summary, self._footer):
            line.redraw()

    @staticmethod
    def _show(widget: Any, there: bool) -> None:
        if bool(widget.display) != there:
            widget.display = there

    def _tick(self) -> None:
        """Ages go on and a new order falls due even when nothing comes in."""
        self._board.settle(self._app.clock())
        self.paint()

    def on_resize(self) -> None:
        self._fit()

    def _fit(self) -> None:
        """Divides the screen between table and dock."""
        width, height = self.app.size
        alone = width < _LEAST[0] or height < _LEAST[1]
        self.set_class(alone, "table-only")
        self._too_small.display = width < _TINY[0] or height < _TINY[1]
        airy = width >= _AIRY[0] and height >= _AIRY[1] and not alone
        for gap in self.query(".gap"):
            gap.display = airy
        rows = height - 9 if self._tall else min(max(9, min(20, height * 2 // 5)), height - 10)
        self._dock.styles.height = max(3, rows)
        self.call_after_refresh(self.paint)

    @on(WorkerTable.Moved)
    def _moved(self) -> None:
        for line in (self._alert, self._summary, self._footer):
            line.redraw()
        # the cursor is painted first
        self.call_after_refresh(self._follow)

    def _follow(self) -> None:
        row = self._board.current
        self._dock.follow(row, () if row is None else self._board.children(row.id))

    @on(events.DescendantFocus)
    @on(events.DescendantBlur)
    def _focused(self) -> None:
        self._footer.redraw()

    # --- finding and order -------------------------------------------------------------------
    def action_find(self) -> None:
        if self._in_dock() and self._dock.focusable_search():
            return
        self._board.hold("filter")
        self._prompt.value = self._board.filter
        self._prompt_sign.display = self._prompt.display = True
        self._prompt.focus()

    @on(Input.Changed, "#prompt")
    def _typed(self, event: Input.Changed) -> None:
        if self._prompt.display:
            self._board.filter_by(event.value, self._app.clock())
            self.paint()

    @on(Input.Submitted, "#prompt")
    def _kept(self) -> None:
        self._close_prompt()

    def _close_prompt(self) -> None:
        self._prompt_sign.display = self._prompt.display = False
        self._board.release("filter")
        self.table.focus()
        self.paint()

    def on_key(self, event: events.Key) -> None:
        """While the filter is typed the cursor still moves."""
        step = {"up": -1, "down": 1}.get(event.key)
        if step and self._prompt.has_focus:
            event.stop()
            self._board.move(step)
            self.paint()

    def action_worst(self) -> None:
        """To the alert's task, else to the one in the greatest danger."""
        row = self._alerted() or self._board.worst()
        if row is not None:
            self._board.go(row.id, self._app.clock())
            self.paint()

    def action_order(self) -> None:
        self._order_by(order.following(self._board.order), reverse=False)

    def action_reverse(self) -> None:
        self._order_by(self._board.order, reverse=not self._board.reverse)

    def _order_by(self, name: str, *, reverse: bool) -> None:
        self._board.order_by(name, self._app.clock(), reverse=reverse)
        remembered = self._app.remembered
        remembered.order, remembered.reverse = name, reverse
        self._app.remember()
        self.paint()

    def action_tree(self) -> None:
        board, remembered = self._board, self._app.remembered
        board.as_tree(not board.tree, self._app.clock())
        remembered.tree = board.tree
        self._app.remember()
        self.paint()

    def action_alerts(self) -> None:
        from heaptui.tui.screens.alerts import AlertsScreen

        self.app.push_screen(AlertsScreen(self._app), self._from_alerts)

    async def _from_alerts(self, answer: Answer | None) -> None:
        """To the alert's task, and what was chosen is done with it alone."""
        if answer is None:
            return
        if answer.task_id is not None:
            if not self._board.go(answer.task_id, self._app.clock()):
                return
            self._board.clear_marks()
            self.table.focus()
        self.paint()
        if answer.action:
            await self.run_action(answer.action)

    def action_seen(self) -> None:
        alerts = self._board.alerts
        if alerts:
            self._board.seen([alerts[0].id])
        elif not self._board.put_away(self._app.clock()):
            self._app.tell("There is no alert to mark as seen.")
        self.paint()

    def action_back(self) -> None:
        """One step out: of the prompt, the dock, the marks, the filter, the tall dock; with nothing
        of these, of the long work that can be cancelled."""
        board, now = self._board, self._app.clock()
        if self._prompt.has_focus:
            board.filter_by("", now)
            self._close_prompt()
        elif self._in_dock():
            self.table.focus()
        elif board.marks:
            board.clear_marks()
        elif board.filter:
            board.filter_by("", now)
        elif self._tall:
            self.action_taller()
        elif (activity := to_cancel(board.activities)) is not None:
            self._heap.cancel(activity)
        self.paint()

    # --- the dock ----------------------------------------------------------------------------
    def _in_dock(self) -> bool:
        return self.focused is not None and self._dock in self.focused.ancestors_with_self

    def action_tab(self, name: str) -> None:
        self._dock.tab(name)
        if name == "snapshots" and self._dock.display:
            # a list has a cursor of its own: enter is for what was asked to be seen
            self._dock.focus()

    def action_taller(self) -> None:
        self._tall = not self._tall
        self._fit()

    def action_other(self) -> None:
        if self._in_dock() or not self._dock.display:
            self.table.focus()
        else:
            self._dock.focus()

    @on(WorkerTable.Opened)
    def _opened(self) -> None:
        if self._board.cursor is not None:
            from heaptui.tui.screens.task import TaskScreen

            self.app.push_screen(TaskScreen(self._app.operator, self._board.cursor))

    # --- tasks, the supervisor, and leaving --------------------------------------------------
    def action_stop(self) -> None:
        self._acting.stop()

    def action_retry(self) -> None:
        self._acting.retry()

    def action_forget(self) -> None:
        self._acting.forget()

    def action_collect(self) -> None:
        self._heap.collect()

    def action_snapshot(self) -> None:
        self._heap.snapshot()

    def action_hunt(self) -> None:
        self._heap.hunt()

    def action_recycle(self) -> None:
        self._heap.recycle()

    def action_split(self) -> None:
        self._splitting.split()

    def action_raise_limits(self) -> None:
        self._heap.raise_limits()

    def action_inspect(self) -> None:
        from heaptui.tui.inspect import open_inspect

        open_inspect(self._app)

    def action_snapshots(self) -> None:
        from heaptui.tui.screens.snapshots import SnapshotsScreen

        self.app.push_screen(SnapshotsScreen(self._app.operator))

    def action_measures(self) -> None:
        from heaptui.tui.measures.screen import MeasuresScreen

        self.app.push_screen(MeasuresScreen(self._app.operator))

    def action_new(self) -> None:
        self._acting.launch()

    def action_dispatch(self) -> None:
        self._acting.pause_or_resume()

    def action_leave(self) -> None:
        self._acting.leave()

    def action_detach(self) -> None:
        self.app.exit("detach")

    def action_history(self) -> None:
        from heaptui.tui.screens.history import HistoryScreen

        self.app.push_screen(HistoryScreen(self._app.operator))
