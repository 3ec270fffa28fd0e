"""A Python snapshot's objects, counted by type."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path

from heaptui.errors import Unreadable
from heaptui.heap.analysis import python_file
from heaptui.heap.analysis.plain.classes import Class, Counted

_ROW = struct.Struct("<QQQIIIII")
_TYPE = struct.Struct("<II")


def count_python(path: Path, *, with_ids: bool, progress: Callable[[float], None]) -> Counted:
    """Counts the objects that have a size.

    Raises:
        Unreadable: another format or version, cut off, or changed.
    """
    sections = python_file.read(path, lambda _phase, fraction: progress(fraction))
    texts = sections.texts()
    types = list(_TYPE.iter_unpack(sections.data["TYPE"]))
    if any(name >= len(texts) for name, _ in types):
        raise Unreadable(f"{path} is damaged: a type has no name.")
    by_type: dict[int, Class] = {}
    for one, size, _same, kind, *_rest in _ROW.iter_unpack(sections.data["NODE"]):
        if not size:
            continue
        entry = by_type.get(kind)
        if entry is None:
            if kind >= len(types):
                raise Unreadable(f"{path} is damaged: an object's type is none that it has.")
            entry = by_type[kind] = Class()
        entry.count += 1
        entry.bytes += size
        if with_ids:
            entry.ids.append(one)
            entry.sizes.append(size)
    classes: dict[str, Class] = {}
    for kind, entry in by_type.items():
        classes.setdefault(texts[types[kind][0]], Class()).add(entry)
    return Counted(
        "python",
        classes,
        sections.counts["NODE"],
        sections.counts["EDGE"],
        f"Python {sections.about.python}",
    )
