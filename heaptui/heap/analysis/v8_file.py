"""Where things stand in a `.heapsnapshot` file, and whether it is one.

The format is V8's (`HeapSnapshotJSONSerializer` in src/profiler/heap-snapshot-generator.cc): one
JSON object with `snapshot` (what the numbers mean, how many there are), the flat arrays `nodes`,
`edges` and `locations`, and `strings`. Node 18 to 24 and Chrome differ in fields, order and white
space; nothing here relies on these. Needs neither numpy nor numba.
"""

from __future__ import annotations

import contextlib
import json
import mmap
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from heaptui.errors import Unreadable

HEADER_MAX = 1 << 20
"""Bytes that the `snapshot` object may have; V8 writes about 1,500."""

READER_BYTES, NODE_BYTES, EDGE_BYTES = 170 << 20, 112, 15
"""What reading takes at its peak: before any file, for each node, for each edge. The arrays of
graph.py have 53 bytes a node and 9 an edge; the rest is the dominators' and the strings'."""

_SPACE = re.compile(rb"[ \t\r\n]*")
_KEY = re.compile(rb'"((?:[^"\\]|\\.){0,64})"[ \t\r\n]*:[ \t\r\n]*')
_STRING = rb'"[^"\\]*(?:\\.[^"\\]*)*"'
_STRUCTURE = re.compile(rb"[\[\]{}]|" + _STRING, re.DOTALL)
_SCALAR = re.compile(_STRING + rb"|[-+.0-9eE]+|true|false|null", re.DOTALL)

_FLAT = frozenset((b"nodes", b"edges", b"locations", b"samples", b"trace_function_infos"))
_TAKE_ANOTHER = "Take another snapshot: this one was not written to its end."


@dataclass(frozen=True, slots=True)
class Span:
    """Bytes of the file: from behind the opening bracket to the closing one."""

    start: int
    end: int

    @property
    def bytes(self) -> int:
        return self.end - self.start


@dataclass(frozen=True, slots=True)
class Header:
    """What the `snapshot` object says. The counts are claims until the arrays are read."""

    node_fields: tuple[str, ...]
    node_types: tuple[str, ...]
    edge_fields: tuple[str, ...]
    edge_types: tuple[str, ...]
    location_fields: tuple[str, ...]
    nodes: int
    edges: int
    root: int


@dataclass(frozen=True, slots=True)
class Layout:
    header: Header
    nodes: Span
    edges: Span
    strings: Span
    locations: Span | None


@contextlib.contextmanager
def _reading(path: Path) -> Iterator[mmap.mmap]:
    text = mapped(path)
    try:
        yield text
    finally:
        # what was matched is still referred to while an error passes
        with contextlib.suppress(BufferError):
            text.close()


def mapped(path: Path) -> mmap.mmap:
    """The file's bytes, read as they are touched.

    Raises:
        Unreadable: it is empty, not a file, or cannot be opened.
    """
    try:
        with path.open("rb") as file:
            if not path.is_file():
                raise Unreadable(f"{path} is not a file.")
            if not path.stat().st_size:
                raise Unreadable(f"{path} is empty (0 bytes).", _TAKE_ANOTHER)
            return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise Unreadable(f"{path} cannot be read: {reason}.") from error


def read_header(path: Path) -> Header:
    """What the file says of itself, without reading the rest. Needs `snapshot` to come first, as
    every V8 writes it.

    Raises:
        Unreadable: this is no heap snapshot.
    """
    with _reading(path) as text:
        position = _opening(text, path)
        key = _KEY.match(text, position)
        if key is None or key[1] != b"snapshot":
            _foreign(text, path, key[1] if key else b"")
            return layout(text, path, _skip_strings).header
        return _header(text, path, key.end())[0]


