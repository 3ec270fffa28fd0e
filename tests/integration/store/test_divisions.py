"""What tasks work through, how they were split, and who came of whom."""

from __future__ import annotations

from msgspec.structs import replace

from heaptui.inputs import ChildShare, Division, Inputs, Item, Source
from heaptui.model import State
from heaptui.store.records import Batch, Kin

ITEMS = (Item("a b/ü.py", 12), Item("big:1-40", 9, of="big", first=1, last=40))
INPUTS = Inputs(source=Source.FILES, items=ITEMS, origin="**/*")
DIVISION = Division(
    at=5.0,
    by="operator",
    strategy="files",
    timeout_s=1200,
    children=(
        ChildShare(id="b", title="first", items=ITEMS[:1]),
        ChildShare(id="c", title="second", items=ITEMS[1:], after=("b",)),
        ChildShare(id="d", title="all", items=(), after=("b", "c"), reduces=True),
    ),
    reduce=("cat", "{results}"),
    left_out=("gone",),
    again=("x",),
)


async def test_what_a_task_works_through_comes_back_as_it_was(store, task):
    await store.write(Batch(tasks=[task("a", items=2)], inputs={"a": INPUTS}))
    assert await store.inputs("a") == INPUTS
    assert await store.inputs("b") is None
    stored = await store.task("a")
    assert stored is not None
    assert stored.items == 2


async def test_a_division_replaces_the_one_before(store, task):
    await store.write(Batch(tasks=[task("a")], divisions={"a": DIVISION}))
    assert await store.division("a") == DIVISION
    later = replace(DIVISION, done=("y",), children=DIVISION.children[:1])
    await store.write(Batch(divisions={"a": later}))
    assert await store.division("a") == later
    assert await store.division("b") is None


async def test_children_are_found_in_their_order_whatever_became_of_them(store, task):
    children = [
        task("c", parent="a", kin=Kin(part=2, depth=1, title="second", after=("b",))),
        task("b", parent="a", kin=Kin(part=1, depth=1), state=State.DONE, ended_at=9.0),
        task("z", parent="b", kin=Kin(part=1, depth=2)),
        task("o"),
    ]
    await store.write(Batch(tasks=[task("a", kin=Kin(children=2)), *children]))
    found = await store.children("a")
    assert [(one.id, one.kin) for one in found] == [("b", children[1].kin), ("c", children[0].kin)]
    assert await store.children("o") == []
    assert await store.children("") == []


async def test_all_of_it_goes_with_its_task(store, task):
    ended = task("a", state=State.DONE, ended_at=9.0, items=2)
    await store.write(Batch(tasks=[ended], inputs={"a": INPUTS}, divisions={"a": DIVISION}))
    await store.forget(["a"])
    assert await store.inputs("a") is None
    assert await store.division("a") is None
