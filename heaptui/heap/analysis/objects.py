"""Objects as rows: of a class, what one refers to, what would go with it, one by its id."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from heaptui.errors import HeaptuiError
from heaptui.heap.analysis.closures import Places
from heaptui.heap.analysis.edges import edge_text, inner
from heaptui.heap.analysis.indexed import Indexed
from heaptui.heap.analysis.previews import preview
from heaptui.heap.answers import ObjectRow, Page

NAME_MOST = 200
_UNNAMED = {
    "closure": "(anonymous)()",
    "array": "(array)",
    "code": "(code)",
    "object": "(object)",
    "native": "(native)",
}


class NoSuchObject(HeaptuiError):
    """The snapshot has none of this id, place or class."""


def row(
    snapshot: Indexed,
    places: Places,
    node: int,
    *,
    edge: str = "",
    inner_edge: bool = False,
    more: int | None = None,
) -> ObjectRow:
    """One object. `more`: how many rows open under it; by default what it refers to."""
    graph = snapshot.graph
    place = places.of(node)
    return ObjectRow(
        node=node,
        id=int(graph.node_id[node]),
        name=display_name(snapshot, places, node),
        kind=snapshot.kind(node),
        preview=preview(snapshot, places, node),
        shallow=int(graph.shallow[node]),
        retained=int(graph.retained[node]),
        distance=snapshot.distance(node),
        edge=edge,
        inner=inner_edge,
        function=place.function,
        file=place.file,
        line=place.line,
        more=len(snapshot.edges(node)) if more is None else more,
    )


def display_name(snapshot: Indexed, places: Places, node: int) -> str:
    """An object's class, a function with `()`, else what the runtime calls it."""
    kind = snapshot.kind(node)
    if kind == "closure":
        function = places.of(node).function
        return f"{function}()" if function else _UNNAMED[kind]
    if kind in {"object", "native", "code", "hidden", "synthetic", "array", "object shape"}:
        name = snapshot.name(node)[:NAME_MOST]
        return name or ("(root)" if node == 0 else _UNNAMED.get(kind, f"({kind})"))
    return snapshot.class_name(node)[:NAME_MOST]


def of_class(snapshot: Indexed, places: Places, name: str, offset: int, limit: int) -> Page:
    """Objects of a class, largest retained first.

    Raises:
        NoSuchObject: there is no such class.
    """
    return paged(snapshot, places, members(snapshot, name), offset, limit)


def members(snapshot: Indexed, name: str) -> NDArray[np.intp]:
    """The nodes of a class.

    Raises:
        NoSuchObject: there is none.
    """
    try:
        code = snapshot.class_codes[name]
    except KeyError:
        raise NoSuchObject(
            f"The snapshot has no class {name[:NAME_MOST]!r}.",
            "`heaptui heap summary --match TEXT` lists those there are.",
        ) from None
    return np.flatnonzero(snapshot.graph.class_of == code)


def paged(
    snapshot: Indexed,
    places: Places,
    nodes: NDArray[np.intp],
    offset: int,
    limit: int,
    more: Callable[[int], int] | None = None,
) -> Page:
    """A part of the nodes by their retained size, largest first; of equal ones in the file's
    order."""
    order = by_size(snapshot.graph.retained[nodes], offset + limit)[offset:]
    return Page(
        rows=tuple(
            row(snapshot, places, node, more=None if more is None else more(node))
            for node in nodes[order].tolist()
        ),
        total=len(nodes),
    )


def by_size(sizes: NDArray[np.uint64], most: int) -> NDArray[np.intp]:
    """Where the largest `most` are, largest first."""
    below = -sizes.astype(np.int64)
    if len(below) <= most * 4:
        return np.argsort(below, kind="stable")[:most]
    if most <= 0:
        return np.zeros(0, np.intp)
    # all that are as large as the last one shown, so that a page's order never depends on its size
    bound = np.partition(below, most - 1)[most - 1]
    chosen = np.flatnonzero(below <= bound)
    return chosen[np.argsort(below[chosen], kind="stable")][:most]


def children(snapshot: Indexed, places: Places, node: int, offset: int, limit: int) -> Page:
    """What an object refers to, largest retained first."""
    known(snapshot, node)
    edges = snapshot.edges(node)
    targets = snapshot.graph.edge_to[edges.start : edges.stop]
    order = by_size(snapshot.graph.retained[targets], offset + limit)[offset:]
    return Page(
        rows=tuple(
            row(
                snapshot,
                places,
                snapshot.target(edge),
                edge=edge_text(snapshot, edge, node),
                inner_edge=inner(snapshot, edge),
            )
            for edge in (order + edges.start).tolist()
        ),
        total=len(edges),
    )


def dominated(snapshot: Indexed, places: Places, node: int | None, offset: int, limit: int) -> Page:
    """What would be freed with an object (None: the root), largest first."""
    at = known(snapshot, node or 0)
    counts = snapshot.dominated_counts
    return paged(
        snapshot, places, snapshot.dominated(at), offset, limit, lambda one: int(counts[one])
    )


def find(snapshot: Indexed, places: Places, wanted: int) -> ObjectRow:
    """The object with this id.

    Raises:
        NoSuchObject: there is none.
    """
    found = np.flatnonzero(snapshot.graph.node_id == wanted)
    if not len(found):
        raise NoSuchObject(
            f"The snapshot has no object @{wanted}.",
            "Ids hold within the snapshots of one process; `heaptui heap objects` shows them.",
        )
    return row(snapshot, places, int(found[0]))


def known(snapshot: Indexed, node: int) -> int:
    """The node, which there is.

    Raises:
        NoSuchObject: there is not.
    """
    if not 0 <= node < snapshot.graph.nodes:
        raise NoSuchObject(f"The snapshot has no object at {node}.")
    return node
