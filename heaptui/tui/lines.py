"""Lines of text with a role for each piece: what the dock and the dialogs are made of.

A role is a name of the theme's palette. What agents print goes through `one_line` or
`output.printable` before it becomes a piece, and no piece ever meets a markup parser.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal

from rich.cells import cell_len

from heaptui.tui.cells import cut, safe

Role = Literal[
    "plain",
    "strong",
    "dim",
    "amber",
    "red",
    "sky",
    "active",
    "violet",
    "quantity",
    "rule",
    "chosen",
    "brand",
]
"""Styles of `themes.Palette` by name."""

Span = tuple[str, Role]
Line = tuple[Span, ...]

BLANK: Line = ()


def joined(spans: Iterable[Span]) -> Line:
    """Neighbours of one role as one piece: fewer escape sequences on the wire."""
    merged: list[Span] = []
    for text, role in spans:
        if not text:
            continue
        if merged and merged[-1][1] == role:
            merged[-1] = (merged[-1][0] + text, role)
        else:
            merged.append((text, role))
    return tuple(merged)


def one_line(text: str) -> str:
    """Whatever an agent named, harmless and in one line."""
    return safe(text).replace("\n", " ")


def width_of(line: Line) -> int:
    """Cells a line takes."""
    return sum(cell_len(text) for text, _ in line)


def text_of(line: Line) -> str:
    """The line without its roles."""
    return "".join(text for text, _ in line)


def fitted(line: Line, width: int) -> Line:
    """The line in exactly `width` cells: cut with an ellipsis, or filled with blanks."""
    total = width_of(line)
    if total <= width:
        return joined((*line, (" " * (width - total), "plain")))
    spans: list[Span] = []
    room = width
    for text, role in line:
        length = cell_len(text)
        if length >= room:
            # one cell more than there is, so that `cut` sees that something is missing
            short = cut(text if length > room else text + " ", room)
            spans.append((short + " " * (room - cell_len(short)), role))
            break
        spans.append((text, role))
        room -= length
    return joined(spans)


def ruled(spans: Iterable[Span], width: int, rule: str) -> Line:
    """A title in a line of `rule` signs across `width` cells, with a margin at either end."""
    head = joined(((f" {rule} ", "rule"), *spans))
    fill = width - width_of(head) - 2
    return joined((*head, (f" {rule * fill}", "rule"))) if fill > 0 else head


def beside(left: Sequence[Line], left_width: int, right: Sequence[Line]) -> list[Line]:
    """Two blocks next to each other."""
    lines = []
    for y in range(max(len(left), len(right))):
        first = fitted(left[y] if y < len(left) else BLANK, left_width)
        lines.append(joined((*first, *(right[y] if y < len(right) else BLANK))))
    return lines


def indented(lines: Iterable[Line], cells: int) -> list[Line]:
    """The lines with so many blanks before each."""
    return [((" " * cells, "plain"), *line) for line in lines]


def field(label: str, value: str, role: Role = "plain") -> Line:
    """A figure with its name before it."""
    return ((f"{label} ", "dim"), (value, role))


def flow(fields: Iterable[Line], width: int, gap: int = 2) -> list[Line]:
    """Fields one after another, each kept whole where it fits, in as few lines as they take."""
    lines: list[Line] = []
    for each in fields:
        if lines and width_of(lines[-1]) + gap + width_of(each) <= width:
            lines[-1] = joined((*lines[-1], (" " * gap, "plain"), *each))
        else:
            lines.append(each)
    return lines


def sentence(text: str, width: int, role: Role = "plain") -> list[Line]:
    """Words in as many lines as they take, broken between words where that is possible."""
    lines: list[str] = []
    current = ""
    for word in text.split():
        candidate = f"{current} {word}" if current else word
        if cell_len(candidate) <= width:
            current = candidate
            continue
        if current:
            lines.append(current)
        *whole, current = wrapped(word, width)
        lines += whole
    if current or not lines:
        lines.append(current)
    return [((line, role),) for line in lines]


def wrapped(text: str, width: int) -> list[str]:
    """A long line in pieces of at most `width` cells, two or more. Together they are the text."""
    if text.isascii():
        return [text[at : at + width] for at in range(0, len(text), width)] or [""]
    pieces: list[str] = []
    piece: list[str] = []
    room = width
    for char in text:
        length = cell_len(char)
        if length > room:
            pieces.append("".join(piece))
            piece, room = [], width
        piece.append(char)
        room -= length
    pieces.append("".join(piece))
    return pieces
