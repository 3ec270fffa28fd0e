"""Which object's growth explains what grew between two snapshots, and what holds it.

From the root down the dominator tree of the newer snapshot, always to the old object below which
most of the growth is, until it no longer is below one: there it accumulates. What is counted is
growth (growth.py), not what is new: a cache that replaces its entries does not grow.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from heaptui import units
from heaptui.heap.analysis.classes import retained_by_class
from heaptui.heap.analysis.closures import Places
from heaptui.heap.analysis.growth import Growth, growth, under
from heaptui.heap.analysis.holders import Holder, holder_of
from heaptui.heap.analysis.indexed import Indexed
from heaptui.heap.analysis.pairing import ABSENT, Pairing, settled
from heaptui.heap.analysis.place import NOWHERE, Place
from heaptui.heap.analysis.retainers import path, steps_to
from heaptui.heap.answers import STRINGS, Grown, LeakAnswer

LEAST_BYTES = 128 << 10
"""Growth below this is what running code leaves behind: compiled functions, shapes, caches."""

_MOST_OF = 0.8
_A_PART_OF = 0.3
_SHARED_BY = 0.6
_STEPS_MOST = 100_000
_PASSED_THROUGH = frozenset({"synthetic", "hidden", "native", "code", "array", "object shape"})


@dataclass(slots=True, frozen=True)
class _Found:
    """Where it accumulates: `node` is old, `shown` is it or the one new object below that has
    nearly all; `fresh` and `gone` mark what came there and went."""

    node: int
    shown: int
    bytes: int
    fresh: NDArray[np.bool_]
    gone: NDArray[np.bool_]


def leak(old: Indexed, new: Indexed, places: Places, pairing: Pairing, most: int) -> LeakAnswer:
    """What grew and what holds it; where nothing did, the text says so."""
    if not pairing.one_process:
        return LeakAnswer(
            paired=False,
            text="These are not two snapshots of one process: their objects cannot be paired. "
            "Compare their classes instead, or take two of one process.",
        )
    pairing = settled(old.graph, new.graph, pairing)
    grew = growth(old.graph, new.graph, pairing)
    was, now = int(old.graph.shallow.sum()), int(new.graph.shallow.sum())
    sizes = f"the heap was {units.size(was)} and is {units.size(now)}"
    node = _descend(new, grew)
    found = None if node is None else _accumulated(old, new, pairing, grew, node)
    if found is None or found.bytes < LEAST_BYTES:
        return _nothing(old, new, pairing, grew, sizes, most)
    growers = _growers(old, new, found, most)
    steps = steps_to(new, found.shown)
    holder = holder_of(new, places, steps)
    place = _place(new, places, holder, found)
    return LeakAnswer(
        text=_sentence(new, places, holder, found, growers, place, sizes),
        growers=growers,
        path=path(new, places, found.shown),
        holder=holder.words if holder else None,
        function=place.function,
        file=place.file,
        line=place.line,
        held_bytes=int(new.graph.retained[found.node]),
        new_bytes=found.bytes,
    )


# --- where ---------------------------------------------------------------------------------------
def _descend(new: Indexed, grew: Growth) -> int | None:
    """The old object at which growth accumulates; None: below none of them there is enough."""
    node = 0
    for _ in range(_STEPS_MOST):
        children = grew.old_children(node)
        if not len(children):
            break
        best = int(children[np.argmax(grew.below[children])])
        most, here = int(grew.below[best]), int(grew.below[node])
        if most < LEAST_BYTES:
            break
        own = int(grew.own[node])
        through = node == 0 or new.kind(node) in _PASSED_THROUGH or "Context" in new.name(node)
        nearly_all = most >= _MOST_OF * here
        largest_part = most >= own and (through or most >= _A_PART_OF * here)
        if not (nearly_all or largest_part):
            break
        node = best
    enough = max(int(grew.own[node]), int(grew.below[node]) if node else 0)
    return node if enough >= LEAST_BYTES else None


def _accumulated(old: Indexed, new: Indexed, pairing: Pairing, grew: Growth, node: int) -> _Found:
    fresh_all = pairing.in_old == ABSENT
    gone_all = pairing.in_new == ABSENT
    before = 0 if node == 0 else int(pairing.in_old[node])
    if int(grew.own[node]) >= _A_PART_OF * int(grew.below[node]):
        fresh = fresh_all & (grew.owner == node)
        gone = gone_all & (grew.owner_then == before)
        size = int(grew.own[node])
    else:
        # many old objects below grew a little each: one by one they say nothing
        fresh = fresh_all & under(new.graph.dominator, node)
        gone = gone_all & under(old.graph.dominator, before)
        size = int(grew.below[node])
    shown = _only_new(new, grew, node, size)
    if shown == node:
        shown = node = _shared_holder(new, grew, node, fresh)
    return _Found(node, shown, size, fresh, gone)


def _shared_holder(new: Indexed, grew: Growth, node: int, fresh: NDArray[np.bool_]) -> int:
    """What more than one holder refers to, none of them dominates: then the one is meant that
    refers to most of it."""
    graph = new.graph
    kind = new.kind(node)
    if node != 0 and kind not in _PASSED_THROUGH and "Context" not in new.name(node):
        return node
    top = np.flatnonzero(fresh & (graph.dominator == node))
    if not len(top):
        return node
    chosen = np.zeros(graph.nodes, bool)
    chosen[top] = True
    edges = np.flatnonzero(chosen[graph.edge_to])
    edges = edges[graph.edge_type[edges] != new.ways.get("weak", 255)]
    sources = np.searchsorted(graph.first_edge, edges, side="right") - 1
    holders = grew.owner[sources]
    outside = holders != node
    if not outside.any():
        return node
    pairs = np.unique(
        np.stack([holders[outside].astype(np.int64), graph.edge_to[edges[outside]]], axis=1),
        axis=0,
    )
    weights = np.bincount(
        pairs[:, 0], weights=graph.retained[pairs[:, 1]].astype(np.float64), minlength=1
    )
    best = int(np.argmax(weights))
    enough = _SHARED_BY * float(graph.retained[top].sum())
    return best if weights[best] >= enough and new.kind(best) != "synthetic" else node


def _only_new(new: Indexed, grew: Growth, node: int, size: int) -> int:
    """`node`, or the object that came below it and has nearly all of what did: a text that grows,
    a container that was made meanwhile."""
    shown, at = node, node
    while True:
        children = new.dominated(at)
        children = children[grew.owner[children] != children]
        if not len(children):
            return shown
        best = int(children[np.argmax(grew.fresh_below[children])])
        if grew.fresh_below[best] < _MOST_OF * size or new.class_name(best) == new.class_name(at):
            return shown
        at = best
        if new.kind(at) in STRINGS:
            return at
        if new.kind(at) in {"object", "closure"}:
            shown = at


# --- what ----------------------------------------------------------------------------------------
def _growers(old: Indexed, new: Indexed, found: _Found, most: int) -> tuple[Grown, ...]:
    """Classes by what came less what went."""
    came = _by_class(new, found.fresh)
    went = _by_class(old, found.gone)
    graph = new.graph
    retained = retained_by_class(
        graph.class_of,
        np.where(found.fresh, graph.shallow, 0).astype(np.uint64),
        graph.retained,
        graph.dominator,
        len(graph.class_names),
    )
    rows = []
    for name, (count, size) in came.items():
        count_gone, size_gone = went.get(name, (0, 0))
        if size > size_gone:
            rows.append(
                Grown(
                    name=name,
                    count=count - count_gone,
                    bytes=size - size_gone,
                    retained=int(retained[new.class_codes[name]]),
                )
            )
    rows.sort(key=lambda row: (-row.bytes, row.name))
    return tuple(rows[:most])


def _by_class(snapshot: Indexed, chosen: NDArray[np.bool_]) -> dict[str, tuple[int, int]]:
    graph = snapshot.graph
    nodes = np.flatnonzero(chosen & (graph.shallow > 0))
    counts = np.bincount(graph.class_of[nodes], minlength=len(graph.class_names))
    sizes = np.bincount(
        graph.class_of[nodes],
        weights=graph.shallow[nodes].astype(np.float64),
        minlength=len(graph.class_names),
    )
    return {
        graph.class_names[code]: (int(counts[code]), int(sizes[code]))
        for code in np.flatnonzero(counts).tolist()
    }


# --- in words ------------------------------------------------------------------------------------
def _place(new: Indexed, places: Places, holder: Holder | None, found: _Found) -> Place:
    """The holder's, unless that is the runtime's own (a list of timers) or not known: then where
    the functions stand that came, or the classes of what came."""
    place = NOWHERE if holder is None else holder.place
    if _of_program(place):
        return place
    return _place_of_fresh(new, places, found) or place


def _place_of_fresh(new: Indexed, places: Places, found: _Found) -> Place | None:
    """Where most of what came stands, of a sample spread over it."""
    graph = new.graph
    if graph.locations is None:
        return None
    located = graph.locations.node[found.fresh[graph.locations.node]]
    closures = graph.node_type[located] == new.kinds.get("closure", 255)
    for nodes in (located[closures], located[~closures]):
        votes: dict[Place, int] = {}
        for node in nodes[:: max(1, len(nodes) // 500)].tolist():
            place = places.of(node)
            if _of_program(place):
                votes[place] = votes.get(place, 0) + 1
        if votes:
            return max(votes, key=lambda one: votes[one])
    return None


def _of_program(place: Place) -> bool:
    return place.file is not None and not place.file.startswith("node:")


def _sentence(
    new: Indexed,
    places: Places,
    holder: Holder | None,
    found: _Found,
    growers: tuple[Grown, ...],
    place: Place,
    sizes: str,
) -> str:
    if holder is not None:
        what = holder.words[0].upper() + holder.words[1:]
    else:
        what = f"An object of class {new.class_name(found.shown)}"
    where = f" in {place.where}" if place.where else ""
    if holder is not None and holder.place != place:
        where = f", with what stands at {place}" if place.where else ""
    more = ", ".join(_more(one) for one in growers[:3])
    text = f"{what}{where} grew by {units.size(found.bytes)}" + (f": {more}" if more else "")
    made = None
    if holder is not None and holder.place == place:
        made = _place_of_fresh(new, places, found)
    if made is not None and made.function:
        text += f", with functions of {made}"
    return f"{text}; {sizes}."


def _more(one: Grown) -> str:
    return f"{one.count:+,} {one.name} ({units.size(one.bytes)})"


def _nothing(
    old: Indexed, new: Indexed, pairing: Pairing, grew: Growth, sizes: str, most: int
) -> LeakAnswer:
    if grew.total < LEAST_BYTES:
        return LeakAnswer(text=f"Nothing grew: {sizes}.")
    everything = _Found(0, 0, grew.total, pairing.in_old == ABSENT, pairing.in_new == ABSENT)
    growers = _growers(old, new, everything, most)
    more = ", ".join(_more(one) for one in growers[:3])
    return LeakAnswer(
        text=f"The heap grew by {units.size(grew.total)} in many small parts that no one object "
        f"holds: {more}; {sizes}.",
        growers=growers,
        new_bytes=grew.total,
    )
