"""What the keys do to heaps: collect, snapshot, hunt a leak, recycle, raise the limits."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from heaptui.client import Operator
from heaptui.model import Activity, Row
from heaptui.tui.asking import Asking
from heaptui.tui.cells import safe
from heaptui.tui.collecting import collected, cost_lines
from heaptui.tui.heaps import collects_at_once, why_no_heap
from heaptui.tui.kept import headline, took
from heaptui.tui.keys import needs_recyclable
from heaptui.tui.lines import sentence
from heaptui.tui.recycling import recycled
from heaptui.tui.surroundings import clock_of, drain_of, machine_of
from heaptui.tui.targets import called
from heaptui.tui.widgets.activities import work_of
from heaptui.tui.widgets.dialog import WIDTH, Choice
from heaptui.units import size

if TYPE_CHECKING:
    from textual.app import App

    from heaptui.tui.screens.hunt import Hunted
    from heaptui.tui.screens.recycle import Recycle
    from heaptui.tui.screens.take import Take


class HeapActing:
    """Works on `targets`; what goes on longer than a dialog shows itself as an activity."""

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

    def _with_heap(self, verb: str) -> list[Row]:
        """Those that can be acted on; says why when none can."""
        rows = list(self._targets())
        able = [row for row in rows if why_no_heap(row) is None]
        if not able:
            why = why_no_heap(rows[0] if rows else None)
            whom = f"{called(rows[0])}: " if rows else ""
            self._asking.tell(f"{whom}nothing to {verb}: {why}.", severity="warning")
        return able

    # --- collect -----------------------------------------------------------------------------
    def collect(self) -> None:
        rows = self._with_heap("collect")
        if rows:
            self._asking.go(self._collect(rows))

    async def _collect(self, rows: Sequence[Row]) -> None:
        if not collects_at_once(rows) and not await self._agreed(rows):
            return
        found = await self._operator.collect(
            [row.id for row in rows], attempts=[row.attempts for row in rows]
        )
        text, trouble = collected(found, {row.id: row.name for row in rows})
        self._asking.done(text, severity="warning" if trouble else "information")

    async def _agreed(self, rows: Sequence[Row]) -> bool:
        from heaptui.tui.screens.confirm import CANCEL, ConfirmScreen

        whom = called(rows[0]) if len(rows) == 1 else f"{len(rows)} tasks"
        choices = [CANCEL, Choice("g", "collect", "collect")]
        screen = ConfirmScreen(f"Collect {whom}?", cost_lines(rows, WIDTH), choices)
        return await self._asking.asked(screen) is not None

    # --- snapshot ----------------------------------------------------------------------------
    def snapshot(self) -> None:
        rows = self._with_heap("snapshot")
        if rows:
            self._asking.go(self._ask_snapshots(rows))

    async def _ask_snapshots(self, rows: Sequence[Row]) -> None:
        """A dialog for each: every heap has figures of its own."""
        from heaptui.tui.screens.take import TakeScreen

        for row in rows:
            answer = await self._asking.asked(TakeScreen(self._operator, row))
            if answer is None:
                return
            if isinstance(answer, str):
                await self._milder(answer, row)
                return
            self._asking.go(self._take(answer))

    async def _take(self, wanted: Take) -> None:
        plan = wanted.plan
        snapshot = await self._operator.take_snapshot(
            plan.task_id,
            attempt=plan.attempt,
            pid=plan.pid,
            raise_cap=wanted.raise_cap,
            insist=wanted.insist,
        )
        self._asking.done(
            f"{safe(plan.name)}: snapshot of {size(snapshot.bytes)} in {took(snapshot.seconds)}. "
            f"6 then enter reads it.\n{safe(snapshot.path)}"
        )

    async def _milder(self, way: str, row: Row) -> None:
        if way == "collect":
            await self._collect([row])
        else:
            await self._raise([row])

    # --- leak hunt ---------------------------------------------------------------------------
    def hunt(self) -> None:
        rows = self._with_heap("hunt in")
        if rows:
            self._asking.go(self._ask_hunts(rows))

    async def _ask_hunts(self, rows: Sequence[Row]) -> None:
        from heaptui.tui.screens.hunt import HuntScreen

        for row in rows:
            answer = await self._asking.asked(HuntScreen(self._operator, row))
            if answer is None:
                return
            if isinstance(answer, str):
                await self._milder(answer, row)
                return
            self._asking.go(self._hunt(answer))

    async def _hunt(self, wanted: Hunted) -> None:
        plan = wanted.plan
        finding = await self._operator.hunt(
            plan.task_id,
            attempt=plan.attempt,
            pid=plan.pid,
            seconds=wanted.seconds,
            requests=wanted.requests,
            raise_cap=wanted.raise_cap,
        )
        if self._asking.at_table:
            from heaptui.tui.screens.finding import FindingScreen

            self._app.push_screen(FindingScreen(self._operator, finding))
            return
        # a screen that opens by itself would take keys that were meant for another
        name = safe(plan.name)
        self._asking.tell(
            f"{name}: the leak hunt is over: {headline(finding)}. 6 then enter shows it."
        )

    # --- recycle -----------------------------------------------------------------------------
    def recycle(self) -> None:
        rows = list(self._targets())
        able = [row for row in rows if needs_recyclable(row) is None]
        if able:
            self.recycle_these(able)
            return
        whom = f"{called(rows[0])}: " if rows else ""
        why = needs_recyclable(rows[0] if rows else None)
        self._asking.tell(f"{whom}nothing to recycle: {why}.", severity="warning")

    def recycle_these(self, rows: Sequence[Row]) -> None:
        """Asks first."""
        self._asking.go(self._ask_recycle(rows))

    async def _ask_recycle(self, rows: Sequence[Row]) -> None:
        from heaptui.tui.screens.recycle import RecycleScreen

        wanted = await self._asking.asked(RecycleScreen(rows, drain_of(self._app, rows)))
        if wanted is None:
            return
        if wanted.collect:
            await self._collect([row for row in wanted.rows if why_no_heap(row) is None])
            return
        # it takes as long as the worker drains: the rows show how far it is
        self._asking.begun()
        self._asking.go(self._recycle(wanted))

    async def _recycle(self, wanted: Recycle) -> None:
        clock = clock_of(self._app)
        began, rows = clock(), wanted.rows
        after = await self._operator.recycle(
            [row.id for row in rows],
            attempts=[row.attempts for row in rows],
            insist=wanted.anew,
        )
        text, trouble = recycled(rows, after, clock() - began)
        self._asking.tell(text, severity="warning" if trouble else "information")

    # --- limits, and long work ---------------------------------------------------------------
    def raise_limits(self) -> None:
        rows = list(self._targets())
        if rows:
            self._asking.go(self._raise(rows))
        else:
            self._asking.tell("There is no task under the cursor.")

    async def _raise(self, rows: Sequence[Row]) -> None:
        from heaptui.tui.screens.raising import RaiseScreen

        said = await self._asking.asked(RaiseScreen(self._operator, rows, machine_of(self._app)))
        if said:
            self._asking.done(said)

    def cancel(self, activity: Activity) -> None:
        """Asks whether that work shall end."""
        self._asking.go(self._cancel(activity))

    async def _cancel(self, activity: Activity) -> None:
        from heaptui.tui.screens.confirm import ConfirmScreen

        whom = f" of {safe(activity.name)}" if activity.name else ""
        lines = sentence(safe(activity.text), WIDTH)
        lines += sentence("What it has written so far is kept.", WIDTH, "dim")
        choices = [Choice("", "Go on", ""), Choice("c", "cancel it", "cancel")]
        screen = ConfirmScreen(f"Cancel the {work_of(activity)}{whom}?", lines, choices)
        if await self._asking.asked(screen) is None:
            return
        if not await self._operator.cancel_activity(activity.id):
            self._asking.tell("It is over already, or cannot be cancelled any more.")
