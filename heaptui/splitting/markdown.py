"""A markdown file as a list of things to do: its boxes, or its sections.

A box is an item of a list that begins with `[ ]` or `[x]`, whatever its bullet: `-`, `*`, `+`,
`1.`. What is nested below a box, further boxes included, belongs to it: an unchecked box is one
item, with all that stands below it. Below a checked box, or below a bullet without a box, unchecked
boxes are items of their own.

A section is a heading with all that stands below it. Those of the highest level that has more than
one are the items: a single title above them, and what is said below it, is for all of them. A file
with one heading of each level is one section.

Where two have the same text, the second one's name ends in ` (2)`.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from heaptui.errors import Unreadable
from heaptui.inputs import NAME_MAX, Item, Source
from heaptui.splitting.markdown_structure import TAB, Document, Heading, parse
from heaptui.splitting.plain import opened
from heaptui.splitting.sizes import tokens_of

SIZE_MAX = 8 << 20
"""Bytes; a list of things to do that a person oversees is far smaller."""

_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f]")
_ENDING_MAX = 24
"""Bytes kept free in a name for what tells it from another."""


def read(path: Path) -> str:
    """The text of a markdown file.

    Raises:
        Unreadable: it is not there, larger than SIZE_MAX, or not UTF-8.
    """
    try:
        with opened(path) as file:
            data = file.read(SIZE_MAX + 1)
    except OSError as error:
        raise Unreadable(
            f"{path} cannot be read: {error.strerror or error}.", "Name a markdown file."
        ) from error
    if len(data) > SIZE_MAX:
        raise Unreadable(
            f"{path} is larger than {SIZE_MAX >> 20} MB: that is no list of things to do.",
            "Name the inputs with --inputs or --inputs-from.",
        )
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Unreadable(
            f"{path} is not UTF-8 (byte {error.start}).", "Save it as UTF-8."
        ) from error


def boxes(text: str) -> tuple[Item, ...]:
    """The unchecked boxes, in their order, each with what belongs to it."""
    document = parse(text)
    names = _names(box.text for box in document.boxes)
    ordinals = _ordinals([box.text for box in document.boxes])
    return tuple(
        Item(
            names[place],
            _tokens(document.lines[box.line : box.end]),
            under="" if box.heading is None else _one_line(document.headings[box.heading].text),
            nth=ordinals[place],
        )
        for place, box in enumerate(document.boxes)
        if not box.checked and not _in_unchecked(document, place)
    )


def checked(text: str) -> frozenset[str]:
    """The names of the boxes that are checked."""
    document = parse(text)
    names = _names(box.text for box in document.boxes)
    return frozenset(name for name, box in zip(names, document.boxes, strict=True) if box.checked)


def sections(text: str) -> tuple[Item, ...]:
    """The sections that are items, in their order."""
    document = parse(text)
    names = _names(heading.text for heading in document.headings)
    ordinals = _ordinals([heading.text for heading in document.headings])
    return tuple(
        Item(
            names[place],
            _tokens(document.lines[heading.line : heading.end]),
            under="" if heading.parent is None else names[heading.parent],
            nth=ordinals[place],
        )
        for place in _items(document.headings)
        for heading in [document.headings[place]]
    )


def excerpt(text: str, items: Sequence[Item], source: Source) -> str:
    """A file of its own for `items`: their boxes, or their sections, under the headings that they
    stand under, in the order of `text`, with what is said above the first of them there. What is
    not in `text` any more stands at the end, by its name. Each box or heading is called what the
    item is called, so that the items of this file are these."""
    document = parse(text)
    blocks = _boxes_of(document) if source is Source.BOXES else _sections_of(document)
    wanted = {item.name for item in items}
    written: list[str] = []
    _paragraph(written, document.lines[: document.preamble])
    told: set[int] = set()
    for name, heading, lines in blocks:
        if name not in wanted:
            continue
        wanted.remove(name)
        for place in _above(document.headings, heading):
            if place not in told:
                told.add(place)
                one = document.headings[place]
                _paragraph(written, document.lines[one.line : one.intro])
        if source is Source.BOXES:
            written += lines
        else:
            _paragraph(written, lines)
    mark = "- [ ]" if source is Source.BOXES else "##"
    _paragraph(written, [f"{mark} {item.name}" for item in items if item.name in wanted])
    return "\n".join(_trimmed(written)) + "\n"


class _Block(NamedTuple):
    """A box or a section as it is written for a child; `heading` is the place of that which it
    stands under."""

    name: str
    heading: int | None
    lines: list[str]


def _boxes_of(document: Document) -> Iterator[_Block]:
    names = _names(box.text for box in document.boxes)
    for name, box in zip(names, document.boxes, strict=True):
        lines = [_dedented(line, box.indent) for line in document.lines[box.line : box.end]]
        if name != _one_line(box.text):
            lines[0] = lines[0][: lines[0].index("]") + 2] + name
        yield _Block(name, box.heading, lines)


def _sections_of(document: Document) -> Iterator[_Block]:
    names = _names(heading.text for heading in document.headings)
    for name, heading in zip(names, document.headings, strict=True):
        lines = document.lines[heading.line : heading.end]
        if name != _one_line(heading.text):
            lines = [f"{'#' * heading.level} {name}", *document.lines[heading.below : heading.end]]
        yield _Block(name, heading.parent, lines)


def _items(headings: Sequence[Heading]) -> Iterator[int]:
    """The places of those that are items: together they hold everything that stands below a
    heading, but what is said of several of them above the first."""
    levels = Counter(heading.level for heading in headings)
    level = next((one for one in sorted(levels) if levels[one] > 1), None)
    for_many: set[int] = set()
    for heading in headings:
        if heading.level == level:
            for_many.update(_above(headings, heading.parent))
    for place, heading in enumerate(headings):
        if place not in for_many and (heading.parent is None or heading.parent in for_many):
            yield place


def _above(headings: Sequence[Heading], place: int | None) -> list[int]:
    """The heading at `place` and those that it stands under, the highest first."""
    chain: list[int] = []
    while place is not None:
        chain.append(place)
        place = headings[place].parent
    return chain[::-1]


def _in_unchecked(document: Document, place: int) -> bool:
    outer = document.boxes[place].outer
    while outer is not None:
        if not document.boxes[outer].checked:
            return True
        outer = document.boxes[outer].outer
    return False


def _names(texts: Iterable[str]) -> list[str]:
    """A name for each, in their order: no two are alike."""
    taken: set[str] = set()
    often: Counter[str] = Counter()
    names = []
    for text in texts:
        name = plain = _one_line(text)
        often[plain] += 1
        while name in taken:
            name = f"{plain} ({max(often[plain], 2)})"
            often[plain] += name in taken
        taken.add(name)
        names.append(name)
    return names


def _ordinals(texts: Iterable[str]) -> list[int]:
    """Which of those with the same text each is, from 1."""
    often: Counter[str] = Counter()
    ordinals = []
    for text in texts:
        often[text] += 1
        ordinals.append(often[text])
    return ordinals


def _one_line(text: str) -> str:
    """What can be a name, or the beginning of one; one that is too long ends in a digest."""
    line = " ".join(_CONTROL.sub(" ", text).split()) or "untitled"
    data = line.encode(errors="replace")
    if len(data) <= NAME_MAX - _ENDING_MAX:
        return line
    kept = data[: NAME_MAX - 2 * _ENDING_MAX].decode(errors="ignore")
    return f"{kept}… {hashlib.sha256(data).hexdigest()[:8]}"


def _tokens(lines: Sequence[str]) -> int:
    return tokens_of(sum(len(line.encode(errors="replace")) + 1 for line in lines))


def _dedented(line: str, columns: int) -> str:
    if not columns:
        return line
    blanks = line[: len(line) - len(line.lstrip(" \t"))].expandtabs(TAB)
    return blanks[columns:] + line.lstrip(" \t")


def _paragraph(written: list[str], lines: Sequence[str]) -> None:
    """Adds `lines`, with an empty line in front of them and behind."""
    lines = _trimmed(lines)
    if lines:
        if written and written[-1]:
            written.append("")
        written += [*lines, ""]


def _trimmed(lines: Sequence[str]) -> list[str]:
    end = len(lines)
    while end and not lines[end - 1].strip():
        end -= 1
    return list(lines[:end])
