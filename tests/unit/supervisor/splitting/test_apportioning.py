"""What is left when a worker has ended, and whose it is."""

from __future__ import annotations

from heaptui.inputs import ChildShare, Division, Inputs, Item, Source
from heaptui.supervisor.splitting.apportioning import given_out
from heaptui.supervisor.splitting.standing import Standing

ITEMS = tuple(Item(f"src/{name}.py", 10) for name in "abcdef")
INPUTS = Inputs(source=Source.FILES, items=ITEMS, origin="src/*.py")


def divided(*slices: tuple[Item, ...], title: str = "", left_out: tuple[str, ...] = ()) -> Division:
    children = [
        ChildShare(id=f"c{place}", title=title or f"src ({len(items)} files)", items=items)
        for place, items in enumerate(slices)
    ]
    return Division(
        at=1.0,
        by="operator",
        strategy="files",
        timeout_s=60,
        children=tuple(children),
        left_out=left_out,
    )


def standing(done: int) -> Standing:
    return Standing(INPUTS, ITEMS[done:], ITEMS[:done])


def test_a_childs_title_tells_what_is_left_for_it():
    given = given_out(divided(ITEMS[:3], ITEMS[3:]), standing(1))
    assert [child.title for child in given.children] == ["src (2 files)", "src (3 files)"]
    given = given_out(divided(ITEMS[:3], ITEMS[3:], title="the parser"), standing(1))
    assert [child.title for child in given.children] == ["the parser", "the parser"]


def test_what_was_left_out_and_is_done_all_the_same_was_not_left_out():
    out = (ITEMS[0].name, ITEMS[5].name)
    given = given_out(divided(ITEMS[1:3], ITEMS[3:5], left_out=out), standing(2))
    assert given.left_out == (ITEMS[5].name,)
    assert given.done == (ITEMS[0].name, ITEMS[1].name)
    assert len(given.done) + len(given.left_out) + sum(
        len(child.items) for child in given.children
    ) == len(ITEMS)
