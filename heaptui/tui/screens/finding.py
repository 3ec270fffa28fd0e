"""How a leak hunt ended, on the whole screen."""

from __future__ import annotations

from typing import ClassVar

from textual import events, on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.screen import Screen

from heaptui.client import Operator
from heaptui.errors import HeaptuiError
from heaptui.model import Finding, Snapshot
from heaptui.tui.asking import Asking
from heaptui.tui.finding_lines import finding_lines, finding_title
from heaptui.tui.kept_acting import compare, read
from heaptui.tui.keymap import bindings
from heaptui.tui.lines import Line
from heaptui.tui.surroundings import entries_of
from heaptui.tui.themes import glyphs_of
from heaptui.tui.widgets.footer import keys_line, keys_of
from heaptui.tui.widgets.lines_view import LinesView
from heaptui.tui.widgets.painting import OneLine

_KEYS = ("finding.compare", "finding.before", "finding.after", "finding.back")


class FindingScreen(Screen[None]):
    """What grew, what holds it, and the way to its two snapshots."""

    DEFAULT_CSS = "FindingScreen { layout: vertical; background: $background; }"

    BINDINGS: ClassVar[list[BindingType]] = bindings("finding")
    PLACES: ClassVar[tuple[str, ...]] = ("finding", "app")
    """Whose keys work here, for the help."""

    def __init__(self, operator: Operator, finding: Finding) -> None:
        super().__init__()
        self._operator = operator
        self._finding = finding
        self._snapshots: list[Snapshot] = []
        self._title = OneLine(self._draw_title)
        self._view = LinesView(id="finding", focusable=True)

    def compose(self) -> ComposeResult:
        yield self._title
        yield self._view
        keys = keys_of(entries_of(self), _KEYS)
        yield OneLine(lambda width: keys_line(keys, width), shaded=True)

    def on_mount(self) -> None:
        self._view.focus()
        self._paint()
        self.run_worker(self._fetch())

    def _draw_title(self, width: int) -> Line:
        return finding_title(self._finding, width, glyphs_of(self).rule)

    async def _fetch(self) -> None:
        try:
            self._snapshots = await self._operator.snapshots(self._finding.task_id)
        except HeaptuiError as error:
            Asking(self.app).tell(str(error), severity="error")
        self._paint()

    @on(events.Resize)
    def _paint(self) -> None:
        if self.is_mounted:
            width = self.size.width
            self._view.show(finding_lines(self._finding, self._snapshots, width, glyphs_of(self)))
            self._title.redraw()

    # --- keys --------------------------------------------------------------------------------
    def action_back(self) -> None:
        self.dismiss()

    def action_move(self, lines: int) -> None:
        self._view.action_move(lines)

    def action_page(self, pages: int) -> None:
        self._view.action_page(pages)

    def _kept(self, id: int | None) -> Snapshot | None:
        return next((each for each in self._snapshots if each.id == id), None)

    def action_compare(self) -> None:
        before, after = self._kept(self._finding.before), self._kept(self._finding.after)
        if before is not None and after is not None:
            compare(self.app, before, after)
        else:
            self._gone()

    def action_read(self, which: str) -> None:
        finding = self._finding
        snapshot = self._kept(finding.before if which == "before" else finding.after)
        if snapshot is not None:
            read(self.app, snapshot)
        else:
            self._gone()

    def _gone(self) -> None:
        Asking(self.app).tell("That takes a snapshot that is not kept any more, or was not taken.")
