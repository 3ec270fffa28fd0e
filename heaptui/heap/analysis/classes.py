"""Classes of objects: what an object is an instance of, and the figures of all of one class.

The rules are DevTools': objects go by the name of their constructor, and constructors of one name
that stand at different places are different classes; functions, strings, arrays, compiled code
and V8's own objects are a class each. Unlike DevTools, plain objects stay one class, `Object`,
instead of one for every set of properties that occurs often.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from heaptui.heap.analysis.compiled import compiled
from heaptui.heap.analysis.distances import UNREACHED
from heaptui.heap.analysis.graph import Graph

_BY_NAME = frozenset(("object", "native"))
_ONE_CLASS = {
    "hidden": "(system)",
    "code": "(compiled code)",
    "closure": "Function",
    "regexp": "RegExp",
}


@dataclass(slots=True, frozen=True)
class ClassTable:
    """Figures by class, parallel to `Graph.class_names`; bytes. Only objects that take memory of
    their own are counted. `retained` counts an object that is held by another of its class only
    with that one. `distance` is the least; UNREACHED where none is reached."""

    count: NDArray[np.int64]
    shallow: NDArray[np.uint64]
    retained: NDArray[np.uint64]
    distance: NDArray[np.int32]


def classify(graph: Graph) -> tuple[NDArray[np.int32], Sequence[str]]:
    """`class_of` and `class_names`, whose names are all different: of several classes of one name
    the one loaded first has the plain name, the others name their place too."""
    by_name = np.array([name in _BY_NAME for name in graph.node_types], np.bool_)
    class_of: NDArray[np.int32] = np.empty(graph.nodes, np.int32)
    name_class = np.full(len(graph.strings), -1, np.int32)
    type_class = np.full(len(graph.node_types), -1, np.int32)
    used = np.empty(min(graph.nodes, len(graph.strings) + len(type_class)), np.int64)
    count = by_names(
        graph.node_type, graph.node_name, by_name, name_class, type_class, class_of, used
    )
    names: list[str] = []
    known: dict[str, int] = {}
    merged = np.empty(count, np.int32)
    for index in range(count):
        at = int(used[index])
        if at >= 0:
            name = _class_name(graph.strings[at])
        else:
            kind = graph.node_types[-at - 1]
            name = _ONE_CLASS.get(kind, f"({kind})")
        merged[index] = known.setdefault(name, len(names))
        if merged[index] == len(names):
            names.append(name)
    class_of = merged[class_of]
    return _by_place(graph, class_of, names)


def _class_name(name: str) -> str:
    """A DOM element's class is its tag: `<div id="a">` is a `<div>`."""
    begin = 10 if name.startswith("Detached <") else 0 if name.startswith("<") else -1
    space = name.find(" ", begin) if begin >= 0 else -1
    return f"{name[:space]}>" if space >= 0 else name


def _by_place(
    graph: Graph, class_of: NDArray[np.int32], names: list[str]
) -> tuple[NDArray[np.int32], Sequence[str]]:
    """Splits the classes of objects by where their constructors stand."""
    places = graph.locations
    if places is None or "object" not in graph.node_types or not len(places.node):
        return class_of, names
    last = np.append(places.node[1:] != places.node[:-1], True)
    objects = last & (graph.node_type[places.node] == graph.node_types.index("object"))
    if not objects.any():
        return class_of, names
    node = places.node[objects]
    key = np.stack(
        [
            class_of[node],
            places.script[objects],
            places.line[objects],
            places.column[objects],
        ],
        axis=1,
    )
    group = np.empty(len(node), np.int32)
    example = np.empty(len(node), np.int64)
    count = grouped(key, group, example)
    found = key[example[:count]]
    # a class whose members all have one place keeps its number, others get new ones
    members = np.bincount(class_of, minlength=len(names))
    order = np.lexsort((found[:, 3], found[:, 2], found[:, 1], found[:, 0]))
    size = np.bincount(group, minlength=count)
    placeless = members - np.bincount(found[:, 0], weights=size, minlength=len(names)).astype(
        np.int64
    )
    plain_taken = placeless > 0
    number = np.empty(count, np.int32)
    known = set(names)
    for index in order.tolist():
        base, script, line, column = (int(part) for part in found[index])
        if not plain_taken[base]:
            plain_taken[base] = True
            number[index] = base
            continue
        name = f"{names[base]} (script {script}, line {line + 1})"
        if name in known:
            name = f"{names[base]} (script {script}, line {line + 1}:{column + 1})"
        known.add(name)
        number[index] = len(names)
        names.append(name)
    class_of[node] = number[group]
    return class_of, names


