"""Processes with a heap that heaptui did not start: what is possible with each, and doing it.

Looking at the list touches nobody. Whatever reaches into a process is asked for first.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, ClassVar

from rich.cells import cell_len
from textual import events, on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.screen import Screen

from heaptui.errors import HeaptuiError
from heaptui.inspection import asking, python
from heaptui.inspection.foreign import Foreign, foreigners
from heaptui.model import Identity
from heaptui.tui.inspect.lines import (
    heading,
    heap_lines,
    process_line,
    stack_lines,
    ways_lines,
)
from heaptui.tui.keymap import bindings
from heaptui.tui.lines import BLANK, Line, fitted, indented, one_line, ruled, sentence, text_of
from heaptui.tui.screens.confirm import CANCEL, ConfirmScreen
from heaptui.tui.surroundings import entries_of
from heaptui.tui.themes import glyphs_of
from heaptui.tui.widgets.dialog import WIDTH, Choice
from heaptui.tui.widgets.footer import keys_line, keys_of
from heaptui.tui.widgets.lines_view import LinesView, scrolled
from heaptui.tui.widgets.painting import OneLine
from heaptui.units import duration

_KEYS = (
    "inspect.heap", "inspect.collect", "inspect.snapshot", "inspect.stacks", "inspect.again",
    "inspect.back",
)  # fmt: skip

_DOES = {
    "heap": "reads its heap's figures",
    "gc": "collects its garbage: it stands still while that lasts",
    "snapshot": "has it write a heap snapshot: it stands still meanwhile, which cannot be "
    "cancelled once begun",
}
_DOING = {
    "heap": "reads its heap",
    "gc": "collects",
    "snapshot": "snapshot is written, cannot be cancelled",
}


class InspectScreen(Screen[None]):
    """A table of processes, and under it what is known of the one under the cursor."""

    DEFAULT_CSS = """
    InspectScreen { layout: vertical; background: $background; }
    InspectScreen #inspect-about { height: 10; }
    """

    BINDINGS: ClassVar[list[BindingType]] = bindings("inspect")
    PLACES: ClassVar[tuple[str, ...]] = ("inspect", "app")
    """Whose keys work here, for the help."""

    def __init__(self) -> None:
        super().__init__()
        self._found: list[Foreign] = []
        self._at = 0
        self._said = "looking…"
        self._doing, self._began = "", 0.0
        self._told: dict[Identity, list[Line]] = {}
        self._title = OneLine(self._draw_title)
        self._table = LinesView(id="inspect-table", focusable=True)
        self._rule = OneLine(self._draw_rule)
        self._about = LinesView(id="inspect-about")

    def compose(self) -> ComposeResult:
        yield self._title
        yield OneLine(heading)
        yield self._table
        yield self._rule
        yield self._about
        keys = keys_of(entries_of(self), _KEYS)
        yield OneLine(lambda width: keys_line(keys, width), shaded=True)

    def on_mount(self) -> None:
        self._table.focus()
        self.set_interval(1.0, self._rule.redraw)
        self.action_again()

    def _draw_title(self, width: int) -> Line:
        count = f"{len(self._found)} process{'es' * (len(self._found) != 1)} with a heap"
        own = sum(one.task is not None for one in self._found)
        if own:
            count += f", {own} of them of heaptui's own tasks"
        return ruled([("Inspect", "strong"), (f"  {count}", "dim")], width, glyphs_of(self).rule)

    def _draw_rule(self, width: int) -> Line:
        current = self._current
        if self._doing:
            text = f"{self._doing}, {duration(time.monotonic() - self._began)}"
        elif current is None:
            text = "nothing"
        else:
            text = f"pid {current.pid}  {one_line(current.command)}"
        # the rule goes on after a long command line
        spans = fitted(((text, "dim"),), min(cell_len(text), max(8, width - 8)))
        return ruled(spans, width, glyphs_of(self).rule)

    @property
    def _current(self) -> Foreign | None:
        return self._found[self._at] if self._at < len(self._found) else None

    # --- painting ----------------------------------------------------------------------------
    @on(events.Resize)
    def _paint(self) -> None:
        if not self.is_mounted:
            return
        width, height = self.size.width, self._table.size.height
        lines = [process_line(one, width) for one in self._found]
        nothing: list[Line] = [((f"  {self._said}", "dim"),)]
        top = scrolled(self._table.top, self._at, height)
        self._table.show(lines or nothing, top, self._at if lines else None)
        current = self._current
        about: list[Line] = []
        if current is not None:
            told = indented(self._told.get(current.identity, []), 1)
            about = [*told, *ways_lines(current, width)]
        self._about.show(about, 0)
        for line in (self._title, self._rule):
            line.redraw()

    # --- looking -----------------------------------------------------------------------------
    def action_again(self) -> None:
        self.run_worker(self._look(), group="inspect-look", exclusive=True)

    async def _look(self) -> None:
        found = await asyncio.to_thread(foreigners)
        current = self._current
        self._found = found
        self._said = "No Node or Python process of this user."
        there = [one.identity for one in found]
        self._told = {one: lines for one, lines in self._told.items() if one in there}
        self._at = there.index(current.identity) if current and current.identity in there else 0
        self._paint()

    # --- keys --------------------------------------------------------------------------------
    def action_back(self) -> None:
        self.dismiss()

    def action_move(self, by: int) -> None:
        self._at = max(0, min(self._at + by, len(self._found) - 1))
        self._paint()

    def action_page(self, pages: int) -> None:
        self.action_move(pages * max(1, self._table.size.height - 1))

    @on(LinesView.Wheeled)
    def _wheeled(self, event: LinesView.Wheeled) -> None:
        event.stop()
        self.action_move(event.lines)

    def action_heap(self) -> None:
        self._ask("heap")

    def action_collect(self) -> None:
        self._ask("gc")

    def action_snapshot(self) -> None:
        self._ask("snapshot")

    def action_stacks(self) -> None:
        current = self._current
        if current is None:
            return
        if current.way("stack").how is None:
            why = current.way("stack").why or "stacks are read of Python processes alone"
            self._tell(f"{current.pid}: {why}.", wrong=True)
            return
        self._go(current, self._stacks(current))

    def _ask(self, verb: str) -> None:
        current = self._current
        if current is None:
            return
        way = current.way(verb)
        if current.task is not None or way.how is None:
            self._tell(f"Process {current.pid} is left alone; the reason is below.", wrong=True)
            return
        self._go(current, self._agreed(current, verb, way.how))

    def _go(self, current: Foreign, work: Coroutine[Any, Any, list[Line]]) -> None:
        if self._doing:
            work.close()
            self._tell(f"One at a time: {self._doing}.", wrong=True)
            return
        # the app's, not the screen's: what is begun ends by itself, also when this is left
        self.app.run_worker(self._guarded(current, work))

    async def _guarded(self, current: Foreign, work: Coroutine[Any, Any, list[Line]]) -> None:
        try:
            told = await work
        except HeaptuiError as error:
            told = sentence(one_line(str(error)), self.size.width - 2, "red")
        finally:
            self._doing = ""
        if told:
            self._told[current.identity] = told
        if self in self.app.screen_stack:
            self._paint()
        elif told:
            self._tell(" ".join(map(text_of, told)))

    def _begin(self, current: Foreign, doing: str) -> None:
        self._doing, self._began = f"pid {current.pid}: {doing}", time.monotonic()
        self._rule.redraw()

    async def _agreed(self, current: Foreign, verb: str, how: str) -> list[Line]:
        """What came of it; nothing when the operator did not agree."""
        where = await asyncio.to_thread(Path.cwd) / time.strftime(
            f"{current.pid}-%Y%m%d-%H%M%S.heapsnapshot"
        )
        lines: list[Line] = [
            *sentence(one_line(current.command), WIDTH, "strong"),
            *sentence(f"pid {current.pid}, not started by heaptui.", WIDTH, "dim"),
            BLANK,
            *sentence(f"This {_DOES[verb]}.", WIDTH),
            *sentence(f"How: {how}.", WIDTH, "dim"),
        ]
        if verb == "snapshot":
            lines += sentence(f"To {where}: it may hold secrets, mode 0600.", WIDTH, "amber")
        go = Choice("y", {"heap": "read", "gc": "collect", "snapshot": "take it"}[verb], "go")
        title = {"heap": "Read its heap", "gc": "Collect garbage", "snapshot": "Heap snapshot"}
        if await self.app.push_screen_wait(ConfirmScreen(title[verb], lines, [CANCEL, go])) != "go":
            return []
        self._begin(current, _DOING[verb])
        match verb:
            case "heap":
                return heap_lines(await asking.heap(current), self.size.width)
            case "gc":
                said = (await asking.collect(current)).text
            case _:
                took = await asking.snapshot(current, where, insist=False)
                said = f"written in {took:.1f} s: {where}"
        return sentence(one_line(said), self.size.width - 2)

    async def _stacks(self, current: Foreign) -> list[Line]:
        self._begin(current, "py-spy reads its stacks")
        return stack_lines(await python.stacks(current), self.size.width)

    def _tell(self, text: str, *, wrong: bool = False) -> None:
        self.app.clear_notifications()
        self.app.notify(text, severity="warning" if wrong else "information", markup=False)
