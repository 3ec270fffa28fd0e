"""The numbers of a `.heapsnapshot` file, read once into arrays.

The file is mapped, not read: pages are given back behind the reader, so that a file of any size
costs what its arrays take. Every number is checked before it is used as an index.
"""

from __future__ import annotations

import mmap
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from heaptui.errors import Unreadable
from heaptui.heap.analysis import strings_table, v8_file
from heaptui.heap.analysis.compiled import compiled
from heaptui.heap.analysis.detached import name_detached
from heaptui.heap.analysis.graph import Graph, Locations
from heaptui.heap.analysis.strings_table import FileStrings, blank

CHUNK = 1 << 18
"""Records between two reports of progress, and between two times that pages are given back."""

TYPE, NAME, ID, SELF_SIZE, EDGE_COUNT, DETACHEDNESS, OTHER = range(7)
_NODE_ROLES = {
    "type": TYPE,
    "name": NAME,
    "id": ID,
    "self_size": SELF_SIZE,
    "edge_count": EDGE_COUNT,
    "detachedness": DETACHEDNESS,
}
EDGE_TYPE, EDGE_NAME, EDGE_TO, EDGE_OTHER = range(4)
_EDGE_ROLES = {"type": EDGE_TYPE, "name_or_index": EDGE_NAME, "to_node": EDGE_TO}

NUMERIC_EDGES = frozenset(("element", "hidden"))
"""Edges of these types have a number where others have a name."""

_NOT_A_NUMBER, _BAD_TYPE, _BAD_NAME, _BAD_TARGET, _TOO_LARGE = -1, -2, -3, -4, -5
_WRONG = {
    _NOT_A_NUMBER: "has something else than a number",
    _BAD_TYPE: "has a type that its header does not name",
    _BAD_NAME: "names a string that is not there",
    _BAD_TARGET: "refers to an object that is not there",
    _TOO_LARGE: "has a number that is too large",
}

Progress = Callable[[str, float], None]
"""Phase in words, and the fraction of the whole that is done, 0 to 1."""


def parse(path: Path, progress: Progress) -> Graph:
    """Reads a file into a graph of which nothing is computed yet.

    Raises:
        Unreadable: it is no heap snapshot, cut off, or contradicts itself.
    """
    mapped = v8_file.mapped(path)
    text = np.frombuffer(mapped, np.uint8)
    progress("finding the strings", 0.0)
    found: list[FileStrings] = []

    def strings_end(_: mmap.mmap, start: int) -> int:
        status, position, starts, lengths = strings_table.find_strings(text, start)
        if status == strings_table.BROKEN:
            raise Unreadable(f"{path} is damaged: its strings break off at byte {position:,}.")
        found.append(FileStrings(mapped, starts, lengths))
        return position if status == strings_table.DONE else -1

    layout = v8_file.layout(mapped, path, strings_end)
    _give_back(mapped, 0, len(mapped))
    strings, header = found[-1], layout.header
    nodes, edges = header.nodes, header.edges
    graph = Graph(
        format="v8",
        runtime="V8",
        node_types=header.node_types,
        edge_types=header.edge_types,
        strings=strings,
        node_type=np.empty(nodes, np.uint8),
        node_name=np.empty(nodes, np.uint32),
        node_id=np.empty(nodes, np.uint64),
        self_size=np.empty(nodes, np.uint64),
        first_edge=np.empty(nodes + 1, np.uint32),
        edge_type=np.empty(edges, np.uint8),
        edge_name=np.empty(edges, np.uint32),
        edge_to=np.empty(edges, np.uint32),
    )
    detachedness = np.zeros(nodes if "detachedness" in header.node_fields else 0, np.uint8)

    def reading_nodes() -> None:
        roles = np.array([_NODE_ROLES.get(field, OTHER) for field in header.node_fields], np.int8)

        def chunk(position: int, record: int, stop: int) -> int:
            return read_nodes(
                text,
                position,
                record,
                stop,
                roles,
                len(header.node_types),
                len(strings),
                graph.node_type,
                graph.node_name,
                graph.node_id,
                graph.self_size,
                graph.first_edge,
                detachedness,
            )

        graph.first_edge[0] = 0
        _read(mapped, path, "nodes", layout.nodes, nodes, chunk, lambda _: None)

    def reading_edges() -> None:
        roles = np.array(
            [_EDGE_ROLES.get(field, EDGE_OTHER) for field in header.edge_fields], np.int8
        )
        numeric = np.array([name in NUMERIC_EDGES for name in header.edge_types], np.bool_)

        def chunk(position: int, record: int, stop: int) -> int:
            return read_edges(
                text,
                position,
                record,
                stop,
                roles,
                numeric,
                len(strings),
                nodes,
                len(header.node_fields),
                graph.edge_type,
                graph.edge_name,
                graph.edge_to,
            )

        _read(
            mapped,
            path,
            "edges",
            layout.edges,
            edges,
            chunk,
            lambda done: progress("reading the numbers", 0.1 + 0.9 * done),
        )

    with ThreadPoolExecutor(1) as aside:
        beside = aside.submit(reading_nodes)
        reading_edges()
        beside.result()
    if int(graph.first_edge[-1]) != edges:
        raise Unreadable(
            f"{path} contradicts itself: its nodes have {int(graph.first_edge[-1]):,} edges "
            f"together, and {edges:,} are there.",
            "It was changed, or cut and mended. Take another snapshot.",
        )
    if layout.locations is not None and "object_index" in header.location_fields:
        graph.locations = _locations(text, path, layout.locations, header)
    _give_back(mapped, 0, len(mapped))
    if detachedness.any():
        name_detached(graph, strings, detachedness)
    return graph


