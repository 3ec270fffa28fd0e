"""What is left of a task when its worker has ended, and to which child it goes. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence

from msgspec.structs import replace

from heaptui.engine.base import Exited
from heaptui.inputs import ChildShare, Division, Item
from heaptui.model import Verdict, VerdictKind, Work
from heaptui.output import printable
from heaptui.splitting import titles
from heaptui.splitting.left import within
from heaptui.supervisor.splitting.standing import Standing

_RANGE = re.compile(r":\d+-\d+\Z")


def with_more_to_do(verdict: Verdict, now: Standing) -> Verdict:
    """Reports are counted as they are written, in two spellings twice: only here is it known
    whether all of it is done, where its worker reports at all."""
    if verdict.kind is VerdictKind.FINISHED and now.done and now.left:
        return Verdict(VerdictKind.STOPPED, "ended to be split", verdict.evidence)
    return verdict


def as_ended(
    division: Division,
    now: Standing,
    hand: Sequence[Item],
    work: Work | None,
    verdict: Verdict,
    exited: Exited | None,
) -> Division:
    """With what its worker had done and had in hand when it ended."""
    in_order = exited is not None and (exited.code == 0 or (work is not None and work.drained))
    if not in_order and now.left:
        # without a word from it the next one is the likeliest that it had begun
        division = replace(division, again=tuple(item.name for item in hand or now.left[:1]))
    if verdict.kind not in (VerdictKind.STOPPED, VerdictKind.FINISHED):
        division = replace(division, error=printable(verdict.text))
    return given_out(division, now)


def given_out(division: Division, now: Standing) -> Division:
    """Only what is left, all of it: a child whose items are done is not needed."""
    kept = within(now.left)
    children = [
        child if child.reduces else _holding(child, tuple(filter(kept, child.items)))
        for child in division.children
    ]
    rest = _nobodys(children, division.left_out, now.left)
    if rest:
        place = next(n for n, child in enumerate(children) if not child.reduces)
        children[place] = replace(children[place], items=(*children[place].items, *rest))
    wanted = [child for child in children if child.items or child.reduces]
    if not any(child.items for child in wanted):
        wanted = []
    ids = {child.id for child in wanted}
    done = tuple(item.name for item in now.done)
    named = set(done)
    return replace(
        division,
        children=tuple(
            replace(child, after=tuple(one for one in child.after if one in ids))
            for child in wanted
        ),
        done=done,
        # what was left out and done all the same
        left_out=tuple(name for name in division.left_out if name not in named),
    )


def _holding(child: ChildShare, items: tuple[Item, ...]) -> ChildShare:
    return replace(child, title=titles.anew(child.title, child.items, items), items=items)


def _nobodys(
    children: Sequence[ChildShare], left_out: Sequence[str], left: Sequence[Item]
) -> tuple[Item, ...]:
    """What is open again since it was divided: a box that was unchecked, a line taken back."""
    named = {*left_out, *(_RANGE.sub("", name) for name in left_out)}
    for child in children:
        for item in child.items:
            named |= {item.name, item.of or item.name}
    return tuple(item for item in left if item.name not in named and item.of not in named)
