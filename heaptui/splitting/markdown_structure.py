"""Where the boxes and headings of a markdown file are, by GitHub's dialect of CommonMark as far as
they go: https://github.github.com/gfm/ (4.2, 4.3 headings, 4.5 fenced code, 4.6 comments, 5.2, 5.3
lists and task lists). Front matter, code and comments hold none. Quoted boxes are quoted, not set.

Two blanks more than a bullet has put a line below it, also where its text begins further right, as
after `10.`: so it is meant by whoever writes it, and what is moved to the left with all that
belongs to it means the same there.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

_FENCE = re.compile(r"(`{3,})[^`]*$|(~{3,}).*$")
_ATX = re.compile(r"(#{1,6})(?![^ \t])(.*)$")
_SETEXT = re.compile(r" {0,3}(=+|-+)[ \t]*$")
_BULLET = re.compile(r"([-*+]|\d{1,9}[.)])(?:( +)(?=\S)|\s*$)")
_BOX = re.compile(r"\[([ xX])\]\s+(\S.*)$")
TAB = 4
_CODE = 4
"""Blanks in front of a line, further than the text that it stands below, that make it code."""

_BELOW = 2
"""Blanks more than a bullet has in front of it that put a line below it."""


@dataclass(slots=True)
class Heading:
    """`line` is where it stands (from 0), `below` the first line below it, `end` the line behind
    all that stands below it, deeper headings included, and `intro` the line behind what is said
    before its first box or the next heading. `setext`: underlined, and not led by #."""

    text: str
    level: int
    line: int
    below: int
    parent: int | None
    setext: bool = False
    end: int = 0
    intro: int = 0


@dataclass(slots=True)
class Box:
    """`line` is where it stands, `end` the line behind all that belongs to it. `outer` is the box
    that it is nested in, `heading` what it stands under: places in the document's lists."""

    text: str
    checked: bool
    line: int
    indent: int
    outer: int | None
    heading: int | None
    end: int = 0


@dataclass(slots=True)
class Document:
    """`preamble` is the line behind what is said before any heading or box."""

    lines: list[str]
    headings: list[Heading] = field(default_factory=list)
    boxes: list[Box] = field(default_factory=list)
    preamble: int = 0


@dataclass(slots=True)
class _Open:
    """An item of a list that goes on: where what is below it begins, where its text does, and its
    box."""

    below: int
    text: int
    box: int | None


def parse(text: str) -> Document:
    """What is in `text`; line ends of any system, with or without a byte order mark."""
    text = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    document = Document(text.split("\n"))
    _Reader(document).read()
    _close(document)
    return document


