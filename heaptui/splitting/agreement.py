"""Whether shares hold what is left of a task: all of it, nothing else, and nothing twice."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from graphlib import CycleError, TopologicalSorter

from heaptui.errors import Unreadable, UsageError
from heaptui.inputs import CHILDREN_MAX, Item, Share
from heaptui.splitting.known import Known

_AGAIN = "Look at the preview again, and split what it shows."


@dataclass(slots=True)
class _Given:
    """What became of one item: given away whole, and the ranges of its lines that were."""

    whole: list[str] = field(default_factory=list)
    ranges: list[tuple[int, int, str]] = field(default_factory=list)


def check(
    shares: Sequence[Share],
    left: Sequence[Item],
    left_out: Iterable[str] = (),
    *,
    lines_of: Callable[[str], int],
    done: Iterable[Item] = (),
) -> None:
    """Every item of `left` must be in one share, or named in `left_out`, once: itself, or in parts
    that together have all of its lines. What is `done` may be in one: it is, since that was
    planned, and its child will not get it. `lines_of` counts the lines of a file by its name.

    Raises:
        UsageError: with what does not hold; also for no share, an empty one, one that waits for
            itself or for none that there is, and more than CHILDREN_MAX.
    """
    _check_order(shares)
    held = _Held(left, done)
    for place, share in enumerate(shares, 1):
        for item in share.items:
            held.give(item, f"share {place} ({share.title[:60]})")
    for name in left_out:
        held.leave_out(name)
    held.check_whole(left, lines_of)


def _check_order(shares: Sequence[Share]) -> None:
    if not shares:
        raise UsageError("There is no share: nothing would be done.", "Keep one at least.")
    if len(shares) > CHILDREN_MAX:
        raise UsageError(
            f"{len(shares)} children are more than anybody oversees.",
            f"Give each more to do: {CHILDREN_MAX} at most.",
        )
    graph: dict[int, tuple[int, ...]] = {}
    for place, share in enumerate(shares):
        if not share.items:
            raise UsageError(
                f"Share {place + 1} ({share.title[:60]}) is empty.",
                "Give it something, or drop it.",
            )
        for one in share.after:
            if not 0 <= one < len(shares):
                raise UsageError(
                    f"Share {place + 1} waits for share {one + 1}, which there is not.",
                    f"There are {len(shares)}; `after` counts them from 0.",
                )
        graph[place] = share.after
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        ring = " for ".join(f"{place + 1}" for place in reversed(error.args[1]))
        raise UsageError(
            f"The shares wait for one another: {ring}.", "One of them must wait for none."
        ) from error


class _Held:
    """What is given to whom, item by item."""

    def __init__(self, left: Sequence[Item], done: Iterable[Item]) -> None:
        self._left = Known(left)
        self._done = Known(done)
        self._given: dict[str, _Given] = {}

    def give(self, item: Item, to: str) -> None:
        known = self._left.holding(item)
        if known is None:
            if self._done.holding(item) is not None:
                # two that are given what is done get nothing of it
                return
            raise UsageError(f"{item.name[:200]!r} in {to} is nothing that is left to do.", _AGAIN)
        given = self._given.setdefault(known.name, _Given())
        if item.name == known.name:
            given.whole.append(to)
        else:
            given.ranges.append((item.first, item.last, to))

    def leave_out(self, name: str) -> None:
        item = self._left.named(name) or self._done.named(name) or _part(name)
        if item is None:
            raise UsageError(f"{name[:200]!r}, left out, is nothing that is left to do.", _AGAIN)
        self.give(item, "what is left out")

    def check_whole(self, left: Sequence[Item], lines_of: Callable[[str], int]) -> None:
        missing = [item.name for item in left if item.name not in self._given]
        if missing:
            more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
            raise UsageError(f"{missing[0][:200]!r}{more} would be left undone.", _AGAIN)
        for item in left:
            _check_once(item, self._given[item.name], lines_of)


def _check_once(item: Item, given: _Given, lines_of: Callable[[str], int]) -> None:
    if len(given.whole) + bool(given.ranges) > 1:
        others = [*given.whole, *(to for _, _, to in given.ranges)]
        raise UsageError(
            f"{item.name[:200]!r} would be done twice: in {others[0]} and in {others[1]}.", _AGAIN
        )
    if given.whole:
        return
    try:
        last = item.last or lines_of(item.name)
    except Unreadable as error:
        raise UsageError(error.what, _AGAIN) from error
    line, before = item.first or 1, ""
    for begin, end, to in sorted(given.ranges):
        if begin < line:
            raise UsageError(
                f"Lines {begin:,} to {min(end, line - 1):,} of {item.of or item.name!r} would be "
                f"done twice: in {before} and in {to}.",
                _AGAIN,
            )
        if begin > line:
            raise _undone(item, line, begin - 1)
        line, before = end + 1, to
    if line <= last:
        raise _undone(item, line, last)


def _undone(item: Item, first: int, last: int) -> UsageError:
    return UsageError(
        f"Lines {first:,} to {last:,} of {item.of or item.name!r} would be left undone.", _AGAIN
    )


def _part(name: str) -> Item | None:
    """The part of a file that such a name says."""
    of, _, lines = name.rpartition(":")
    first, _, last = lines.partition("-")
    if not (of and first.isascii() and first.isdigit() and last.isascii() and last.isdigit()):
        return None
    return Item(name, 0, of=of, first=int(first), last=int(last))
