"""How what is left is divided: by what it is, deterministically, and without asking anybody.

A strategy is chosen by name. heaptui's own are in `_OWN`; others come with packages that have an
entry point in the group `heaptui.strategies`: a function as `Plugin`, whose shares are checked like
anybody's.

Every division has at least two shares where there are two things to do, even where one child could
take them all: who splits wants less in one process.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import NamedTuple

from heaptui.errors import HeaptuiError, Refused, UsageError
from heaptui.inputs import CHILDREN_MAX, Item, Share, Source
from heaptui.splitting import agreement, directories, titles
from heaptui.splitting.packing import TooMany, first_fit, in_order
from heaptui.splitting.parts import in_ranges, lines_of, ranges
from heaptui.units import count

GROUP = "heaptui.strategies"

_PIECES_MAX = 100
"""Of files that are larger than the budget, in a share that is to be larger too."""


class Wanted(NamedTuple):
    """`into` so many shares; None: as many as a budget for each of them makes. A file larger than
    the budget is divided either way."""

    budget_tokens: int
    into: int | None = None


class Divided(NamedTuple):
    """`oversized` names what is larger than the budget and cannot be divided further."""

    shares: tuple[Share, ...]
    oversized: tuple[str, ...]


Plugin = Callable[[Sequence[Item], Source, Wanted, Path], Sequence[Share]]
"""What is left, what it is, what is wanted, and the directory that paths are from: to shares. It
raises Refused for what it does not divide."""

_Groups = Sequence[Sequence[Item]]


def possible(source: Source) -> tuple[str, ...]:
    """The strategies for such items; the first is the one that is used when none is named."""
    own = tuple(name for name, sources in _OWN.items() if source in sources)
    return (*own, *(name for name in _plugins() if name not in _OWN))


def divide(
    strategy: str, items: Sequence[Item], source: Source, wanted: Wanted, cwd: Path
) -> Divided:
    """Divides `items`. Order is kept within a share, and where `into` is given from one to the
    next.

    Raises:
        Refused: there is nothing to divide, or it would be more than CHILDREN_MAX.
        UsageError: these items have no such strategy, `into` is no number of children, or a
            strategy that is not heaptui's own gives no usable answer.
    """
    _check(strategy, items, source, wanted)
    if strategy not in _OWN:
        shares = _by_plugin(strategy, items, source, wanted, cwd)
        return Divided(shares, _oversized([one for each in shares for one in each.items], wanted))
    try:
        pieces = _pieces(items, source, wanted, cwd)
        groups = _groups(strategy, pieces, source, wanted)
        if len(groups) < 2 and wanted.into is None:
            wanted = wanted._replace(into=2)
            pieces = _pieces(items, source, wanted, cwd)
            groups = _groups(strategy, pieces, source, wanted)
    except TooMany:
        raise _too_many(items, wanted) from None
    if len(groups) < 2:
        raise _nothing(items, source)
    if len(groups) > CHILDREN_MAX:
        raise _too_many(items, wanted, len(groups))
    shares = tuple(
        Share(title=title, items=tuple(group))
        for title, group in zip(titles.titles(groups, source), groups, strict=True)
    )
    return Divided(shares, _oversized(pieces, wanted))


def _check(strategy: str, items: Sequence[Item], source: Source, wanted: Wanted) -> None:
    names = possible(source)
    if strategy not in names:
        raise UsageError(
            f"{strategy[:80]!r} does not divide {source}.", f"Choose of {', '.join(names)}."
        )
    if wanted.into is not None and not 2 <= wanted.into <= CHILDREN_MAX:
        raise UsageError(
            f"A task cannot be split into {wanted.into}.", f"Say 2 to {CHILDREN_MAX} children."
        )
    if wanted.budget_tokens < 1:
        raise UsageError(
            f"{wanted.budget_tokens} tokens are no budget.", "Give more: --budget 30k."
        )
    if not items:
        raise Refused("Nothing of it is left to do.", "Start another task.")


def _pieces(items: Sequence[Item], source: Source, wanted: Wanted, cwd: Path) -> Sequence[Item]:
    """The items, files that are too large for one share by ranges of lines."""
    if source is not Source.FILES:
        return items
    budget, total = wanted.budget_tokens, sum(item.tokens for item in items)
    if wanted.into is None:
        if total > budget * CHILDREN_MAX:
            raise TooMany
        return in_ranges(items, budget, cwd)
    # as large as fills such a share evenly
    share = max(1, math.ceil(total / wanted.into))
    piece = math.ceil(share / min(math.ceil(share / budget), _PIECES_MAX))
    pieces = [one for item in items for one in _cut_large(item, budget, piece, cwd)]
    return pieces if len(pieces) >= wanted.into else in_ranges(items, piece, cwd)


def _cut_large(item: Item, budget: int, piece: int, cwd: Path) -> Sequence[Item]:
    return ranges(item, piece, cwd) if item.tokens > budget else (item,)


def _groups(strategy: str, pieces: Sequence[Item], source: Source, wanted: Wanted) -> _Groups:
    if strategy == "directories":
        pieces = directories.in_order(pieces)
    if wanted.into is not None:
        return [
            [pieces[place] for place in run]
            for run in in_order([item.tokens for item in pieces], wanted.into)
        ]
    budget = wanted.budget_tokens
    if strategy == "directories":
        return directories.divided(pieces, budget, CHILDREN_MAX)
    if strategy == "headings" and source is Source.BOXES:
        return _by_heading(pieces, budget)
    if strategy in ("items", "headings"):
        # what it says tells little of what it takes: each is a child's whole work
        return [[item] for item in pieces]
    return _packed(pieces, budget)


def _packed(pieces: Sequence[Item], budget: int) -> _Groups:
    bins = first_fit([item.tokens for item in pieces], budget, CHILDREN_MAX)
    return [[pieces[place] for place in places] for places in bins]


def _by_heading(pieces: Sequence[Item], budget: int) -> _Groups:
    under: dict[str, list[Item]] = {}
    for item in pieces:
        under.setdefault(item.under, []).append(item)
    return [group for items in under.values() for group in _packed(items, budget)]


def _by_plugin(
    strategy: str, items: Sequence[Item], source: Source, wanted: Wanted, cwd: Path
) -> tuple[Share, ...]:
    try:
        divide_by: Plugin = _plugins()[strategy].load()
        shares = tuple(divide_by(items, source, wanted, cwd))
        for share in shares:
            if not isinstance(share, Share):
                raise TypeError(f"{type(share).__name__} is no Share")
        agreement.check(shares, items, lines_of=lambda name: lines_of(cwd / name))
        return tuple(
            Share(
                title=titles.clean(share.title, titles.title(share.items, source)),
                items=tuple(share.items),
                after=tuple(share.after),
            )
            for share in shares
        )
    except HeaptuiError as error:
        if isinstance(error, Refused):
            raise
        raise UsageError(
            f"The strategy {strategy} gives no usable answer: {error.what}", _OTHER
        ) from error
    except Exception as error:  # somebody else's code: whatever it raises
        raise UsageError(
            f"The strategy {strategy} fails: {type(error).__name__}: {str(error)[:200]}", _OTHER
        ) from error


@functools.cache
def _plugins() -> dict[str, EntryPoint]:
    """By name; what they name is imported when it is used."""
    return {one.name: one for one in sorted(entry_points(group=GROUP), key=lambda one: one.name)}


def _oversized(pieces: Sequence[Item], wanted: Wanted) -> tuple[str, ...]:
    return tuple(item.name for item in pieces if item.tokens > wanted.budget_tokens)


def _nothing(items: Sequence[Item], source: Source) -> Refused:
    if source is Source.FILES:
        why = "it is one file that is no text or has too few lines"
    else:
        why = "it is one of its kind"
    return Refused(
        f"There is nothing to divide: only {items[0].name[:200]!r} is left, and {why}.",
        "A task can be split that has two files, lines, boxes or headings left, or a long text.",
    )


def _too_many(items: Sequence[Item], wanted: Wanted, shares: int | None = None) -> Refused:
    total = sum(item.tokens for item in items)
    least = max(math.ceil(total / wanted.budget_tokens), CHILDREN_MAX + 1)
    would = f"{shares}" if shares is not None else f"at least {least}"
    enough = math.ceil(1.25 * total / CHILDREN_MAX / 1000)
    budget = f"a budget of {enough}k, or " if shares is None else ""
    return Refused(
        f"{len(items):,} items of {count(total)} tokens make {would} children of "
        f"{count(wanted.budget_tokens)}: more than {CHILDREN_MAX}.",
        f"Give each more to do: {budget}--into 50.",
    )


_OTHER = "Choose another strategy; this one came with an installed package."

_OWN: dict[str, frozenset[Source]] = {
    "items": frozenset((Source.BOXES,)),
    "headings": frozenset((Source.BOXES, Source.SECTIONS)),
    "files": frozenset((Source.FILES,)),
    "lines": frozenset((Source.LINES,)),
    "directories": frozenset((Source.FILES,)),
}
"""For what each of heaptui's own is: boxes and sections one by one, boxes by their headings, files
and lines by first fit, files by what lies in one directory."""
