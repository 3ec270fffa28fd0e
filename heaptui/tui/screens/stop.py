"""Stopping tasks: the dialog names what it would end, and ends nothing else."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from enum import Enum
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import ModalScreen

from heaptui.client import Operator
from heaptui.errors import HeaptuiError, NoSuchTask
from heaptui.model import Detail, Row, State
from heaptui.tui.keys import needs_recyclable
from heaptui.tui.lines import BLANK, Line, sentence
from heaptui.tui.screens.confirm import CANCEL
from heaptui.tui.surroundings import children_of, clock_of, drain_of
from heaptui.tui.targets import Target, called, one_target, several_targets
from heaptui.tui.widgets.dialog import WIDTH, Choice, Choices, Frame
from heaptui.tui.widgets.lines_view import LinesView
from heaptui.tui.words import keeps_checkpoints
from heaptui.units import duration

CLOSE = Choice("", "Close", "")


class Instead(Enum):
    """What the operator would rather have."""

    RECYCLE = "recycle"


class StopScreen(ModalScreen[str | Instead | None]):
    """Gives the sentence that says what was done, what is wanted instead, or None for nothing.

    `targets` are frozen as they are given. Before anything is ended each is looked at again, and
    the supervisor is told the attempts that were shown: a newer one is never hit. `now`: the
    operator asked to kill, so that choice comes before the milder one.
    """

    DEFAULT_CSS = "StopScreen { align: center middle; }"

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "cancel", "cancel", id="dialog.cancel", show=False)
    ]

    def __init__(
        self,
        operator: Operator,
        targets: Sequence[Row],
        now: bool = False,
    ) -> None:
        super().__init__()
        self._operator = operator
        self._targets = [Target(row) for row in targets]
        self._kill_first = now
        self._opened_at = 0.0
        self._detail: Detail | None = None
        self._children: list[Row] = []
        self._firing = False
        self._said: list[Line] = []

    def compose(self) -> ComposeResult:
        verb = "Kill" if self._kill_first else "Stop"
        rows = self._rows
        whom = called(rows[0]) if len(rows) == 1 else f"{len(rows)} tasks"
        yield Frame(
            f"{verb} {whom}?",
            LinesView(classes="fits", id="stop-lines"),
            Choices(self._offered()),
        )

    def on_mount(self) -> None:
        self._opened_at = clock_of(self)()
        self._children = children_of(self, self._rows)
        self.query_one(Choices).focus()
        self._paint()
        if len(self._targets) == 1 and self._targets[0].row.state.live:
            self.run_worker(self._look())

    @property
    def _rows(self) -> list[Row]:
        return [target.row for target in self._targets]

    def _offered(self) -> list[Choice]:
        rows = self._rows
        if not rows:
            return [CLOSE]
        if not any(_runs(row) for row in rows):
            what = "take it from the queue" if len(rows) == 1 else "take them from the queue"
            return [CANCEL, Choice("t", what, "terminate")]
        live = [row for row in rows if _runs(row)]
        graces = {row.grace_s for row in live}
        grace = f"{duration(graces.pop())} grace" if len(graces) == 1 else "each with its grace"
        ways = [
            Choice("d", f"drain, {duration(drain_of(self, live))} to finish in", "drain"),
            Choice("t", f"terminate, {grace}", "terminate"),
            Choice("K", "kill now", "kill"),
        ]
        if self._kill_first:
            ways.reverse()
        if all(needs_recyclable(row) is None and keeps_checkpoints(row) for row in rows):
            ways.append(Choice("r", "recycle instead…", "recycle"))
        return [CANCEL, *ways]

    async def _look(self) -> None:
        """The process tree, for the line that says what ends."""
        row = self._targets[0].row
        try:
            detail = await self._operator.show(row.id, 0)
        except HeaptuiError:
            # the dialog stands without the tree: the row's own figures are there
            return
        if self._targets and self._targets[0].changed(detail.row) is None:
            self._detail = detail
            self._paint()

    def _paint(self) -> None:
        rows = self._rows
        lines: list[Line] = []
        if len(rows) == 1:
            named = [child for child in self._children if child.parent == rows[0].id]
            lines = one_target(rows[0], self._detail, WIDTH, self._opened_at, named)
        elif rows:
            lines = several_targets(rows, WIDTH, self._opened_at)
        if self._said:
            lines += [BLANK, *self._said] if lines else self._said
        self.query_one("#stop-lines", LinesView).show([*lines, BLANK])

    def action_cancel(self) -> None:
        if not self._firing:
            self.dismiss(None)

    @on(Choices.Chosen)
    def _chosen(self, event: Choices.Chosen) -> None:
        if self._firing:
            return
        if not event.answer:
            self.dismiss(None)
            return
        if event.answer == "recycle":
            self.dismiss(Instead.RECYCLE)
            return
        self._firing = True
        self.run_worker(self._fire(event.answer))

    async def _fire(self, way: str) -> None:
        try:
            changes = await self._changes()
            if changes:
                self._refuse(changes)
                return
            rows = self._rows
            await self._operator.stop(
                [row.id for row in rows],
                attempts=[row.attempts for row in rows],
                now=way == "kill",
                drain=way == "drain",
            )
        except HeaptuiError as error:
            self._said = sentence(error.what, WIDTH, "red") + sentence(error.remedy, WIDTH, "dim")
            self._paint()
            return
        finally:
            self._firing = False
        self.dismiss(outcome(rows, way, drain_of(self, rows)))

    async def _changes(self) -> list[str]:
        """What is no longer as it was shown; those targets leave the dialog."""
        found = await asyncio.gather(*map(self._current, self._targets))
        kept, changes = [], []
        for target, row in zip(self._targets, found, strict=True):
            change = f"{target.name} is gone" if row is None else target.changed(row)
            if change is None:
                kept.append(target)
            else:
                changes.append(change)
        self._targets = kept
        return changes

    async def _current(self, target: Target) -> Row | None:
        try:
            return (await self._operator.show(target.row.id, 0)).row
        except NoSuchTask:
            return None

    def _refuse(self, changes: Sequence[str]) -> None:
        self._said = []
        for change in changes[:4]:
            self._said += sentence(f"{change}: nothing was done.", WIDTH, "amber")
        if len(changes) > 4:
            self._said += sentence(f"So did {len(changes) - 4} more.", WIDTH, "amber")
        if self._targets:
            self._said += sentence("The rest is as it was; choose again.", WIDTH, "dim")
        self._detail = None
        self.query_one(Choices).offer(self._offered())
        self._paint()


def outcome(rows: Sequence[Row], way: str, drain_s: float) -> str:
    """What was done, in one sentence. `way`: drain, terminate or kill."""
    whom = called(rows[0]) if len(rows) == 1 else f"{len(rows)} tasks"
    if not any(_runs(row) for row in rows):
        return f"{whom}: taken from the queue"
    counts = [row.processes for row in rows if row.processes is not None]
    count = sum(counts)
    tree = f"{count} process{'es' * (count != 1)}" if count else "its processes"
    if any(row.state is State.SPLIT for row in rows):
        tree = f"{tree} of its children" if len(rows) == 1 else f"{tree}, of children too"
    if way == "drain":
        left = f"what is left after {duration(drain_s)} is stopped"
        return f"{whom}: drains: finishes what is in hand; {left}"
    if way == "kill":
        return f"{whom}: killed {tree}"
    return f"{whom}: TERM sent to {tree}; what is left after {_grace(rows)} is killed"


def _runs(row: Row) -> bool:
    """A process may exist, be it of a child."""
    return row.state.live or row.state is State.SPLIT


def _grace(rows: Sequence[Row]) -> str:
    graces = {row.grace_s for row in rows if _runs(row)}
    return duration(graces.pop()) if len(graces) == 1 else "the grace of each"
