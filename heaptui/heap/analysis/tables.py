"""The tables of Maps and Sets: which slot is a key, which a value.

A table holds (V8, src/objects/ordered-hash-table.h) three counts, a word for each bucket, and two
entries a bucket: of key, value and chain in a Map, of key and chain in a Set.
"""

from __future__ import annotations

from heaptui.heap.analysis.indexed import Indexed

_COUNTS = 3
_HEADER_WORDS = 2
_KEY_MOST = 60
_LOOKED_AT = 1 << 16


def entry_text(snapshot: Indexed, table: int, slot: int) -> str | None:
    """What a slot of a table holds: `Map key`, `.get("key")` (`Map value` where the key is neither
    a text nor a number), `Set element`. None: no such table, or no such slot."""
    holder = _holder(snapshot, table)
    if holder is None:
        return None
    keyed = snapshot.name(holder) == "Map"
    buckets = _buckets(int(snapshot.graph.self_size[table]), keyed=keyed)
    if buckets is None or slot < _COUNTS + buckets:
        return None
    part = (slot - _COUNTS - buckets) % (3 if keyed else 2)
    if part == 0:
        return "Map key" if keyed else "Set element"
    if part == 2 or not keyed:
        return None
    key = _in_slot(snapshot, table, slot - 1)
    text = None if key is None else _key_text(snapshot, key)
    return "Map value" if text is None else f".get({text})"


def entries(snapshot: Indexed, holder: int) -> int | None:
    """How many entries of a Map or Set refer to anything, in key or value; None: not known. Of
    very large tables it is what their number of references says, deleted ones among them."""
    table = snapshot.step(holder, "table")
    if table is None:
        return None
    keyed = snapshot.name(holder) == "Map"
    edges = snapshot.edges(table)
    if len(edges) > _LOOKED_AT:
        return len(edges) // (2 if keyed else 1)
    buckets = _buckets(int(snapshot.graph.self_size[table]), keyed=keyed)
    if buckets is None:
        return None
    # what was deleted leaves a hole, a node of the runtime's own
    held = (edge for edge in edges if snapshot.kind(snapshot.target(edge)) != "hidden")
    names = map(snapshot.edge_name, held)
    offsets = (int(name) - _COUNTS - buckets for name in names if name.isdecimal())
    return len({offset // (3 if keyed else 2) for offset in offsets if offset >= 0})


def _holder(snapshot: Indexed, table: int) -> int | None:
    if snapshot.kind(table) != "array":
        return None
    for edge in snapshot.incoming(table)[:4]:
        source = snapshot.source(int(edge))
        if snapshot.edge_name(int(edge)) == "table" and snapshot.name(source) in {"Map", "Set"}:
            return source
    return None


def _in_slot(snapshot: Indexed, table: int, slot: int) -> int | None:
    """Edges stand in the order of their slots, so it is looked for by halving; what is a small
    number has no edge."""
    edges = snapshot.edges(table)
    low, high = 0, len(edges)
    while low < high:
        middle = (low + high) // 2
        name = snapshot.edge_name(edges[middle])
        if name.isdecimal() and int(name) < slot:
            low = middle + 1
        else:
            high = middle
    if low < len(edges) and snapshot.edge_name(edges[low]) == str(slot):
        return snapshot.target(edges[low])
    return None


def _key_text(snapshot: Indexed, key: int) -> str | None:
    kind, name = snapshot.kind(key), snapshot.name(key)
    if kind == "string":
        return f'"{name[:_KEY_MOST]}"'
    if kind == "number" and name != "heap number":
        return name[:_KEY_MOST]
    return None


def _buckets(size: int, *, keyed: bool) -> int | None:
    """How many a table of `size` bytes has: a power of two, of words of 8 bytes, or of 4 where
    pointers are compressed."""
    words_each = 7 if keyed else 5
    for word in (8, 4):
        words = size // word - _HEADER_WORDS - _COUNTS
        buckets, rest = divmod(words, words_each)
        if words > 0 and not rest and buckets & (buckets - 1) == 0:
            return buckets
    return None
