"""How an edge is written: as the program's source has it where the source has it.

Edges of the runtime's own stand in parentheses: `(elements)`, `(hidden 3)`; but for `(closure) x`,
a variable that a closure holds, which is the program's.
"""

from __future__ import annotations

import re

from heaptui.heap.analysis.indexed import Indexed
from heaptui.heap.analysis.python_names import is_python, namespace_owner
from heaptui.heap.analysis.tables import entry_text

NAME_MOST = 160
_IDENTIFIER = re.compile(r"#?[^\W\d][\w$]*|\$[\w$]*")
_SYMBOL = re.compile(r"<symbol ?(.*)>", re.DOTALL)
_EPHEMERON = re.compile(r"\d+ / part of key .*", re.DOTALL)


def edge_text(snapshot: Indexed, edge: int, source: int) -> str:
    """The edge, which leaves `source`."""
    way, name = snapshot.way(edge), snapshot.edge_name(edge)
    if way == "context":
        running = snapshot.class_name(source) in {"frame", "generator", "coroutine"}
        return f"({'local' if running else 'closure'}) {name[:NAME_MOST]}"
    if way == "element":
        return f"[{name}]"
    if way == "property" and _is_entry(snapshot, source):
        return f"[{name}]" if name.isdecimal() else f'["{name[:NAME_MOST]}"]'
    if way in {"property", "shortcut"}:
        return property_text(name)
    if way == "hidden":
        return f"(hidden {name})"
    if way == "weak":
        return f"(weak {name[:NAME_MOST]})"
    if _EPHEMERON.fullmatch(name):
        return "(value of a WeakMap's key)"
    if name.isdecimal() and (entry := entry_text(snapshot, source, int(name))) is not None:
        return entry
    return f"({name[:NAME_MOST]})"


def property_text(name: str) -> str:
    """`.name`, or `["any name"]`, or `[3]`, or `[Symbol(name)]`."""
    if name.isdecimal():
        return f"[{name}]"
    if symbol := _SYMBOL.fullmatch(name):
        return f"[Symbol({symbol[1][:NAME_MOST]})]"
    if _IDENTIFIER.fullmatch(name):
        return f".{name}"
    return f'["{name[:NAME_MOST]}"]'


def inner(snapshot: Indexed, edge: int) -> bool:
    """Whether the runtime has it for itself: no source names it."""
    return snapshot.way(edge) in {"internal", "hidden", "weak"} or (
        snapshot.way(edge) == "property" and snapshot.edge_name(edge) == "__proto__"
    )


def _is_entry(snapshot: Indexed, source: int) -> bool:
    """Whether a Python dict is one of its own, and no object's attributes."""
    return (
        is_python(snapshot)
        and snapshot.class_name(source) == "dict"
        and namespace_owner(snapshot, source) is None
    )
