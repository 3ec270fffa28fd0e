"""Finding items by what they are, or are a part of."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable

from heaptui.inputs import Item


class Known:
    """Items of one task: of those that are parts of one file no two overlap."""

    def __init__(self, items: Iterable[Item]) -> None:
        self._by_name: dict[str, Item] = {}
        self._parts: dict[str, list[Item]] = {}
        for item in items:
            self._by_name[item.name] = item
            if item.of:
                self._parts.setdefault(item.of, []).append(item)
        for parts in self._parts.values():
            parts.sort(key=lambda part: part.first)

    def named(self, name: str) -> Item | None:
        return self._by_name.get(name)

    def holding(self, item: Item) -> Item | None:
        """The one that `item` is, or is a part of; None also for what is no item at all."""
        if not item.of:
            return self._by_name.get(item.name) if item.first == item.last == 0 else None
        if item.name != f"{item.of}:{item.first}-{item.last}" or not 1 <= item.first <= item.last:
            return None
        whole = self._by_name.get(item.of)
        if whole is not None:
            return whole
        # only the last that begins before it can hold it
        parts = self._parts.get(item.of, [])
        place = bisect_right(parts, item.first, key=lambda part: part.first) - 1
        return parts[place] if place >= 0 and item.last <= parts[place].last else None
