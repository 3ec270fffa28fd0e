"""What a snapshot's reader answers, as lines. Every name and preview is a foreign heap's."""

from __future__ import annotations

from collections.abc import Sequence

from heaptui.heap.answers import ClassRow, DiffRow, Header, LeakAnswer, ObjectRow, StringRow
from heaptui.tui.cells import bar, left, right
from heaptui.tui.glyphs import Glyphs
from heaptui.tui.lines import (
    BLANK,
    Line,
    Role,
    Span,
    fitted,
    indented,
    joined,
    one_line,
    sentence,
    width_of,
)
from heaptui.tui.snapshot.levels import Row
from heaptui.units import UNKNOWN, size

_BAR_FROM = 100
"""Columns from which there is room for a bar."""

_BAR = 20
_COUNT, _BYTES, _SHARE, _ID = 12, 10, 8, 12
_FROM_ROOT = 2
"""Steps that stay of a path's beginning where there is no room for all of it."""


def heading(row: Row | None, width: int) -> Line:
    """Names of the columns for lists of such rows."""
    match row:
        case ClassRow():
            names = (
                f"{'COUNT':>{_COUNT}}{'SHALLOW':>{_BYTES}}{'RETAINED':>{_BYTES}}{'SHARE':>{_SHARE}}"
            )
            return _heading("CLASS", names, width, "OF THE HEAP")
        case DiffRow():
            names = f"{'NEW':>{_COUNT}}{'GONE':>{_COUNT}}{'GROWTH':>{_BYTES}}{'NEW SIZE':>{_BYTES}}"
            return _heading("CLASS", names, width, "SHARE OF GROWTH")
        case StringRow():
            names = (
                f"{'LENGTH':>{_BYTES}}{'COUNT':>{_COUNT}}{'BYTES':>{_BYTES}}{'WASTED':>{_BYTES}}"
            )
            return _heading("TEXT", names, width)
        case ObjectRow():
            names = f"{'SHALLOW':>{_BYTES}}{'RETAINED':>{_BYTES}}{'DISTANCE':>{_SHARE + 2}}"
            return _heading("OBJECT", names, width, "ID")
        case _:
            return BLANK


def _heading(first: str, names: str, width: int, last: str = "") -> Line:
    tail = f"  {last:<{_BAR}}" if last and width >= _BAR_FROM else ""
    room = max(8, width - len(names) - len(tail) - 2)
    return fitted(((f" {first:<{room}}{names}{tail}", "dim"),), width)


def row_line(row: Row, width: int, glyphs: Glyphs, top: int) -> Line:
    """One row; `top` is the figure that a full bar stands for."""
    match row:
        case ClassRow():
            return _class_line(row, width, glyphs, top)
        case DiffRow():
            return _diff_line(row, width, glyphs, top)
        case StringRow():
            return _string_line(row, width)
        case ObjectRow():
            return _object_line(row, width)


def weight(row: Row) -> int:
    """The figure that a row's bar stands for."""
    match row:
        case ClassRow():
            return row.retained if row.retained is not None else row.shallow
        case DiffRow():
            return max(0, row.delta_bytes)
        case StringRow():
            return row.bytes
        case ObjectRow():
            return row.retained or 0


def _assembled(name: list[Span], figures: Sequence[Span], width: int, tail: Line = ()) -> Line:
    taken = sum(len(text) for text, _ in figures) + width_of(tail)
    return joined((*fitted(((" ", "plain"), *name), max(8, width - taken - 1)), *figures, *tail))


def _bar(value: int, top: int, width: int, glyphs: Glyphs, role: Role) -> Line:
    if width < _BAR_FROM:
        return ()
    drawn = bar(_BAR, max(0, value), top, glyphs=glyphs)
    return (("  ", "plain"), (drawn.fill, role), (drawn.rest, "plain"))


def _class_line(row: ClassRow, width: int, glyphs: Glyphs, top: int) -> Line:
    share = UNKNOWN if row.share is None else f"{row.share * 100:.1f} %"
    figures: list[Span] = [
        (right(f"{row.count:,}", _COUNT), "plain"),
        (right(size(row.shallow), _BYTES), "dim"),
        (right(size(row.retained), _BYTES), "violet"),
        (right(share, _SHARE), "dim"),
    ]
    name: list[Span] = [(one_line(row.name), "plain")]
    if row.note:
        name.append((f"  {one_line(row.note)}", "dim"))
    tail = _bar(weight(row), top, width, glyphs, "quantity")
    return _assembled(name, figures, width, tail)


def _diff_line(row: DiffRow, width: int, glyphs: Glyphs, top: int) -> Line:
    grows = row.delta_bytes > 0
    role: Role = "dim"
    if grows:
        role = "red" if row.delta_bytes * 4 > top else "amber"
    sign = "+" if grows else "-" if row.delta_bytes < 0 else ""
    figures: list[Span] = [
        (right(f"{row.new:,}", _COUNT), "plain"),
        (right(f"{row.freed:,}", _COUNT), "dim"),
        (right(sign + size(abs(row.delta_bytes)), _BYTES), role),
        (right(size(row.new_bytes), _BYTES), "violet"),
    ]
    tail = _bar(row.delta_bytes, top, width, glyphs, "red" if role == "red" else "quantity")
    return _assembled([(one_line(row.name), "plain")], figures, width, tail)


