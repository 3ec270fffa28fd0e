"""A graph with what makes questions cheap: built when the first question needs it, and kept.

What can be had by one pass over a flat array (some milliseconds for ten million edges) is not kept.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from heaptui.heap.analysis import counting
from heaptui.heap.analysis.graph import Graph

SYSTEM_DISTANCE = 100_000_000
"""DevTools' base for what only the runtime itself reaches: no program's object leads there."""

Nodes = NDArray[np.intp]


class Indexed:
    """One loaded snapshot. Edges are counted as in the graph; nodes as in the file."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.kinds = {name: code for code, name in enumerate(graph.node_types)}
        self.ways = {name: code for code, name in enumerate(graph.edge_types)}
        self.class_codes = {name: code for code, name in enumerate(graph.class_names)}
        self.namespaces: dict[int, int | None] = {}
        self._kind_names = tuple(graph.node_types)
        self._way_names = tuple(graph.edge_types)
        self._numbered = {code for name, code in self.ways.items() if name in {"element", "hidden"}}

    # --- one node ---------------------------------------------------------------------------------
    def kind(self, node: int) -> str:
        return self._kind_names[int(self.graph.node_type[node])]

    def name(self, node: int) -> str:
        """As the file has it; for a string its (possibly cut) text."""
        return self.graph.strings[int(self.graph.node_name[node])]

    def class_name(self, node: int) -> str:
        return self.graph.class_names[int(self.graph.class_of[node])]

    def distance(self, node: int) -> int | None:
        """None: not reached from the root but by what the runtime keeps for itself."""
        found = int(self.graph.distance[node])
        return found if 0 <= found < SYSTEM_DISTANCE else None

    def edges(self, node: int) -> range:
        first = self.graph.first_edge
        return range(int(first[node]), int(first[node + 1]))

    def location(self, node: int) -> tuple[int, int] | None:
        """Where it stands, if the file knows: script and line, which counts from 1."""
        locations = self.graph.locations
        if locations is None:
            return None
        index = int(np.searchsorted(locations.node, node))
        if index >= len(locations.node) or locations.node[index] != node:
            return None
        return int(locations.script[index]), int(locations.line[index]) + 1

    # --- one edge ---------------------------------------------------------------------------------
    def way(self, edge: int) -> str:
        """Its type: context, property, element, …"""
        return self._way_names[int(self.graph.edge_type[edge])]

    def edge_name(self, edge: int) -> str:
        """Its name; of numbered ones the digits."""
        named = int(self.graph.edge_name[edge])
        return (
            str(named)
            if self.graph.edge_type[edge] in self._numbered
            else (self.graph.strings[named])
        )

    def target(self, edge: int) -> int:
        return int(self.graph.edge_to[edge])

    def source(self, edge: int) -> int:
        return int(np.searchsorted(self.graph.first_edge, edge, side="right")) - 1

    def step(self, node: int, *names: str, most: int = 64) -> int | None:
        """Where the first of the named edges among the first `most` leads."""
        wanted = set(names)
        for edge in self.edges(node)[:most]:
            if self.graph.edge_type[edge] not in self._numbered and self.edge_name(edge) in wanted:
                return self.target(edge)
        return None

    def named_edges(self, node: int, most: int) -> Iterator[tuple[str, str, int]]:
        """Type, name and target of the first `most` edges."""
        for edge in self.edges(node)[:most]:
            yield self.way(edge), self.edge_name(edge), self.target(edge)

    # --- the other way round ----------------------------------------------------------------------
    @cached_property
    def _incoming(self) -> tuple[NDArray[np.uint32], NDArray[np.uint32]]:
        return counting.grouped(self.graph.edge_to, self.graph.nodes)

    def incoming(self, node: int) -> NDArray[np.uint32]:
        """The edges that lead to a node."""
        first, edges = self._incoming
        found: NDArray[np.uint32] = edges[first[node] : first[node + 1]]
        return found

    def incoming_count(self, node: int) -> int:
        first, _ = self._incoming
        return int(first[node + 1]) - int(first[node])

    @cached_property
    def dominated_counts(self) -> NDArray[np.intp]:
        counts: Nodes = np.bincount(self.graph.dominator, minlength=self.graph.nodes)
        counts[0] -= 1
        return counts

    def dominated(self, node: int) -> Nodes:
        """The children of a node in the dominator tree."""
        found: Nodes = np.flatnonzero(self.graph.dominator == node)
        children: Nodes = found[found != 0]
        return children
