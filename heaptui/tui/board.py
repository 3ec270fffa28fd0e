"""What the screen shows, as plain data: rows, their order, filter, marks and the cursor.

Pictures and changes come in by `apply`, keys by the other methods; the screen reads `visible`,
`cursor` and the rest. The cursor belongs to a task, not to a line, and rows do not move under the
hand: while something is held (a dialog, a mark, the filter prompt) the order stays as it is, and
otherwise it changes at most every five seconds. As a tree, children stand under the task that was
split into them, and a family where its member in the greatest danger would stand. Instants are
seconds since the epoch.
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
from heaptui.tui.families import Families, Kinship

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
    split: int = 0


class Board:
    """`tree`: children stand under their parent, else every task for itself."""

    def __init__(self, *, order: str = "danger", reverse: bool = False, tree: bool = True) -> None:
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
        self._families = Families(tree=tree)
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
        self._families.know(self.rows)
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
            coming = orders.arranged((row for row in new if self._comes(row)), self.order)
            ids = kept + [row.id for row in coming]
            # what is held does not move, not even for a child that just came
            self._show(ids if self.frozen else self._families.grouped(ids))

    def _comes(self, row: Row) -> bool:
        """One that is not in view belongs there: what has ended was collapsed before, but for the
        children of a task that waits for others of them."""
        if self.filter:
            return True
        parent = self._families.parent(row)
        if parent is None:
            return not row.state.ended
        return self._unfolded(row) and not (row.state.ended and parent.state.ended)

    def rearrange(self, now: float) -> None:
        """In order at once: the operator asked for it."""
        self._arrange(now)

    def _arrange(self, now: float) -> None:
        self._arranged_at = now
        rows = [row for row in self.rows.values() if self._matches(row.id)]
        if not self.filter:
            families = self._families
            roots = [row for row in rows if families.parent(row) is None]
            shown = [row for row in roots if not row.state.ended]
            shown += self._recent([row for row in roots if row.state.ended], now)
            there = {row.id for row in shown}
            rows = [row for row in rows if families.root(row) in there]
        arranged = orders.arranged(rows, self.order, reverse=self.reverse)
        # what is closed counts for the place of its family too
        ids = self._families.grouped([row.id for row in arranged])
        self._show([id for id in ids if self.filter or self._unfolded(self.rows[id])])

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
        shown = set(ids)
        if self.cursor not in shown:
            above = self._families.above(self.current)
            over = next((row.id for row in above if row.id in shown), None)
            self.cursor = over or _neighbour(self.cursor, before, self.visible)
        self._families.place(self.visible)
        self.collapsed = (
            0
            if self.filter
            else sum(
                row.state.ended and id not in shown and self._families.parent(row) is None
                for id, row in self.rows.items()
            )
        )

    def order_by(self, name: str, now: float, *, reverse: bool = False) -> None:
        self.order, self.reverse = name, reverse
        self.rearrange(now)

    # --- families ----------------------------------------------------------------------------
    def children(self, id: str) -> Sequence[Row]:
        """What the task was split into, as far as that is held, in its order."""
        return self._families.children(id)

    def kinship(self, id: str) -> Kinship:
        """What the row of a task that is shown tells of its family."""
        return self._families.kinship(id)

    @property
    def tree(self) -> bool:
        return self._families.tree

    def as_tree(self, tree: bool, now: float) -> None:
        """The children under their parents, or every task for itself."""
        self._families.tree = tree
        self.rearrange(now)

    def fold(self) -> bool:
        """Closes the family under the cursor; from a child the cursor goes to its parent. False:
        there is nothing to close."""
        row, families = self.current, self._families
        if row is None or not self.tree:
            return False
        if families.children(row.id) and families.is_open(row, row) and not self.filter:
            families.choose([row.id], opened=False)
            self._show([id for id in self.visible if self._unfolded(self.rows[id])])
            return True
        parent = families.parent(row)
        if parent is None or parent.id not in self.visible:
            return False
        self.cursor = parent.id
        return True

    def unfold(self) -> bool:
        """Opens the family under the cursor, right below it: nothing else changes places. False:
        there is nothing to open."""
        row, families = self.current, self._families
        if row is None or not self.tree or self.filter:
            return False
        if not families.children(row.id) or families.is_open(row, row):
            return False
        families.choose([row.id], opened=True)
        below = [each for each in families.below(row) if self._unfolded(each)]
        coming = families.grouped(
            [each.id for each in orders.arranged(below, self.order, reverse=self.reverse)]
        )
        at = self.index + 1
        self._show([*self.visible[:at], *coming, *self.visible[at:]])
        return True

    def _unfolded(self, row: Row) -> bool:
        return self._families.unfolded(row, self.current)

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
        words = (row.name, row.title, row.id, row.kind, row.state, verdict, *row.argv)
        text = " ".join(words).casefold()
        return all(word in text for word in self.filter.casefold().split())

    def sums(self) -> Sums:
        shown = [self.rows[id] for id in self.visible]
        states = [row.state for row in shown]
        # the sums of a family stand in the row of its parent
        summed = {row.id for row in shown if row.state is State.SPLIT}
        rows = [row for row in shown if not row.state.ended and row.parent not in summed]
        memory = [row.memory_bytes for row in rows if row.memory_bytes is not None]
        growth = [row.growth_bytes_per_min for row in rows if row.growth_bytes_per_min is not None]
        return Sums(
            tasks=len(self.visible),
            memory_bytes=sum(memory) if memory else None,
            growth_bytes_per_min=sum(growth) if growth else None,
            recycling=states.count(State.RECYCLING),
            quarantined=states.count(State.QUARANTINED),
            split=states.count(State.SPLIT),
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
            above = self._families.above(self.rows[id])
            self._families.choose([row.id for row in above], opened=True)
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
