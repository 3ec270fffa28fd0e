"""The variable or property that holds an object, in the words of the program that it belongs to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from heaptui.heap.analysis import python_names
from heaptui.heap.analysis.closures import Places
from heaptui.heap.analysis.edges import edge_text, property_text
from heaptui.heap.analysis.indexed import Indexed
from heaptui.heap.analysis.place import NOWHERE, Place

_STEPS_MOST = 6
_MODULE = "system / SourceTextModule"
_TIMERS = frozenset({"node:timers", "node:internal/timers"})
_ASIDE = frozenset({"__proto__", "constructor"})


@dataclass(slots=True, frozen=True)
class Holder:
    """`words`: variable `cache` of makeCache. `source`: what stands in the source, cache.items.
    `place`: where the variable, class or function stands, as far as it is known."""

    words: str
    source: str
    place: Place


def holder_of(snapshot: Indexed, places: Places, steps: Sequence[int]) -> Holder | None:
    """Of the object at the end of a path from the root, given its edges. None: no variable and no
    property is on the way."""
    after: list[str] = []
    for edge in reversed(steps):
        source = snapshot.source(edge)
        way, name = snapshot.way(edge), snapshot.edge_name(edge)
        base = _base(snapshot, places, edge, source)
        if base is not None:
            words, root, place = base
            text = root + _joined(after)
            return Holder(words if not after else f"`{text}`, {words}", text, place)
        if way in {"property", "shortcut"} and name not in _ASIDE:
            after.append(edge_text(snapshot, edge, source))
        elif way == "element":
            after.append(f"[{name}]")
        elif way == "internal":
            text = edge_text(snapshot, edge, source)
            if text.startswith("."):
                after.append(text)
            elif text in {"Map value", "Map key", "Set element"}:
                after.append("[…]")
    if not after:
        return None
    # the first object of the program's: nothing that has a name holds it
    first = next((snapshot.target(edge) for edge in steps if _visible(snapshot, edge)), None)
    name = "an object" if first is None else snapshot.class_name(first)
    text = name + _joined(after)
    return Holder(f"`{text}`", text, NOWHERE if first is None else places.of(first))


def _visible(snapshot: Indexed, edge: int) -> bool:
    return snapshot.kind(snapshot.target(edge)) in {"object", "closure"}


def _base(
    snapshot: Indexed, places: Places, edge: int, source: int
) -> tuple[str, str, Place] | None:
    """Words, name and place of a variable that an edge is; None: it is none."""
    if python_names.is_python(snapshot):
        return python_names.base(snapshot, edge, source)
    way, name = snapshot.way(edge), snapshot.edge_name(edge)
    if way == "context":
        place = places.of_context(source)
        if place.file in _TIMERS:
            return "timers that wait", "timers", place
        return variable(name, place), name, place
    if way == "internal" and name == "value" and snapshot.name(source).endswith("Cell"):
        return _exported(snapshot, places, source)
    if way == "internal" and name == "parameters_and_registers":
        place = places.of(source)
        whose = f"of {place.function}" if place.function else "of a function that waits"
        return f"a local variable {whose}", "(local)", place
    if way not in {"property", "shortcut"} or name in _ASIDE or source == 0:
        return None
    if _is_global(snapshot, source):
        return f"global variable `{name}`", name, NOWHERE
    if snapshot.kind(source) == "closure":
        place = places.of(source)
        text = f"{place.function or '(anonymous)'}{property_text(name)}"
        return f"property `{text}`", text, place
    return None


def variable(name: str, place: Place) -> str:
    """A variable in words; its file is said elsewhere."""
    if place.module:
        return f"module-level variable `{name}`"
    if place.function:
        return f"variable `{name}` of {place.function}"
    return f"variable `{name}` of a function without a name"


def _is_global(snapshot: Indexed, node: int) -> bool:
    return snapshot.distance(node) == 1 and snapshot.kind(node) == "object"


def _exported(snapshot: Indexed, places: Places, cell: int) -> tuple[str, str, Place] | None:
    """An exported variable lives in a cell, which its module's table of exports has under its
    name: the slot before the cell's."""
    for edge in snapshot.incoming(cell)[:8].tolist():
        table, slot = snapshot.source(edge), snapshot.edge_name(edge)
        if not slot.isdecimal():
            continue
        for above in snapshot.incoming(table)[:8].tolist():
            module = snapshot.source(above)
            key = snapshot.step(table, str(int(slot) - 1), most=4096)
            if snapshot.name(module) != _MODULE or key is None or snapshot.kind(key) != "string":
                continue
            name = snapshot.name(key)
            place = Place(file=_file_of_module(snapshot, places, module), module=True)
            return variable(name, place), name, place
    return None


def _file_of_module(snapshot: Indexed, places: Places, module: int) -> str | None:
    """By the functions that its code has made."""
    for edge in snapshot.edges(module)[:32]:
        target = snapshot.target(edge)
        place = places.of(target)
        if place.file:
            return place.file
    return None


def _joined(after: Sequence[str]) -> str:
    """Steps, the last one first, as source; the same step over and over is said once."""
    steps: list[str] = []
    for step in reversed(after):
        if len(steps) >= 2 and steps[-2:] == [step, "…"]:
            continue
        if steps and steps[-1] == step:
            steps.append("…")
        else:
            steps.append(step)
    if len(steps) > _STEPS_MOST:
        steps = [*steps[: _STEPS_MOST // 2], "…", *steps[-_STEPS_MOST // 2 :]]
    return "".join(steps)
