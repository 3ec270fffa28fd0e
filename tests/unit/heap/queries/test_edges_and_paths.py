"""How edges are written, what refers to an object, and the shortest way to it."""

from __future__ import annotations

from pathlib import Path

import pytest

from heaptui.heap.analysis import objects, retainers
from heaptui.heap.analysis.closures import Places
from heaptui.heap.analysis.edges import property_text
from heaptui.heap.analysis.indexed import Indexed
from heaptui.heap.answers import ObjectRow
from tests.unit.heap.core.hand_made import Drawing, drawn


def indexed(directory: Path, drawing: Drawing) -> tuple[Indexed, Places]:
    snapshot = Indexed(drawn(directory, drawing))
    return snapshot, Places(snapshot)


def names(rows: tuple[ObjectRow, ...]) -> list[tuple[str, str]]:
    return [(row.edge, row.name) for row in rows]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("cache", ".cache"),
        ("$x_1", ".$x_1"),
        ("größe", ".größe"),
        ("#private", ".#private"),
        ("odd key", '["odd key"]'),
        ("1st", '["1st"]'),
        ("", '[""]'),
        ("12", "[12]"),
        ("<symbol refed>", "[Symbol(refed)]"),
        ("<symbol>", "[Symbol()]"),
    ],
)
def test_a_property_is_written_as_source(name, text):
    assert property_text(name) == text


@pytest.mark.parametrize(
    ("kind", "name", "text", "inner"),
    [
        ("context", "cache", "(closure) cache", False),
        ("element", 3, "[3]", False),
        ("property", "__proto__", ".__proto__", True),
        ("internal", "elements", "(elements)", True),
        ("internal", "9 / part of key (Object @1) -> value (Object @3) pair in WeakMap (table @5)",
         "(value of a WeakMap's key)", True),
        ("hidden", 7, "(hidden 7)", True),
        ("weak", "target", "(weak target)", True),
    ],
)  # fmt: skip
def test_an_edge_says_what_it_is(tmp_path, kind, name, text, inner):
    drawing = Drawing()
    holder = drawing.root()
    drawing.edge(holder, drawing.node("Thing"), name, kind)
    snapshot, places = indexed(tmp_path, drawing)
    (row,) = objects.children(snapshot, places, holder, 0, 10).rows
    assert (row.edge, row.inner) == (text, inner)


def test_a_map_s_entries_go_by_their_keys(tmp_path):
    drawing = Drawing()
    holder = drawing.root()
    map_ = drawing.node("Map")
    # two buckets: 2 words of header, 3 counts, 2 buckets, 4 entries of 3 words
    table = drawing.node("", "array", 8 * (2 + 3 + 2 + 12))
    drawing.edge(holder, map_, "sessions")
    drawing.edge(map_, table, "table", "internal")
    key, number, thing, other = (
        drawing.node("user 1", "string"),
        drawing.node("7.5", "number"),
        drawing.node("Session"),
        drawing.node("Session"),
    )
    for slot, target in ((5, key), (6, thing), (8, number), (9, other), (12, holder)):
        drawing.edge(table, target, str(slot), "internal")
    snapshot, places = indexed(tmp_path, drawing)
    rows = objects.children(snapshot, places, table, 0, 10).rows
    assert {row.edge for row in rows} == {
        "Map key", '.get("user 1")', ".get(7.5)", "Map value",
    }  # fmt: skip
    assert objects.row(snapshot, places, map_).preview == "(3 entries)"


def test_the_nearest_retainer_comes_first_and_weak_ones_last(tmp_path):
    drawing = Drawing()
    near = drawing.root("global")
    middle, far, held = drawing.node("Middle"), drawing.node("Far"), drawing.node("Held")
    drawing.edge(near, middle, "middle")
    drawing.edge(middle, far, "far")
    drawing.edge(far, held, "a")
    drawing.edge(middle, held, "b")
    drawing.edge(near, held, "c", "weak")
    snapshot, places = indexed(tmp_path, drawing)
    page = retainers.retainers(snapshot, places, held, 0, 10)
    assert names(page.rows) == [(".b", "Middle"), (".a", "Far"), ("(weak c)", "global")]
    assert page.total == 3
    assert names(retainers.retainers(snapshot, places, held, 1, 1).rows) == [(".a", "Far")]


def test_of_equally_short_paths_the_named_one_is_shown(tmp_path):
    drawing = Drawing()
    top = drawing.root()
    table, owner, held = drawing.node("", "array"), drawing.node("Owner"), drawing.node("Held")
    drawing.edge(top, table, "elements", "internal")
    drawing.edge(top, owner, "owner")
    drawing.edge(table, held, "0", "internal")
    drawing.edge(owner, held, "held")
    snapshot, places = indexed(tmp_path, drawing)
    assert names(retainers.path(snapshot, places, held))[-2:] == [
        (".owner", "Owner"),
        (".held", "Held"),
    ]


