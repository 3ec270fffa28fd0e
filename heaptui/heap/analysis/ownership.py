"""Who owns what: the memory that belongs to an object, and which edges hold what they point to.

The rules are those of Chrome's DevTools (front_end/entrypoints/heap_snapshot_worker), so that
both show the same figures.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from heaptui.heap.analysis.compiled import compiled
from heaptui.heap.analysis.graph import Graph
from heaptui.heap.analysis.rules import ROOT, Rules

_UNVISITED = np.uint32(0xFFFFFFFF)
_SEVERAL = np.uint32(0xFFFFFFFE)


def user_roots(graph: Graph, rules: Rules) -> NDArray[np.uint32]:
    """What the root refers to and is the program's: its global objects, not V8's lists of roots.
    In the order of the root's edges, each as often as it is referred to."""
    to = graph.edge_to[graph.first_edge[ROOT] : graph.first_edge[ROOT + 1]]
    synthetic = graph.node_type[to] == rules.synthetic
    documents = synthetic & (graph.node_name[to].astype(np.int64) == rules.document_trees)
    found: NDArray[np.uint32] = to[~synthetic | documents]
    return found


def shallow_sizes(graph: Graph, rules: Rules) -> NDArray[np.uint64]:
    """An object's size with that of the arrays and internals that it alone owns.

    A snapshot without user roots was taken with internals exposed: it stays as it is.
    """
    if not len(user_roots(graph, rules)):
        return graph.self_size.copy()
    return owned_sizes(
        graph.node_type,
        graph.node_name,
        graph.self_size,
        graph.first_edge,
        graph.edge_type,
        graph.edge_to,
        rules.hidden,
        rules.array,
        rules.native,
        rules.synthetic,
        rules.external_string,
        rules.weak,
    )


def essential_edges(graph: Graph, rules: Rules) -> NDArray[np.bool_]:
    """Which edges hold what they point to, for the dominator tree."""
    weak_maps = rules.weak_maps
    return essential(
        graph.node_type,
        graph.node_name,
        graph.node_id,
        graph.first_edge,
        graph.edge_type,
        graph.edge_name,
        graph.edge_to,
        rules.element,
        rules.internal,
        rules.weak,
        rules.shortcut,
        rules.synthetic,
        rules.document_trees,
        weak_maps.entry,
        weak_maps.table,
    )


@compiled
def owned_sizes(
    node_type: NDArray[np.uint8],
    node_name: NDArray[np.uint32],
    self_size: NDArray[np.uint64],
    first_edge: NDArray[np.uint32],
    edge_type: NDArray[np.uint8],
    edge_to: NDArray[np.uint32],
    hidden: int,
    array: int,
    native: int,
    synthetic: int,
    external_string: int,
    weak: int,
) -> NDArray[np.uint64]:
    """Follows references from each object through what cannot own itself (arrays, hidden nodes,
    strings' external bytes); what only one object reaches that way is its own."""
    nodes = node_type.size
    owner = np.empty(nodes, np.uint32)
    for node in range(nodes):
        kind = node_type[node]
        bytes_outside = kind == native and node_name[node] == external_string
        owned = kind in (hidden, array) or bytes_outside
        owner[node] = _UNVISITED if owned else np.uint32(node)
    stack = np.empty(1024, np.uint32)
    for first in range(nodes):
        if owner[first] != first:
            continue
        stack[0] = first
        height = 1
        while height > 0:
            height -= 1
            node = stack[height]
            mine = owner[node]
            for edge in range(first_edge[node], first_edge[node + 1]):
                if edge_type[edge] == weak:
                    continue
                to = edge_to[edge]
                theirs = owner[to]
                if theirs in (to, mine, _SEVERAL):
                    continue
                owner[to] = mine if theirs == _UNVISITED else _SEVERAL
                if height == stack.size:
                    larger = np.empty(2 * stack.size, np.uint32)
                    larger[:height] = stack
                    stack = larger
                stack[height] = to
                height += 1
    shallow = self_size.copy()
    for node in range(nodes):
        to = owner[node]
        if to in (np.uint32(node), _UNVISITED, _SEVERAL):
            continue
        if node_type[to] != synthetic and to != ROOT:
            shallow[to] += shallow[node]
            shallow[node] = 0
    return shallow


@compiled
def page_owned(
    node_type: NDArray[np.uint8],
    node_name: NDArray[np.uint32],
    first_edge: NDArray[np.uint32],
    edge_type: NDArray[np.uint8],
    edge_to: NDArray[np.uint32],
    element: int,
    shortcut: int,
    weak: int,
    synthetic: int,
    document_trees: int,
) -> NDArray[np.bool_]:
    """What the program's global objects reach: V8 marks these by shortcuts from the root."""
    owned = np.zeros(node_type.size, np.bool_)
    stack = np.empty(node_type.size, np.uint32)
    height = 0
    for edge in range(first_edge[ROOT], first_edge[ROOT + 1]):
        to = edge_to[edge]
        documents = node_type[to] == synthetic and node_name[to] == document_trees
        entry = edge_type[edge] == shortcut or (edge_type[edge] == element and documents)
        if entry and not owned[to]:
            owned[to] = True
            stack[height] = to
            height += 1
    while height > 0:
        height -= 1
        node = stack[height]
        for edge in range(first_edge[node], first_edge[node + 1]):
            to = edge_to[edge]
            if edge_type[edge] != weak and not owned[to]:
                owned[to] = True
                stack[height] = to
                height += 1
    return owned


@compiled
def essential(
    node_type: NDArray[np.uint8],
    node_name: NDArray[np.uint32],
    node_id: NDArray[np.uint64],
    first_edge: NDArray[np.uint32],
    edge_type: NDArray[np.uint8],
    edge_name: NDArray[np.uint32],
    edge_to: NDArray[np.uint32],
    element: int,
    internal: int,
    weak: int,
    shortcut: int,
    synthetic: int,
    document_trees: int,
    entry: NDArray[np.int32],
    table: NDArray[np.uint64],
) -> NDArray[np.bool_]:
    """Not essential are: weak edges; those to oneself; shortcuts but the root's; those from V8's
    and the debugger's objects to the program's; and of a WeakMap's value that from the table, for
    the key's tells more."""
    owned = page_owned(
        node_type,
        node_name,
        first_edge,
        edge_type,
        edge_to,
        element,
        shortcut,
        weak,
        synthetic,
        document_trees,
    )
    holds = np.empty(edge_to.size, np.bool_)
    for node in range(owned.size):
        for edge in range(first_edge[node], first_edge[node + 1]):
            kind = edge_type[edge]
            to = edge_to[edge]
            held = kind != weak and to != node
            if node != ROOT and (kind == shortcut or (owned[to] and not owned[node])):
                held = False
            if held and entry.size > 0 and kind == internal:
                place = entry[edge_name[edge]]
                if place >= 0 and table[place] == node_id[node]:
                    held = False
            holds[edge] = held
    return holds
