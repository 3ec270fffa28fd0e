"""What tasks of each name needed: a table of profiles, and the one under the cursor in pictures."""

from __future__ import annotations

from typing import ClassVar

from textual import events, on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.screen import Screen

from heaptui.client import Operator
from heaptui.errors import HeaptuiError
from heaptui.model import Kind, Measures, ProfileMeasures
from heaptui.tui.keymap import bindings
from heaptui.tui.lines import Line, Span, one_line, ruled
from heaptui.tui.measures.lines import (
    ORDERS,
    arranged,
    heading,
    nothing,
    pictures,
    profile_line,
    summary_line,
    title_spans,
)
from heaptui.tui.order import following
from heaptui.tui.surroundings import entries_of
from heaptui.tui.themes import glyphs_of
from heaptui.tui.widgets.footer import keys_line, keys_of
from heaptui.tui.widgets.lines_view import LinesView, scrolled
from heaptui.tui.widgets.painting import OneLine

RECORDS = 200
"""Ends of each profile that the pictures are made of."""

_KEYS = ("measures.order", "measures.again", "app.help", "measures.back")
_LINES = 5
"""Of the screen that are neither table nor pictures."""
_PICTURES_LEAST, _PICTURES_MOST = 10, 24


class MeasuresScreen(Screen[None]):
    """It only shows: peaks of the latest ends, and the caps that would have served."""

    DEFAULT_CSS = """
    MeasuresScreen { layout: vertical; background: $background; }
    """

    BINDINGS: ClassVar[list[BindingType]] = bindings("measures")
    PLACES: ClassVar[tuple[str, ...]] = ("measures", "app")
    """Whose keys work here, for the help."""

    def __init__(self, operator: Operator) -> None:
        super().__init__()
        self._operator = operator
        self._measures: Measures | None = None
        self._profiles: list[ProfileMeasures] = []
        self._order = next(iter(ORDERS))
        self._at = 0
        self._said = "reading…"
        self._title = OneLine(self._draw_title)
        self._summary = OneLine(self._draw_summary)
        self._table = LinesView(id="measures-table", focusable=True)
        self._rule = OneLine(self._draw_rule)
        self._pictures = LinesView(id="measures-pictures")

    def compose(self) -> ComposeResult:
        yield self._title
        yield self._summary
        yield OneLine(heading)
        yield self._table
        yield self._rule
        yield self._pictures
        keys = keys_of(entries_of(self), _KEYS)
        yield OneLine(lambda width: keys_line(keys, width), shaded=True)

    def on_mount(self) -> None:
        self._table.focus()
        self.action_again()

    # --- drawing -----------------------------------------------------------------------------
    def _draw_title(self, width: int) -> Line:
        many = len(self._profiles)
        text = f"  {many} name{'s' * (many != 1)}"
        spans: list[Span] = [("Measures", "strong"), (text, "dim")]
        spans.append((f"  by {self._order}", "sky"))
        return ruled(spans, width, glyphs_of(self).rule)

    def _draw_summary(self, _: int) -> Line:
        return () if self._measures is None else summary_line(self._measures)

    def _draw_rule(self, width: int) -> Line:
        current = self._current
        nothing_chosen: list[Span] = [("nothing", "dim")]
        spans = nothing_chosen if current is None else title_spans(current, width)
        return ruled(spans, width, glyphs_of(self).rule)

    @property
    def _current(self) -> ProfileMeasures | None:
        return self._profiles[self._at] if self._at < len(self._profiles) else None

    @on(events.Resize)
    def _fit(self) -> None:
        """The pictures take half of the height, and what the table does not need; all of it is the
        table's while there is nothing to draw."""
        self._rule.display = self._pictures.display = bool(self._profiles)
        room = self.size.height - _LINES
        wanted = max(_PICTURES_LEAST, room // 2, min(_PICTURES_MOST, room - len(self._profiles)))
        self._pictures.styles.height = max(0, min(wanted, room - 3))
        self.call_after_refresh(self._paint)

    def _paint(self) -> None:
        if not self.is_mounted:
            return
        width, glyphs = self.size.width, glyphs_of(self)
        lines = [profile_line(one, width, glyphs) for one in self._profiles]
        if lines:
            top = scrolled(self._table.top, self._at, self._table.size.height)
            self._table.show(lines, top, self._at)
        else:
            said: list[Line] = [((f"  {one_line(self._said)}", "dim"),)]
            self._table.show(said if self._said else nothing(width), 0)
        current, height = self._current, self._pictures.size.height
        drawn = [] if current is None else pictures(current, width, height, glyphs)
        self._pictures.show(drawn, 0)
        for line in (self._title, self._summary, self._rule):
            line.redraw()

    # --- data --------------------------------------------------------------------------------
    def action_again(self) -> None:
        self.run_worker(self._fetch(), group="measures", exclusive=True)

    async def _fetch(self) -> None:
        try:
            self._measures = await self._operator.measures(RECORDS)
            self._said = ""
        except HeaptuiError as error:
            self._said = error.what
        self._arrange()

    def _arrange(self) -> None:
        """In order, with the cursor on the profile it was on."""
        current = self._current
        found = () if self._measures is None else self._measures.profiles
        self._profiles = arranged(found, self._order)
        names = [_key(one) for one in self._profiles]
        self._at = names.index(_key(current)) if current and _key(current) in names else 0
        self._fit()

    # --- keys --------------------------------------------------------------------------------
    def action_back(self) -> None:
        self.dismiss()

    def action_move(self, by: int) -> None:
        self._at = max(0, min(self._at + by, len(self._profiles) - 1))
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


def _key(profile: ProfileMeasures) -> tuple[Kind, str]:
    return profile.kind, profile.name