def _read(
    mapped: mmap.mmap,
    path: Path,
    what: str,
    span: v8_file.Span,
    records: int,
    chunk: Callable[[int, int, int], int],
    progress: Callable[[float], None],
) -> None:
    """Reads an array's records by `chunk` (position, first record, the one behind the last →
    position behind them, or what is wrong), and checks that no more are there."""
    position, record = span.start, 0
    while record < records:
        stop = min(records, record + CHUNK)
        behind = chunk(position, record, stop)
        if behind < 0:
            raise Unreadable(
                f"{path} is damaged: one of its {what} {record + 1:,} to {stop:,} "
                f"{_WRONG[behind]}, or some are missing."
            )
        _give_back(mapped, position, behind)
        position, record = behind, stop
        progress(record / records)
    rest = mapped[position : min(span.end, position + 64)].strip()
    if rest:
        raise Unreadable(
            f"{path} contradicts itself: it says {records:,} {what}, and more are there.",
            "It was changed, or cut and mended. Take another snapshot.",
        )


def _give_back(mapped: mmap.mmap, start: int, end: int) -> None:
    """Lets the pages between go from this process; they are read again when they are touched.
    Elsewhere than on Linux the system takes them when it needs them."""
    if sys.platform == "linux":
        start -= start % mmap.PAGESIZE
        end -= end % mmap.PAGESIZE
        if end > start:
            mapped.madvise(mmap.MADV_DONTNEED, start, end - start)


