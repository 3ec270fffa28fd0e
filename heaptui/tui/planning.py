"""A dialog's view of what could be snapshotted in a task: its heaps, and the plan for one."""

from __future__ import annotations

from heaptui.client import Operator
from heaptui.errors import HeaptuiError
from heaptui.model import ProcessHeap, Row, SnapshotPlan
from heaptui.tui.heaps import largest_first


class Planning:
    """`plan` is for `heap`, one of `heaps`; `trouble` is set when there is none to be had. The
    attempt is the one that `row` shows: another by now is trouble."""

    def __init__(self, operator: Operator, row: Row) -> None:
        self._operator = operator
        self.row = row
        self.heaps: list[ProcessHeap] = []
        self.plan: SnapshotPlan | None = None
        self.trouble: HeaptuiError | None = None
        self._at = 0

    @property
    def heap(self) -> ProcessHeap | None:
        return self.heaps[self._at] if self.heaps else None

    @property
    def place(self) -> tuple[int, int]:
        """Which of how many heaps it is, from 1 on."""
        return self._at + 1, len(self.heaps)

    async def look(self) -> None:
        """The heaps that can be written, and the plan for the largest."""
        try:
            detail = await self._operator.show(self.row.id, 0)
        except HeaptuiError as error:
            self.trouble = error
            return
        able = [heap for heap in detail.heaps if "snapshot" in heap.can]
        self.heaps = largest_first(able)
        await self._ask()

    async def other(self) -> None:
        """The same for the next process."""
        self._at = (self._at + 1) % max(1, len(self.heaps))
        await self._ask()

    async def _ask(self) -> None:
        self.plan, self.trouble = None, None
        pid = None if self.heap is None else self.heap.pid
        try:
            plan = await self._operator.plan_snapshot(self.row.id, pid=pid)
        except HeaptuiError as error:
            self.trouble = error
            return
        if plan.attempt != self.row.attempts:
            self.trouble = HeaptuiError(
                f"The task is at attempt {plan.attempt} now, not {self.row.attempts}.",
                "Nothing was done; open this again for the new one.",
            )
            return
        self.plan = plan
