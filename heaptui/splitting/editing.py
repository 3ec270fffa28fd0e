"""What an operator makes of proposed shares. Each edit gives new shares; places count from 0.

Who waits for whom follows the shares wherever they go. What changed its items is not known to need
any memory.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from msgspec.structs import replace

from heaptui.errors import Refused
from heaptui.inputs import CHILDREN_MAX, Item, Share, Source
from heaptui.splitting import titles
from heaptui.splitting.packing import in_order

Shares = tuple[Share, ...]


def names(shares: Sequence[Share]) -> list[str]:
    """The names of all their items."""
    return [item.name for share in shares for item in share.items]


def leave_out(shares: Shares, place: int) -> Shares:
    """Without the share at `place`. Those that waited for it wait for what it waited for."""
    kept = [at for at in range(len(shares)) if at != place]
    return _reordered(shares, kept, {place: shares[place].after})


def moved(shares: Shares, place: int, to: int) -> Shares:
    """The share at `place` to where `to` is."""
    order = [at for at in range(len(shares)) if at != place]
    order.insert(max(0, min(to, len(order))), place)
    return _reordered(shares, order)


def renamed(shares: Shares, place: int, title: str) -> Shares:
    """An empty title leaves it as it was called."""
    share = shares[place]
    return _with(shares, place, replace(share, title=titles.clean(title, share.title)))


def items_moved(shares: Shares, place: int, names: Collection[str], to: int) -> Shares:
    """The items of these names from the share at `place` to the end of the one at `to`. One that
    keeps none is joined with it: who waited for it still waits for what it was to do.

    Raises:
        Refused: it would wait for itself, through another.
    """
    share, taken = shares[place], shares[to]
    going = tuple(one for one in share.items if one.name in names)
    if place == to or not going:
        return shares
    if len(going) == len(share.items):
        return joined(shares, to, place)
    rest = tuple(one for one in share.items if one.name not in names)
    shares = _with(shares, place, holding(share, rest))
    return _with(shares, to, holding(taken, (*taken.items, *going)))


def holding(share: Share, items: Sequence[Item]) -> Share:
    """The share with these items instead, under a title that is still true."""
    title = titles.anew(share.title, share.items, items)
    return replace(share, title=title, items=tuple(items), memory_bytes=None)


def joined(shares: Shares, place: int, other: int) -> Shares:
    """One of the two, at the first one's place: its items, then the other's. It
    waits for what either waited for, and who waited for either waits for it.

    Raises:
        Refused: it would wait for itself, through another.
    """
    one, two = shares[place], shares[other]
    if place == other:
        return shares
    between = [at for at in range(len(shares)) if at not in (place, other)]
    for at in between:
        if _waits(shares, at, (place, other)) and any(
            _waits(shares, end, (at,)) for end in (place, other)
        ):
            raise Refused(
                f"{shares[at].title} waits for one of them, and the other for it.",
                "Join it too, or leave them apart.",
            )
    after = tuple(sorted({*one.after, *two.after} - {place, other}))
    both = replace(holding(one, (*one.items, *two.items)), after=after)
    kept = [at for at in range(len(shares)) if at != other]
    return _reordered(_with(shares, place, both), kept, {other: (place,)})


def cut(shares: Shares, place: int, source: Source) -> Shares:
    """The share at `place` as two of about the same tokens, which wait for the same, and who waited
    for it for both.

    Raises:
        Refused: it has one item only, or there are as many shares as there may be.
    """
    share = shares[place]
    if len(share.items) < 2:
        raise Refused(f"{share.title} has one item only.", "Split its child when it runs.")
    if len(shares) >= CHILDREN_MAX:
        raise Refused(f"There are {CHILDREN_MAX} shares already.", "Join others first.")
    runs = in_order([item.tokens for item in share.items], 2)
    halves = [
        replace(
            share,
            title=titles.title(items, source),
            items=items,
            memory_bytes=None,
        )
        for items in (share.items[run.start : run.stop] for run in runs)
    ]
    if halves[0].title == halves[1].title:
        halves[1] = replace(halves[1], title=titles.clean(f"{share.title}, rest"))
    more = [
        replace(one, after=(*one.after, len(shares))) if place in one.after else one
        for one in _with(shares, place, halves[0])
    ]
    order = [*range(place + 1), len(shares), *range(place + 1, len(shares))]
    return _reordered((*more, halves[1]), order)


def more(shares: Shares, source: Source) -> Shares:
    """One more: the largest that can be is cut in two.

    Raises:
        Refused: none can be.
    """
    places = [at for at, share in enumerate(shares) if len(share.items) > 1]
    if not places:
        raise Refused("Every share has one item only.", "Split the children when they run.")
    return cut(
        shares, max(places, key=lambda at: (shares[at].tokens, len(shares[at].items))), source
    )


def fewer(shares: Shares) -> Shares:
    """One less: of those that follow one another the two smallest become one.

    Raises:
        Refused: there is one only, or those that could be wait for one another through others.
    """
    if len(shares) < 2:
        raise Refused("There is one share only.", "Leave the task as it is.")
    pairs = sorted(range(len(shares) - 1), key=lambda at: shares[at].tokens + shares[at + 1].tokens)
    for place in pairs:
        try:
            return joined(shares, place, place + 1)
        except Refused as refused:
            why = refused
    raise why


def _with(shares: Shares, place: int, share: Share) -> Shares:
    return (*shares[:place], share, *shares[place + 1 :])


def _reordered(
    shares: Shares, order: Sequence[int], instead: dict[int, tuple[int, ...]] | None = None
) -> Shares:
    """The shares at these places in this order; who waits for one that is not among them waits for
    those that stand `instead` of it."""
    new = {old: place for place, old in enumerate(order)}
    instead = instead or {}

    def following(share: Share, place: int) -> tuple[int, ...]:
        waits = {one for old in share.after for one in ((old,) if old in new else instead[old])}
        return tuple(sorted(new[one] for one in waits if one in new and one != place))

    return tuple(replace(shares[old], after=following(shares[old], old)) for old in order)


def _waits(shares: Shares, place: int, for_any: tuple[int, ...]) -> bool:
    """Whether it waits for one of these, through others or not."""
    seen: set[int] = set()
    open_ = list(shares[place].after)
    while open_:
        at = open_.pop()
        if at in for_any:
            return True
        if at not in seen:
            seen.add(at)
            open_ += shares[at].after
    return False
