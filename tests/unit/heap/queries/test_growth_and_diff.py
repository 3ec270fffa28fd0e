"""What grew, and what differs, between two heaps drawn by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from heaptui.errors import UsageError
from heaptui.heap.analysis.closures import Places
from heaptui.heap.analysis.diff import differences, fresh
from heaptui.heap.analysis.growth import added_up, growth, under
from heaptui.heap.analysis.indexed import Indexed
from heaptui.heap.analysis.leak import LEAST_BYTES, leak
from heaptui.heap.analysis.pairing import Pairing, nearest, pair, settled
from tests.unit.heap.core.hand_made import Drawing, drawn

MIB = 1 << 20


def trees() -> st.SearchStrategy[list[int]]:
    """Dominators: node i's is any other, in an order that has no ring."""
    return st.integers(2, 60).flatmap(
        lambda count: st.tuples(
            st.permutations(range(1, count)),
            st.lists(st.integers(0, 1 << 20), min_size=count, max_size=count),
        ).map(lambda drawn_: _tree(*drawn_))
    )


def _tree(order: list[int], picks: list[int]) -> list[int]:
    above = [0]
    dominator = [0] * (len(order) + 1)
    for node in order:
        dominator[node] = above[picks[node] % len(above)]
        above.append(node)
    return dominator


@settings(deadline=None)  # the first example compiles
@given(trees(), st.data())
def test_sums_and_nearest_are_what_walking_up_gives(tree, data):
    count = len(tree)
    values = data.draw(st.lists(st.integers(-1000, 1000), min_size=count, max_size=count))
    chosen = [True, *data.draw(st.lists(st.booleans(), min_size=count - 1, max_size=count - 1))]
    dominator = np.array(tree, np.uint32)
    sums = list(values)
    owner = []
    for node in range(count):
        at = node
        while at != 0:
            at = tree[at]
            sums[at] += values[node]
        at = node
        while not chosen[at]:
            at = tree[at]
        owner.append(at)
    assert added_up(dominator, np.array(values, np.int64)).tolist() == sums
    assert nearest(dominator, np.array(chosen)).tolist() == owner
    some = data.draw(st.integers(0, count - 1))
    assert under(dominator, some).tolist() == [some in _up(tree, node) for node in range(count)]


def _up(tree: list[int], node: int) -> set[int]:
    seen = {node}
    while node != 0:
        node = tree[node]
        seen.add(node)
    return seen


def heap(
    entries: list[int],
    *,
    size: int = MIB,
    name: str = "Entry",
    own: int = 100,
    listed: tuple[int, ...] = (),
) -> Drawing:
    """A global with a cache of `own` bytes and entries by their ids, a list with others of the
    same class, and what fills the heap."""
    drawing = Drawing()
    top = drawing.root()
    cache = drawing.node("Cache", size=own, id=1001)
    drawing.edge(top, cache, "cache")
    for place, number in enumerate(entries):
        drawing.edge(cache, drawing.node(name, size=size, id=number), place, "element")
    rows = drawing.node("List", size=100, id=1003)
    drawing.edge(top, rows, "rows")
    for place, number in enumerate(listed):
        drawing.edge(rows, drawing.node(name, size=size, id=number), place, "element")
    for number in range(200):
        drawing.edge(top, drawing.node("Filler", size=16, id=50_001 + 2 * number), f"f{number}")
    return drawing


def paired(directory: Path, old: Drawing, new: Drawing) -> tuple[Indexed, Indexed, Pairing]:
    (directory / "old").mkdir()
    (directory / "new").mkdir()
    first, second = drawn(directory / "old", old), drawn(directory / "new", new)
    return Indexed(first), Indexed(second), pair(first, second)


def test_replaced_entries_are_new_and_freed_and_no_growth(tmp_path):
    old, new, pairing = paired(tmp_path, heap([3001, 3003]), heap([3005, 3007]))
    assert pairing.one_process
    (row,) = differences(old, new, pairing, order="new", match="", limit=9)
    assert (row.name, row.new, row.freed, row.delta_bytes) == ("Entry", 2, 2, 0)
    assert growth(old.graph, new.graph, pairing).total == 0
    assert leak(old, new, Places(new), pairing, 5).text.startswith("Nothing grew")


