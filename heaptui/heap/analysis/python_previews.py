"""What a Python object is, in a few words."""

from __future__ import annotations

from collections.abc import Iterator

from heaptui import units
from heaptui.heap.analysis.indexed import Indexed
from heaptui.heap.analysis.place import Place
from heaptui.heap.analysis.python_names import namespace_owner

_KEYS = 6
_SHORT = 24
_SEQUENCES = frozenset({"list", "tuple", "set", "frozenset", "deque"})
_BLOCKS = frozenset({"bytearray", "memoryview", "array.array", "ndarray"})
_ASIDE = frozenset({"__class__", "__dict__", "__weakref__", "__doc__"})


def preview(snapshot: Indexed, place: Place, node: int) -> str:
    kind, class_name = snapshot.kind(node), snapshot.class_name(node)
    if kind == "number":
        return snapshot.name(node)
    if kind in {"closure", "code", "generator"}:
        return str(place)
    if kind == "synthetic":
        return ""
    if class_name == "dict":
        return _mapping(snapshot, node)
    if class_name in _SEQUENCES:
        return f"({len(snapshot.edges(node)):,})"
    if class_name in _BLOCKS:
        return units.size(int(snapshot.graph.self_size[node]))
    if class_name in {"module", "type", "frame"}:
        return str(place)
    told = list(_keys(snapshot, node))
    return f"({', '.join(told)})" if told else ""


def _mapping(snapshot: Indexed, node: int) -> str:
    # one reference to each key, one to each value
    count = len(snapshot.edges(node)) // 2
    owner = namespace_owner(snapshot, node)
    whose = "" if owner is None else f" attributes of {snapshot.name(owner)}"
    told = ", ".join(_keys(snapshot, node))
    return f"({count:,}){whose}" + (f" {{{told}}}" if told else "")


def _keys(snapshot: Indexed, node: int) -> Iterator[str]:
    graph, edges = snapshot.graph, snapshot.edges(node)
    shown = 0
    for edge in edges:
        if graph.edge_type[edge] != snapshot.ways["property"]:
            continue
        name = snapshot.edge_name(edge)
        if name in _ASIDE:
            continue
        if shown == _KEYS:
            yield "…"
            return
        shown += 1
        value = _short(snapshot, snapshot.target(edge))
        yield f"{name[:40]}: {value}" if value else name[:40]


def _short(snapshot: Indexed, node: int) -> str:
    kind, name = snapshot.kind(node), snapshot.name(node)
    if kind == "str":
        return f"'{name[:_SHORT]}{'…' if len(name) > _SHORT else ''}'"
    if kind == "number":
        return name[:_SHORT]
    return snapshot.class_name(node)[:_SHORT]
