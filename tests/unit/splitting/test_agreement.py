"""Whether shares hold what is left of a task."""

from __future__ import annotations

import pytest

from heaptui.errors import Unreadable, UsageError
from heaptui.inputs import CHILDREN_MAX, Item, Share
from heaptui.splitting.agreement import check

LEFT = (
    Item("a", 1),
    Item("b", 1),
    Item("big", 30),
    Item("half:11-20", 3, of="half", first=11, last=20),
)
DONE = (Item("c", 1), Item("half:1-10", 3, of="half", first=1, last=10))


def part(of: str, first: int, last: int) -> Item:
    return Item(f"{of}:{first}-{last}", 1, of=of, first=first, last=last)


def share(*items: Item, after: tuple[int, ...] = ()) -> Share:
    return Share(title=f"s{len(items)}", items=items, after=after)


def checked(*shares: Share, left_out: tuple[str, ...] = ()) -> None:
    check(shares, LEFT, left_out, lines_of={"big": 100}.__getitem__, done=DONE)


A, B, BIG, HALF = LEFT


@pytest.mark.parametrize(
    ("shares", "left_out"),
    [
        ((share(A, B, BIG, HALF),), ()),
        ((share(HALF), share(BIG, A), share(B)), ()),
        ((share(A, part("big", 51, 100)), share(B, HALF, part("big", 1, 50))), ()),
        ((share(A, B, BIG, part("half", 11, 15)), share(part("half", 16, 20))), ()),
        ((share(A, BIG),), ("b", "half:11-20")),
        ((share(A, B, HALF, part("big", 1, 40)),), ("big:41-100",)),
        # done since it was planned: its child will not get it
        (
            (share(A, B, DONE[0]), share(BIG, HALF, part("half", 1, 5)), share(part("half", 1, 5))),
            (),
        ),
        ((share(A, B, BIG, HALF),), ("c", "half:1-10")),
    ],
)
def test_all_of_it_once_is_agreed(shares: tuple[Share, ...], left_out: tuple[str, ...]) -> None:
    checked(*shares, left_out=left_out)


@pytest.mark.parametrize(
    ("shares", "left_out", "why"),
    [
        ((), (), "no share"),
        ((share(A, B, BIG, HALF), share()), (), "Share 2 .* is empty"),
        ((share(A),) * (CHILDREN_MAX + 1), (), "201 children"),
        ((share(A), share(B, BIG)), (), "'half:11-20' would be left undone"),
        ((share(A),), (), "'b' and 2 more would be left undone"),
        ((share(A, B, A, BIG, HALF),), (), "'a' would be done twice"),
        ((share(A, B), share(A, BIG, HALF)), (), "in share 1 .* and in share 2"),
        ((share(A, B, BIG, HALF),), ("a",), "'a' would be done twice: .* left out"),
        ((share(*LEFT, Item("x", 1)),), (), "'x' in share 1 .* is nothing that is left"),
        ((share(*LEFT),), ("x",), "'x', left out"),
        ((share(*LEFT),), ("x:1-2",), "'x:1-2' in what is left out"),
        ((share(A, B, HALF, part("big", 1, 50), part("big", 52, 100)),), (), "51 to 51 .* undone"),
        ((share(A, B, HALF, part("big", 2, 100)),), (), "Lines 1 to 1 of 'big' .* undone"),
        ((share(A, B, HALF, part("big", 1, 99)),), (), "Lines 100 to 100 .* undone"),
        ((share(A, B, HALF, part("big", 1, 50), part("big", 40, 100)),), (), "40 to 50 .* twice"),
        ((share(A, B, HALF, part("big", 1, 50), part("big", 50, 100)),), (), "50 to 50 .* twice"),
        ((share(A, B, HALF, BIG), share(part("big", 1, 50))), (), "'big' would be done twice"),
        ((share(A, B, BIG, part("half", 5, 20)),), (), "'half:5-20' .* nothing"),
        ((share(A, B, BIG, HALF, part("a", 3, 2)),), (), "nothing"),
        ((share(A, B, BIG, HALF, Item("a:9-9", 1, of="a", first=1, last=2)),), (), "nothing"),
        ((share(A, B, BIG), share(HALF, after=(2,))), (), "waits for share 3"),
        ((share(A, B, BIG), share(HALF, after=(-1,))), (), "there is not"),
        ((share(A, B, BIG), share(HALF, after=(1,))), (), "wait for one another: 2 for 2"),
        (
            (share(A, after=(2,)), share(B, after=(0,)), share(BIG, HALF, after=(1,))),
            (),
            "wait for one another",
        ),
    ],
)
def test_anything_else_is_told(
    shares: tuple[Share, ...], left_out: tuple[str, ...], why: str
) -> None:
    with pytest.raises(UsageError, match=why):
        checked(*shares, left_out=left_out)


def test_parts_of_what_cannot_be_read_are_not_agreed() -> None:
    def lines_of(name: str) -> int:
        raise Unreadable(f"{name} cannot be read: gone.")

    with pytest.raises(UsageError, match="big cannot be read"):
        check([share(part("big", 1, 5))], [BIG], [], lines_of=lines_of)
    # of what is whole nobody counts the lines
    check([share(BIG)], [BIG], [], lines_of=lines_of)
