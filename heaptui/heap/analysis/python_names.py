"""Names in a Python heap: whose namespace a dict is, where things stand, what a variable is.

The graph's words are in python_graph.py: attributes and entries of dicts are `property`, variables
of closures and frames `context`, what only the interpreter names `internal`.
"""

from __future__ import annotations

from heaptui.heap.analysis.indexed import Indexed
from heaptui.heap.analysis.place import NAME_MOST, NOWHERE, Place

_LOOKED_AT = 20_000
_MODULES = "(modules)"
_INNER = ".<locals>."


def is_python(snapshot: Indexed) -> bool:
    return snapshot.graph.format == "python"


def namespace_owner(snapshot: Indexed, table: int) -> int | None:
    """The module, class or object whose `__dict__` a dict is; None: it is one of its own."""
    known = snapshot.namespaces
    if table not in known:
        known[table] = _namespace_owner(snapshot, table)
    return known[table]


def _namespace_owner(snapshot: Indexed, table: int) -> int | None:
    if snapshot.class_name(table) not in {"dict", "mappingproxy"}:
        return None
    for edge in snapshot.incoming(table)[:_LOOKED_AT].tolist():
        if snapshot.edge_name(edge) == "__dict__" and snapshot.way(edge) in {
            "internal",
            "property",
        }:
            return snapshot.source(edge)
    return None


def place_of(snapshot: Indexed, node: int) -> Place:
    """Of functions, code and frames by the file; of classes, modules and objects by what belongs
    to them."""
    kind, class_name = snapshot.kind(node), snapshot.class_name(node)
    at = snapshot.location(node)
    if at is not None:
        name = snapshot.name(node).removeprefix("frame ")
        return Place(name[:NAME_MOST] or None, snapshot.graph.strings[at[0]], at[1])
    if class_name == "module":
        return Place(file=_module_file(snapshot, node), module=True)
    if kind == "object" and (made_by := snapshot.step(node, "__class__")) is not None:
        return Place(file=class_file(snapshot, made_by))
    return NOWHERE


def class_file(snapshot: Indexed, class_: int) -> str | None:
    """By the functions in it, else by its module: a class itself does not know."""
    table = snapshot.step(class_, "__dict__")
    if table is None:
        return None
    for _, _, target in snapshot.named_edges(table, 64):
        if snapshot.kind(target) == "closure" and (at := snapshot.location(target)) is not None:
            return snapshot.graph.strings[at[0]]
    named = snapshot.step(table, "__module__")
    modules = snapshot.step(0, "modules")
    if named is None or modules is None:
        return None
    module = snapshot.step(modules, snapshot.name(named), most=_LOOKED_AT)
    return None if module is None else _module_file(snapshot, module)


def base(snapshot: Indexed, edge: int, source: int) -> tuple[str, str, Place] | None:
    """Words, name and place of a variable that an edge is; None: it is none."""
    way, name = snapshot.way(edge), snapshot.edge_name(edge)
    if way == "context":
        return _local(snapshot, name, source)
    if way != "property":
        return None
    if snapshot.name(source) == _MODULES:
        return f"module `{name}`", name, place_of(snapshot, snapshot.target(edge))
    owner = namespace_owner(snapshot, source)
    whose = source if owner is None else owner
    if snapshot.class_name(whose) == "module":
        place = Place(file=_module_file(snapshot, whose), module=True)
        return f"module-level variable `{name}`", name, place
    if snapshot.name(whose).startswith("type "):
        text = f"{snapshot.name(whose).removeprefix('type ')}.{name}"[:NAME_MOST]
        return f"attribute `{text}` of the class", text, Place(file=class_file(snapshot, whose))
    return None


def _local(snapshot: Indexed, name: str, source: int) -> tuple[str, str, Place]:
    place = place_of(snapshot, source)
    function = place.function
    if snapshot.kind(source) == "closure" and function and _INNER in function:
        # what a closure holds is a variable of the function around it
        function = function.rpartition(_INNER)[0]
    place = Place(function, place.file, place.line)
    return f"variable `{name}` of {function or 'a function'}", name, place


def _module_file(snapshot: Indexed, module: int) -> str | None:
    table = snapshot.step(module, "__dict__")
    file = None if table is None else snapshot.step(table, "__file__", most=100_000)
    return None if file is None or snapshot.kind(file) != "str" else snapshot.name(file)
