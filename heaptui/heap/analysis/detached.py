"""Embedder's objects that nothing of the page or program refers to any more: DevTools puts
`Detached` before their names, and so their classes.

The file tells of some objects that they are attached or detached; what these refer to is alike,
and attached wins.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from heaptui.heap.analysis.compiled import compiled
from heaptui.heap.analysis.graph import Graph
from heaptui.heap.analysis.strings_table import FileStrings

ATTACHED, DETACHED = 1, 2


def name_detached(graph: Graph, strings: FileStrings, detachedness: NDArray[np.uint8]) -> None:
    """Gives detached nodes their new names."""
    if "native" not in graph.node_types:
        return
    silent = np.array([name in {"hidden", "weak"} for name in graph.edge_types], np.bool_)
    detached = spread(
        detachedness,
        graph.node_type,
        graph.first_edge,
        graph.edge_type,
        graph.edge_to,
        graph.node_types.index("native"),
        silent,
    )
    old, place = np.unique(graph.node_name[detached], return_inverse=True)
    new = [strings.add(f"Detached {strings[int(index)]}") for index in old]
    graph.node_name[detached] = np.array(new, np.uint32)[place]


@compiled
def spread(
    state: NDArray[np.uint8],
    node_type: NDArray[np.uint8],
    first_edge: NDArray[np.uint32],
    edge_type: NDArray[np.uint8],
    edge_to: NDArray[np.uint32],
    native: int,
    silent: NDArray[np.bool_],
) -> NDArray[np.bool_]:
    """Which nodes are detached. Only native nodes have a state, and pass it on; to any they refer
    to by an edge that is not of a silent type."""
    nodes = node_type.size
    settled = np.zeros(nodes, np.bool_)
    detached = np.zeros(nodes, np.bool_)
    stack = np.empty(nodes, np.uint32)
    for passed_on in (ATTACHED, DETACHED):
        height = 0
        for node in range(nodes):
            if node_type[node] == native and state[node] == passed_on:
                settled[node] = True
                detached[node] = passed_on == DETACHED
                stack[height] = node
                height += 1
            elif state[node] != 0:
                settled[node] = True
        while height > 0:
            height -= 1
            node = stack[height]
            for edge in range(first_edge[node], first_edge[node + 1]):
                to = edge_to[edge]
                if settled[to] or silent[edge_type[edge]]:
                    continue
                settled[to] = True
                if node_type[to] == native:
                    detached[to] = passed_on == DETACHED
                    stack[height] = to
                    height += 1
    return detached
