"""Which objects are in both of two snapshots.

V8 numbers an object when it first meets it and keeps the number while the object lives and
snapshots are taken of one process; heaptui's Python snapshots number objects by their address.
Two objects of one number are the same object where they are of the same class, too.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from heaptui.heap.analysis.graph import Graph
from heaptui.heap.analysis.rows import LASTING, modules_stay, same_ids_mean_the_same

ABSENT = -1
_ROUNDS = 3


@dataclass(slots=True, frozen=True)
class Pairing:
    """`in_old` of each new node: its place in the older snapshot, or ABSENT; `in_new` likewise.
    `one_process` is whether the two look like snapshots of one process, the older first."""

    in_old: NDArray[np.int64]
    in_new: NDArray[np.int64]
    one_process: bool


def pair(old: Graph, new: Graph) -> Pairing:
    """By number and class."""
    order = np.argsort(old.node_id, kind="stable")
    sorted_ids = old.node_id[order]
    place = np.searchsorted(sorted_ids, new.node_id)
    place[place == len(order)] = 0
    candidate = order[place]
    same_id = old.node_id[candidate] == new.node_id
    same = same_id & (_classes(old, new)[new.class_of] == old.class_of[candidate])
    one = _one_process(old, new, candidate[same_id], same[same_id])
    return _made(np.where(same, candidate, ABSENT), old.nodes, one)


def settled(old: Graph, new: Graph, pairing: Pairing) -> Pairing:
    """Without those that only look like the same object: V8 gives the number of a dead one to
    another that is made in its place, and a freed address serves again. The same object hangs
    where it hung: under the same one, of those that are in both. What has truly moved is taken
    for another object, gone there and come here."""
    for _ in range(_ROUNDS):
        stays, stayed = pairing.in_old != ABSENT, pairing.in_new != ABSENT
        stays[0] = stayed[0] = True
        above = nearest(new.dominator, stays)[new.dominator]
        above_then = nearest(old.dominator, stayed)[old.dominator]
        found = np.flatnonzero(pairing.in_old != ABSENT)
        there = pairing.in_old[found]
        place = pairing.in_old[above[found]]
        place[above[found] == 0] = 0
        strange = place != above_then[there]
        if not strange.any():
            break
        in_old = pairing.in_old.copy()
        in_old[found[strange]] = ABSENT
        pairing = _made(in_old, old.nodes, pairing.one_process)
    return pairing


def nearest(dominator: NDArray[np.uint32], chosen: NDArray[np.bool_]) -> NDArray[np.uint32]:
    """For each node the nearest chosen one above it, itself where it is chosen. The root is."""
    found = np.where(chosen, np.arange(len(dominator), dtype=np.uint32), dominator)
    while True:
        # each round looks twice as far up
        further = found[found]
        if np.array_equal(further, found):
            return found
        found = further


def _made(in_old: NDArray[np.int64], old_nodes: int, one_process: bool) -> Pairing:
    in_new = np.full(old_nodes, ABSENT, np.int64)
    found = np.flatnonzero(in_old != ABSENT)
    in_new[in_old[found]] = found
    return Pairing(in_old, in_new, one_process)


def _one_process(
    old: Graph, new: Graph, shared: NDArray[np.int64], same: NDArray[np.bool_]
) -> bool:
    """`shared`: nodes of the older one whose number the newer one has; `same`: in that class."""
    if old.format != new.format:
        return False
    if old.format == "python":
        modules = _code(old, "module")
        before = int((old.class_of == modules).sum())
        return modules_stay(before, int(same[old.class_of[shared] == modules].sum()))
    counts = []
    for name in LASTING:
        members = same[old.class_of[shared] == _code(old, name)]
        counts.append((len(members), int(members.sum())))
    return same_ids_mean_the_same([*counts, (len(same), int(same.sum()))])


def _code(graph: Graph, name: str) -> int:
    return list(graph.class_names).index(name) if name in graph.class_names else ABSENT


def _classes(old: Graph, new: Graph) -> NDArray[np.int64]:
    """The old class of each new one, by name; ABSENT where it had none of that name."""
    codes = {name: code for code, name in enumerate(old.class_names)}
    return np.array([codes.get(name, ABSENT) for name in new.class_names], np.int64)
