"""Where the reader of a snapshot is: a list that a question was answered with, and what opens from
a row of it. Pure; the screen asks the questions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from heaptui.heap.answers import (
    STRINGS,
    Children,
    ClassRow,
    Diff,
    DiffRow,
    Dominated,
    Fresh,
    ObjectRow,
    Objects,
    Page,
    Question,
    Retainers,
    StringRow,
    Strings,
    Summary,
)

PAGE = 200
"""Rows that are asked for at once."""

Row = ClassRow | DiffRow | ObjectRow | StringRow

_ORDERS: dict[type, tuple[str, ...]] = {
    Summary: ("retained", "shallow", "count", "name"),
    Diff: ("delta", "new", "freed"),
    Strings: ("bytes", "wasted", "length"),
}


@dataclass(slots=True)
class Level:
    """One list: `question` is what it answers, `title` how it is called in the path of titles.

    `total` is how long the list is; more of it is asked for as the cursor comes near the end of
    what is here. `answered` is False until the first answer.
    """

    title: str
    question: Question
    rows: list[Row] = field(default_factory=list)
    total: int = 0
    cursor: int = 0
    top: int = 0
    answered: bool = False

    @property
    def current(self) -> Row | None:
        return self.rows[self.cursor] if self.cursor < len(self.rows) else None

    @property
    def wants_more(self) -> bool:
        """Whether the cursor is so near the end that the next rows should be fetched."""
        return len(self.rows) < self.total and self.cursor >= len(self.rows) - PAGE // 4

    def take(self, answer: Page | Sequence[Row]) -> None:
        """Appends an answer's rows."""
        if isinstance(answer, Page):
            self.rows += answer.rows
            self.total = answer.total
        else:
            self.rows = list(answer)
            self.total = len(self.rows)
        self.answered = True
        self.cursor = min(self.cursor, max(0, len(self.rows) - 1))

    def more(self) -> Question:
        """The question for the rows that follow."""
        changed: Question = msgspec.structs.replace(self.question, offset=len(self.rows))
        return changed

    def asked_anew(self, **changes: Any) -> None:
        """The same list with another order or match: what is here is asked again."""
        self.question = msgspec.structs.replace(self.question, **changes)
        self.rows, self.total, self.cursor, self.top = [], 0, 0, 0
        self.answered = False


def roots(files: int, engine: str) -> dict[str, Level]:
    """The tabs' first lists, by name; a tab that has nothing to show is not there."""
    found = {"summary": Level("classes", Summary(limit=1000))}
    if files > 1:
        found["diff"] = Level("classes that differ", Diff(limit=1000))
    if engine == "fast":
        found["dominators"] = Level("what holds how much", Dominated(limit=PAGE))
        found["strings"] = Level("strings", Strings(limit=1000))
    return found


def opened(level: Level, *, fast: bool) -> Level | None:
    """What the row under the cursor opens; None when there is nothing in it."""
    match level.current:
        case ClassRow(name=name) if fast:
            return Level(name, Objects(name=name, limit=PAGE))
        case DiffRow(name=name) if fast:
            return Level(f"new {name}", Fresh(name=name, limit=PAGE))
        case StringRow() as row:
            return Level(f"who has {row.preview[:30]!r}", Retainers(node=row.node, limit=PAGE))
        case ObjectRow() as row if isinstance(level.question, Dominated):
            return Level(named(row), Dominated(node=row.node, limit=PAGE))
        case ObjectRow() as row if isinstance(level.question, Retainers):
            return Level(f"who has {named(row)}", Retainers(node=row.node, limit=PAGE))
        case ObjectRow() as row:
            return Level(named(row), Children(node=row.node, limit=PAGE))
        case _:
            return None


def retainers(level: Level) -> Level | None:
    """Who refers to the object under the cursor."""
    match level.current:
        case ObjectRow() as row:
            return Level(f"who has {named(row)}", Retainers(node=row.node, limit=PAGE))
        case StringRow() as row:
            return Level(f"who has {row.preview[:30]!r}", Retainers(node=row.node, limit=PAGE))
        case _:
            return None


def named(row: ObjectRow) -> str:
    """`Map @4711`."""
    return f"{row.name} @{row.id}"


def has_text(row: Row | None) -> bool:
    """Whether it is a string, whose whole text can be read."""
    return isinstance(row, StringRow) or (isinstance(row, ObjectRow) and row.kind in STRINGS)


def next_order(question: Question) -> str | None:
    """The order after this list's own; None where it has but one."""
    orders = _ORDERS.get(type(question))
    if orders is None:
        return None
    return orders[(orders.index(order_of(question)) + 1) % len(orders)]


def order_of(question: Question) -> str:
    """By what the list is ordered."""
    return str(getattr(question, "order", "retained"))


def match_of(question: Question) -> str:
    """What its rows were found by; empty when these are all."""
    return str(getattr(question, "match", ""))


def can_match(question: Question) -> bool:
    """Whether its rows can be found by a part of their names."""
    return type(question) in _ORDERS