def test_more_entries_are_growth_of_what_holds_them(tmp_path):
    old, new, pairing = paired(tmp_path, heap([3001]), heap([3003, 3005, 3007]))
    grew = growth(old.graph, new.graph, pairing)
    assert grew.total == 2 * MIB
    answer = leak(old, new, Places(new), pairing, 5)
    assert answer.holder == "global variable `cache`"
    assert (answer.new_bytes, answer.held_bytes) == (2 * MIB, 3 * MIB + 100)
    assert [(one.name, one.count, one.bytes) for one in answer.growers] == [("Entry", 2, 2 * MIB)]
    assert [row.edge for row in answer.path][-1] == ".cache"
    page = fresh(new, Places(new), pairing, "Entry", 0, 2)
    assert (page.total, len(page.rows)) == (3, 2)


def test_a_dead_one_s_number_given_to_another_is_not_the_same_object(tmp_path):
    # the cache replaced all; three of what leaks got the numbers of what it let go
    old, new, pairing = paired(
        tmp_path,
        heap([3001, 3003, 3005], listed=(4001,)),
        heap([3007, 3009, 3011], listed=(4001, 3001, 3003, 3005)),
    )
    assert growth(old.graph, new.graph, pairing).below[0] == 3 * MIB
    settled_pairing = settled(old.graph, new.graph, pairing)
    assert (settled_pairing.in_old >= 0).sum() == (pairing.in_old >= 0).sum() - 3
    answer = leak(old, new, Places(new), pairing, 5)
    assert answer.holder == "global variable `rows`"
    assert answer.new_bytes == 3 * MIB


def test_room_in_a_table_is_no_growth(tmp_path):
    entries = [3001 + 2 * number for number in range(300)]
    old, new, pairing = paired(
        tmp_path,
        heap(entries, size=16, own=20_000),
        heap(entries, size=16, own=1_000_000),
    )
    assert leak(old, new, Places(new), pairing, 5).text.startswith("Nothing grew")


def test_a_table_of_numbers_grows_without_referring_to_anything(tmp_path):
    old, new, pairing = paired(tmp_path, heap([], own=20_000), heap([], own=1_000_000))
    answer = leak(old, new, Places(new), pairing, 5)
    assert answer.holder == "global variable `cache`"
    assert answer.new_bytes == 980_000


def test_growth_below_the_noise_is_none(tmp_path):
    few = LEAST_BYTES // 3
    old, new, pairing = paired(tmp_path, heap([3001], size=few), heap([3001, 3003, 3005], size=few))
    assert leak(old, new, Places(new), pairing, 5).text.startswith("Nothing grew")


def test_one_id_with_another_class_is_another_object(tmp_path):
    old, new, pairing = paired(tmp_path, heap([3001]), heap([3001], name="Other"))
    assert pairing.one_process
    rows = {row.name: row for row in differences(old, new, pairing, order="new", match="", limit=9)}
    assert (rows["Other"].new, rows["Other"].freed) == (1, 0)
    assert (rows["Entry"].new, rows["Entry"].freed) == (0, 1)


def test_ids_that_mean_something_else_are_another_process_s(tmp_path):
    other = Drawing()
    top = other.root()
    for number in range(200):
        other.edge(top, other.node("Strange", size=16, id=50_001 + 2 * number), f"s{number}")
    old, new, pairing = paired(tmp_path, heap([3001]), other)
    assert not pairing.one_process
    rows = {row.name: row for row in differences(old, new, pairing, order="new", match="", limit=9)}
    assert (rows["Strange"].new, rows["Filler"].freed) == (200, 200)


def test_a_filter_an_order_and_a_limit(tmp_path):
    old, new, pairing = paired(tmp_path, heap([3001]), heap([3003, 3005], name="Other"))
    assert [
        row.name for row in differences(old, new, pairing, order="freed", match="", limit=1)
    ] == ["Entry"]
    assert [
        row.name for row in differences(old, new, pairing, order="new", match="OTH", limit=9)
    ] == ["Other"]
    with pytest.raises(UsageError, match="no order 'size'"):
        differences(old, new, pairing, order="size", match="", limit=9)
