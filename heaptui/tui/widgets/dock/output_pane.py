"""The output pane: follows the end of a task's output, moves back over all of it, and searches."""

from __future__ import annotations

import asyncio
from bisect import bisect_right
from collections.abc import Callable
from functools import partial
from pathlib import Path

from heaptui.model import Detail, Row
from heaptui.output import Hit, search
from heaptui.tui.lines import Line, field, flow, indented, one_line
from heaptui.tui.widgets.dock.output import STEP, Laid, Window, laid_out, last_window, window_at
from heaptui.tui.widgets.lines_view import LinesView
from heaptui.units import size

_MARGIN = 1


class OutputPane:
    """What the dock's view shows of an output; `changed` is called when the status line differs.

    Files are read on a thread, one reading at a time. What is asked for meanwhile is dropped: the
    next change of the output asks again.
    """

    def __init__(self, view: LinesView, changed: Callable[[], None]) -> None:
        self._view = view
        self._changed = changed
        self.clear()

    def clear(self) -> None:
        """Another task: nothing is known of its output yet."""
        self.following = True
        self.needle = ""
        self._path: Path | None = None
        self._read_at: int | None = None
        self._reading: Path | None = None
        self._window: Window | None = None
        self._laid = Laid((), ())
        self._laid_for: tuple[Window, int, str] | None = None
        self._hits: list[Hit] = []
        self._hit = -1
        self._note = ""

    async def refresh(self, row: Row, detail: Detail) -> None:
        """Read where the output has grown since the last time."""
        path = None if detail.output_path is None else Path(detail.output_path)
        if path != self._path:
            self.clear()
            self._path = path
        if path is None:
            self._note = "its output is not kept" if row.state.ended else "no output yet"
            self.paint()
        elif row.output_bytes != self._read_at and await self._load(
            last_window if self.following else partial(window_at, start=self._start)
        ):
            self._read_at = row.output_bytes

    def paint(self, anchor: int | None = None) -> None:
        """Show the window at its end while it follows, else from the byte `anchor` on (None: from
        the one that is at the top now)."""
        if self._window is None:
            self._view.show([((f"  {self._note}", "dim"),)] if self._note else [])
            self._changed()
            return
        anchor = self._anchor if anchor is None else anchor
        wanted = (self._window, max(10, self._view.size.width - _MARGIN), self.needle)
        if wanted != self._laid_for:
            self._laid, self._laid_for = laid_out(*wanted), wanted
        top = len(self._laid.lines) if self.following else self._laid.index_of(anchor)
        self._view.show(indented(self._laid.lines, _MARGIN), top)
        self._changed()

    @property
    def seen(self) -> list[str]:
        """The output's lines that are seen, each whole, however the screen breaks it."""
        window, top = self._window, self._view.top
        places = self._laid.offsets[top : top + self._view.size.height]
        if window is None or not places:
            return []
        offsets = [offset for offset, _ in window.lines]
        first = max(0, bisect_right(offsets, places[0]) - 1)
        return [text for _, text in window.lines[first : bisect_right(offsets, places[-1])]]

    def status(self, width: int, *, focused: bool) -> Line:
        """Where the operator is in the output, and the keys that work here; unless the pane is
        `focused`, that is the one which brings them here."""
        fields: list[Line] = []
        if self.needle:
            fields.append((("/", "sky"), (one_line(self.needle), "strong")))
        window = self._window
        if window is not None:
            if self._note:
                fields.append(((self._note, "amber"),))
            fields.append((("following" if self.following else "not following", "plain"),))
            fields.append(field("printed", size(window.size)))
            if window.gone:
                gone = size(window.gone)
                fields.append((("first ", "dim"), (gone, "plain"), (" given back", "dim")))
            fields += self._keys() if focused else [_key("tab", "move, search, copy")]
        lines = flow(fields, width - _MARGIN, gap=3)
        return indented(lines[:1], _MARGIN)[0] if lines else ()

    def _keys(self) -> list[Line]:
        keys = [_key("n", "older"), _key("N", "newer")] if self.needle else []
        follow = _key("f", "stay" if self.following else "follow")
        return [*keys, _key("/", "search"), follow, _key("y", "copy")]

    async def moved(self) -> None:
        """The operator moved: take up or leave following, and move the window at its edges."""
        window = self._window
        if window is None:
            return
        self.following = self._view.at_end and window.at_end
        if self._view.top == 0 and not window.at_start:
            await self._load(partial(window_at, start=max(0, window.start - STEP)))
        elif self._view.at_end and not window.at_end:
            await self._load(partial(window_at, start=window.start + STEP))
        self._changed()

    async def toggle_following(self) -> None:
        """Stay where the operator is, or go to the end and stay there."""
        self.following = not self.following
        if self.following:
            await self._load(last_window)
        self._changed()

    async def find(self, text: str) -> None:
        """The newest line that contains `text`; an empty one ends the search."""
        self.needle = text
        self._hits, self._hit, self._note = [], -1, ""
        self.paint()
        await self.older()

    async def older(self) -> None:
        """The match before the one that is shown."""
        path = self._path
        if path is None or not self.needle:
            return
        if self._hit + 1 == len(self._hits):
            try:
                found = await asyncio.to_thread(search, path, self.needle, 1, self._before)
            except OSError as error:
                self._cannot(error)
                return
            if path != self._path:
                return
            if not found:
                self._note = "no earlier match" if self._hits else "no match"
                self._changed()
                return
            self._hits += found
        await self._go(self._hit + 1)

    async def newer(self) -> None:
        """The match after the one that is shown."""
        if self._hit <= 0:
            self._note = "no later match"
            self._changed()
            return
        await self._go(self._hit - 1)

    async def _go(self, hit: int) -> None:
        self._hit, self._note, self.following = hit, "", False
        at = self._hits[hit].offset
        window = self._window
        if window is None or not window.start <= at < window.end:
            await self._load(partial(window_at, start=max(0, at - STEP)))
        self.paint(at)
        # some lines before a match tell what it is about
        self._view.show(
            self._view.lines, max(0, self._laid.index_of(at) - self._view.size.height // 3)
        )

    @property
    def _before(self) -> int | None:
        """Where the search goes on."""
        if not self._hits:
            return None
        last = self._hits[-1]
        return last.offset if last.line_offset is None else last.line_offset

    @property
    def _start(self) -> int:
        return 0 if self._window is None else self._window.start

    @property
    def _anchor(self) -> int:
        """The byte at the view's top."""
        offsets = self._laid.offsets
        return offsets[min(self._view.top, len(offsets) - 1)] if offsets else 0

    async def _load(self, read: Callable[[Path], Window]) -> bool:
        """Another window, shown with the same byte at the top."""
        path = self._path
        if path is None or self._reading == path:
            return False
        self._reading = path
        try:
            window = await asyncio.to_thread(read, path)
        except OSError as error:
            if path == self._path:
                self._cannot(error)
            return False
        finally:
            if self._reading == path:
                self._reading = None
        if path != self._path:
            return False
        anchor = self._anchor
        self._window = window
        self.paint(anchor)
        return True

    def _cannot(self, error: OSError) -> None:
        self._note = f"the output cannot be read: {error.strerror}"
        self.paint()


def _key(key: str, label: str) -> Line:
    return ((key, "sky"), (f" {label}", "dim"))
