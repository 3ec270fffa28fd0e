"""Which task stands under which, which families are open, and what a row shows of its own."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from heaptui.family import Place, children_of, in_families, placed, split_words
from heaptui.model import Row, State
from heaptui.tui.danger import Danger, danger


@dataclass(frozen=True, slots=True)
class Kinship:
    """What a row shows of its family: the tree's lines before its name, and of one that waits for
    its children how they stand and the greatest danger among them."""

    branch: str = ""
    standing: str = ""
    danger: Danger = Danger.CALM


ALONE = Kinship()


class Families:
    """`tree`: children stand under their parent, else every task for itself: then nobody has a
    parent here. A family that is over is closed, unless the cursor is in it or the operator opened
    it."""

    def __init__(self, *, tree: bool) -> None:
        self.tree = tree
        self._rows: Mapping[str, Row] = {}
        self._children: dict[str, list[Row]] = {}
        self._chosen: dict[str, bool] = {}
        """Families that the operator opened or closed."""
        self._places: dict[str, Place] = {}

    def know(self, rows: Mapping[str, Row]) -> None:
        """Every task that is held, by its id, as it is now."""
        self._rows = rows
        self._children = children_of(rows.values())
        self._chosen = {id: yes for id, yes in self._chosen.items() if id in self._children}

    def children(self, id: str) -> Sequence[Row]:
        """What it was split into, as far as that is held, in its order."""
        return self._children.get(id, ())

    def below(self, row: Row) -> list[Row]:
        """Its children, theirs, and so on."""
        found: list[Row] = []
        coming = [*self.children(row.id)]
        while coming:
            child = coming.pop()
            found.append(child)
            coming += self.children(child.id)
        return found

    def parent(self, row: Row) -> Row | None:
        return self._rows.get(row.parent) if self.tree and row.parent is not None else None

    def above(self, row: Row | None) -> Iterator[Row]:
        """Its parent, that one's, and so on."""
        while row is not None and (row := self.parent(row)) is not None:
            yield row

    def root(self, row: Row) -> str:
        """The id of the one at the top of its family."""
        *_, top = row, *self.above(row)
        return top.id

    def is_open(self, row: Row, cursor: Row | None) -> bool:
        if row.id in self._chosen:
            return self._chosen[row.id]
        return not row.state.ended or any(row is each for each in self.above(cursor))

    def unfolded(self, row: Row, cursor: Row | None) -> bool:
        """No family that it belongs to is closed."""
        return all(self.is_open(each, cursor) for each in self.above(row))

    def choose(self, ids: Iterable[str], *, opened: bool) -> None:
        """The operator opens or closes them."""
        self._chosen.update((id, opened) for id in ids)

    def grouped(self, ids: Sequence[str]) -> Sequence[str]:
        """Each family together, where its first member stood."""
        if not self.tree or not self._children:
            return ids
        return [row.id for row in in_families(self._rows[id] for id in ids)]

    def place(self, ids: Sequence[str]) -> None:
        """So they stand on the screen now."""
        self._places = {}
        if self.tree and self._children:
            places = placed([self._rows[id] for id in ids])
            self._places = dict(zip(ids, places, strict=True))

    def kinship(self, id: str) -> Kinship:
        """Of a task that stands on the screen."""
        place, row = self._places.get(id), self._rows[id]
        branch = "" if place is None else place.branch
        if row.state is not State.SPLIT:
            return Kinship(branch) if branch else ALONE
        worst = max(map(danger, self.below(row)), default=Danger.CALM)
        return Kinship(branch, split_words(row, self.children(id)), worst)
