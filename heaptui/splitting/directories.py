"""Files by their directories: what lies together stays together, as far as a budget allows."""

from __future__ import annotations

from collections.abc import Sequence

from heaptui.inputs import Item
from heaptui.splitting.packing import first_fit

DEPTH_MAX = 32
"""Directories below that count as one."""

_Path = tuple[str, ...]


def in_order(items: Sequence[Item]) -> list[Item]:
    """Those of one directory next to one another, each directory where its first file is."""
    by_path: dict[_Path, list[Item]] = {}
    for item in items:
        by_path.setdefault(_directory(item), []).append(item)
    return [item for some in by_path.values() for item in some]


def divided(items: Sequence[Item], budget: int, most: int) -> list[list[Item]]:
    """A directory that fits into the budget stays whole; of one that does not, what lies in it is
    packed by first fit: its own files, and its directories or what they were divided into. So
    small ones share a bin with their neighbours. Each bin in the order of `items`.

    Raises:
        TooMany: more than `most` bins.
    """
    units: dict[_Path, list[list[int]]] = {}
    for place, item in enumerate(items):
        units.setdefault(_directory(item), []).append([place])
    tokens = [item.tokens for item in items]
    levels: dict[int, set[_Path]] = {}
    for path in units:
        for depth in range(len(path) + 1):
            levels.setdefault(depth, set()).add(path[:depth])
    for depth in sorted(levels, reverse=True):
        for path in sorted(levels[depth], key=lambda one: min(units.get(one, [[0]]))):
            packed = _packed(units.pop(path), tokens, budget, most)
            if not depth:
                return [[items[place] for place in sorted(some)] for some in sorted(packed)]
            units.setdefault(path[:-1], []).extend(packed)
    return []


def _packed(
    units: list[list[int]], tokens: Sequence[int], budget: int, most: int
) -> list[list[int]]:
    """Units by bins; what fits into one is in one."""
    units = sorted(units)
    sizes = [sum(tokens[place] for place in unit) for unit in units]
    return [
        sorted(place for one in places for place in units[one])
        for places in first_fit(sizes, budget, most)
    ]


def _directory(item: Item) -> _Path:
    path = item.of or item.name
    rooted = ("/",) if path.startswith("/") else ()
    return (*rooted, *(part for part in path.split("/")[:-1] if part not in ("", ".")))[:DEPTH_MAX]
