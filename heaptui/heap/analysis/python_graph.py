"""From the arrays of a Python snapshot to a Graph.

Words are V8's where they mean the same: edges of type `property` are attributes and entries of
dicts by their key, `element` items by their index, `context` variables of functions and frames,
`internal` what only the interpreter names, `hidden` what nothing names. A string, bytes or number
node's name is its (cut) value, a function's its qualified name; `class_of` says their type.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from heaptui.errors import Unreadable
from heaptui.heap.analysis.graph import Graph, Locations
from heaptui.heap.analysis.python_file import Progress, Sections, allocations
from heaptui.heap.analysis.python_links import (
    CONTEXT,
    EDGE_TYPES,
    HIDDEN,
    INTERNAL,
    ITEMS,
    MAPPING,
    NAME_BITS,
    NAMED,
    PROPERTY,
    Indexes,
    find,
    label,
    unreached,
)
from heaptui.units import size

NODE_TYPES = ("object", "synthetic", "str", "bytes", "number", "closure", "code", "generator")
_OBJECT, _SYNTHETIC, _STR, _BYTES, _NUMBER, _CLOSURE, _CODE, _GENERATOR = range(8)
_NAME_IS_TEXT = np.array([_STR, _NUMBER, _CLOSURE, _CODE, _GENERATOR], np.uint8)
_KINDS = np.array([INTERNAL, PROPERTY, CONTEXT], np.uint8)
_ROW = np.dtype(
    [
        ("id", "<u8"),
        ("size", "<u8"),
        ("same", "<u8"),
        ("type", "<u4"),
        ("edges", "<u4"),
        ("text", "<u4"),
        ("layout", "<u4"),
        ("count", "<u4"),
    ]
)
_TOPS_NOTED = 20


class PythonStrings:
    """The file's texts, decoded one by one; and those that are added behind them."""

    def __init__(self, data: bytearray, lengths: NDArray[np.uint32]) -> None:
        self._data = data
        self._ends = np.cumsum(lengths, dtype=np.int64)
        self._lengths = lengths
        self._added: list[str] = []

    def __len__(self) -> int:
        return len(self._lengths) + len(self._added)

    def __getitem__(self, index: int) -> str:
        if not 0 <= index < len(self):
            raise IndexError(index)
        if index >= len(self._lengths):
            return self._added[index - len(self._lengths)]
        end = int(self._ends[index])
        return self._data[end - int(self._lengths[index]) : end].decode("utf-8", "replace")

    def length(self, index: int) -> int:
        """Bytes as UTF-8 in the file: of a long string the beginning only."""
        if index >= len(self._lengths):
            return len(self._added[index - len(self._lengths)])
        return int(self._lengths[index])

    def add(self, text: str) -> int:
        """Puts a text behind the others; returns its index."""
        self._added.append(text)
        return len(self) - 1


def build(sections: Sections, path: Path, progress: Progress) -> Graph:
    """Raises:
    Unreadable: the parts contradict one another.
    """
    checked = _Checked(path)
    lengths = np.frombuffer(sections.data["TLEN"], "<u4")
    checked(int(lengths.sum(dtype=np.int64)) == len(sections.data["TEXT"]), "texts")
    strings = PythonStrings(sections.data["TEXT"], lengths)
    texts = len(lengths)
    rows = np.frombuffer(sections.data["NODE"], _ROW)
    types = np.frombuffer(sections.data["TYPE"], "<u4").reshape(-1, 2)
    checked(0 < len(rows) < 1 << 32 and texts > 0, "objects")
    checked(bool((rows["type"] < len(types)).all() and (rows["text"] < texts).all()), "objects")
    checked(bool((types[:, 0] < texts).all() and (types[:, 1] < len(NODE_TYPES)).all()), "types")
    checked(types[rows["type"][0], 1] == _SYNTHETIC, "root")
    progress("linking", 0.0)
    first, edge_type, edge_name, edge_to, dropped = _edges(sections, rows, types, strings, checked)
    progress("finding what holds what", 0.5)
    kind = types[:, 1].astype(np.uint8)[rows["type"]]
    edges = _with_unreached(first, edge_type, edge_name, edge_to, strings)
    text = _equal_texts(rows, kind)
    graph = Graph(
        format="python",
        runtime=f"Python {sections.about.python}",
        node_types=NODE_TYPES,
        edge_types=EDGE_TYPES,
        strings=strings,
        node_type=np.append(np.where(kind == _BYTES, _STR, kind).astype(np.uint8), np.uint8(1)),
        node_name=np.append(
            _names(rows, types, kind, text, strings), np.uint32(strings.add("(unreached)"))
        ),
        node_id=np.append(_ids(rows, types, kind, strings), np.uint64(0)),
        self_size=np.append(rows["size"].astype(np.uint64), np.uint64(0)),
        first_edge=edges[0],
        edge_type=edges[1],
        edge_name=edges[2],
        edge_to=edges[3],
        locations=_locations(sections, len(rows), texts, checked),
        notes=_notes(sections, strings, dropped),
    )
    graph.class_of, graph.class_names = _classes(rows, types, strings)
    progress("linking", 1.0)
    return graph


