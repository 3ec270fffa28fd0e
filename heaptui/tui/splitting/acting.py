"""What the key does to a task that is too large: a preview first, then the split."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from heaptui.client import Operator
from heaptui.model import Row
from heaptui.tui.asking import Asking
from heaptui.tui.cells import safe
from heaptui.tui.keys import needs_splittable
from heaptui.tui.targets import called

if TYPE_CHECKING:
    from textual.app import App

    from heaptui.tui.splitting.screen import Wanted


class SplitActing:
    """Works on the one task of `targets`."""

    def __init__(
        self,
        app: App[Any],
        operator: Operator,
        asking: Asking,
        targets: Callable[[], Sequence[Row]],
    ) -> None:
        self._app = app
        self._operator = operator
        self._asking = asking
        self._targets = targets

    def split(self) -> None:
        rows = list(self._targets())
        if len(rows) > 1:
            self._asking.tell(
                f"Tasks are split one at a time, and {len(rows)} are marked: esc takes the marks "
                "away.",
                severity="warning",
            )
            return
        row = rows[0] if rows else None
        why = needs_splittable(row)
        if row is None or why is not None:
            whom = "" if row is None else f"{called(row)}: "
            self._asking.tell(f"{whom}nothing to split: {why}.", severity="warning")
            return
        self._asking.go(self._ask(row))

    async def _ask(self, row: Row) -> None:
        from heaptui.tui.splitting.screen import SplitScreen

        wanted = await self._asking.asked(SplitScreen(self._operator, row))
        if wanted is not None:
            # it takes as long as the worker drains: the row shows how far it is
            self._asking.begun()
            self._asking.go(self._split(wanted))

    async def _split(self, wanted: Wanted) -> None:
        plan = wanted.plan
        report = await self._operator.split(
            plan.task_id,
            wanted.shares,
            attempt=plan.attempt,
            strategy=plan.strategy,
            timeout_s=plan.timeout_s,
            left_out=wanted.left_out,
            insist=wanted.insist,
        )
        trouble = bool(report.again) or not report.children
        self._asking.tell(safe(report.text), severity="warning" if trouble else "information")