def _locations(
    text: NDArray[np.uint8], path: Path, span: v8_file.Span, header: v8_file.Header
) -> Locations | None:
    numbers = np.empty(span.bytes // 2 + 1, np.int64)
    count = read_numbers(text, span.start, span.end, numbers)
    width = len(header.location_fields)
    if count < 0 or count % width:
        raise Unreadable(f"{path} is damaged: its locations are not records of {width} numbers.")
    table = numbers[:count].reshape(-1, width)
    column = {name: table[:, header.location_fields.index(name)] for name in header.location_fields}
    node, left = np.divmod(column["object_index"], len(header.node_fields))
    if (left != 0).any() or (node < 0).any() or (node >= header.nodes).any():
        raise Unreadable(f"{path} is damaged: a location is of an object that is not there.")
    order = np.argsort(node, kind="stable")

    def part(name: str) -> NDArray[np.int32]:
        found = column.get(name)
        values = np.full(len(table), -1, np.int64) if found is None else found
        return np.clip(values, -(1 << 31), (1 << 31) - 1).astype(np.int32)[order]

    return Locations(node.astype(np.uint32)[order], part("script_id"), part("line"), part("column"))


@compiled
def _number(text: NDArray[np.uint8], position: int, first: bool) -> tuple[int, np.uint64]:
    """The number at `position`, with the comma before it unless it is the array's first; position
    -1: there is none. Ends at the array's bracket without looking for it."""
    if not first:
        while text[position] != 44:
            if not blank(text[position]):
                return -1, np.uint64(0)
            position += 1
        position += 1
    digit = np.uint64(text[position]) - np.uint64(48)
    while digit > 9:
        if not blank(text[position]):
            return -1, np.uint64(0)
        position += 1
        digit = np.uint64(text[position]) - np.uint64(48)
    value = digit
    begin = position
    position += 1
    digit = np.uint64(text[position]) - np.uint64(48)
    while digit <= 9:
        value = value * np.uint64(10) + digit
        position += 1
        digit = np.uint64(text[position]) - np.uint64(48)
    if position - begin > 19:
        return -1, np.uint64(0)
    return position, value


@compiled
def read_nodes(
    text: NDArray[np.uint8],
    position: int,
    record: int,
    stop: int,
    roles: NDArray[np.int8],
    types: int,
    strings: int,
    node_type: NDArray[np.uint8],
    node_name: NDArray[np.uint32],
    node_id: NDArray[np.uint64],
    self_size: NDArray[np.uint64],
    first_edge: NDArray[np.uint32],
    detachedness: NDArray[np.uint8],
) -> int:
    """Nodes `record` to `stop`; returns the position behind them, or what is wrong."""
    edges = np.uint64(first_edge[record])
    for node in range(record, stop):
        for field in range(roles.size):
            position, value = _number(text, position, node == 0 and field == 0)
            if position < 0:
                return _NOT_A_NUMBER
            role = roles[field]
            if role == TYPE:
                if value >= np.uint64(types):
                    return _BAD_TYPE
                node_type[node] = value
            elif role == NAME:
                if value >= np.uint64(strings):
                    return _BAD_NAME
                node_name[node] = value
            elif role == ID:
                node_id[node] = value
            elif role == SELF_SIZE:
                if value >= np.uint64(1 << 48):
                    return _TOO_LARGE
                self_size[node] = value
            elif role == EDGE_COUNT:
                edges += value
                if value > np.uint64(0xFFFFFFFF) or edges > np.uint64(0xFFFFFFFF):
                    return _TOO_LARGE
                first_edge[node + 1] = edges
            elif role == DETACHEDNESS:
                detachedness[node] = min(value, np.uint64(3))
    return position


@compiled
def read_edges(
    text: NDArray[np.uint8],
    position: int,
    record: int,
    stop: int,
    roles: NDArray[np.int8],
    numeric: NDArray[np.bool_],
    strings: int,
    nodes: int,
    node_fields: int,
    edge_type: NDArray[np.uint8],
    edge_name: NDArray[np.uint32],
    edge_to: NDArray[np.uint32],
) -> int:
    """Edges `record` to `stop`; returns the position behind them, or what is wrong."""
    limit = np.uint64(nodes * node_fields)
    part = 1.0 / node_fields
    for edge in range(record, stop):
        for field in range(roles.size):
            position, value = _number(text, position, edge == 0 and field == 0)
            if position < 0:
                return _NOT_A_NUMBER
            role = roles[field]
            if role == EDGE_TYPE:
                if value >= np.uint64(numeric.size):
                    return _BAD_TYPE
                edge_type[edge] = value
            elif role == EDGE_NAME:
                if value > np.uint64(0xFFFFFFFF):
                    return _TOO_LARGE
                edge_name[edge] = value
            elif role == EDGE_TO:
                # a multiplication instead of a division: three times as fast, exact below 2^53
                node = np.uint64(float(value) * part + 0.5)
                if value >= limit or node * np.uint64(node_fields) != value:
                    return _BAD_TARGET
                edge_to[edge] = node
        if not numeric[edge_type[edge]] and edge_name[edge] >= strings:
            return _BAD_NAME
    return position


@compiled
def read_numbers(
    text: NDArray[np.uint8], position: int, end: int, numbers: NDArray[np.int64]
) -> int:
    """All numbers up to `end`, also negative ones; returns how many, -1 if something else is
    there."""
    count = 0
    expected = True
    while position < end:
        byte = text[position]
        if blank(byte):
            position += 1
        elif byte == 44:
            if expected:
                return -1
            expected = True
            position += 1
        else:
            negative = byte == 45
            if negative:
                position += 1
            begin = position
            value = 0
            while position < end and 48 <= text[position] <= 57 and position - begin < 19:
                value = value * 10 + (text[position] - 48)
                position += 1
            if not expected or position == begin or value < 0:
                return -1
            numbers[count] = -value if negative else value
            count += 1
            expected = False
    return -1 if expected and count else count
