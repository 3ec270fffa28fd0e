"""What an operator would call a share."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import pairwise

from heaptui.inputs import Item, Source
from heaptui.output import printable

TITLE_MAX = 60
"""Letters; a few more where the figures in it are long."""

_LEAST = 8
"""Letters of a name that are kept however long the figures are."""

_LOOKED_AT = 8192


def clean(text: str, otherwise: str = "part") -> str:
    """`text` as one line that a terminal may show, not too long; `otherwise` when nothing of it is
    left."""
    return _cut(_shown(text)) or otherwise


def titles(groups: Sequence[Sequence[Item]], source: Source) -> list[str]:
    """A title for each, told apart where that is possible; none of them is empty."""
    named = [_called(items, source) for items in groups]
    often = Counter(named)
    return [
        (_first(items, source) if often[title] > 1 else title) or f"part {place}"
        for place, (items, title) in enumerate(zip(groups, named, strict=True), 1)
    ]


def title(items: Sequence[Item], source: Source) -> str:
    """For one of them."""
    return titles([items], source)[0]


def anew(text: str, before: Sequence[Item], after: Sequence[Item]) -> str:
    """The title of a share whose items were `before` and are `after`: what was made of its items is
    made again, what somebody wrote stays."""
    if tuple(before) == tuple(after) or not before or not after:
        return text
    for source in Source:
        for form in (_called, _first):
            if form(before, source) == text:
                return form(after, source) or text
    return text


def _called(items: Sequence[Item], source: Source) -> str:
    if len(items) > 1 and source is Source.FILES:
        files = {item.of or item.name for item in items}
        if len(files) > 1 and (directory := _common(files)):
            ending = f" ({len(files)} files)"
            return _end_of(directory, TITLE_MAX - len(ending)) + ending
        pairs = pairwise(items)
        if len(files) == 1 and all(two.first == one.last + 1 for one, two in pairs):
            return _named(files.pop(), _lines(items[0].first, items[-1].last), source)
    if len(items) > 1 and source is Source.BOXES:
        headings = {item.under for item in items}
        if len(headings) == 1 and (heading := _shown(headings.pop())):
            return _named(heading, f" ({len(items)} boxes)", source)
    return _first(items, source)


def _first(items: Sequence[Item], source: Source) -> str:
    """The first item, and how many follow."""
    item = items[0]
    ending = f" and {len(items) - 1} more" if len(items) > 1 else ""
    if item.of:
        ending = _lines(item.first, item.last) + ending
    return _named(item.of or item.name, ending, source)


def _named(name: str, ending: str, source: Source) -> str:
    """Empty where nothing of the name can be shown."""
    name, room = _shown(name), max(TITLE_MAX - len(ending), _LEAST)
    if not name:
        return ""
    return (_end_of(name, room) if source is Source.FILES else _cut(name, room)) + ending


def _lines(first: int, last: int) -> str:
    return f" lines {first:,}-{last:,}"


def _common(files: Iterable[str]) -> str:
    """The directory that all of the files lie in, empty when that is the task's own."""
    paths = [file.split("/")[:-1] for file in files]
    low, high = min(paths), max(paths)
    depth = 0
    while depth < len(low) and low[depth] == high[depth]:
        depth += 1
    directory = _shown("/".join(low[:depth]))
    return "" if directory == "." else directory


def _shown(text: str) -> str:
    """What a terminal may show of it, in one line."""
    return " ".join(printable(text.replace("\r", " ")[:_LOOKED_AT]).split())


def _cut(text: str, most: int = TITLE_MAX) -> str:
    return text if len(text) <= most else text[: most - 1].rstrip() + "…"


def _end_of(path: str, most: int) -> str:
    """A path is told by its end."""
    return path if len(path) <= most else "…" + path[1 - most :]
