"""Class names by DevTools' rules, and what is counted by class."""

from __future__ import annotations

from array import array
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from heaptui.errors import Unreadable
from heaptui.heap.analysis.plain import v8_stream
from heaptui.heap.analysis.v8_file import Layout, mapped

_BY_NAME = frozenset({"object", "native"})
_ONE_CLASS = {
    "hidden": "(system)",
    "code": "(compiled code)",
    "closure": "Function",
    "regexp": "RegExp",
}
Progress = Callable[[float], None]


@dataclass(slots=True)
class Class:
    """Objects of one class: how many, their bytes, and each one's id and size where asked for."""

    count: int = 0
    bytes: int = 0
    ids: array[int] = field(default_factory=lambda: array("Q"))
    sizes: array[int] = field(default_factory=lambda: array("Q"))

    def add(self, other: Class) -> None:
        self.count += other.count
        self.bytes += other.bytes
        self.ids.extend(other.ids)
        self.sizes.extend(other.sizes)


@dataclass(slots=True)
class Counted:
    """A file's classes by name. Bytes are the objects' own: what V8 keeps beside an object for it
    alone (its table of elements) is a class of its own here."""

    format: str
    classes: dict[str, Class]
    nodes: int
    edges: int
    runtime: str = ""

    @property
    def bytes(self) -> int:
        return sum(one.bytes for one in self.classes.values())


def count_v8(path: Path, *, with_ids: bool, progress: Progress) -> Counted:
    """Counts a V8 snapshot's objects that have a size.

    Raises:
        Unreadable: no heap snapshot, cut off, or damaged.
    """
    with mapped(path) as text:
        found = v8_stream.laid_out(text, path)
        header = found.header
        place = {name: index for index, name in enumerate(header.node_fields)}
        kinds, names = place["type"], place["name"]
        ids, sizes = place["id"], place["self_size"]
        by_key: dict[tuple[int, int], Class] = {}
        by_name = [kind in _BY_NAME for kind in header.node_types]
        nodes = 0
        for columns in v8_stream.nodes(text, found, path):
            if columns[kinds] and max(columns[kinds]) >= len(by_name):
                raise Unreadable(f"{path} is damaged: a node's type is none that it has.")
            for kind, name, one, size in zip(
                columns[kinds], columns[names], columns[ids], columns[sizes], strict=True
            ):
                if not size:
                    continue
                key = (kind, name if by_name[kind] else -1)
                entry = by_key.get(key)
                if entry is None:
                    entry = by_key[key] = Class()
                entry.count += 1
                entry.bytes += size
                if with_ids:
                    entry.ids.append(one)
                    entry.sizes.append(size)
            nodes += len(columns[kinds])
            progress(nodes / header.nodes)
        classes = _named(
            found,
            v8_stream.some_strings(text, found.strings, {name for _, name in by_key if name >= 0}),
            by_key,
        )
    return Counted("v8", classes, header.nodes, header.edges)


def _named(
    found: Layout, texts: dict[int, str], by_key: dict[tuple[int, int], Class]
) -> dict[str, Class]:
    """By name: two kinds of objects may have one."""
    classes: dict[str, Class] = {}
    for (kind, name), entry in by_key.items():
        if name >= 0:
            title = texts.get(name, f"(no name {name})")
        else:
            word = found.header.node_types[kind]
            title = _ONE_CLASS.get(word, f"({word})")
        classes.setdefault(title, Class()).add(entry)
    return classes
