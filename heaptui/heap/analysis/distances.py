"""How far each object is from the program's global objects, counted as DevTools counts."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from heaptui.heap.analysis.compiled import compiled
from heaptui.heap.analysis.graph import Graph
from heaptui.heap.analysis.ownership import user_roots
from heaptui.heap.analysis.rules import ROOT, Rules

SYSTEM = 100_000_000
"""Distances from here on are of what only V8 itself reaches: its root has this one."""
UNREACHED = -1


def distances(graph: Graph, rules: Rules) -> NDArray[np.int32]:
    """Breadth first: from the global objects, which have 1, then from the root for the rest."""
    weak_maps = rules.weak_maps
    return breadth_first(
        user_roots(graph, rules),
        graph.node_type,
        graph.node_name,
        graph.first_edge,
        graph.edge_type,
        graph.edge_name,
        graph.edge_to,
        rules.hidden,
        rules.array,
        rules.element,
        rules.hidden_edge,
        rules.internal,
        rules.weak,
        rules.native_context,
        rules.sloppy_function_map,
        rules.map_descriptors,
        weak_maps.entry,
        weak_maps.pair,
    )


@compiled
def breadth_first(
    roots: NDArray[np.uint32],
    node_type: NDArray[np.uint8],
    node_name: NDArray[np.uint32],
    first_edge: NDArray[np.uint32],
    edge_type: NDArray[np.uint8],
    edge_name: NDArray[np.uint32],
    edge_to: NDArray[np.uint32],
    hidden: int,
    array: int,
    element: int,
    hidden_edge: int,
    internal: int,
    weak: int,
    native_context: int,
    sloppy_function_map: int,
    map_descriptors: int,
    entry: NDArray[np.int32],
    pair: NDArray[np.int64],
) -> NDArray[np.int32]:
    nodes = node_type.size
    distance = np.full(nodes, UNREACHED, np.int32)
    seen_once = np.zeros(pair.size, np.bool_)
    # a global object that the root refers to twice is visited twice
    queue = np.empty(nodes + roots.size, np.uint32)
    for i in range(roots.size):
        distance[roots[i]] = 1
        queue[i] = roots[i]
    head, tail = 0, roots.size
    for turn in range(2):
        if turn == 1:
            distance[ROOT] = SYSTEM if roots.size > 0 else 0
            queue[0] = ROOT
            head, tail = 0, 1
        while head < tail:
            node = queue[head]
            head += 1
            further = distance[node] + 1
            context = node_type[node] == hidden and node_name[node] == native_context
            descriptors = node_type[node] == array and node_name[node] == map_descriptors
            for edge in range(first_edge[node], first_edge[node + 1]):
                to = edge_to[edge]
                kind = edge_type[edge]
                if distance[to] != UNREACHED or kind == weak:
                    continue
                name = edge_name[edge]
                numbered = kind in (element, hidden_edge)
                if descriptors:
                    # maps share them: a descriptor's value may be another map's
                    if numbered and name >= 2 and name % 3 == 1:
                        continue
                elif context and not numbered and name == sloppy_function_map:
                    continue
                elif entry.size > 0 and kind == internal and entry[name] >= 0:
                    # a WeakMap's value is as far as the farther of its key and its table
                    place = pair[entry[name]]
                    seen_once[place] = not seen_once[place]
                    if seen_once[place]:
                        continue
                distance[to] = further
                queue[tail] = to
                tail += 1
    return distance
