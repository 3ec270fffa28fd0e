"""What refers to an object, and the shortest way to it from the root."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from heaptui.heap.analysis.closures import Places
from heaptui.heap.analysis.edges import edge_text, inner
from heaptui.heap.analysis.indexed import Indexed
from heaptui.heap.analysis.objects import known, row
from heaptui.heap.answers import ObjectRow, Page

PATH_ENDS = 40
"""Rows at either end of a path that is longer than both together; between them it is cut."""

_FAR = np.iinfo(np.int64).max
_LOOKED_AT = 20_000
_RANKS = {"context": 0, "property": 0, "shortcut": 1, "element": 1, "internal": 2, "hidden": 3}
_WEAK = 9


def retainers(snapshot: Indexed, places: Places, node: int, offset: int, limit: int) -> Page:
    """The nearest to the root first, of equally near ones the larger, weak references last."""
    known(snapshot, node)
    graph = snapshot.graph
    edges = snapshot.incoming(node)
    sources = np.searchsorted(graph.first_edge, edges, side="right") - 1
    distances = _distances(snapshot, sources)
    weak = graph.edge_type[edges] == snapshot.ways.get("weak", 255)
    order = np.lexsort((-graph.retained[sources].astype(np.int64), distances, weak))
    return Page(
        rows=tuple(
            row(
                snapshot,
                places,
                int(sources[index]),
                edge=edge_text(snapshot, int(edges[index]), int(sources[index])),
                inner_edge=inner(snapshot, int(edges[index])),
                more=snapshot.incoming_count(int(sources[index])),
            )
            for index in order[offset : offset + limit].tolist()
        ),
        total=len(edges),
    )


def path(snapshot: Indexed, places: Places, node: int) -> tuple[ObjectRow, ...]:
    """From the root to an object. A long one is cut in its middle, and the row behind the cut says
    in its edge how many steps are left out. Empty: nothing but weak references leads there."""
    steps = steps_to(snapshot, known(snapshot, node))
    if not steps and node != 0:
        return ()
    nodes = [0, *(snapshot.target(edge) for edge in steps)]
    shown = list(range(1, len(nodes)))
    cut = len(shown) - 2 * PATH_ENDS
    if cut > 0:
        shown = shown[:PATH_ENDS] + shown[-PATH_ENDS:]
    rows = [row(snapshot, places, 0)]
    for index in shown:
        edge = steps[index - 1]
        text = edge_text(snapshot, edge, nodes[index - 1])
        if cut > 0 and index == len(nodes) - PATH_ENDS:
            text = f"… {cut:,} steps … {text}"
        rows.append(
            row(snapshot, places, nodes[index], edge=text, inner_edge=inner(snapshot, edge))
        )
    return tuple(rows)


def steps_to(snapshot: Indexed, node: int) -> list[int]:
    """The edges of the shortest path from the root, in that order; empty where there is none.

    Walks from the object to the root, always to a retainer that is nearer: distances are those of
    the shortest paths. What only the runtime reaches has distances of its own, so near may mean
    less by more than one.
    """
    steps: list[int] = []
    while node != 0:
        edge = _nearer(snapshot, node)
        if edge is None:
            return []
        steps.append(edge)
        node = snapshot.source(edge)
    steps.reverse()
    return steps


def _nearer(snapshot: Indexed, node: int) -> int | None:
    """The best edge from the retainers nearest to the root: of variables and properties first."""
    graph = snapshot.graph
    own = int(graph.distance[node])
    edges = snapshot.incoming(node)
    edges = edges[graph.edge_type[edges] != snapshot.ways.get("weak", 255)]
    sources = np.searchsorted(graph.first_edge, edges, side="right") - 1
    distances = _distances(snapshot, sources)
    nearer = distances < (own if own >= 0 else _FAR)
    if not nearer.any():
        return None
    best = np.flatnonzero(distances == distances[nearer].min())[:_LOOKED_AT]
    ranked = min(best.tolist(), key=lambda index: _rank(snapshot, int(edges[index])))
    return int(edges[ranked])


def _distances(snapshot: Indexed, nodes: NDArray[np.intp]) -> NDArray[np.int64]:
    """The root's own is that of what only the runtime reaches; here nothing is nearer than it."""
    distances = snapshot.graph.distance[nodes].astype(np.int64)
    distances[distances < 0] = _FAR
    distances[nodes == 0] = -1
    return distances


def _rank(snapshot: Indexed, edge: int) -> tuple[int, int]:
    way = snapshot.way(edge)
    named = snapshot.edge_name(edge) if way == "property" else ""
    if named in {"__proto__", "constructor"}:
        return 2, edge
    return _RANKS.get(way, _WEAK), edge
