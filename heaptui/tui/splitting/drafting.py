"""A division while the operator edits it: what became of the plan, and the way back."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import NamedTuple

from heaptui.inputs import Item, Share, SplitPlan
from heaptui.splitting import editing
from heaptui.tui.splitting.words import slices_words

_KEPT = 100
"""Changes that can be taken back."""


class Draft(NamedTuple):
    """`shares` in the order of the children, with all of their items; `out` are the names of those
    to leave out, which stand where they can be put back."""

    shares: tuple[Share, ...]
    out: frozenset[str] = frozenset()

    def without(self, names: Iterable[str]) -> Draft:
        """These are done by nobody."""
        return self._replace(out=self.out.union(names))

    def with_again(self, names: Iterable[str]) -> Draft:
        """These are done by the child that they stand with."""
        return self._replace(out=self.out.difference(names))


class Agreed(NamedTuple):
    """A draft as it is confirmed: what each child is to do, and the names of what is left out."""

    shares: tuple[Share, ...]
    left_out: tuple[str, ...]


def kept(share: Share, out: Collection[str]) -> tuple[Item, ...]:
    """Of its items those that are to be done."""
    if not out:
        return share.items
    return tuple(item for item in share.items if item.name not in out)


def agreed(draft: Draft) -> Agreed:
    """Only children that have something to do; there may be none."""
    left_out = tuple(name for name in editing.names(draft.shares) if name in draft.out)
    shares = tuple(_without(share, kept(share, draft.out)) for share in draft.shares)
    if not any(share.items for share in shares):
        return Agreed((), left_out)
    for place in reversed(range(len(shares))):
        if not shares[place].items:
            shares = editing.leave_out(shares, place)
    return Agreed(shares, left_out)


def _without(share: Share, items: tuple[Item, ...]) -> Share:
    return share if len(items) == len(share.items) else editing.holding(share, items)


class _Stand(NamedTuple):
    plan: SplitPlan
    draft: Draft
    edited: bool


class Drafting:
    """`draft` is what became of `plan`'s shares."""

    def __init__(self, plan: SplitPlan) -> None:
        self._now = _Stand(plan, Draft(plan.shares), edited=False)
        self._before: list[_Stand] = []
        self._told: tuple[tuple[Share, ...], list[str]] | None = None

    @property
    def plan(self) -> SplitPlan:
        return self._now.plan

    @property
    def draft(self) -> Draft:
        return self._now.draft

    @property
    def slices(self) -> list[str]:
        """What each child works through, in words that tell it from the others."""
        shares = self.draft.shares
        if self._told is None or self._told[0] is not shares:
            words = slices_words([share.items for share in shares], self.plan.source)
            self._told = shares, words
        return self._told[1]

    @property
    def edited(self) -> bool:
        """It is not as it was planned."""
        return self._now.edited

    @property
    def undoable(self) -> bool:
        return bool(self._before)

    def change(self, draft: Draft) -> None:
        if draft != self._now.draft:
            self._go_on(_Stand(self._now.plan, draft, edited=True))

    def planned(self, plan: SplitPlan) -> None:
        """Divided anew: what was edited stands before it."""
        self._go_on(_Stand(plan, Draft(plan.shares), edited=False))

    def undo(self) -> bool:
        """Whether there was something to take back."""
        if not self._before:
            return False
        self._now = self._before.pop()
        return True

    def _go_on(self, stand: _Stand) -> None:
        self._before = [*self._before[1 - _KEPT :], self._now]
        self._now = stand
