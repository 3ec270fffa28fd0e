"""What a task has to do with others, in lines: what it is a part of, and what it was split into."""

from __future__ import annotations

from collections.abc import Sequence

from rich.cells import cell_len

from heaptui import family
from heaptui.family import split_words
from heaptui.model import Row, State
from heaptui.tui.cells import left, right, safe
from heaptui.tui.danger import Danger, danger
from heaptui.tui.lines import Line, Role, sentence
from heaptui.tui.words import label_of, pair_words
from heaptui.units import size

_ROLE: dict[Danger, Role] = {Danger.CALM: "plain", Danger.AMBER: "amber", Danger.RED: "red"}
_STATE, _MEMORY, _ITEMS = 11, 6, 9
_FIGURES = _STATE + _MEMORY + 2
_TITLE_LEAST = 12


def part_words(row: Row) -> str:
    """As `family.part_words`, harmless."""
    return safe(family.part_words(row))


def split_lines(row: Row, children: Sequence[Row], width: int) -> list[Line]:
    """How its children stand, and each in a line as far as they are held."""
    if not row.children:
        return []
    if row.state is State.SPLIT or children:
        lines = sentence(safe(split_words(row, children)), width)
    else:
        lines = sentence(f"was split into {row.children}", width)
    return lines + children_lines(children, width)


def children_lines(children: Sequence[Row], width: int) -> list[Line]:
    """A line for each: what it is to do, its state, its memory (the peak once it has ended), the
    items done."""
    names = [label_of(row, within=True) for row in children]
    longest = max(map(cell_len, names), default=0)
    items = _ITEMS if width >= _TITLE_LEAST + _FIGURES + _ITEMS else 0
    room = max(_TITLE_LEAST, min(longest, width - _FIGURES - items))
    return [_child(row, name, room, items) for row, name in zip(children, names, strict=True)]


def _child(row: Row, name: str, room: int, items: int) -> Line:
    role = _ROLE[danger(row)]
    memory = row.peak_bytes if row.state.ended else row.memory_bytes
    return (
        (left(name, room), "dim" if row.state.ended and role == "plain" else "plain"),
        ("  ", "plain"),
        (left(row.state.value, _STATE), role),
        (right(size(memory), _MEMORY), "quantity"),
        (right(pair_words(row), items), "plain"),
    )
