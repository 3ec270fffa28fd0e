"""What grew between two snapshots of one process, counted where it hangs.

An object that is in both snapshots is *old*. Every other object of the newer one, and every one
that has gone since, belongs to the nearest old object above it in its own dominator tree. What
belongs to an old object now, less what belonged to it then, is its own growth: zero for a cache
that replaces what it holds, however much of it is new.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from heaptui.heap.analysis.compiled import compiled
from heaptui.heap.analysis.counting import grouped
from heaptui.heap.analysis.graph import Graph
from heaptui.heap.analysis.pairing import ABSENT, Pairing, nearest

_LEAP_BYTES = 32 << 10
_SLOT_BYTES = 32
"""Of a table, for each reference: a word in an array, up to 20 bytes in a Map that is half full."""


@dataclass(slots=True, frozen=True)
class Growth:
    """By node of the newer snapshot. `owner`: the nearest old object, itself where it is old;
    `own` growth in bytes, `below` that of all that it dominates and its own; `fresh_below` bytes
    of new objects in what it dominates and in itself. `owner_then`: by node of the older one."""

    owner: NDArray[np.uint32]
    owner_then: NDArray[np.uint32]
    own: NDArray[np.int64]
    below: NDArray[np.int64]
    fresh_below: NDArray[np.int64]
    first_child: NDArray[np.uint32]
    children: NDArray[np.uint32]

    @property
    def total(self) -> int:
        return int(self.below[0])

    def old_children(self, node: int) -> NDArray[np.uint32]:
        """Old objects with no other old one between them and `node`."""
        found = self.children[self.first_child[node] : self.first_child[node + 1]]
        old: NDArray[np.uint32] = found[(found != 0) & (self.owner[found] == found)]
        return old


def growth(old: Graph, new: Graph, pairing: Pairing) -> Growth:
    stays = pairing.in_old != ABSENT
    stays[0] = True
    stayed = pairing.in_new != ABSENT
    stayed[0] = True
    owner = nearest(new.dominator, stays)
    owner_then = nearest(old.dominator, stayed)
    now = _sums(owner, new.shallow)
    then = _sums(owner_then, old.shallow)
    counterpart = pairing.in_old.copy()
    counterpart[0] = 0
    own = np.where(stays, now - then[counterpart] - _room(old, new, stays, counterpart), 0)
    below = added_up(new.dominator, own)
    fresh = np.where(stays, 0, new.shallow.astype(np.int64))
    above = owner[new.dominator]
    first_child, children = grouped(above, new.nodes)
    return Growth(
        owner,
        owner_then,
        own,
        below,
        added_up(new.dominator, fresh),
        first_child,
        children,
    )


def _room(
    old: Graph, new: Graph, stays: NDArray[np.bool_], counterpart: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Bytes by which old objects themselves grew, beyond what they refer to more."""
    more = np.where(
        stays, new.shallow.astype(np.int64) - old.shallow[counterpart].astype(np.int64), 0
    )
    more[more < _LEAP_BYTES] = 0
    for node in np.flatnonzero(more):
        grown = int(more[node])
        before, now = _references(old, int(counterpart[node])), _references(new, int(node))
        # numbers and bytes lie in a table without being referred to
        if before * _SLOT_BYTES < int(old.shallow[counterpart[node]]) // 4:
            more[node] = 0
        else:
            more[node] = max(0, grown - _SLOT_BYTES * max(0, now - before))
    return more


def _references(graph: Graph, node: int) -> int:
    """To how many objects it and its tables refer, whose size counts as its own. What was deleted
    from a table is one and the same hole."""
    tables = np.flatnonzero((graph.dominator == node) & (graph.shallow == 0))
    parts = [
        graph.edge_to[graph.first_edge[one] : graph.first_edge[one + 1]]
        for one in (node, *tables.tolist())
    ]
    return len(np.unique(np.concatenate(parts)))


def under(dominator: NDArray[np.uint32], node: int) -> NDArray[np.bool_]:
    """What a node dominates, and itself."""
    chosen = np.zeros(len(dominator), bool)
    chosen[[0, node]] = True
    below: NDArray[np.bool_] = nearest(dominator, chosen) == node
    return below


def _sums(owner: NDArray[np.uint32], sizes: NDArray[np.uint64]) -> NDArray[np.int64]:
    return np.bincount(owner, weights=sizes.astype(np.float64), minlength=len(owner)).astype(
        np.int64
    )


def added_up(dominator: NDArray[np.uint32], values: NDArray[np.int64]) -> NDArray[np.int64]:
    """Each node's value and those of all that it dominates."""
    sums = values.copy()
    _add_up(dominator, sums)
    return sums


@compiled
def _add_up(dominator: NDArray[np.uint32], sums: NDArray[np.int64]) -> None:
    """From the leaves to the root, each once all below it is added."""
    nodes = dominator.size
    waits_for = np.zeros(nodes, np.uint32)
    for node in range(1, nodes):
        waits_for[dominator[node]] += 1
    for leaf in range(1, nodes):
        node = leaf
        while node != 0 and waits_for[node] == 0:
            # its own count never comes back to 0: it is taken once
            waits_for[node] = np.uint32(0xFFFFFFFF)
            up = dominator[node]
            sums[up] += sums[node]
            waits_for[up] -= 1
            if up >= leaf:
                break
            node = up
