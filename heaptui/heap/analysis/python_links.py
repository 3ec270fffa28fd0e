"""Loops over the references of a Python snapshot; what they are given is checked before."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from heaptui.heap.analysis.compiled import compiled

EDGE_TYPES = ("context", "element", "property", "internal", "hidden", "shortcut", "weak")
CONTEXT, ELEMENT, PROPERTY, INTERNAL, HIDDEN = range(5)
PLAIN, ITEMS, MAPPING, NAMED = range(4)
STR, NUMBER = 2, 4
NAME_BITS = 29
"""Of a label: the name; the kind above."""

Indexes = NDArray[np.uint32]


@compiled
def find(
    ids: NDArray[np.uint64], place: NDArray[np.int64], wanted: NDArray[np.uint64]
) -> NDArray[np.int64]:
    """`place` of each wanted id among the sorted `ids`; -1 where it is not there. Looks near the
    last one first: what was made together is referred to together."""
    found = np.empty(wanted.size, np.int64)
    for index in range(wanted.size):
        key = wanted[index]
        low, high = 0, ids.size
        while low < high:
            middle = (low + high) >> 1
            if ids[middle] < key:
                low = middle + 1
            else:
                high = middle
        found[index] = place[low] if low < ids.size and ids[low] == key else -1
    return found


@compiled
def label(
    first: NDArray[np.int64],
    layout: NDArray[np.uint8],
    count: NDArray[np.int64],
    to: NDArray[np.int64],
    labels: Indexes,
    kind: NDArray[np.uint8],
    text: Indexes,
    kinds: NDArray[np.uint8],
    key: np.uint32,
    value: np.uint32,
) -> tuple[NDArray[np.uint8], Indexes]:
    """Types and names of all edges. An entry of a dict goes by its key, where that is a text or a
    number that the file knows."""
    edge_type = np.empty(to.size, np.uint8)
    edge_name = np.empty(to.size, np.uint32)
    used = 0
    for node in range(layout.size):
        begin = first[node]
        for edge in range(begin, first[node + 1]):
            at = edge - begin
            edge_type[edge] = HIDDEN
            edge_name[edge] = at
            if layout[node] == ITEMS:
                if at < count[node]:
                    edge_type[edge] = ELEMENT
            elif layout[node] == MAPPING:
                if at < count[node]:
                    edge_type[edge] = INTERNAL
                    edge_name[edge] = key
                elif at < 2 * count[node]:
                    by = to[edge - count[node]]
                    if by >= 0 and text[by] != 0 and (kind[by] == STR or kind[by] == NUMBER):
                        edge_type[edge] = PROPERTY
                        edge_name[edge] = text[by]
                    else:
                        edge_type[edge] = INTERNAL
                        edge_name[edge] = value
            elif layout[node] == NAMED:
                told = labels[used]
                used += 1
                name = told & np.uint32((1 << NAME_BITS) - 1)
                if name != 0:
                    edge_type[edge] = kinds[told >> np.uint32(NAME_BITS)]
                    edge_name[edge] = name
    return edge_type, edge_name


@compiled
def unreached(first: Indexes, to: Indexes) -> Indexes:
    """The fewest nodes, but for cycles, from which all is reached that node 0 does not reach:
    those that nothing refers to, then of each rest the first."""
    nodes = first.size - 1
    seen = np.zeros(nodes, np.bool_)
    queue = np.empty(nodes, np.uint32)
    referred = np.zeros(nodes, np.bool_)
    holders = np.empty(nodes, np.uint32)
    held = 0
    for turn in range(3):
        for start in range(nodes):
            if seen[start] or (turn == 0 and start > 0) or (turn == 1 and referred[start]):
                continue
            if turn > 0:
                holders[held] = start
                held += 1
            seen[start] = True
            queue[0] = start
            head, tail = 0, 1
            while head < tail:
                node = queue[head]
                head += 1
                for edge in range(first[node], first[node + 1]):
                    target = to[edge]
                    if not seen[target]:
                        seen[target] = True
                        queue[tail] = target
                        tail += 1
        if turn == 0:
            for node in range(nodes):
                if not seen[node]:
                    for edge in range(first[node], first[node + 1]):
                        if to[edge] != node:
                            referred[to[edge]] = True
    return holders[:held].copy()
