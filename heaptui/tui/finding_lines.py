"""A leak hunt's finding on a whole screen. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence

from heaptui.model import Finding, Grower, Snapshot
from heaptui.tui.cells import bar, left, right
from heaptui.tui.glyphs import UNICODE, Glyphs
from heaptui.tui.kept import stamp, took
from heaptui.tui.lines import (
    BLANK,
    Line,
    Role,
    Span,
    field,
    fitted,
    flow,
    indented,
    one_line,
    ruled,
    sentence,
)
from heaptui.units import count, duration, growth, size

_QUOTED = re.compile("`([^`]+)`")
_SHOWN = 12
_BAR = 20
_PLACE_AT = 40


def finding_lines(
    finding: Finding,
    snapshots: Sequence[Snapshot],
    width: int,
    glyphs: Glyphs = UNICODE,
) -> list[Line]:
    """In words, then what grew, then what holds it, then the two files. `snapshots` are those of
    its task that still exist."""
    room = max(20, min(width - 4, 110))
    lines = indented(_in_words(finding, room), 1)
    if finding.growers:
        lines += [BLANK, *_growers(finding.growers, width, glyphs)]
    if finding.path or finding.holder:
        lines += [BLANK, ruled([("what holds it", "strong")], width, glyphs.rule)]
        lines += _path(finding, width)
    lines += [BLANK, ruled([("the two snapshots", "strong")], width, glyphs.rule)]
    for label, id in (("before", finding.before), ("after", finding.after)):
        lines += indented(_file(label, id, snapshots, room), 1)
    return lines


def place(finding: Finding) -> str:
    """`telemetry/loggers.js:18`, where it is known."""
    if finding.file is None:
        return ""
    return one_line(finding.file if finding.line is None else f"{finding.file}:{finding.line}")


def _in_words(finding: Finding, room: int) -> list[Line]:
    label = "In words: "
    first, *rest = sentence(one_line(finding.text), room - len(label))
    lines: list[Line] = [((label, "active"), *first), *indented(rest, len(label))]
    if finding.cut_short is not None:
        lines += sentence(f"It ended early: {one_line(finding.cut_short)}", room, "amber")
    return lines


def _growers(growers: Sequence[Grower], width: int, glyphs: Glyphs) -> list[Line]:
    wide = width >= 100
    name = min(44, max(16, width - 36 - (_BAR + 2 if wide else 0)))
    total = sum(max(0.0, each.bytes_per_min) for each in growers)
    share = "  SHARE OF GROWTH" if wide else ""
    head = f" {'CLASS':<{name}}{'A MIN':>9}{'GREW':>9}{'OBJECTS':>10}{share}"
    lines: list[Line] = [fitted(((head, "dim"),), width)]
    for index, each in enumerate(growers[:_SHOWN]):
        hot: Role = "amber" if index == 0 else "plain"
        spans: list[Span] = [
            (f" {left(one_line(each.name), name)}", "strong" if index == 0 else "plain"),
            (right(growth(each.bytes_per_min), 9), hot),
            (right(f"+{size(each.bytes)}", 9), "violet"),
            (right(count(each.count), 10), "dim"),
        ]
        if wide:
            fill, rest = bar(_BAR, max(0.0, each.bytes_per_min), total, glyphs=glyphs)
            spans += [("  ", "plain"), (fill, "amber" if index == 0 else "quantity"), (rest, "dim")]
        lines.append(fitted(tuple(spans), width))
    if len(growers) > _SHOWN:
        lines.append(((f" and {len(growers) - _SHOWN} more", "dim"),))
    return lines


def _path(finding: Finding, width: int) -> list[Line]:
    lines: list[Line] = []
    where = place(finding)
    holds = _holding_step(finding)
    for depth, step in enumerate(finding.path):
        text = one_line(step)
        trunk = f" {'   ' * (depth - 1)}└─ " if depth else " "
        spans: list[Span] = [(trunk, "dim"), (text, "violet" if depth == holds else "plain")]
        if depth == holds and where:
            spans = [*fitted(tuple(spans), min(_PLACE_AT, width // 2)), ("  ", "plain")]
            spans.append((where, "amber"))
        lines.append(fitted(tuple(spans), width))
    fields = []
    if finding.holder is not None:
        fields.append(field("held by", one_line(finding.holder), "violet"))
    if finding.function is not None:
        fields.append(field("in", one_line(finding.function)))
    if where:
        fields.append(field("at", where, "amber"))
    return lines + indented(flow(fields, width - 2, gap=3), 1)


def _holding_step(finding: Finding) -> int | None:
    """Which step of the path names the holder: the last that has its name in it."""
    if not finding.holder:
        return None
    quoted = _QUOTED.search(finding.holder)
    name = (quoted[1] if quoted else finding.holder).rpartition(".")[2]
    steps = [depth for depth, step in enumerate(finding.path) if name and name in step]
    return steps[-1] if steps else None


def _file(label: str, id: int | None, snapshots: Sequence[Snapshot], room: int) -> list[Line]:
    found = next((each for each in snapshots if each.id == id), None)
    if found is None:
        why = "was not taken" if id is None else "is not kept any more"
        return [field(f"{label:<7}", why, "dim")]
    fields: list[Line] = [
        field(f"{label:<7}", stamp(found.at)),
        field("heap", size(found.heap_bytes), "violet"),
        field("file", size(found.bytes)),
        field("took", took(found.seconds)),
    ]
    return [*flow(fields, room), *sentence(one_line(found.path), room, "dim")]


def finding_title(finding: Finding, width: int, rule: str) -> Line:
    """Whose, when, and how long it took."""
    pid = f"pid {finding.pid}, attempt {finding.attempt}, {duration(finding.seconds)}"
    spans: list[Span] = [("Leak hunt ", "dim"), (one_line(finding.name), "strong")]
    spans += [(f" {stamp(finding.at)}", "strong"), (f"   {pid}", "dim")]
    return ruled(spans, width, rule)
