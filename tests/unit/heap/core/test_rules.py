"""DevTools' rules, one by one, on heaps drawn by hand."""

from __future__ import annotations

from pathlib import Path

from heaptui.heap.analysis.classes import aggregates
from heaptui.heap.analysis.distances import SYSTEM, UNREACHED
from heaptui.heap.analysis.graph import Graph
from tests.unit.heap.core.hand_made import Drawing, drawn


def figures(graph: Graph) -> dict[str, tuple[int, int, int]]:
    """Count, shallow and retained by class."""
    table = aggregates(graph)
    return {
        name: (int(table.count[i]), int(table.shallow[i]), int(table.retained[i]))
        for i, name in enumerate(graph.class_names)
        if table.count[i]
    }


def test_what_two_hold_belongs_to_whom_both_hang_on(tmp_path: Path) -> None:
    heap = Drawing()
    top = heap.root()
    left, right = heap.node("Left", size=10), heap.node("Right", size=20)
    shared, own = heap.node("Shared", size=100), heap.node("Own", size=7)
    heap.edge(top, left)
    heap.edge(top, right)
    heap.edge(left, shared)
    heap.edge(right, shared)
    heap.edge(left, own)

    graph = drawn(tmp_path, heap)

    assert graph.dominator.tolist() == [0, 0, top, top, top, left]
    assert graph.retained.tolist() == [153, 153, 17, 20, 100, 7]
    assert graph.distance.tolist() == [SYSTEM, 1, 2, 2, 3, 3]


def test_weak_references_hold_nothing_and_lead_nowhere(tmp_path: Path) -> None:
    heap = Drawing()
    top = heap.root()
    holder, held = heap.node("WeakRef"), heap.node("Held", size=50)
    heap.edge(top, holder)
    heap.edge(holder, held, type="weak")

    graph = drawn(tmp_path, heap)

    assert graph.retained[holder] == 16
    assert graph.dominator[held] == 0
    assert graph.distance[held] == UNREACHED


def test_an_array_that_one_object_has_counts_as_its_own(tmp_path: Path) -> None:
    heap = Drawing()
    top = heap.root()
    one, two = heap.node("One", size=16), heap.node("Two", size=16)
    own = heap.node("(elements)", "array", 100)
    inner = heap.node("system / Storage", "hidden", 30)
    common = heap.node("(common)", "array", 400)
    for holder in (one, two):
        heap.edge(top, holder)
        heap.edge(holder, common, "common", "internal")
    heap.edge(one, own, "elements", "internal")
    heap.edge(own, inner, 0, "hidden")

    graph = drawn(tmp_path, heap)

    assert graph.shallow.tolist() == [0, 16, 16 + 100 + 30, 16, 0, 0, 400]
    assert graph.self_size.tolist() == [0, 16, 16, 16, 100, 30, 400]
    assert figures(graph)["(array)"] == (1, 400, 400)


def test_internals_exposed_stay_as_they_are(tmp_path: Path) -> None:
    heap = Drawing()
    lists = heap.node("(GC roots)", "synthetic", 0)
    heap.edge(0, lists, 1, "element")
    holder, own = heap.node("Holder"), heap.node("(elements)", "array", 100)
    heap.edge(lists, holder, 1, "element")
    heap.edge(holder, own, "elements", "internal")

    graph = drawn(tmp_path, heap)

    assert graph.shallow.tolist() == [0, 0, 16, 100]
    assert graph.distance.tolist() == [0, 1, 2, 3]


def test_what_only_the_runtime_reaches_is_far_away(tmp_path: Path) -> None:
    heap = Drawing()
    top = heap.root()
    lists = heap.node("(GC roots)", "synthetic", 0)
    heap.edge(0, lists, 1, "element")
    mine, theirs = heap.node("Mine"), heap.node("Theirs")
    heap.edge(top, mine)
    heap.edge(lists, mine, 1, "element")
    heap.edge(lists, theirs, 2, "element")

    graph = drawn(tmp_path, heap)

    assert graph.distance[mine] == 2
    assert graph.distance[theirs] == SYSTEM + 2
    # the runtime's lists do not share in what the program holds
    assert graph.dominator[mine] == top


def test_a_weak_maps_value_is_held_by_its_key(tmp_path: Path) -> None:
    heap = Drawing()
    top = heap.root()
    table = heap.node("WeakMap table", "array", 40, id=501)
    far, key = heap.node("Far"), heap.node("Key", id=601)
    value = heap.node("Value", size=90, id=701)
    named = "part of key (Key @601) -> value (Value @701) pair in WeakMap (table @501)"
    heap.edge(top, table)
    heap.edge(top, far)
    heap.edge(far, key)
    heap.edge(table, value, f"3 / {named}", "internal")
    heap.edge(key, value, f"7 / {named}", "internal")

    graph = drawn(tmp_path, heap)

    assert graph.dominator[value] == key
    assert graph.retained[key] == 16 + 90
    # as far as the farther of the two, the key
    assert graph.distance[value] == graph.distance[key] + 1 == 4