class _Reader:
    """Goes through the lines once."""

    def __init__(self, document: Document) -> None:
        self._document = document
        self._open: list[_Open] = []
        self._fence = ""
        self._fence_at = 0
        """Where what is below the item begins that the fence stands in."""
        self._comment = False
        self._blank = True
        self._paragraph = 0
        """Lines of the paragraph that goes on, outside of lists."""

    def read(self) -> None:
        lines = self._document.lines
        for number in range(_front_matter(lines), len(lines)):
            self._line(number, lines[number])
        self._leave(0, len(lines))

    def _line(self, number: int, line: str) -> None:
        bare = line.strip()
        indent = _indent(line)
        if self._fence and bare and indent < self._fence_at:
            self._fence = ""
        if self._fence:
            if bare.startswith(self._fence) and not bare.strip(self._fence[0]):
                self._fence = ""
            return
        if self._comment:
            self._comment = "-->" not in line
            return
        if not bare:
            self._blank, self._paragraph = True, 0
            return
        bullet = _BULLET.match(bare)
        if bullet is None and self._blank:
            self._leave(indent, number)
        if (
            self._begins_code(number, bare, indent)
            or self._begins_comment(number, bare, indent)
            or self._heading(number, line, bare, indent)
            or (bullet is not None and self._item(number, bare, indent, bullet))
        ):
            self._paragraph = 0
        else:
            code = indent >= _CODE and not self._paragraph
            plain = not self._open and not code and not bare.startswith((">", "|", "<"))
            self._paragraph = self._paragraph + 1 if plain else 0
        self._blank = False

    def _begins_code(self, number: int, bare: str, indent: int) -> bool:
        match = _FENCE.match(bare)
        if match is None or self._is_code(indent):
            return False
        self._leave(indent, number)
        self._fence = match[1] or match[2]
        self._fence_at = self._open[-1].below if self._open else 0
        return True

    def _begins_comment(self, number: int, bare: str, indent: int) -> bool:
        if not bare.startswith("<!--") or self._is_code(indent):
            return False
        self._leave(indent, number)
        self._comment = "-->" not in bare[4:]
        return True

    def _is_code(self, indent: int) -> bool:
        texts = (one.text for one in reversed(self._open) if one.below <= indent)
        return indent >= next(texts, 0) + _CODE

    def _heading(self, number: int, line: str, bare: str, indent: int) -> bool:
        lines = self._document.lines
        if (match := _ATX.match(bare)) and not self._is_code(indent):
            self._leave(indent, number)
            if self._open:
                # of an item's own text
                return True
            self._add(Heading(_unclosed(match[2].strip()), len(match[1]), number, number + 1, None))
            return True
        # an underline makes a heading of a paragraph of one line
        if self._paragraph == 1 and not self._open and (match := _SETEXT.match(line)):
            level = 1 if match[1][0] == "=" else 2
            text = lines[number - 1].strip()
            self._add(Heading(text, level, number - 1, number + 1, None, setext=True))
            return True
        return False

    def _add(self, heading: Heading) -> None:
        headings = self._document.headings
        place: int | None = len(headings) - 1 if headings else None
        while place is not None and headings[place].level >= heading.level:
            place = headings[place].parent
        heading.parent = place
        headings.append(heading)

    def _item(self, number: int, bare: str, indent: int, bullet: re.Match[str]) -> bool:
        if self._is_code(indent):
            return False
        self._leave(indent, number)
        blanks = len(bullet[2] or "")
        text = indent + len(bullet[1]) + (blanks if 1 <= blanks <= _CODE else 1)
        match = _BOX.match(bare[bullet.end() :])
        place = None
        if match is not None:
            document = self._document
            place = len(document.boxes)
            outer = next((one.box for one in reversed(self._open) if one.box is not None), None)
            heading = len(document.headings) - 1 if document.headings else None
            document.boxes.append(
                Box(match[2].strip(), match[1] != " ", number, indent, outer, heading)
            )
        self._open.append(_Open(indent + _BELOW, text, place))
        return True

    def _leave(self, indent: int, number: int) -> None:
        """Closes the items that a line with `indent` blanks in front of it is not in."""
        while self._open and self._open[-1].below > indent:
            one = self._open.pop()
            if one.box is not None:
                self._document.boxes[one.box].end = number


def _close(document: Document) -> None:
    """Fills in where everything ends."""
    lines, headings = document.lines, document.headings
    begins = [len(lines)] * 7
    """Of the next heading of each level."""
    for heading in reversed(headings):
        heading.intro = min(begins)
        heading.end = min(begins[: heading.level + 1])
        begins[heading.level] = heading.line
    document.preamble = headings[0].line if headings else len(lines)
    for box in reversed(document.boxes):
        while box.end - 1 > box.line and not lines[box.end - 1].strip():
            box.end -= 1
        if box.heading is None:
            document.preamble = min(document.preamble, box.line)
        else:
            heading = headings[box.heading]
            heading.intro = min(heading.intro, box.line)


def _front_matter(lines: list[str]) -> int:
    """The line behind it; 0, when there is none."""
    if lines[0].rstrip() != "---":
        return 0
    ends = (n for n, line in enumerate(lines[1:], 1) if line.rstrip() in ("---", "..."))
    return next(ends, -1) + 1


def _unclosed(text: str) -> str:
    """A heading without the # that may follow it, set apart."""
    bare = text.rstrip("#")
    return bare.rstrip() if not bare or bare[-1] in " \t" else text


def _indent(line: str) -> int:
    """Columns of blanks in front; a tab goes to the next multiple of four."""
    column = 0
    for letter in line:
        if letter == "\t":
            column += TAB - column % TAB
        elif letter == " ":
            column += 1
        else:
            break
    return column
