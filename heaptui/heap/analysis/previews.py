"""What an object is, in a few words: a string's beginning, an array's length, an object's keys."""

from __future__ import annotations

from collections.abc import Iterator

from heaptui import units
from heaptui.heap.analysis import python_previews
from heaptui.heap.analysis.closures import Places
from heaptui.heap.analysis.edges import property_text
from heaptui.heap.analysis.indexed import Indexed
from heaptui.heap.analysis.python_names import is_python
from heaptui.heap.analysis.tables import entries
from heaptui.heap.analysis.texts import beginning
from heaptui.heap.answers import STRINGS

MOST = 200
_KEYS = 6
_LOOKED_AT = 40
_SHORT = 24
_UNVALUED = frozenset({"heap number", "bigint", "smi number"})


def preview(snapshot: Indexed, places: Places, node: int) -> str:
    """At most MOST characters; empty where there is nothing to say beyond the name."""
    text = _preview(snapshot, places, node)
    return text if len(text) <= MOST else text[: MOST - 1] + "…"


def _preview(snapshot: Indexed, places: Places, node: int) -> str:
    kind, name = snapshot.kind(node), snapshot.name(node)
    if kind in STRINGS:
        return f'"{beginning(snapshot, node, MOST)}"'
    if is_python(snapshot):
        return python_previews.preview(snapshot, places.of(node), node)
    if kind == "number":
        return "" if name in _UNVALUED else name
    if kind == "regexp":
        return f"/{name}/"
    if kind == "symbol":
        described = snapshot.step(node, "name")
        return f"Symbol({beginning(snapshot, described, 80)})" if described is not None else ""
    if kind == "closure":
        return str(places.of(node))
    if kind == "native":
        return f"{units.size(int(snapshot.graph.self_size[node]))} outside the heap"
    if name == "system / Context":
        return _context(snapshot, places, node)
    if kind == "array":
        return _store(snapshot, node)
    if kind != "object":
        return ""
    return _OBJECTS.get(name, _object)(snapshot, places, node)


def _context(snapshot: Indexed, places: Places, node: int) -> str:
    place = places.of_context(node)
    whose = f"the module {place.where}" if place.module else str(place)
    held = [name for way, name, _ in snapshot.named_edges(node, _LOOKED_AT) if way == "context"]
    names = ", ".join(held[:_KEYS]) + (", …" if len(held) > _KEYS else "")
    return (
        f"variables of {whose or 'a function'}: {names}"
        if names
        else (f"of {whose}" if whose else "")
    )


def _store(snapshot: Indexed, node: int) -> str:
    count = len(snapshot.edges(node))
    return f"{count:,} references" if count > 1 else ""


def _array(snapshot: Indexed, places: Places, node: int) -> str:  # noqa: ARG001
    length = array_length(snapshot, node)
    if length:
        return f"({length:,})"
    store = snapshot.step(node, "elements", most=1 << 20)
    room = 0 if store is None else (int(snapshot.graph.self_size[store]) - 16) // 8
    return f"(numbers, room for {room:,})" if room > 0 else "(0)"


def array_length(snapshot: Indexed, node: int) -> int:
    """One more than the highest index that refers to anything: small numbers leave no trace."""
    graph, edges = snapshot.graph, snapshot.edges(node)
    part = slice(edges.start, edges.stop)
    elements = graph.edge_type[part] == snapshot.ways.get("element", 255)
    if not elements.any():
        return 0
    return int(graph.edge_name[part][elements].max()) + 1


def _map(snapshot: Indexed, places: Places, node: int) -> str:  # noqa: ARG001
    count = entries(snapshot, node)
    return "" if count is None else f"({count:,} {'entry' if count == 1 else 'entries'})"


def _buffer(snapshot: Indexed, places: Places, node: int) -> str:  # noqa: ARG001
    buffer = node if snapshot.name(node).endswith("ArrayBuffer") else snapshot.step(node, "buffer")
    store = None if buffer is None else snapshot.step(buffer, "backing_store")
    if store is None:
        return ""
    size = units.size(int(snapshot.graph.self_size[store]))
    shared = buffer is not None and buffer != node and snapshot.incoming_count(buffer) > 2
    return f"({size}{', shared with others' if shared else ''})"


def _error(snapshot: Indexed, places: Places, node: int) -> str:
    message = snapshot.step(node, "message")
    if message is None or snapshot.kind(message) not in STRINGS:
        return _object(snapshot, places, node)
    return beginning(snapshot, message, MOST)


def _suspended(snapshot: Indexed, places: Places, node: int) -> str:
    function = snapshot.step(node, "function")
    if function is None:
        return _object(snapshot, places, node)
    # an async function's generator is never handed out: it has no prototype
    prototype = snapshot.step(node, "__proto__")
    asynchronous = prototype is not None and snapshot.kind(prototype) == "hidden"
    what = "async function" if asynchronous else "generator"
    return f"{what} {places.of(node)} waits"


def _object(snapshot: Indexed, places: Places, node: int) -> str:
    if snapshot.step(node, "parameters_and_registers") is not None:
        return _suspended(snapshot, places, node)
    if snapshot.name(node).endswith("Error"):
        message = snapshot.step(node, "message")
        if message is not None and snapshot.kind(message) in STRINGS:
            return beginning(snapshot, message, MOST)
    told = list(_keys(snapshot, places, node))
    return "{" + ", ".join(told) + "}" if told else ""


def _keys(snapshot: Indexed, places: Places, node: int) -> Iterator[str]:
    shown = 0
    for way, name, target in snapshot.named_edges(node, _LOOKED_AT):
        if way != "property" or name in {"__proto__", "constructor"} or name.startswith("get "):
            continue
        if shown == _KEYS:
            yield "…"
            return
        shown += 1
        key = property_text(name).removeprefix(".")[:40]
        value = _short(snapshot, places, target)
        yield f"{key}: {value}" if value else key


def _short(snapshot: Indexed, places: Places, node: int) -> str:
    kind, name = snapshot.kind(node), snapshot.name(node)
    if kind in STRINGS:
        text = beginning(snapshot, node, _SHORT + 1)
        return f'"{text[:_SHORT]}{"…" if len(text) > _SHORT else ""}"'
    if kind == "number":
        return "" if name in _UNVALUED else name
    if kind == "closure":
        return f"{places.of(node).function or '(anonymous)'}()"[:_SHORT]
    if kind == "object" and name == "Array":
        return f"Array{_array(snapshot, places, node)}"
    if kind in {"object", "regexp", "symbol", "bigint"}:
        return (name if kind == "object" else kind)[:_SHORT]
    return ""


_OBJECTS = {
    "Array": _array,
    "Map": _map,
    "Set": _map,
    "Error": _error,
    "Generator": _suspended,
    **dict.fromkeys(
        (
            "Buffer", "ArrayBuffer", "SharedArrayBuffer", "DataView", "Uint8Array", "Int8Array",
            "Uint8ClampedArray", "Uint16Array", "Int16Array", "Uint32Array", "Int32Array",
            "Float32Array", "Float64Array", "BigInt64Array", "BigUint64Array", "FastBuffer",
        ),
        _buffer,
    ),
}  # fmt: skip