def test_names_that_only_look_like_a_weak_maps_are_references(tmp_path: Path) -> None:
    heap = Drawing()
    top = heap.root()
    for name in (
        "part of key (K @1) -> value (V @2) pair in WeakMap (table @3)",
        "1 / part of key (K @1) -> value (V @2) pair in WeakMap (table @)",
        "1 / part of key (K 1) -> value (V @2) pair in WeakMap (table @3)",
        "1 / part of key (K @1) -> value (V 2) pair in WeakMap (table @3)",
        "1 / part of key (K\n @1) -> value (V @2) pair in WeakMap (table @3)",
        "1 / part of key (K @1) -> value (V @2) pair in WeakMap (table @3) and more",
    ):
        heap.edge(top, heap.node(name), name, "internal")

    graph = drawn(tmp_path, heap)

    assert graph.distance[2:].tolist() == [2] * 6
    assert graph.dominator[2:].tolist() == [top] * 6


def test_a_class_of_its_own_kind_counts_what_it_retains_once(tmp_path: Path) -> None:
    heap = Drawing()
    top = heap.root()
    outer, inner = heap.node("List", size=10), heap.node("List", size=20)
    between, text = heap.node("Box", size=5), heap.node("long text", "string", 300)
    heap.edge(top, outer)
    heap.edge(outer, between)
    heap.edge(between, inner)
    heap.edge(inner, text)

    found = figures(drawn(tmp_path, heap))

    assert found["List"] == (2, 30, 335)
    assert found["Box"] == (1, 5, 325)
    assert found["(string)"] == (1, 300, 300)


def test_classes_are_named_as_devtools_names_them(tmp_path: Path) -> None:
    heap = Drawing()
    top = heap.root()
    for name, kind in (
        ("anything", "hidden"),
        ("anything", "code"),
        ("anything", "closure"),
        ("/x/", "regexp"),
        ("heap number", "number"),
        ("text", "concatenated string"),
        ('<div id="a">', "native"),
        ('<div id="b">', "native"),
        ("Message", "object"),
    ):
        heap.edge(top, heap.node(name, kind))

    graph = drawn(tmp_path, heap)

    names = [graph.class_names[code] for code in graph.class_of]
    assert names == [
        *("(synthetic)", "global", "(system)", "(compiled code)", "Function", "RegExp"),
        *("(number)", "(concatenated string)", "<div>", "<div>", "Message"),
    ]


def test_constructors_of_one_name_are_classes_of_their_own(tmp_path: Path) -> None:
    heap = Drawing()
    top = heap.root()
    for place in ((7, 3, 2), (5, 9, 2), (7, 3, 2), None, (5, 9, 4)):
        heap.edge(top, heap.node("Node", place=place))

    graph = drawn(tmp_path, heap)

    assert {name: found[0] for name, found in figures(graph).items()} == {
        "global": 1,
        "Node": 1,
        "Node (script 5, line 10)": 1,
        "Node (script 5, line 10:5)": 1,
        "Node (script 7, line 4)": 2,
    }


def test_of_constructors_of_one_name_the_first_loaded_has_it_plain(tmp_path: Path) -> None:
    heap = Drawing()
    top = heap.root()
    for place in ((7, 3, 2), (5, 9, 2), (7, 3, 2)):
        heap.edge(top, heap.node("Node", place=place))

    found = figures(drawn(tmp_path, heap))

    assert found["Node"][0] == 1
    assert found["Node (script 7, line 4)"][0] == 2


def test_detached_passes_on_among_native_objects_and_attached_wins(tmp_path: Path) -> None:
    heap = Drawing()
    top = heap.root()
    detached = heap.node("Tree", "native", detachedness=2)
    attached = heap.node("Page", "native", detachedness=1)
    lost, shown = heap.node("Leaf", "native"), heap.node("Leaf", "native")
    wrapper, behind = heap.node("Wrapper"), heap.node("Leaf", "native")
    heap.edge(top, detached)
    heap.edge(top, attached)
    heap.edge(detached, lost)
    heap.edge(detached, shown)
    heap.edge(attached, shown)
    heap.edge(detached, wrapper)
    heap.edge(wrapper, behind)

    graph = drawn(tmp_path, heap)

    named = [graph.strings[int(index)] for index in graph.node_name]
    assert named[2:] == ["Detached Tree", "Page", "Detached Leaf", "Leaf", "Wrapper", "Leaf"]
    assert figures(graph)["Detached Leaf"][0] == 1


def test_map_descriptors_lead_on_only_by_their_keys(tmp_path: Path) -> None:
    heap = Drawing()
    top = heap.root()
    descriptors = heap.node("(map descriptors)", "array")
    heap.edge(top, descriptors)
    for slot in (1, 2, 3, 4, 7):
        heap.edge(descriptors, heap.node(f"slot {slot}"), slot, "element")

    graph = drawn(tmp_path, heap)

    assert graph.distance[3:].tolist() == [3, 3, 3, UNREACHED, UNREACHED]


def test_an_object_that_nothing_holds_hangs_on_the_root_with_what_it_holds(tmp_path: Path) -> None:
    heap = Drawing()
    heap.root()
    orphan, child = heap.node("Orphan", size=10), heap.node("Child", size=30)
    ring = [heap.node("Ring", size=1), heap.node("Ring", size=2)]
    heap.edge(orphan, child)
    heap.edge(ring[0], ring[1])
    heap.edge(ring[1], ring[0])
    heap.edge(ring[1], child)

    graph = drawn(tmp_path, heap)

    assert graph.dominator[[orphan, child, *ring]].tolist() == [0, orphan, 0, 0]
    assert graph.retained[orphan] == 40
    assert graph.retained[0] == graph.self_size.sum()
