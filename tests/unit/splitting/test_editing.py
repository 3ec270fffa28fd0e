"""What an operator makes of proposed shares: nothing gets lost, nothing is there twice."""

from __future__ import annotations

import random

import pytest

from heaptui.errors import Refused
from heaptui.inputs import CHILDREN_MAX, Item, Share, Source
from heaptui.splitting import editing
from heaptui.splitting.editing import Shares


def share(title: str, *names: str, after: tuple[int, ...] = (), tokens: int = 10) -> Share:
    items = tuple(Item(name, tokens) for name in names)
    return Share(title=title, items=items, after=after, memory_bytes=1 << 20)


def three() -> Shares:
    """b waits for c, c for a."""
    return (
        share("a", "1", "2", "3"), share("b", "4", after=(2,)), share("c", "5", "6", after=(0,)),
    )  # fmt: skip


def held(shares: Shares) -> list[list[str]]:
    return [[item.name for item in each.items] for each in shares]


def waits(shares: Shares) -> list[tuple[str, tuple[int, ...]]]:
    return [(each.title, each.after) for each in shares]


def test_who_waited_for_one_that_is_left_out_waits_for_what_that_waited_for():
    assert waits(editing.leave_out(three(), 2)) == [("a", ()), ("b", (0,))]
    assert waits(editing.leave_out(three(), 0)) == [("b", (1,)), ("c", ())]


def test_one_that_moved_is_still_waited_for():
    shares = editing.moved(three(), 2, 0)
    assert waits(shares) == [("c", (1,)), ("a", ()), ("b", (0,))]
    assert editing.moved(shares, 0, 2) == three()
    assert editing.moved(three(), 0, 99) == editing.moved(three(), 0, 2)


def test_a_title_is_one_harmless_line_and_never_empty():
    shares = editing.renamed(three(), 1, "  two\n\x1b[31mwords ")
    assert shares[1].title == "two words"
    assert editing.renamed(shares, 1, " \n") == shares


def test_items_go_to_the_end_of_another():
    shares = editing.items_moved(three(), 0, {"1", "3", "not there"}, 1)
    assert held(shares) == [["2"], ["4", "1", "3"], ["5", "6"]]
    assert [each.memory_bytes for each in shares] == [None, None, 1 << 20]
    assert editing.items_moved(shares, 0, {"4"}, 1) == shares
    assert editing.items_moved(shares, 1, {"4"}, 1) == shares


def test_one_that_gives_all_away_is_waited_for_where_its_items_are():
    shares = editing.items_moved(three(), 2, {"5", "6"}, 0)
    assert held(shares) == [["1", "2", "3", "5", "6"], ["4"]]
    assert waits(shares) == [("a", ()), ("b", (0,))]


def test_two_are_joined():
    shares = editing.joined(three(), 1, 2)
    assert held(shares) == [["1", "2", "3"], ["4", "5", "6"]]
    assert waits(shares) == [("a", ()), ("b", (0,))]
    assert shares[1].memory_bytes is None
    assert editing.joined(three(), 1, 1) == three()


def test_none_comes_to_wait_for_itself():
    with pytest.raises(Refused, match="c waits for one of them"):
        editing.joined(three(), 0, 1)
    with pytest.raises(Refused):
        editing.items_moved(three(), 0, {"1", "2", "3"}, 1)


def test_one_is_cut_in_two_by_tokens():
    items = (Item("1", 50), Item("2", 20), Item("3", 20), Item("4", 10))
    shares = (Share(title="x", items=items, memory_bytes=7), share("y", "5", after=(0,)))
    cut = editing.cut(shares, 0, Source.LINES)
    assert held(cut) == [["1"], ["2", "3", "4"], ["5"]]
    assert cut[0].title != cut[1].title
    assert cut[2].after == (0, 1)
    assert cut[0].memory_bytes is None
    with pytest.raises(Refused, match="one item"):
        editing.cut(cut, 0, Source.LINES)


def test_two_of_one_title_are_told_apart():
    twins = Share(title="x", items=(Item("same", 5), Item("same", 5, nth=2)))
    first, second = editing.cut((twins,), 0, Source.BOXES)
    assert (first.title, second.title) == ("same", "x, rest")


def test_more_cuts_the_largest_and_fewer_joins_the_smallest_neighbours():
    shares = (share("a", "1", tokens=99), share("b", "2", "3", tokens=9), share("c", "4"))
    assert held(editing.more(shares, Source.LINES)) == [["1"], ["2"], ["3"], ["4"]]
    assert held(editing.fewer(shares)) == [["1"], ["2", "3", "4"]]
    with pytest.raises(Refused, match="one item only"):
        editing.more((shares[0], shares[2]), Source.LINES)
    with pytest.raises(Refused, match="one share only"):
        editing.fewer(shares[:1])


def test_fewer_takes_the_next_pair_where_one_would_wait_for_itself():
    assert held(editing.fewer(three())) == [["1", "2", "3"], ["4", "5", "6"]]
    # b waits for c, c for a: neither pair of neighbours without the third
    around = (
        share("a", "1"),
        share("b", "2", after=(2,)),
        share("c", "3"),
    )
    blocked = (around[0], around[1], share("c", "3", after=(0,)))
    assert len(editing.fewer(blocked)) == 2


def test_there_are_not_more_than_anybody_oversees():
    shares = tuple(share(f"{n}", f"{n}a", f"{n}b") for n in range(CHILDREN_MAX))
    with pytest.raises(Refused, match="already"):
        editing.cut(shares, 0, Source.LINES)


@pytest.mark.parametrize("seed", range(20))
def test_whatever_is_edited_each_item_has_one_place_and_all_can_begin(seed: int):
    dice = random.Random(seed)
    shares: Shares = tuple(
        share(f"s{n}", *(f"{n}.{k}" for k in range(dice.randint(1, 6))),
              after=tuple(sorted(dice.sample(range(n), min(n, dice.randint(0, 2))))))
        for n in range(6)
    )  # fmt: skip
    everything = sorted(editing.names(shares))
    for _ in range(80):
        place, to = (dice.randrange(len(shares)) for _ in range(2))
        some = set(dice.sample(everything, dice.randint(1, 5)))
        try:
            match dice.randrange(6):
                case 0:
                    shares = editing.items_moved(shares, place, some, to)
                case 1:
                    shares = editing.moved(shares, place, to)
                case 2:
                    shares = editing.joined(shares, place, to)
                case 3:
                    shares = editing.cut(shares, place, Source.LINES)
                case 4:
                    shares = editing.more(shares, Source.LINES)
                case _:
                    shares = editing.fewer(shares)
        except Refused:
            continue
        assert sorted(editing.names(shares)) == everything
        assert all(each.items for each in shares)
        begun: set[int] = set()
        while ready := {n for n, each in enumerate(shares) if begun >= set(each.after)} - begun:
            begun |= ready
        assert len(begun) == len(shares)
