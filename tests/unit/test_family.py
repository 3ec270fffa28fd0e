"""Families as trees: nobody is lost, and every child stands under its parent."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from heaptui.family import (
    children_of,
    in_families,
    label_of,
    part_words,
    placed,
    rolled_up,
    split_words,
    standing,
    unended,
)
from heaptui.model import Kind, Row, State


def row(id: str, /, **fields: object) -> Row:
    given: dict[str, object] = {
        "id": id,
        "name": id,
        "kind": Kind.COMMAND,
        "state": State.RUNNING,
        "argv": ("true",),
        "cwd": "/",
        "created_at": 1.0,
    }
    return Row(**(given | fields))  # type: ignore[arg-type]


def ids(rows: list[Row]) -> str:
    return " ".join(row.id for row in rows)


@st.composite
def forests(draw: st.DrawFn) -> list[Row]:
    """Rows in any order; the parent of some is not among them."""
    parents = draw(st.lists(st.integers(-2, 11), max_size=12))
    rows = [
        row(f"t{n}", parent=None if parent == -1 or parent >= n else f"t{parent}", part=n)
        for n, parent in enumerate(parents)
    ]
    return draw(st.permutations(rows))


@given(forests())
def test_in_families_holds_every_row_once_and_each_below_its_parent(rows: list[Row]) -> None:
    ordered = in_families(rows)
    assert sorted(ids(ordered).split()) == sorted(ids(rows).split())
    places = placed(ordered)
    above: list[Row] = []
    for each, place in zip(ordered, places, strict=True):
        del above[place.depth :]
        assert (above[-1].id if above else None) == (
            each.parent if any(one.id == each.parent for one in rows) else None
        )
        above.append(each)
    assert in_families(ordered) == ordered


@given(forests())
def test_lines_of_the_tree_meet(rows: list[Row]) -> None:
    """A line that goes on below has something below it, and one that ends has nothing."""
    branches = [place.branch for place in placed(rows)]
    for upper, lower in pairwise([*branches, ""]):
        for at in range(0, max(len(upper), len(lower)), 2):
            goes_on = upper[at : at + 1] in ("├", "│")
            assert goes_on == (lower[at : at + 1] in ("├", "│", "└")) or at >= len(upper)


def test_a_family_stands_where_its_first_member_stood() -> None:
    rows = [row("calm"), row("worst", parent="p"), row("other"), row("p"), row("mild", parent="p")]
    assert ids(in_families(rows)) == "calm p worst mild other"


def test_the_branches_of_two_levels() -> None:
    tree = rolled_up(
        [
            row("a:2", parent="a", part=2),
            row("a"),
            row("a:1:1", parent="a:1", part=1),
            row("a:1", parent="a", part=1),
            row("a:1:2", parent="a:1", part=2),
            row("b"),
        ]
    )
    assert [place.branch + row.id for row, place in tree] == [
        "a",
        "├ a:1",
        "│ ├ a:1:1",
        "│ └ a:1:2",
        "└ a:2",
        "b",
    ]


def test_a_child_that_does_not_stand_below_its_parent_is_drawn_alone() -> None:
    places = placed([row("a"), row("b"), row("a:1", parent="a")])
    assert [place.branch for place in places] == ["", "", ""]


def test_what_stays_in_view_below_one_that_has_not_ended() -> None:
    done = State.DONE
    rows = [
        row("a", state=State.SPLIT),
        row("a:1", parent="a", state=done),
        row("a:1:1", parent="a:1", state=done),
        row("b", state=State.FAILED),
        row("b:1", parent="b", state=State.FAILED),
        row("c:1", parent="gone", state=done),
    ]
    assert ids(unended(rows)) == "a a:1 a:1:1"


def test_how_children_stand_in_words() -> None:
    states = [State.DONE, State.DONE, State.RUNNING, State.SPLIT, State.QUEUED, State.FAILED]
    children = [row(f"c{n}", state=state, parent="p") for n, state in enumerate(states)]
    assert standing(children) == "1 failed, 2 done, 2 run, 1 waits"
    parent = row("p", state=State.SPLIT, children=6, progress="3 of 6 children ended")
    assert split_words(parent, children) == "split into 6: 1 failed, 2 done, 2 run, 1 waits"
    assert split_words(parent, children[:2]) == "split into 6: 3 of 6 children ended"
    assert split_words(row("p", children=2), ()) == "split into 2"


def test_every_state_has_words() -> None:
    assert all(standing([row("c", state=state)]).startswith("1 ") for state in State)


def test_names_of_parts() -> None:
    child = row("x", name="e2e:2:1", parent="p", part=1, title="login form")
    assert label_of(child, within=True) == "1 login form"
    assert label_of(child, within=False) == "e2e:2:1"
    assert label_of(row("x"), within=True) == "x"
    assert part_words(child) == "part 1 of e2e:2: login form"
    assert part_words(row("x")) == ""


def test_children_are_found_in_their_order() -> None:
    rows = [row("b", parent="p", part=2), row("a", parent="p", part=1), row("p")]
    assert {id: ids(found) for id, found in children_of(rows).items()} == {"p": "a b"}
