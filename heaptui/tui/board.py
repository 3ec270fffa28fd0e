"""What the screen shows, as plain data: rows, their order, filter, marks and the cursor.

Pictures and changes come in by `apply`, keys by the other methods; the screen reads `visible`,
`cursor` and the rest. The cursor belongs to a task, not to a line, and rows do not move under the
hand: while something is held (a dialog, a mark, the filter prompt) the order stays as it is, and
otherwise it changes at most every five seconds. Instants are seconds since the epoch.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import inf

from heaptui.client import Down, Update
from heaptui.model import ENDED_BADLY, Activity, Alert, Host, Row, State
from heaptui.protocol import Change, Picture
from heaptui.tui import order as orders
from heaptui.tui.danger import ASKS, danger, danger_key

REORDER_S = 5.0
"""Seconds the order lasts at least."""
RECENT_S = 60.0
"""Seconds an ended task stays in the table."""
RECENT_MAX = 5
"""So many of them at most."""
BAD_MAX = 10
"""So many tasks that ended badly stay until they are seen."""


@dataclass(frozen=True, slots=True)
class Sums:
    """Of what the filter shows; None where no task has the figure."""

    tasks: int
    memory_bytes: int | None
    growth_bytes_per_min: float | None
    recycling: int = 0
    quarantined: int = 0


class Board:
    def __init__(self, *, order: str = "danger", reverse: bool = False) -> None:
        self.order = order if order in orders.ORDERS else "danger"
        self.reverse = reverse
        self.rows: dict[str, Row] = {}
        self.host: Host | None = None
        self.at = 0.0
        self.down: str | None = None
        self.filter = ""
        self.marks: set[str] = set()
        self.cursor: str | None = None
        self.visible: tuple[str, ...] = ()
        self.collapsed = 0
        """Ended tasks that only history shows."""
        self.activities: tuple[Activity, ...] = ()
        """Long work that goes on now, the longest first."""
        self._alerts: tuple[Alert, ...] = ()
        self._seen: set[str] = set()
        self._put_away: set[str] = set()
        self._holds: set[str] = set()
        self._expected: str | None = None
        self._arranged_at = -inf

    # --- what comes from the supervisor ------------------------------------------------------
    def apply(self, update: Update, now: float) -> None:
        """Takes in one message of the stream."""
        match update:
            case Down(why):
                self.down = why
                return
            case Picture():
                first = self.host is None
                self.rows = {row.id: row for row in update.rows}
                self.host = update.host
                self._alerts = tuple(update.alerts)
                self.activities = _by_age(update.activities)
                if first:
                    self._arranged_at = -inf
            case Change():
                for row in update.rows:
                    self.rows[row.id] = row
                for id in update.gone:
                    self.rows.pop(id, None)
                if update.host is not None:
                    self.host = update.host
                if update.alerts is not None:
                    self._alerts = tuple(update.alerts)
                if update.activities is not None:
                    self.activities = _by_age(update.activities)
        self.down = None
        self.at = update.at
        self._forget_what_left()
        self.settle(now)
        if self._expected is not None and self.go(self._expected, now):
            self._expected = None

    def _forget_what_left(self) -> None:
        self.marks &= self.rows.keys()
        self._put_away = {
            id for id in self._put_away if id in self.rows and self.rows[id].state.ended
        }
        self._seen &= {alert.id for alert in self._alerts}

    # --- order -------------------------------------------------------------------------------
    def hold(self, what: str) -> None:
        """The order stays until every hold is released."""
        self._holds.add(what)

    def release(self, what: str) -> None:
        self._holds.discard(what)

    @property
    def frozen(self) -> bool:
        return bool(self._holds or self.marks)

    def settle(self, now: float) -> None:
        """Brings `visible` up to date: in a new order when one is due, else in the old one with
        what came at the end and without what left."""
        if not self.frozen and now - self._arranged_at >= REORDER_S:
            self._arrange(now)
        else:
            kept = [id for id in self.visible if self._matches(id)]
            have = set(self.visible)
            new = [row for id, row in self.rows.items() if id not in have and self._matches(id)]
            # what is not in view and has ended was collapsed before
            coming = orders.arranged(
                (row for row in new if self.filter or not row.state.ended), self.order
            )
            self._show(kept + [row.id for row in coming])

    def rearrange(self, now: float) -> None:
        """In order at once: the operator asked for it."""
        self._arrange(now)

    def _arrange(self, now: float) -> None:
        self._arranged_at = now
        rows = [row for row in self.rows.values() if self._matches(row.id)]
        shown = [row for row in rows if not row.state.ended]
        ended = [row for row in rows if row.state.ended]
        shown += ended if self.filter else self._recent(ended, now)
        self._show([row.id for row in orders.arranged(shown, self.order, reverse=self.reverse)])

    def _recent(self, ended: list[Row], now: float) -> list[Row]:
        """Of the ended tasks those that still belong on the screen."""
        latest = sorted(ended, key=danger_key)
        bad = [row for row in latest if row.state in ENDED_BADLY and row.id not in self._put_away]
        other = [
            row
            for row in latest
            if row.state not in ENDED_BADLY
            and row.id not in self._put_away
            and now - (row.ended_at or row.created_at) < RECENT_S
        ]
        kept = {row.id for row in (*bad[:BAD_MAX], *other[:RECENT_MAX])}
        return [row for row in latest if row.id in kept or row.id == self.cursor]

    def _show(self, ids: Sequence[str]) -> None:
        before = self.visible
        self.visible = tuple(ids)
        self.cursor = _neighbour(self.cursor, before, self.visible)
        shown = set(ids)
        self.collapsed = (
            0
            if self.filter
            else sum(row.state.ended and id not in shown for id, row in self.rows.items())
        )

    def order_by(self, name: str, now: float, *, reverse: bool = False) -> None:
        self.order, self.reverse = name, reverse
        self.rearrange(now)

    # --- filter ------------------------------------------------------------------------------
    def filter_by(self, text: str, now: float) -> None:
        """Shows the tasks that contain every word of `text`."""
        self.filter = text.strip()
        self.rearrange(now)

    def _matches(self, id: str) -> bool:
        row = self.rows.get(id)
        if row is None:
            return False
        if not self.filter:
            return True
        verdict = row.verdict or ""
        text = " ".join((row.name, row.id, row.kind, row.state, verdict, *row.argv)).casefold()
        return all(word in text for word in self.filter.casefold().split())

    def sums(self) -> Sums:
        shown = [self.rows[id] for id in self.visible]
        states = [row.state for row in shown]
        rows = [row for row in shown if not row.state.ended]
        memory = [row.memory_bytes for row in rows if row.memory_bytes is not None]
        growth = [row.growth_bytes_per_min for row in rows if row.growth_bytes_per_min is not None]
        return Sums(
            tasks=len(self.visible),
            memory_bytes=sum(memory) if memory else None,
            growth_bytes_per_min=sum(growth) if growth else None,
            recycling=states.count(State.RECYCLING),
            quarantined=states.count(State.QUARANTINED),
        )

    # --- cursor and marks --------------------------------------------------------------------
    @property
    def index(self) -> int:
        """The cursor's place in `visible`, -1 when there is no row."""
        try:
            return self.visible.index(self.cursor) if self.cursor is not None else -1
        except ValueError:
            return -1

    @property
    def current(self) -> Row | None:
        return self.rows.get(self.cursor) if self.cursor is not None else None

    def move(self, by: int) -> None:
        self.move_to(self.index + by)

    def move_to(self, index: int) -> None:
        """Onto that line, or the nearest there is."""
        if self.visible:
            self.cursor = self.visible[max(0, min(index, len(self.visible) - 1))]

    def go(self, id: str, now: float) -> bool:
        """Onto that task, even when the filter hides it; False when it is not known."""
        if id not in self.rows:
            return False
        if id not in self.visible:
            self.filter = ""
            self.cursor = id
            self.rearrange(now)
        self.cursor = id
        return True

    def expect(self, id: str, now: float) -> None:
        """Onto that task as soon as there is a picture of it: it was launched a moment ago."""
        self._expected = None if self.go(id, now) else id

    def worst(self) -> Row | None:
        """The task in the greatest danger, whatever the filter shows; where none is in any, one
        that waits for the operator."""
        rows = self.rows.values()
        worst = min((row for row in rows if not row.state.ended), key=danger_key, default=None)
        if worst is not None and danger(worst):
            return worst
        asking = (row for row in rows if row.state in ASKS and row.id not in self._put_away)
        return min(asking, key=danger_key, default=worst)

    def mark(self) -> None:
        """Marks the cursor's task, or takes its mark away."""
        if self.cursor is not None:
            self.marks ^= {self.cursor}

    def clear_marks(self) -> None:
        self.marks.clear()

    def targets(self) -> list[Row]:
        """What an action works on: the marked in their order on the screen, else the cursor's."""
        if self.marks:
            placed = [id for id in self.visible if id in self.marks]
            hidden = sorted(self.marks.difference(placed))
            return [self.rows[id] for id in (*placed, *hidden)]
        return [self.current] if self.current is not None else []

    # --- alerts ------------------------------------------------------------------------------
    @property
    def alerts(self) -> tuple[Alert, ...]:
        """Those not marked as seen."""
        return tuple(alert for alert in self._alerts if alert.id not in self._seen)

    @property
    def every_alert(self) -> tuple[Alert, ...]:
        return self._alerts

    def is_seen(self, id: str) -> bool:
        return id in self._seen

    def seen(self, ids: Iterable[str]) -> None:
        """Hides these alerts until the supervisor drops and raises them again."""
        self._seen.update(ids)

    def put_away(self, now: float) -> bool:
        """Takes the cursor's ended task from the table; history keeps it."""
        row = self.current
        if row is None or not row.state.ended:
            return False
        self._put_away.add(row.id)
        at = self.visible.index(row.id)
        left = [id for id in self.visible if id != row.id]
        self.cursor = left[min(at, len(left) - 1)] if left else None
        self.rearrange(now)
        return True


def _by_age(activities: Iterable[Activity]) -> tuple[Activity, ...]:
    return tuple(sorted(activities, key=lambda each: each.began_at))


def _neighbour(cursor: str | None, before: Sequence[str], after: Sequence[str]) -> str | None:
    """The cursor's task if it is still there, else the nearest below it, else above it."""
    if not after:
        return None
    there = set(after)
    if cursor in there:
        return cursor
    if cursor is not None and cursor in before:
        at = before.index(cursor)
        for id in (*before[at + 1 :], *reversed(before[:at])):
            if id in there:
                return id
    return after[0]
