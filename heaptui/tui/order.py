"""The orders of the table: by danger, or by any column."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from heaptui.model import Row
from heaptui.tui.danger import danger_key, memory_share
from heaptui.tui.words import done_share

Key = Callable[[Row], Any]

ORDERS: dict[str, tuple[Key, bool]] = {
    "danger": (danger_key, False),
    "name": (lambda row: row.name.casefold(), False),
    "kind": (lambda row: row.kind.value, False),
    "state": (lambda row: row.state.value, False),
    "pid": (lambda row: row.pid, False),
    "memory": (lambda row: row.memory_bytes, True),
    "of cap": (memory_share, True),
    "peak": (lambda row: row.peak_bytes, True),
    "heap": (lambda row: row.heap_used_bytes, True),
    "growth": (lambda row: row.growth_bytes_per_min, True),
    "to cap": (lambda row: row.to_cap_s, False),
    "cpu": (lambda row: row.cpu_percent, True),
    "context": (lambda row: row.context_tokens, True),
    "age": (lambda row: row.started_at, False),
    "progress": (done_share, True),
    "tries": (lambda row: row.attempts, True),
}
"""By name: the key, and whether the largest comes first."""

NAMES = tuple(ORDERS)


def following(name: str, names: Sequence[str] = NAMES) -> str:
    """The order after `name` among `names`, round and round."""
    return names[(names.index(name) + 1) % len(names)] if name in names else names[0]


def arranged(rows: Iterable[Row], name: str, *, reverse: bool = False) -> list[Row]:
    """The rows in the order `name` (an unknown one is `danger`). What ended stays at the bottom,
    and what has no figure stays below what has, whichever way round."""
    key, largest_first = ORDERS.get(name, ORDERS["danger"])
    known: list[Row] = []
    unknown: list[Row] = []
    ended: list[Row] = []
    for row in rows:
        place = ended if row.state.ended else unknown if key(row) is None else known
        place.append(row)
    known.sort(key=lambda row: (row.part, row.id))
    known.sort(key=key, reverse=largest_first != reverse)
    unknown.sort(key=lambda row: (row.created_at, row.part, row.id))
    ended.sort(key=lambda row: (danger_key(row), row.part, row.id))
    return known + unknown + ended
