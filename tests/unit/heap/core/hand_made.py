"""Snapshots drawn by hand: nodes, edges between them, and the `.heapsnapshot` file they make."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from heaptui.heap.analysis.graph import Graph
from heaptui.heap.analysis.load import load

NODE_TYPES = [
    *("hidden", "array", "string", "object", "code", "closure", "regexp", "number", "native"),
    *("synthetic", "concatenated string", "sliced string", "symbol", "bigint"),
]
EDGE_TYPES = ["context", "element", "property", "internal", "hidden", "shortcut", "weak"]
NODE_FIELDS = ("type", "name", "id", "self_size", "edge_count", "trace_node_id", "detachedness")
EDGE_FIELDS = ("type", "name_or_index", "to_node")


@dataclass(slots=True)
class Node:
    """`id` 0: given by its place, odd as V8's."""

    name: str
    type: str = "object"
    size: int = 16
    id: int = 0
    detachedness: int = 0
    place: tuple[int, int, int] | None = None


@dataclass(slots=True)
class Drawing:
    """`edges` as (from, type, name or number, to), nodes by their place."""

    nodes: list[Node] = field(default_factory=lambda: [Node("", "synthetic", 0)])
    edges: list[tuple[int, str, str | int, int]] = field(default_factory=list)

    def node(self, name: str, type: str = "object", size: int = 16, **more: Any) -> int:
        self.nodes.append(Node(name, type, size, **more))
        return len(self.nodes) - 1

    def edge(self, source: int, to: int, name: str | int = "x", type: str = "property") -> None:
        self.edges.append((source, type, name, to))

    def root(self, name: str = "global", **more: Any) -> int:
        """A global object: a shortcut from the root leads to it."""
        found = self.node(name, **more)
        self.edge(0, found, name, "shortcut")
        return found

    def document(
        self,
        *,
        node_fields: Sequence[str] = NODE_FIELDS,
        edge_fields: Sequence[str] = EDGE_FIELDS,
    ) -> dict[str, Any]:
        """What the file holds."""
        strings: dict[str, int] = {"": 0}

        def string(text: str) -> int:
            return strings.setdefault(text, len(strings))

        nodes: list[int] = []
        edges: list[int] = []
        locations: list[int] = []
        for number, node in enumerate(self.nodes):
            leaving = [edge for edge in self.edges if edge[0] == number]
            value = {
                "type": NODE_TYPES.index(node.type),
                "name": string(node.name),
                "id": node.id or 2 * number + 1,
                "self_size": node.size,
                "edge_count": len(leaving),
                "detachedness": node.detachedness,
            }
            nodes += [value.get(name, 0) for name in node_fields]
            for _, kind, name, to in leaving:
                part = {
                    "type": EDGE_TYPES.index(kind),
                    "name_or_index": name if isinstance(name, int) else string(name),
                    "to_node": to * len(node_fields),
                }
                edges += [part.get(name, 0) for name in edge_fields]
            if node.place is not None:
                locations += [number * len(node_fields), *node.place]
        return {
            "snapshot": {
                "meta": {
                    "node_fields": list(node_fields),
                    "node_types": [
                        NODE_TYPES if name == "type" else "number" for name in node_fields
                    ],
                    "edge_fields": list(edge_fields),
                    "edge_types": [
                        EDGE_TYPES if name == "type" else "node" for name in edge_fields
                    ],
                    "location_fields": ["object_index", "script_id", "line", "column"],
                },
                "node_count": len(self.nodes),
                "edge_count": len(self.edges),
                "trace_function_count": 0,
            },
            "nodes": nodes,
            "edges": edges,
            "trace_function_infos": [],
            "trace_tree": [],
            "samples": [],
            "locations": locations,
            "strings": list(strings),
        }


def write(path: Path, document: Mapping[str, Any] | str | bytes) -> Path:
    """As V8 does: private, and the strings last."""
    if isinstance(document, Mapping):
        document = json.dumps(document)
    path.touch(mode=0o600)
    path.write_bytes(document.encode() if isinstance(document, str) else document)
    return path


def loaded(path: Path) -> Graph:
    return load(path, lambda _phase, _fraction: None)


def drawn(directory: Path, drawing: Drawing) -> Graph:
    return loaded(write(directory / "drawn.heapsnapshot", drawing.document()))