def aggregates(graph: Graph) -> ClassTable:
    """The figures of each class, by DevTools' rules."""
    classes = len(graph.class_names)
    count = np.zeros(classes, np.int64)
    shallow = np.zeros(classes, np.uint64)
    distance = np.full(classes, UNREACHED, np.int32)
    add_up(graph.class_of, graph.shallow, graph.distance, count, shallow, distance)
    retained = retained_by_class(
        graph.class_of, graph.shallow, graph.retained, graph.dominator, classes
    )
    return ClassTable(count, shallow, retained, distance)


@compiled
def add_up(
    class_of: NDArray[np.int32],
    own: NDArray[np.uint64],
    away: NDArray[np.int32],
    count: NDArray[np.int64],
    shallow: NDArray[np.uint64],
    distance: NDArray[np.int32],
) -> None:
    for node in range(class_of.size):
        if own[node] == 0:
            continue
        kind = class_of[node]
        count[kind] += 1
        shallow[kind] += own[node]
        if away[node] != UNREACHED and (distance[kind] == UNREACHED or away[node] < distance[kind]):
            distance[kind] = away[node]


@compiled
def by_names(
    node_type: NDArray[np.uint8],
    node_name: NDArray[np.uint32],
    by_name: NDArray[np.bool_],
    name_class: NDArray[np.int32],
    type_class: NDArray[np.int32],
    class_of: NDArray[np.int32],
    used: NDArray[np.int64],
) -> int:
    """Numbers the classes as they come. `used` gets for each the string that names it, or -1 less
    the type."""
    count = 0
    for node in range(node_type.size):
        kind = node_type[node]
        if by_name[kind]:
            found = name_class[node_name[node]]
            if found < 0:
                found = np.int32(count)
                name_class[node_name[node]] = found
                used[count] = node_name[node]
                count += 1
        else:
            found = type_class[kind]
            if found < 0:
                found = np.int32(count)
                type_class[kind] = found
                used[count] = -1 - np.int64(kind)
                count += 1
        class_of[node] = found
    return count


@compiled
def grouped(key: NDArray[np.int32], group: NDArray[np.int32], example: NDArray[np.int64]) -> int:
    """Numbers equal rows alike, in an open-addressed table; `example` gets a row of each group."""
    capacity = 16
    while capacity < 2 * key.shape[0]:
        capacity *= 2
    slots = np.full(capacity, -1, np.int32)
    count = 0
    for row in range(key.shape[0]):
        mixed = np.uint64(0)
        for part in range(4):
            mixed = (mixed ^ np.uint64(key[row, part])) * np.uint64(0x9E3779B97F4A7C15)
            mixed ^= mixed >> np.uint64(29)
        slot = np.int64(mixed & np.uint64(capacity - 1))
        while True:
            found = slots[slot]
            if found < 0:
                slots[slot] = count
                example[count] = row
                group[row] = count
                count += 1
                break
            other = example[found]
            same = True
            for part in range(4):
                same = same and key[other, part] == key[row, part]
            if same:
                group[row] = found
                break
            slot = (slot + 1) & (capacity - 1)
    return count


@compiled
def retained_by_class(
    class_of: NDArray[np.int32],
    shallow: NDArray[np.uint64],
    retained: NDArray[np.uint64],
    dominator: NDArray[np.uint32],
    classes: int,
) -> NDArray[np.uint64]:
    """Adds up what objects retain that no other of their class dominates, in one walk around the
    dominator tree."""
    nodes = class_of.size
    none = np.uint32(0xFFFFFFFF)
    child = np.full(nodes, none, np.uint32)
    sibling = np.full(nodes, none, np.uint32)
    for other in range(nodes - 1, 0, -1):
        up = dominator[other]
        sibling[other] = child[up]
        child[up] = other
    total = np.zeros(classes, np.uint64)
    above = np.zeros(classes, np.int64)
    node = np.uint32(0)
    while True:
        kind = class_of[node]
        if shallow[node] > 0:
            if above[kind] == 0:
                total[kind] += retained[node]
            above[kind] += 1
        down = child[node]
        while down == none:
            if shallow[node] > 0:
                above[class_of[node]] -= 1
            if node == 0:
                return total
            down = sibling[node]
            if down == none:
                node = dominator[node]
        node = down
