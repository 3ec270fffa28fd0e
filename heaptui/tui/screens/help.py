"""The keys, from the table that also makes them work."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import ClassVar

from rich.cells import cell_len
from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.screen import ModalScreen

from heaptui.model import Row
from heaptui.tui.cells import left
from heaptui.tui.keys import Entry
from heaptui.tui.lines import BLANK, Line, beside, sentence
from heaptui.tui.widgets.dialog import Frame
from heaptui.tui.widgets.lines_view import LinesView

_HEADINGS = {
    "table": "The table",
    "heap": "Heaps",
    "task": "Tasks",
    "view": "Finding and order",
    "dock": "The dock",
    "output": "The dock",
    "snapshot": "Its snapshots (6)",
    "detail": "One task",
    "history": "History",
    "snapshots": "Snapshots",
    "finding": "A finding",
    "reading": "Reading a snapshot",
    "inspect": "Other processes",
    "measures": "Measures",
    "split": "A split",
    "share": "What a child is to do",
    "dispatch": "The queue",
    "app": "heaptui",
}
_KEYS_WIDTH = 12
_TWO_COLUMNS = 110
_ONE = 76


class HelpScreen(ModalScreen[None]):
    """Every entry with its keys; what cannot be done with `row` now is dim, with the reason."""

    DEFAULT_CSS = """
    HelpScreen { align: center middle; }
    HelpScreen Frame { padding: 0 1; }
    HelpScreen LinesView { height: 1fr; max-height: 100%; }
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,question_mark,q,enter", "back", "back", id="help.back", show=False),
        Binding("up,k", "move(-1)", "up", id="help.up", show=False),
        Binding("down,j", "move(1)", "down", id="help.down", show=False),
        Binding("pageup", "page(-1)", "page up", id="help.page-up", show=False),
        Binding("pagedown,space", "page(1)", "page down", id="help.page-down", show=False),
    ]

    def __init__(self, entries: Sequence[Entry], row: Row | None = None) -> None:
        super().__init__()
        self._entries = tuple(entries)
        self._row = row
        self._view = LinesView(focusable=True)
        self._frame = Frame("Keys", self._view)

    def compose(self) -> ComposeResult:
        yield self._frame

    def on_mount(self) -> None:
        self._frame.border_subtitle = Content.assemble(("esc", "$sky"), (" back", "$dim"))
        self._view.focus()

    @on(events.Resize)
    def _fit(self) -> None:
        two = self.size.width >= _TWO_COLUMNS
        column = (self.size.width - 8) // 2 if two else min(_ONE, self.size.width - 4)
        lines = help_lines(self._entries, self._row, min(column, _ONE), columns=2 if two else 1)
        width = min(column, _ONE) * (2 if two else 1)
        self._frame.styles.width = width + 4
        self._frame.styles.height = min(len(lines) + 2, self.size.height)
        self._view.show(lines)

    def action_back(self) -> None:
        self.dismiss()

    def action_move(self, lines: int) -> None:
        self._view.action_move(lines)

    def action_page(self, pages: int) -> None:
        self._view.action_page(pages)


def help_lines(
    entries: Sequence[Entry], row: Row | None, width: int, columns: int = 1
) -> list[Line]:
    """Groups of keys, one under another, in `columns` of `width` cells each."""
    groups = [
        [((heading, "strong"),), *_group_lines(group, row, width)]
        for heading, group in groupby(entries, key=_heading)
    ]
    if columns == 1:
        return _stacked(groups)
    half = sum(len(group) + 1 for group in groups) / 2
    first: list[list[Line]] = []
    while groups and sum(len(group) + 1 for group in first) + len(groups[0]) / 2 < half:
        first.append(groups.pop(0))
    return beside(_stacked(first), width, _stacked(groups))


def _stacked(groups: Sequence[Sequence[Line]]) -> list[Line]:
    lines: list[Line] = []
    for group in groups:
        lines += [*([BLANK] if lines else []), *group]
    return lines


def _heading(entry: Entry) -> str:
    return _HEADINGS[entry.id.partition(".")[0]]


def _group_lines(group: Iterable[Entry], row: Row | None, width: int) -> list[Line]:
    return [line for entry in group for line in _entry_lines(entry, row, width)]


def _entry_lines(entry: Entry, row: Row | None, width: int) -> list[Line]:
    why_not = entry.available(row)
    keys = left(entry.shown, max(_KEYS_WIDTH, cell_len(entry.shown) + 1))
    text = entry.text if why_not is None else f"{entry.text} (not now: {why_not})"
    room = max(20, width - cell_len(keys) - 2)
    first, *rest = sentence(text, room, "plain" if why_not is None else "dim")
    head: Line = ((keys, "sky" if why_not is None else "dim"), *first)
    return [head, *(((" " * cell_len(keys), "plain"), *line) for line in rest)]