class _Checked:
    """What does not hold makes the file unreadable."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __call__(self, holds: bool, what: str) -> None:
        if not holds:
            raise Unreadable(
                f"{self._path} is damaged: its {what} contradict the rest.",
                "It was changed. Take another snapshot.",
            )


def _edges(
    sections: Sections,
    rows: NDArray[np.void],
    types: NDArray[np.uint32],
    strings: PythonStrings,
    checked: _Checked,
) -> tuple[Indexes, NDArray[np.uint8], Indexes, Indexes, int]:
    """`first_edge`, types, names, targets; and how many edges led to what is not in the file."""
    targets = np.frombuffer(sections.data["EDGE"], "<u8")
    labels = np.frombuffer(sections.data["NAME"], "<u4")
    degree = rows["edges"].astype(np.int64)
    layout = rows["layout"].astype(np.uint8)
    count = rows["count"].astype(np.int64)
    checked(int(degree.sum()) == len(targets) < 1 << 32, "references")
    checked(bool((rows["layout"] <= NAMED).all()), "references")
    least = np.where(layout == MAPPING, 2 * count, np.where(layout == ITEMS, count, 0))
    checked(bool((least <= degree).all()), "references")
    checked(int(degree[layout == NAMED].sum()) == len(labels), "labels")
    checked(bool(((labels & ((1 << NAME_BITS) - 1)) < len(strings)).all()), "labels")
    checked(bool(((labels >> NAME_BITS) < len(_KINDS)).all()), "labels")
    to = _places(rows["id"], targets)
    first: NDArray[np.int64] = np.zeros(len(rows) + 1, np.int64)
    np.cumsum(degree, out=first[1:])
    key, value = strings.add("key"), strings.add("value")
    edge_type, edge_name = label(
        first,
        layout,
        count,
        to,
        labels.astype(np.uint32),
        types[:, 1].astype(np.uint8)[rows["type"]],
        rows["text"].astype(np.uint32),
        _KINDS,
        np.uint32(key),
        np.uint32(value),
    )
    known = to >= 0
    dropped = len(to) - int(known.sum())
    if dropped:
        before = np.concatenate((np.zeros(1, np.int64), np.cumsum(known, dtype=np.int64)))
        first = before[first]
        to, edge_type, edge_name = to[known], edge_type[known], edge_name[known]
    return first.astype(np.uint32), edge_type, edge_name, to.astype(np.uint32), dropped


def _places(ids: NDArray[np.uint64], wanted: NDArray[np.uint64]) -> NDArray[np.int64]:
    """The node with each id, the first of equal ones; -1 where there is none."""
    order = np.argsort(ids, kind="stable")
    return find(ids[order], order, wanted.astype(np.uint64))


def _with_unreached(
    first: Indexes,
    edge_type: NDArray[np.uint8],
    edge_name: Indexes,
    edge_to: Indexes,
    strings: PythonStrings,
) -> tuple[Indexes, NDArray[np.uint8], Indexes, Indexes]:
    """One more node, which the root refers to: it refers to what holds the objects that are not
    reached from modules and threads (the interpreter, or a library in C, does)."""
    nodes = len(first) - 1
    holders = unreached(first, edge_to)
    root = int(first[1])
    reached = np.arange(len(holders), dtype=np.uint32)
    name = np.uint32(strings.add("unreached"))
    moved = np.append(first + np.uint32(1), np.uint32(len(edge_to) + 1 + len(holders)))
    moved[0] = 0
    return (
        moved,
        np.concatenate(
            (
                edge_type[:root],
                np.array([INTERNAL], np.uint8),
                edge_type[root:],
                np.full(len(holders), HIDDEN, np.uint8),
            )
        ),
        np.concatenate((edge_name[:root], np.array([name]), edge_name[root:], reached)),
        np.concatenate((edge_to[:root], np.array([nodes], np.uint32), edge_to[root:], holders)),
    )


def _equal_texts(rows: NDArray[np.void], kind: NDArray[np.uint8]) -> NDArray[np.uint32]:
    """Each node's text; equal strings (by the interpreter's hash, and their size) have one index,
    so that strings that only begin alike have different ones."""
    text = rows["text"].astype(np.uint32)
    nodes = np.flatnonzero(np.isin(kind, (_STR, _BYTES)))
    if len(nodes):
        mixed = rows["same"][nodes] ^ (rows["size"][nodes] * np.uint64(0x9E3779B97F4A7C15))
        mixed ^= kind[nodes].astype(np.uint64)
        _, found, group = np.unique(mixed, return_index=True, return_inverse=True)
        text[nodes] = text[nodes[found]][group]
    return text


def _names(
    rows: NDArray[np.void],
    types: NDArray[np.uint32],
    kind: NDArray[np.uint8],
    text: Indexes,
    strings: PythonStrings,
) -> Indexes:
    of_type = types[:, 0][rows["type"]]
    own = np.isin(kind, _NAME_IS_TEXT) & (text != 0)
    # an empty text is a string's value, but says nothing of anything else
    names = np.where(own | (kind == _STR), text, of_type).astype(np.uint32)
    told: dict[tuple[int, int], int] = {}
    for node in np.flatnonzero(~own & (text != 0)):
        wanted = (int(of_type[node]), int(text[node]))
        if wanted not in told:
            what = strings[wanted[1]]
            shown = f"b'{what}'" if kind[node] == _BYTES else f"{strings[wanted[0]]} {what}"
            told[wanted] = strings.add(shown)
        names[node] = told[wanted]
    return names


def _classes(
    rows: NDArray[np.void], types: NDArray[np.uint32], strings: PythonStrings
) -> tuple[NDArray[np.int32], list[str]]:
    """Types of one name are one class."""
    names: dict[str, int] = {}
    of_type = np.array(
        [names.setdefault(strings[int(name)], len(names)) for name in types[:, 0]], np.int32
    )
    rest = names.setdefault("(unreached)", len(names))
    return np.append(of_type[rows["type"]], np.int32(rest)), list(names)


def _ids(
    rows: NDArray[np.void],
    types: NDArray[np.uint32],
    kind: NDArray[np.uint8],
    strings: PythonStrings,
) -> NDArray[np.uint64]:
    """Addresses, with a digest of what cannot change while an object lives in the 16 bits that no
    address has: its type, and a string's content. A freed address soon serves another object."""
    digest = np.array([_digest(strings[int(name)]) for name in types[:, 0]], np.uint64)
    mixed = digest[rows["type"]]
    text = np.isin(kind, (_STR, _BYTES))
    fixed = rows["same"] * np.uint64(0x9E3779B97F4A7C15) + rows["size"]
    mixed = np.where(text, mixed ^ (fixed >> np.uint64(32)), mixed)
    low = rows["id"] & np.uint64((1 << 48) - 1)
    ids: NDArray[np.uint64] = low | ((mixed & np.uint64(0xFFFF)) << np.uint64(48))
    return ids