def memory_needed(path: Path) -> int:
    """Bytes that the fast reader will have resident at its peak, without reading the arrays: the
    header's counts, as far as the file has room for them.

    Raises:
        Unreadable: this is no heap snapshot.
    """
    header = read_header(path)
    size = path.stat().st_size
    nodes = min(header.nodes, size // (2 * len(header.node_fields)))
    edges = min(header.edges, size // (2 * len(header.edge_fields)))
    return READER_BYTES + NODE_BYTES * nodes + EDGE_BYTES * edges


def _skip_strings(text: mmap.mmap, start: int) -> int:
    position = start
    while True:
        found = _STRUCTURE.search(text, position)
        if found is None:
            return -1
        if found[0] == b"]":
            return found.start()
        position = found.end()


def layout(text: mmap.mmap, path: Path, strings_end: Callable[[mmap.mmap, int], int]) -> Layout:
    """Where the arrays stand. `strings_end` finds the bracket that closes `strings`, given where
    it opens; -1 when there is none.

    Raises:
        Unreadable: no heap snapshot, or cut off.
    """
    header: Header | None = None
    spans: dict[bytes, Span] = {}
    position = _opening(text, path)
    first = True
    while True:
        position = _blank(text, position)
        if text[position : position + 1] == b"}":
            position += 1
            break
        if not first:
            if text[position : position + 1] != b",":
                raise _broken(text, path, position)
            position = _blank(text, position + 1)
        key = _KEY.match(text, position)
        if key is None:
            raise _broken(text, path, position)
        name, position = key[1], key.end()
        if first and name not in _FLAT | {b"snapshot", b"strings", b"trace_tree"}:
            _foreign(text, path, name)
        first = False
        if name in spans or (name == b"snapshot" and header):
            raise Unreadable(f"{path} is damaged: it has {name.decode()!r} twice.")
        if name == b"snapshot":
            header, position = _header(text, path, position)
        elif name in _FLAT or name == b"strings":
            spans[name] = span = _array(text, path, name, position, strings_end)
            position = span.end + 1
        elif name == b"trace_tree":
            position = _after_numbers(text, path, position)
        else:
            position = _after_value(text, path, position)
    if _blank(text, position) != len(text):
        raise Unreadable(f"{path} is damaged: something follows its end at byte {position:,}.")
    missing = [part for part in ("nodes", "edges", "strings") if part.encode() not in spans]
    if header is None:
        missing.insert(0, "snapshot")
    if missing or header is None:
        raise Unreadable(
            f"{path} is JSON, but not a heap snapshot: it has no {' and no '.join(missing)}.",
            "heaptui reads .heapsnapshot and .heaptimeline files of Node and Chrome.",
        )
    result = Layout(
        header, spans[b"nodes"], spans[b"edges"], spans[b"strings"], spans.get(b"locations")
    )
    _bound(path, "nodes", header.nodes, len(header.node_fields), result.nodes)
    _bound(path, "edges", header.edges, len(header.edge_fields), result.edges)
    return result


def _bound(path: Path, what: str, claimed: int, fields: int, span: Span) -> None:
    """A record of k numbers takes 2k bytes at the least, the last one a byte less."""
    most = (span.bytes + 1) // (2 * fields)
    if claimed > most:
        raise Unreadable(
            f"{path} says that it has {claimed:,} {what}; its array has room for {most:,} at most.",
            "It was cut off or changed. Take another snapshot.",
        )


def _blank(text: mmap.mmap, position: int) -> int:
    found = _SPACE.match(text, position)
    return found.end() if found else position


def _opening(text: mmap.mmap, path: Path) -> int:
    """Behind the brace that opens the file."""
    start = 3 if text[:3] == b"\xef\xbb\xbf" else 0
    position = _blank(text, start)
    if text[:2] == b"\x1f\x8b":
        raise Unreadable(f"{path} is compressed (gzip).", f"Unpack it first: gunzip {path}")
    if text[:4] == b"\x28\xb5\x2f\xfd":
        raise Unreadable(f"{path} is compressed (zstd).", f"Unpack it first: unzstd {path}")
    if text[:2] == b"PK":
        raise Unreadable(f"{path} is a zip archive.", f"Unpack it first: unzip {path}")
    if position == len(text):
        raise Unreadable(f"{path} holds nothing but white space.", _TAKE_ANOTHER)
    if text[position] != ord("{"):
        raise Unreadable(
            f"{path} is not a heap snapshot.",
            "heaptui reads .heapsnapshot and .heaptimeline files of Node and Chrome, and its own "
            "of Python.",
        )
    return _blank(text, position + 1)


def _foreign(text: mmap.mmap, path: Path, key: bytes) -> None:
    """Files that are taken for snapshots, by their first key."""
    known = {
        b"head": "a sampling heap profile (.heapprofile): it has call sites, not objects",
        b"traceEvents": "a trace of Chrome's",
        b"header": "a diagnostic report of Node's",
    }
    if key in known:
        raise Unreadable(
            f"{path} is {known[key]}.", "Take a heap snapshot to see which objects hold memory."
        )
    if b'"snapshot"' not in text[:HEADER_MAX] and len(text) > HEADER_MAX:
        raise Unreadable(f"{path} is JSON, but not a heap snapshot.")


def _broken(text: mmap.mmap, path: Path, position: int) -> Unreadable:
    if position >= len(text) or text.find(b'"', position) < 0 or len(text) - position < 80:
        return Unreadable(f"{path} is cut off after {len(text):,} bytes.", _TAKE_ANOTHER)
    return Unreadable(
        f"{path} is damaged: byte {position:,} is not what a heap snapshot has there."
    )


def _cut_off(text: mmap.mmap, path: Path, part: str) -> Unreadable:
    return Unreadable(f"{path} is cut off after {len(text):,} bytes, in its {part}.", _TAKE_ANOTHER)


def _header(text: mmap.mmap, path: Path, position: int) -> tuple[Header, int]:
    if text[position : position + 1] != b"{":
        raise _broken(text, path, position)
    end = _after_value(text, path, position, position + HEADER_MAX)
    try:
        said = json.loads(text[position:end])
    except (ValueError, RecursionError) as error:
        raise Unreadable(f"{path} is damaged: its header is not JSON ({error}).") from error
    try:
        return _understood(said), end
    except (KeyError, TypeError, IndexError, ValueError) as error:
        raise Unreadable(
            f"{path} is not a heap snapshot as V8 writes it: its header does not say {error}.",
            "heaptui reads .heapsnapshot and .heaptimeline files of Node and Chrome.",
        ) from error


def _understood(said: Mapping[str, Any]) -> Header:
    meta = said["meta"]
    node_fields, edge_fields = _words(meta["node_fields"]), _words(meta["edge_fields"])
    for fields, needed in (
        (node_fields, ("type", "name", "id", "self_size", "edge_count")),
        (edge_fields, ("type", "name_or_index", "to_node")),
    ):
        for name in needed:
            if fields.count(name) != 1:
                raise KeyError(name)
    node_types = _words(meta["node_types"][node_fields.index("type")])
    edge_types = _words(meta["edge_types"][edge_fields.index("type")])
    root = said.get("root_index") or 0
    if _count(root) % len(node_fields):
        raise ValueError("root_index")
    header = Header(
        node_fields,
        node_types,
        edge_fields,
        edge_types,
        _words(meta.get("location_fields") or ()),
        _count(said["node_count"]),
        _count(said["edge_count"]),
        root // len(node_fields),
    )
    if header.root:
        raise ValueError("root_index of 0")
    if not header.nodes:
        raise ValueError("node_count above 0")
    return header


def _words(value: object) -> tuple[str, ...]:
    if not isinstance(value, list | tuple) or not all(isinstance(word, str) for word in value):
        raise TypeError("names of fields and types")
    if len(value) > 64:
        raise ValueError("fewer than 64 fields or types")
    return tuple(value)


def _count(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 1 << 32:
        raise ValueError("counts of 0 to 4,294,967,295")
    return value


def _array(
    text: mmap.mmap,
    path: Path,
    name: bytes,
    position: int,
    strings_end: Callable[[mmap.mmap, int], int],
) -> Span:
    if position >= len(text):
        raise _cut_off(text, path, name.decode())
    if text[position] != ord("["):
        raise _broken(text, path, position)
    start = position + 1
    end = strings_end(text, start) if name == b"strings" else text.find(b"]", start)
    if end < 0:
        raise _cut_off(text, path, name.decode())
    return Span(start, end)


def _after_numbers(text: mmap.mmap, path: Path, position: int) -> int:
    """Behind a nest of arrays that holds no string: before the comma of the next key."""
    quote = text.find(b'"', position)
    end = text.rfind(b"]", position, quote if quote >= 0 else len(text))
    if end < 0:
        raise _cut_off(text, path, "trace_tree")
    return end + 1


def _after_value(text: mmap.mmap, path: Path, position: int, most: int | None = None) -> int:
    limit = len(text) if most is None else min(most, len(text))
    if text[position : position + 1] not in (b"{", b"["):
        scalar = _SCALAR.match(text, position, limit)
        if scalar is None:
            raise _broken(text, path, position)
        return scalar.end()
    depth = 0
    for token in _STRUCTURE.finditer(text, position, limit):
        if token[0] in b"[{":
            depth += 1
        elif token[0] in b"]}":
            depth -= 1
            if not depth:
                return token.end()
    if limit < len(text):
        raise Unreadable(f"{path} is damaged: its header is longer than {HEADER_MAX:,} bytes.")
    raise _cut_off(text, path, "header")
