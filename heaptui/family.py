"""Families: tasks that were split with the children they wait for, as a tree of rows. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from heaptui.model import Row, State


@dataclass(frozen=True, slots=True)
class Place:
    """Where a row stands below its parent: for each level, the outermost first and its own last,
    whether more follow there. Empty: no parent of it is shown above it."""

    more: tuple[bool, ...] = ()

    @property
    def depth(self) -> int:
        return len(self.more)

    @property
    def branch(self) -> str:
        """The tree's lines before its name, two cells a level."""
        if not self.more:
            return ""
        *above, own = self.more
        return "".join("│ " if more else "  " for more in above) + ("├ " if own else "└ ")


class Member(NamedTuple):
    """A row and where it stands."""

    row: Row
    place: Place


def children_of(rows: Iterable[Row]) -> dict[str, list[Row]]:
    """The children by the id of their parent, in their order."""
    found: defaultdict[str, list[Row]] = defaultdict(list)
    for row in rows:
        if row.parent is not None:
            found[row.parent].append(row)
    for children in found.values():
        children.sort(key=lambda row: row.part)
    return dict(found)


def in_families(rows: Iterable[Row]) -> list[Row]:
    """The same rows, each under its parent: a family stands where its first member stood, and so
    does each family within one."""
    listed = list(rows)
    known = {row.id: row for row in listed}
    below: defaultdict[str, list[Row]] = defaultdict(list)
    tops: list[Row] = []
    seen: set[str] = set()
    for row in listed:
        here: Row | None = row
        while here is not None and here.id not in seen:
            seen.add(here.id)
            above = known.get(here.parent) if here.parent is not None else None
            (tops if above is None else below[above.id]).append(here)
            here = above
    return _downwards(tops, below)


def _downwards(tops: Iterable[Row], below: Mapping[str, Sequence[Row]]) -> list[Row]:
    """Each with all that lies below it, before the next."""
    ordered: list[Row] = []
    coming = [*tops][::-1]
    while coming:
        row = coming.pop()
        ordered.append(row)
        coming += [*below.get(row.id, ())][::-1]
    return ordered


def placed(rows: Sequence[Row]) -> list[Place]:
    """Where each stands in a list that shows them in this order: below its parent only where that,
    or others below that, stand right above it."""
    depths: list[int] = []
    above: list[str] = []
    for row in rows:
        while above and above[-1] != row.parent:
            above.pop()
        depths.append(len(above))
        above.append(row.id)
    places: list[Place] = []
    follows: list[bool] = []
    for depth in reversed(depths):
        missing = [False] * (depth + 1 - len(follows))
        follows = [*follows[: depth + 1], *missing]
        places.append(Place(tuple(follows[1:])))
        follows[depth] = True
    return places[::-1]


def rolled_up(rows: Iterable[Row]) -> list[Member]:
    """The rows as a tree: families in the order they came, children by their number."""
    listed = list(rows)
    known = {row.id for row in listed}
    tops = [row for row in listed if row.parent not in known]
    ordered = _downwards(tops, children_of(listed))
    return [Member(*each) for each in zip(ordered, placed(ordered), strict=True)]


def unended(rows: Iterable[Row]) -> list[Row]:
    """Those that have not ended, and all that lie below one that has not."""
    listed = list(rows)
    known = {row.id: row for row in listed}
    return [row for row in listed if _goes_on(row, known)]


def _goes_on(row: Row, known: Mapping[str, Row]) -> bool:
    here: Row | None = row
    while here is not None:
        if not here.state.ended:
            return True
        here = known.get(here.parent) if here.parent is not None else None
    return False


def label_of(row: Row, *, within: bool) -> str:
    """What it is called; `within` the tree its number among its siblings and its title, because
    the name of its parent stands above it."""
    return f"{row.part} {row.title}" if within and row.title else row.name


def part_words(row: Row) -> str:
    """`part 2 of e2e-login: password reset`; "" for what an operator asked for itself."""
    if row.parent is None:
        return ""
    whole = row.name.rpartition(":")[0] or row.parent
    return f"part {row.part} of {whole}" + (f": {row.title}" if row.title else "")


_RUNS, _WAITS = ("runs", "run"), ("waits", "wait")
_STANDS: dict[State, tuple[str, str]] = {
    State.FAILED: ("failed", "failed"),
    State.QUARANTINED: ("quarantined", "quarantined"),
    State.LOST: ("lost", "lost"),
    State.STOPPED: ("stopped", "stopped"),
    State.DONE: ("done", "done"),
    State.STARTING: _RUNS,
    State.RUNNING: _RUNS,
    State.RECYCLING: _RUNS,
    State.SPLITTING: _RUNS,
    State.STOPPING: _RUNS,
    State.SPLIT: _RUNS,
    State.QUEUED: _WAITS,
    State.BACKOFF: _WAITS,
}
"""What one does, and what several do, in the order it is told: what went wrong first."""


def standing(children: Iterable[Row]) -> str:
    """`1 failed, 2 done, 1 runs, 4 wait`."""
    stands = [_STANDS[row.state] for row in children]
    told = dict.fromkeys(_STANDS.values())
    counts = [(words, stands.count(words)) for words in told]
    return ", ".join(f"{n} {words[n > 1]}" for words, n in counts if n)


def split_words(row: Row, children: Sequence[Row]) -> str:
    """`split into 4: 2 done, 1 runs, 1 waits` of a task that waits for these children; those of
    them that are not held are told by their number."""
    told = standing(children) if len(children) == row.children else row.progress
    return f"split into {row.children}" + (f": {told}" if told else "")