def _digest(text: str) -> int:
    """16 bits of the 32-bit FNV-1a hash."""
    mixed = 0x811C9DC5
    for byte in text.encode("utf-8", "replace"):
        mixed = (mixed ^ byte) * 0x01000193 & 0xFFFFFFFF
    return (mixed >> 16) ^ (mixed & 0xFFFF)


def _locations(sections: Sections, nodes: int, texts: int, checked: _Checked) -> Locations:
    """`script` is the index of the file's name in the strings; lines count from 0."""
    places = np.frombuffer(sections.data["PLAC"], "<u4").reshape(-1, 3)
    checked(bool((places[:, 0] < nodes).all() and (places[:, 1] < texts).all()), "places")
    places = places[np.argsort(places[:, 0], kind="stable")]
    line = np.maximum(places[:, 2].astype(np.int64) - 1, 0)
    return Locations(
        node=places[:, 0].astype(np.uint32),
        script=places[:, 1].astype(np.int32),
        line=np.minimum(line, np.iinfo(np.int32).max).astype(np.int32),
        column=np.zeros(len(places), np.int32),
    )


def _notes(sections: Sections, strings: PythonStrings, dropped: int) -> tuple[str, ...]:
    notes = []
    if dropped:
        notes.append(f"{dropped:,} references lead to what came while the snapshot was taken.")
    if sys.byteorder != sections.about.order:
        notes.append(f"Taken on a machine of {sections.about.order} byte order.")
    notes += [
        f"tracemalloc: {size(one.bytes)} in {one.blocks:,} blocks at {one.file}:{one.line}"
        for one in allocations(sections, strings)[:_TOPS_NOTED]
    ]
    return tuple(notes)
