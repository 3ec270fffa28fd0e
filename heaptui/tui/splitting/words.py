"""What a division is made of, in words: items, slices, strategies, tokens. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from pathlib import PurePath

from heaptui.inputs import Item, Source, SplitPlan
from heaptui.tui.lines import one_line
from heaptui.units import count

NOUNS = {
    Source.FILES: "file",
    Source.LINES: "line",
    Source.BOXES: "item",
    Source.SECTIONS: "section",
}
"""What an item of each source is called."""

_STRATEGIES = {
    "items": "open items of {origin}",
    "headings": "headings of {origin}",
    "files": "files, packed by tokens",
    "lines": "lines, packed by tokens",
    "directories": "directory",
    "planner": "its planner",
}
_ORIGIN_MAX = 40


def amount(number: int, source: Source) -> str:
    """`1 file`, `12 files`."""
    return f"{number:,} {NOUNS[source]}{'s' * (number != 1)}"


def strategy_words(plan: SplitPlan) -> str:
    """How it is divided; a strategy that is none of ours by its name."""
    words = _STRATEGIES.get(plan.strategy, "{strategy}")
    origin = one_line(PurePath(plan.origin).name or plan.origin)[:_ORIGIN_MAX]
    return words.format(origin=origin or "its list", strategy=one_line(plan.strategy))


def tokens(number: int) -> str:
    """Three significant digits: 912, 26.1k, 102k, 1.84M."""
    if 1000 <= number < 99_950:
        return f"{number / 1000:.1f}k"
    return count(number)


def budget_words(plan: SplitPlan) -> str:
    """What a child's slice may take: `30k`, as an operator would write it."""
    return tokens(plan.budget_tokens).replace(".0k", "k")


def slice_words(items: Sequence[Item], source: Source) -> str:
    """What a child works through, in one line; its number stands elsewhere."""
    if not items:
        return ""
    if source is Source.FILES:
        return _files(items)
    first = one_line(items[0].name)
    if len(items) == 1:
        return first
    heading = items[0].under
    if heading and items[-1].under == heading and all(item.under == heading for item in items):
        return f"under {one_line(heading)}"
    return f"{first} … {one_line(items[-1].name)}"


def slices_words(slices: Sequence[Sequence[Item]], source: Source) -> list[str]:
    """Each as `slice_words`; those that would read alike by their first and their last item."""
    told = [slice_words(items, source) for items in slices]
    often = Counter(told)
    return [
        _ends(items, source) if len(items) > 1 and often[words] > 1 else words
        for items, words in zip(slices, told, strict=True)
    ]


def item_words(item: Item) -> str:
    """One item: a part of a file by its lines, a box with its heading before it."""
    if item.of:
        return f"{one_line(item.of)} {_lines(item.first, item.last)}"
    words = one_line(item.name)
    if item.nth > 1:
        words += f" (no. {item.nth})"
    return f"{one_line(item.under)}: {words}" if item.under else words


def _files(items: Sequence[Item]) -> str:
    head = items[0]
    if len(items) == 1:
        return item_words(head)
    if head.of and all(item.of == head.of for item in items):
        return _parts(items)
    names = [item.of or item.name for item in items]
    low, high = min(names), max(names)
    same = next((at for at, (a, b) in enumerate(zip(low, high, strict=False)) if a != b), len(low))
    directory = low[: low.rfind("/", 0, same) + 1]
    suffix = _suffix(low)
    if not suffix or any(_suffix(name) != suffix for name in names):
        suffix = ""
    if not directory and not suffix:
        return f"{one_line(names[0])} … {one_line(names[-1])}"
    deeper = any("/" in name[len(directory) :] for name in names)
    return one_line(f"{directory}{'**/' if deeper else ''}*{suffix}")


def _ends(items: Sequence[Item], source: Source) -> str:
    """The first and the last; of files in one directory that is named once."""
    first, last = items[0], items[-1]
    if source is Source.FILES:
        directory = (first.of or first.name).rpartition("/")[0]
        end = item_words(last)
        if directory and (last.of or last.name).rpartition("/")[0] == directory:
            end = end.removeprefix(f"{one_line(directory)}/")
        return f"{item_words(first)} … {end}"
    return f"{one_line(first.name)} … {one_line(last.name)}"


def _parts(items: Sequence[Item]) -> str:
    of = one_line(items[0].of)
    pairs = pairwise(items)
    if all(before.last + 1 == after.first for before, after in pairs):
        return f"{of} {_lines(items[0].first, items[-1].last)}"
    return f"{of} in {len(items)} parts"


def _lines(first: int, last: int) -> str:
    return f"line {first:,}" if first == last else f"lines {first:,}-{last:,}"


def _suffix(name: str) -> str:
    """`.spec.ts`, "" where it has none."""
    base = name.rpartition("/")[2]
    dot = base.find(".", 1)
    return base[dot:] if dot > 0 else ""


def some(names: Sequence[str], most: int) -> str:
    """The first of them, and how many more there are."""
    more = f" and {len(names) - most:,} more" if len(names) > most else ""
    return ", ".join(one_line(name) for name in names[:most]) + more
