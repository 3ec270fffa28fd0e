"""A division while the operator edits it: what became of the plan, and the way back."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import NamedTuple

from msgspec.structs import replace

from heaptui.inputs import Item, Share, SplitPlan
from heaptui.splitting import editing

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
    shares = tuple(replace(share, items=kept(share, draft.out)) for share in draft.shares)
    if not any(share.items for share in shares):
        return Agreed((), left_out)
    for place in reversed(range(len(shares))):
        if not shares[place].items:
            shares = editing.leave_out(shares, place)
    return Agreed(shares, left_out)


class _Stand(NamedTuple):
    plan: SplitPlan
    draft: Draft
    edited: bool


class Drafting:
    """`draft` is what became of `plan`'s shares."""

    def __init__(self, plan: SplitPlan) -> None:
        self._now = _Stand(plan, Draft(plan.shares), edited=False)
        self._before: list[_Stand] = []

    @property
    def plan(self) -> SplitPlan:
        return self._now.plan

    @property
    def draft(self) -> Draft:
        return self._now.draft

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
