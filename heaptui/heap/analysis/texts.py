"""Strings: their text, however V8 holds it, and which of them take most.

A concatenated string refers to its halves (`first`, `second`), a sliced one to its whole
(`parent`), without saying where in it: its text is not known, only where it comes from. V8 writes
the first 1,024 characters of a text into a snapshot.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from heaptui.errors import UsageError
from heaptui.heap.analysis.indexed import Indexed
from heaptui.heap.analysis.matching import holding
from heaptui.heap.answers import StringRow

CUT_AT = 1024
"""Characters of one string that V8 writes (--heap-snapshot-string-limit)."""

_HEADER_BYTES = 16
_PYTHON_HEADER_BYTES = 49
_PIECES_MOST = 200_000
_ROPES_MOST = 1000
_ROPES_MATCHED_MOST = 10_000
_ROPE_PIECES_MOST = 50_000
_ROPE_PIECES_MATCHED_MOST = 200_000
_ORDERS = ("bytes", "length", "wasted")
_PREVIEW = 160


def beginning(snapshot: Indexed, node: int, most: int) -> str:
    """The first `most` characters of a string of any kind."""
    return "".join(_pieces(snapshot, node, most, [_PIECES_MOST]))[:most]


def _pieces(snapshot: Indexed, node: int, most: int, budget: list[int]) -> list[str]:
    """Pieces of a string until they have `most` characters, looking at no more nodes than the
    budget has, which shrinks by them."""
    found: list[str] = []
    length = 0
    # not by recursion: a text that was put together in a loop is as deep as it is long
    waiting = [node]
    while waiting and length < most and budget[0] > 0:
        budget[0] -= 1
        piece = waiting.pop()
        kind = snapshot.kind(piece)
        if kind == "concatenated string":
            halves = (snapshot.step(piece, "second"), snapshot.step(piece, "first"))
            waiting += [half for half in halves if half is not None]
        elif kind == "sliced string":
            if (whole := snapshot.step(piece, "parent")) is not None:
                found.append("(part of) ")
                waiting.append(whole)
        else:
            found.append(snapshot.name(piece))
            length += len(found[-1])
    return found


@dataclass(slots=True)
class _Equal:
    """Strings of one text; `node` is one of them."""

    node: int
    length: int
    count: int
    bytes: int
    largest: int

    @property
    def wasted(self) -> int:
        return self.bytes - self.largest


def strings(snapshot: Indexed, *, order: str, match: str, limit: int) -> tuple[StringRow, ...]:
    """Equal strings together. Plain ones with their own bytes; concatenated ones that are no part
    of another with all that they alone hold. `length` of one that V8 has cut follows from its
    size; of a concatenated one of very many pieces it is what was counted. Of those, the largest
    thousand are looked at, ten thousand when they have to match.

    Raises:
        UsageError: there is no such order.
    """
    if order not in _ORDERS:
        raise UsageError(f"Strings have no order {order!r}.", f"Orders: {', '.join(_ORDERS)}.")
    wanted = match.casefold()
    found = [
        *_plain(snapshot, order, wanted, limit),
        *_ropes(snapshot, wanted),
    ]
    found.sort(key=lambda one: (getattr(one, order), one.bytes), reverse=True)
    return tuple(
        StringRow(
            preview=beginning(snapshot, one.node, _PREVIEW),
            length=one.length,
            count=one.count,
            bytes=one.bytes,
            wasted=one.wasted,
            node=one.node,
        )
        for one in found[:limit]
    )


def _plain(snapshot: Indexed, order: str, match: str, limit: int) -> list[_Equal]:
    graph = snapshot.graph
    kinds = [code for name, code in snapshot.kinds.items() if name in {"string", "str"}]
    nodes = np.flatnonzero(np.isin(graph.node_type, kinds))
    if match:
        used = np.zeros(len(graph.strings), bool)
        used[graph.node_name[nodes]] = True
        kept = np.zeros(len(graph.strings), bool)
        kept[holding(graph.strings, np.flatnonzero(used).astype(np.uint32), match)] = True
        nodes = nodes[kept[graph.node_name[nodes]]]
    if not len(nodes):
        return []
    sizes = graph.self_size[nodes].astype(np.int64)
    # texts that V8 has cut are taken for equal where their sizes are
    keys = (graph.node_name[nodes].astype(np.int64) << 31) | np.minimum(sizes, (1 << 31) - 1)
    _, first, group = np.unique(keys, return_index=True, return_inverse=True)
    count = np.bincount(group)
    each = sizes[first]
    by = {"bytes": count * each, "length": each, "wasted": (count - 1) * each}[order]
    # of two strings of one length one may take twice the bytes of the other
    best = _top(by, limit * 2 if order == "length" else limit)
    return [
        _Equal(
            node=(node := int(nodes[first[index]])),
            length=_length(snapshot, node),
            count=int(count[index]),
            bytes=int(count[index] * each[index]),
            largest=int(each[index]),
        )
        for index in best.tolist()
    ]


def _ropes(snapshot: Indexed, match: str) -> list[_Equal]:
    """Concatenated strings that are no part of another, the largest of them."""
    graph = snapshot.graph
    code = snapshot.kinds.get("concatenated string")
    if code is None:
        return []
    ropes = graph.node_type == code
    part = np.zeros(graph.nodes, bool)
    part[graph.edge_to[np.repeat(ropes, np.diff(graph.first_edge))]] = True
    roots = np.flatnonzero(ropes & ~part)
    most = _ROPES_MATCHED_MOST if match else _ROPES_MOST
    roots = roots[_top(graph.retained[roots].astype(np.int64), most)]
    budget = [_ROPE_PIECES_MATCHED_MOST if match else _ROPE_PIECES_MOST]
    found: dict[tuple[str, int], _Equal] = {}
    for node in roots.tolist():
        pieces = _pieces(snapshot, node, 1 << 62, budget)
        if budget[0] <= 0:
            break  # this one's length was not added up whole
        length = sum(map(len, pieces))
        text = "".join(pieces[:CUT_AT])[:CUT_AT]
        if match and match not in text.casefold():
            continue
        size = int(graph.retained[node])
        one = found.setdefault((text, length), _Equal(node, length, 0, 0, size))
        one.count += 1
        one.bytes += size
    return list(found.values())


def _top(values: NDArray[np.int64], most: int) -> NDArray[np.intp]:
    """Where the largest `most` values are, the largest first."""
    if len(values) > most > 0:
        chosen = np.argpartition(values, len(values) - most)[-most:]
        return chosen[np.argsort(-values[chosen], kind="stable")]
    return np.argsort(-values, kind="stable")[:most]


def _length(snapshot: Indexed, node: int) -> int:
    text = snapshot.name(node)
    size = int(snapshot.graph.self_size[node])
    if snapshot.graph.format == "python":
        # an ASCII text takes a byte a character beside its head; the file may have cut it
        return max(len(text), size - _PYTHON_HEADER_BYTES) if text.isascii() else len(text)
    if len(text) < CUT_AT:
        return len(text)
    room = size - _HEADER_BYTES
    return max(len(text), room if text.isascii() else room // 2)
