"""The snapshots and findings of all tasks."""

from __future__ import annotations

import asyncio
from typing import ClassVar

from textual import events, on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.screen import Screen

from heaptui.client import Operator
from heaptui.errors import HeaptuiError
from heaptui.tui.kept import Kept, kept_heading, kept_lines
from heaptui.tui.kept_acting import KeptActing
from heaptui.tui.keymap import bindings
from heaptui.tui.lines import Line, Span, indented, one_line, ruled, sentence
from heaptui.tui.surroundings import clock_of, entries_of
from heaptui.tui.themes import glyphs_of
from heaptui.tui.widgets.footer import keys_line, keys_of
from heaptui.tui.widgets.lines_view import LinesView, scrolled
from heaptui.tui.widgets.painting import OneLine
from heaptui.units import size

_KEYS = (
    "snapshots.open", "snapshots.mark", "snapshots.compare", "snapshots.delete", "snapshots.back",
)  # fmt: skip
_NOTHING = (
    "No snapshot is kept. On a task of the table s takes one, and L hunts a leak with two; what is "
    "kept at most is a matter of the configuration."
)


class SnapshotsScreen(Screen[None]):
    """Newest first, with the keys of the dock's list."""

    DEFAULT_CSS = "SnapshotsScreen { layout: vertical; background: $background; }"

    BINDINGS: ClassVar[list[BindingType]] = bindings("snapshots")
    PLACES: ClassVar[tuple[str, ...]] = ("snapshots", "app")
    """Whose keys work here, for the help."""

    def __init__(self, operator: Operator) -> None:
        super().__init__()
        self._operator = operator
        self._kept = Kept()
        self._said = "reading…"
        self._title = OneLine(self._draw_title)
        self._heading = OneLine(lambda width: kept_heading(width, names=True))
        self._view = LinesView(id="snapshots", focusable=True)

    def compose(self) -> ComposeResult:
        yield self._title
        yield self._heading
        yield self._view
        keys = keys_of(entries_of(self), _KEYS)
        yield OneLine(lambda width: keys_line(keys, width), shaded=True)

    def on_mount(self) -> None:
        self._acting = KeptActing(self.app, self._operator, self._kept, self._fetch)
        self._view.focus()
        self.run_worker(self._fetch())

    def _draw_title(self, width: int) -> Line:
        snapshots = self._kept.snapshots
        spans: list[Span] = [("Snapshots", "strong")]
        if snapshots:
            files = f"{len(snapshots)} file{'s' * (len(snapshots) != 1)}"
            total = size(sum(each.bytes for each in snapshots))
            spans.append((f"  {files}, {total}", "dim"))
        return ruled(spans, width, glyphs_of(self).rule)

    async def _fetch(self) -> None:
        try:
            snapshots, findings = await asyncio.gather(
                self._operator.snapshots(), self._operator.findings()
            )
        except HeaptuiError as error:
            self._said = one_line(error.what)
        else:
            self._said = ""
            self._kept.put(snapshots, findings)
        self._paint()

    @on(events.Resize)
    def _paint(self) -> None:
        if not self.is_mounted:
            return
        width, height, kept = self.size.width, self._view.size.height, self._kept
        if kept.items:
            lines = kept_lines(kept, width, clock_of(self)(), names=True)[1:]
            top = scrolled(self._view.top, kept.at, height)
            self._view.show(lines, top, kept.at)
        else:
            text = self._said or _NOTHING
            self._view.show(indented(sentence(text, max(20, min(width - 4, 76)), "dim"), 2), 0)
        self._title.redraw()
        self._heading.redraw()

    # --- keys --------------------------------------------------------------------------------
    def action_back(self) -> None:
        self.dismiss()

    def action_move(self, by: int) -> None:
        self._kept.move(by)
        self._paint()

    def action_page(self, pages: int) -> None:
        self.action_move(pages * max(1, self._view.size.height - 1))

    @on(LinesView.Wheeled)
    def _wheeled(self, event: LinesView.Wheeled) -> None:
        event.stop()
        self.action_move(event.lines)

    def action_mark_snapshot(self) -> None:
        self._kept.mark()
        self._paint()

    def action_open_snapshot(self) -> None:
        self._acting.open()

    def action_compare(self) -> None:
        self._acting.compare()

    def action_delete_snapshot(self) -> None:
        self._acting.delete()
