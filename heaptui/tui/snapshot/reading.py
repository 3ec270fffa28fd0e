"""What has been read of a snapshot so far: the reader, the lists that are open, who holds what.

The screen paints it and says which of its questions to ask when.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path as FilePath
from typing import Any, cast

from heaptui.errors import HeaptuiError
from heaptui.heap.answers import (
    ClassRow,
    DiffRow,
    Fresh,
    Header,
    Leak,
    LeakAnswer,
    ObjectRow,
    Objects,
    Page,
    Path,
    Question,
    StringRow,
    Value,
)
from heaptui.heap.reader import Reader, reader
from heaptui.tui.snapshot.levels import Level, Row, named, roots

TABS = ("summary", "diff", "dominators", "strings", "finding")

_SETTLE_S = 0.12
"""A cursor that runs over the list is let run before anybody asks who holds what is under it."""


class Reading:
    """`changed` is called when something is there to be painted, `told` with what went wrong."""

    def __init__(
        self,
        paths: tuple[FilePath, ...],
        changed: Callable[[], None],
        told: Callable[[str], None],
    ) -> None:
        self.paths = paths
        self.tab = "diff" if len(paths) > 1 else "summary"
        self.phase, self.fraction = "starting the reader", 0.0
        self.began = time.monotonic()
        self.wrong = ""
        self.trouble = ""
        """Why what this tab shows could not be had."""
        self.leak: LeakAnswer | None = None
        self.held: tuple[ObjectRow, ...] | None = None
        self.holds = ""
        """Whose holders `held` are, in words."""
        self._held_for: Row | None = None
        self._changed = changed
        self._told = told
        self._reader: Reader | None = None
        self._stacks: dict[str, list[Level]] = {}

    # --- what there is -----------------------------------------------------------------------
    @property
    def headers(self) -> tuple[Header, ...]:
        """Of the files that are loaded; none before they are."""
        return () if self._reader is None else self._reader.headers

    @property
    def fast(self) -> bool:
        """Whether everything can be asked."""
        return bool(self.headers) and self.headers[-1].engine == "fast"

    @property
    def stack(self) -> list[Level]:
        """The lists of this tab, each opened from the one before."""
        return self._stacks.get(self.tab, [])

    @property
    def level(self) -> Level | None:
        return self.stack[-1] if self.stack else None

    def has(self, tab: str) -> bool:
        return tab in self._stacks or (tab == "finding" and self.fast and "diff" in self._stacks)

    # --- asking ------------------------------------------------------------------------------
    async def run(self, ready: Callable[[], None]) -> None:
        """Keeps the reader's process until cancelled; `ready` when it takes questions."""
        try:
            async with reader(*self.paths, progress=self._progressed) as snapshot:
                self._reader = snapshot
                found = roots(len(snapshot.headers), snapshot.headers[-1].engine)
                self._stacks = {name: [level] for name, level in found.items()}
                ready()
                await asyncio.Event().wait()
        except HeaptuiError as error:
            self.wrong = str(error)
            self._reader = None
            self._changed()

    def _progressed(self, phase: str, fraction: float) -> None:
        self.phase, self.fraction = phase, fraction
        self._changed()

    async def complete(self) -> None:
        """Asks for what this tab shows and is not here yet."""
        if self._reader is None:
            return
        self.trouble = ""
        try:
            if self.tab == "finding":
                self.leak = self.leak or await self._reader.ask(Leak())
                return
            level = self.level
            if level is not None and (not level.answered or level.wants_more):
                await self._fetch(self._reader, level)
        except HeaptuiError as error:
            self.trouble = str(error)
            if self.level is not None and self.level.rows:
                self._told(error.what)
        finally:
            self._changed()

    async def _fetch(self, snapshot: Reader, level: Level) -> None:
        question: Any = level.more() if level.answered else level.question
        level.take(cast("Page | tuple[Row, ...]", await snapshot.ask(question)))

    def moved_on(self) -> bool:
        """Whether the cursor is on another row than the one whose holders are known."""
        current = None if self.level is None else self.level.current
        if current is self._held_for:
            return False
        self._held_for, self.held, self.holds = current, None, ""
        if current is None:
            self._changed()
        return current is not None and self.fast

    async def find_holder(self) -> None:
        """Who holds the row under the cursor: of a class, its largest object."""
        await asyncio.sleep(_SETTLE_S)
        row, snapshot = self._held_for, self._reader
        if row is None or snapshot is None:
            return
        try:
            found, which = row, ""
            if isinstance(row, ClassRow | DiffRow):
                question: Question = Objects(name=row.name, limit=1)
                if isinstance(row, DiffRow):
                    question = Fresh(name=row.name, limit=1)
                page = await snapshot.ask(cast("Objects", question))
                if not page.rows:
                    return
                found, which = page.rows[0], ", the largest"
            assert isinstance(found, ObjectRow | StringRow)
            held: tuple[ObjectRow, ...] | None = await snapshot.ask(Path(node=found.node))
        except HeaptuiError as error:
            held, holds = None, error.what
        else:
            name = named(found) if isinstance(found, ObjectRow) else "this text"
            holds = f"who holds {name}{which}"
        if row is self._held_for:
            self.held, self.holds = held, holds
            self._changed()

    async def value(self, row: ObjectRow | StringRow) -> str | None:
        """The whole text of a string; None when there is none."""
        if self._reader is None:
            return None
        try:
            return await self._reader.ask(Value(node=row.node))
        except HeaptuiError as error:
            self._told(error.what)
            return None
