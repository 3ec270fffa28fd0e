"""The snapshots pane: what was kept of one task, with a cursor."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from heaptui.client import Operator
from heaptui.tui.kept import Kept, kept_lines
from heaptui.tui.kept_acting import KeptActing
from heaptui.tui.widgets.lines_view import LinesView, scrolled


class KeptPane:
    """What the dock's view shows of a task's snapshots and findings; `changed` is called when there
    are others."""

    def __init__(self, operator: Operator, view: LinesView, changed: Callable[[], None]) -> None:
        self._operator = operator
        self._view = view
        self._changed = changed
        self._kept = Kept()
        self._task_id: str | None = None

    @property
    def acting(self) -> KeptActing:
        """What the keys do to the cursor's."""
        return KeptActing(self._view.app, self._operator, self._kept, self.fetch)

    @property
    def empty(self) -> bool:
        return not self._kept.items

    def follow(self, task_id: str | None) -> None:
        """Another task: nothing is known of it yet."""
        self._task_id = task_id
        self._kept.clear()

    async def fetch(self) -> None:
        """Reads what there is now.

        Raises:
            HeaptuiError: as the operator's.
        """
        task_id = self._task_id
        if task_id is None:
            return
        snapshots, findings = await asyncio.gather(
            self._operator.snapshots(task_id), self._operator.findings(task_id)
        )
        if self._task_id == task_id:
            self._kept.put(snapshots, findings)
            self._changed()

    def paint(self, now: float) -> None:
        view, at = self._view, self._kept.at + 1
        lines = kept_lines(self._kept, view.size.width, now, names=False)
        # the line above the first one is the heading
        top = max(0, min(scrolled(view.top, at, view.size.height), at - 1))
        view.show(lines, top, at)

    def move(self, by: int) -> None:
        self._kept.move(by)
        self._changed()

    def page(self, pages: int) -> None:
        self.move(pages * max(1, self._view.size.height - 2))

    def go(self, *, last: bool) -> None:
        """To one of its ends."""
        self.move(len(self._kept.items) * (1 if last else -1))

    def mark(self) -> None:
        self._kept.mark()
        self._changed()
