"""The indexes of the names that DevTools' rules speak of, for one snapshot.

V8 tells kinds of objects and references by name only; the loops compare numbers. -1 stands for
what a snapshot does not have: it equals no index.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from heaptui.heap.analysis.graph import Graph
from heaptui.heap.analysis.strings_table import FileStrings, first_equal, weak_map_names

ROOT = 0


@dataclass(slots=True, frozen=True)
class WeakMapNames:
    """Names of edges that hold a WeakMap's value: V8 writes each such value twice, referred to by
    its key and by the map's table. `entry[s]` is -1 where string s is no such name, else an index
    into `pair` (equal for the two edges of one value) and `table` (the table's id). All empty
    where a snapshot has none."""

    entry: NDArray[np.int32]
    pair: NDArray[np.int64]
    table: NDArray[np.uint64]


@dataclass(slots=True, frozen=True)
class Rules:
    hidden: int
    array: int
    native: int
    synthetic: int
    element: int
    internal: int
    hidden_edge: int
    shortcut: int
    weak: int
    external_string: int
    """String: the name of native nodes that hold a string's bytes outside of the heap."""
    native_context: int
    sloppy_function_map: int
    map_descriptors: int
    document_trees: int
    weak_maps: WeakMapNames


def rules_of(graph: Graph) -> Rules:
    node, edge = list(graph.node_types), list(graph.edge_types)
    strings = graph.strings

    def place(names: Sequence[str], name: str) -> int:
        return names.index(name) if name in names else -1

    def string(text: str) -> int:
        return first_equal(strings, text) if isinstance(strings, FileStrings) else -1

    return Rules(
        hidden=place(node, "hidden"),
        array=place(node, "array"),
        native=place(node, "native"),
        synthetic=place(node, "synthetic"),
        element=place(edge, "element"),
        internal=place(edge, "internal"),
        hidden_edge=place(edge, "hidden"),
        shortcut=place(edge, "shortcut"),
        weak=place(edge, "weak"),
        external_string=string("system / ExternalStringData"),
        native_context=string("system / NativeContext"),
        sloppy_function_map=string("sloppy_function_map"),
        map_descriptors=string("(map descriptors)"),
        document_trees=string("(Document DOM trees)"),
        weak_maps=_weak_maps(strings),
    )


def _weak_maps(strings: object) -> WeakMapNames:
    nothing = np.zeros(0, np.int64)
    if not isinstance(strings, FileStrings):
        return WeakMapNames(np.zeros(0, np.int32), nothing, nothing.astype(np.uint64))
    index, digest, table = weak_map_names(strings)
    if not len(index):
        return WeakMapNames(np.zeros(0, np.int32), nothing, nothing.astype(np.uint64))
    entry = np.full(len(strings), -1, np.int32)
    entry[index] = np.arange(len(index), dtype=np.int32)
    return WeakMapNames(entry, np.unique(digest, return_inverse=True)[1].astype(np.int64), table)