def _string_line(row: StringRow, width: int) -> Line:
    figures: list[Span] = [
        (right(f"{row.length:,}", _BYTES), "dim"),
        (right(f"{row.count:,}", _COUNT), "plain"),
        (right(size(row.bytes), _BYTES), "violet"),
        (right(size(row.wasted), _BYTES), "amber" if row.wasted * 2 > row.bytes else "dim"),
    ]
    return _assembled([(one_line(row.preview), "plain")], figures, width)


def _object_line(row: ObjectRow, width: int) -> Line:
    distance = UNKNOWN if row.distance is None or row.distance < 0 else str(row.distance)
    figures: list[Span] = [
        (right(size(row.shallow), _BYTES), "dim"),
        (right(size(row.retained), _BYTES), "violet"),
        (right(distance, _SHARE + 2), "dim"),
    ]
    tail: Line = ()
    if width >= _BAR_FROM:
        tail = ((left(f"  @{row.id}", _BAR + 2), "dim"),)
    return _assembled(object_spans(row), figures, width, tail)


def object_spans(row: ObjectRow) -> list[Span]:
    """How it is reached, its class, where it stands, and a glance at its value."""
    spans: list[Span] = []
    if row.edge:
        spans.append((f"{one_line(row.edge)}  ", "violet"))
    spans.append((one_line(row.name), "plain"))
    place, preview = place_of(row), one_line(row.preview)
    if place:
        spans.append((f"  {place}", "dim"))
    if preview and not (place and preview.rstrip(")").endswith(place)):
        spans.append((f"  {preview}", "dim"))
    return spans


def place_of(row: ObjectRow) -> str:
    """`remember  src/memory.js:14`, as far as the snapshot knows."""
    where = one_line(row.file) if row.file else ""
    if where and row.line is not None:
        where += f":{row.line}"
    named = row.function is None or row.name.startswith(f"{row.function}(")
    return where if named else f"{one_line(row.function or '')} {where}".strip()


def path_lines(path: Sequence[ObjectRow], width: int, height: int, glyphs: Glyphs) -> list[Line]:
    """From the root to the object, each step further in than the one before, in at most `height`
    lines: what is left out of a longer path is from its middle."""
    if not path:
        return [((" nothing holds it: it is garbage that was not collected yet", "dim"),)]
    steps: list[ObjectRow | None] = list(path)
    hidden = 0
    if len(path) > height:
        last = max(1, height - _FROM_ROOT - 1)
        hidden = len(path) - _FROM_ROOT - last
        steps = [*path[:_FROM_ROOT], None, *path[-last:]]
    lines: list[Line] = []
    for depth, step in enumerate(steps):
        branch = " " if depth == 0 else "  " * depth + "└─ "
        if step is None:
            text = f"{hidden} step{'s' * (hidden != 1)} {glyphs.cut}"
            lines.append(((branch, "rule"), (text, "dim")))
            continue
        lines.append(fitted(((branch, "rule"), *object_spans(step)), width))
    return lines


def header_notes(headers: Sequence[Header], width: int) -> list[Line]:
    """What an operator should know about how the files were read."""
    notes = list(dict.fromkeys(note for header in headers for note in header.notes))
    return indented([line for note in notes for line in sentence(one_line(note), width - 2)], 1)


def leak_lines(answer: LeakAnswer, width: int, glyphs: Glyphs) -> list[Line]:
    """The finding in words, what grew, and the path that holds it."""
    lines: list[Line] = [
        *indented(sentence(one_line(answer.text), width - 2, "strong"), 1),
        BLANK,
    ]
    if answer.growers:
        lines.append(
            fitted(((f" {'GREW':<40}{'NEW OBJECTS':>14}{'SIZE':>10}{'HOLD':>10}", "dim"),), width)
        )
        for one in answer.growers:
            figures: list[Span] = [
                (right(f"{one.count:,}", 14), "plain"),
                (right(size(one.bytes), 10), "amber"),
                (right(size(one.retained), 10), "violet"),
            ]
            name = left(one_line(one.name), 40)
            lines.append(joined(((f" {name}", "plain"), *figures)))
        lines.append(BLANK)
    if answer.path:
        lines.append(((" held by", "dim"),))
        lines += path_lines(answer.path, width, len(answer.path), glyphs)
    return lines


def leak_text(answer: LeakAnswer) -> str:
    """The same as plain text, for a file."""
    lines = [one_line(answer.text), ""]
    lines += [
        f"{one_line(one.name)}: {one.count:,} new, {size(one.bytes)}" for one in answer.growers
    ]
    lines.append("")
    for depth, step in enumerate(answer.path):
        text = "".join(span for span, _ in object_spans(step))
        lines.append("  " * depth + text)
    return "\n".join(lines) + "\n"