def test_what_only_the_runtime_reaches_has_a_path_and_no_distance(tmp_path):
    drawing = Drawing()
    drawing.root()
    roots = drawing.node("(GC roots)", "synthetic", 0)
    strong = drawing.node("(Strong roots)", "synthetic", 0)
    held = drawing.node("Held")
    drawing.edge(0, roots, 1, "element")
    drawing.edge(roots, strong, 2, "element")
    drawing.edge(strong, held, "handle", "internal")
    snapshot, places = indexed(tmp_path, drawing)
    path = retainers.path(snapshot, places, held)
    assert [row.name for row in path] == ["(root)", "(GC roots)", "(Strong roots)", "Held"]
    assert path[-1].distance is None


def test_what_only_weak_references_lead_to_has_no_path(tmp_path):
    drawing = Drawing()
    top = drawing.root()
    held = drawing.node("Held")
    drawing.edge(top, held, "cached", "weak")
    snapshot, places = indexed(tmp_path, drawing)
    assert retainers.path(snapshot, places, held) == ()


def test_the_root_s_path_is_itself_and_a_ring_ends(tmp_path):
    drawing = Drawing()
    top = drawing.root()
    one, other = drawing.node("One"), drawing.node("Other")
    drawing.edge(top, one, "one")
    drawing.edge(one, other, "next")
    drawing.edge(other, one, "next")
    snapshot, places = indexed(tmp_path, drawing)
    assert [row.name for row in retainers.path(snapshot, places, 0)] == ["(root)"]
    assert [row.name for row in retainers.path(snapshot, places, other)] == [
        "(root)", "global", "One", "Other",
    ]  # fmt: skip


def test_a_long_path_is_cut_in_its_middle(tmp_path):
    drawing = Drawing()
    at = drawing.root("global")
    for _ in range(500):
        further = drawing.node("Entry")
        drawing.edge(at, further, "next")
        at = further
    snapshot, places = indexed(tmp_path, drawing)
    path = retainers.path(snapshot, places, at)
    assert len(path) == 1 + 2 * retainers.PATH_ENDS
    cut = [row.edge for row in path if "…" in row.edge]
    assert cut == [f"… {501 - 2 * retainers.PATH_ENDS} steps … .next"]
    assert path[-1].node == at


def test_pages_of_equal_sizes_fit_together(tmp_path):
    drawing = Drawing()
    top = drawing.root()
    for _ in range(57):
        drawing.edge(top, drawing.node("Equal", size=32), "x")
    snapshot, places = indexed(tmp_path, drawing)
    seen = [
        row.node
        for offset in range(0, 57, 10)
        for row in objects.of_class(snapshot, places, "Equal", offset, 10).rows
    ]
    assert len(seen) == len(set(seen)) == 57


def test_objects_that_are_not_there(tmp_path):
    drawing = Drawing()
    drawing.root()
    snapshot, places = indexed(tmp_path, drawing)
    for ask in (
        lambda: objects.find(snapshot, places, 4),
        lambda: objects.find(snapshot, places, -1),
        lambda: objects.find(snapshot, places, 1 << 70),
        lambda: objects.children(snapshot, places, 99, 0, 10),
        lambda: objects.children(snapshot, places, -1, 0, 10),
        lambda: objects.dominated(snapshot, places, 1 << 40, 0, 10),
        lambda: retainers.path(snapshot, places, -5),
        lambda: objects.of_class(snapshot, places, "Nobody", 0, 10),
    ):
        with pytest.raises(objects.NoSuchObject):
            ask()


def test_what_would_go_with_an_object(tmp_path):
    drawing = Drawing()
    top = drawing.root()
    small, large, shared = (drawing.node(name, size=64) for name in ("Small", "Large", "Shared"))
    inside = drawing.node("Inside", size=1000)
    for name, to in (("small", small), ("large", large)):
        drawing.edge(top, to, name)
        drawing.edge(to, shared, "shared")
    drawing.edge(large, inside, "inside")
    snapshot, places = indexed(tmp_path, drawing)
    rows = objects.dominated(snapshot, places, top, 0, 10).rows
    assert [(row.name, row.retained, row.more) for row in rows] == [
        ("Large", 1064, 1), ("Small", 64, 0), ("Shared", 64, 0),
    ]  # fmt: skip
    assert [row.name for row in objects.dominated(snapshot, places, None, 0, 10).rows] == ["global"]
