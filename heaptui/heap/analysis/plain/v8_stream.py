"""A `.heapsnapshot`'s nodes as they stand in the file, some at a time, and the strings they need.

Memory does not grow with the graph: it is that of a piece of the file, and of one record a class.
"""

from __future__ import annotations

import json
import mmap
import re
from collections.abc import Iterator
from pathlib import Path

from heaptui.errors import Unreadable
from heaptui.heap.analysis.v8_file import Layout, Span, layout

_PIECE = 4 << 20
_STRING = re.compile(rb'"(?:[^"\\]|\\.)*"', re.DOTALL)
_TOKEN = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"|\]', re.DOTALL)


def laid_out(text: mmap.mmap, path: Path) -> Layout:
    """Raises:
    Unreadable: no heap snapshot, or cut off.
    """
    return layout(text, path, _strings_end)


def _strings_end(text: mmap.mmap, start: int) -> int:
    for token in _TOKEN.finditer(text, start):
        if token[0] == b"]":
            return token.start()
    return -1


def numbers(text: mmap.mmap, span: Span, path: Path) -> Iterator[list[int]]:
    """The numbers of a flat array, a piece of the file at a time.

    Raises:
        Unreadable: something else stands there.
    """
    at = span.start
    while at < span.end:
        end = min(at + _PIECE, span.end)
        if end < span.end:
            end = text.find(b",", end, span.end)
            end = span.end if end < 0 else end
        piece = text[at:end]
        if piece.strip():
            try:
                found = list(map(int, piece.split(b",")))
            except ValueError as error:
                raise Unreadable(
                    f"{path} is damaged: something between byte {at:,} and {end:,} is no number."
                ) from error
            yield found
        at = end + 1


def nodes(text: mmap.mmap, found: Layout, path: Path) -> Iterator[list[list[int]]]:
    """Columns of nodes, a piece at a time, in the order of the header's fields.

    Raises:
        Unreadable: there are not as many as the file says.
    """
    width = len(found.header.node_fields)
    rest: list[int] = []
    count = 0
    for piece in numbers(text, found.nodes, path):
        together = rest + piece
        whole = len(together) - len(together) % width
        rest = together[whole:]
        count += whole // width
        yield [together[column:whole:width] for column in range(width)]
    if rest or count != found.header.nodes:
        raise Unreadable(
            f"{path} says that it has {found.header.nodes:,} nodes; it has {count:,}.",
            "It was cut off or changed. Take another snapshot.",
        )


def some_strings(text: mmap.mmap, span: Span, wanted: set[int]) -> dict[int, str]:
    """Those strings that are wanted, by their number; the others are passed over."""
    found: dict[int, str] = {}
    for index, match in enumerate(_STRING.finditer(text, span.start, span.end)):
        if index in wanted:
            try:
                found[index] = json.loads(match[0])
            except ValueError:
                found[index] = match[0][1:-1].decode(errors="replace")
            if len(found) == len(wanted):
                break
    return found
