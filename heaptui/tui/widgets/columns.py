"""The table's columns: which there are and how wide each is on this screen. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from heaptui.tui.cells import left, right
from heaptui.tui.lines import Line, Role, Span, joined


@dataclass(frozen=True, slots=True)
class Column:
    """`width` is the least, without the `gap` before it. `order` names its order, if it has one."""

    id: str
    title: str
    width: int
    gap: int
    order: str = ""
    at_left: bool = False


_COLUMNS = (
    Column("name", "TASK", 16, 0, "name", at_left=True),
    Column("kind", "KIND", 7, 1, "kind", at_left=True),
    Column("pid", "PID", 7, 1, "pid"),
    Column("processes", "PROCS", 5, 1),
    Column("memory", "MEMORY", 6, 2, "memory"),
    Column("bar", "OF CAP", 10, 1, "of cap", at_left=True),
    Column("cap", "CAP", 5, 1),
    Column("peak", "PEAK", 6, 1, "peak"),
    Column("heap", "HEAP", 10, 2, "heap"),
    Column("heap-short", "HEAP", 6, 1, "heap"),
    Column("spark", "LAST 10 MIN", 11, 2),
    Column("growth", "A MIN", 6, 1, "growth"),
    Column("to-cap", "TO CAP", 6, 1, "to cap"),
    Column("cpu", "CPU", 4, 1, "cpu"),
    Column("context", "CONTEXT", 8, 1, "context"),
    Column("context-short", "CTX", 5, 1, "context"),
    Column("age", "AGE", 5, 1, "age"),
    Column("tries", "TRY", 3, 1, "tries"),
    Column("progress", "PROGRESS", 16, 2, "progress", at_left=True),
    Column("command", "COMMAND", 16, 2, at_left=True),
)
_BY_ID = {column.id: column for column in _COLUMNS}

_WIDE_ONLY = ("command", "processes", "pid", "peak")
"""What a terminal wider than 130 columns has room for besides, the first to go first."""
_WIDE = 130
PROGRESS_WIDE = 160
"""From here on the progress of work has a column, where a worker tells any."""
_PROGRESS_MAX = 32
_SHORT = ("context", "heap")
"""What has a short form where it is narrow, the first to be shortened first."""
_GIVE_WAY = (
    "spark", "cpu", "kind", "tries", "age", "heap-short", "cap",
    "growth", "to-cap", "context-short", "bar",
)  # fmt: skip
"""What goes where it is narrow, the first to go first; name and memory stay."""

_LEAD = 3
"""Cells of mark, sign and blank before the name."""
_NAME_MAX, _BAR_MAX = 40, 14
_SPARK_POINTS = 20
"""Of `Row.spark`: more cells than these show nothing more, so the bar grows before."""


@dataclass(frozen=True, slots=True)
class Layout:
    """Which columns there are, from the left, with their widths."""

    width: int
    columns: tuple[tuple[Column, int], ...]

    def has(self, id: str) -> bool:
        return self.has_any(id)

    def has_any(self, *ids: str) -> bool:
        return any(column.id in ids for column, _ in self.columns)


def layout(
    width: int, longest_name: int, *, heap: bool, progress: bool = False, context: bool = False
) -> Layout:
    """The columns for `width` cells. `heap`: some task's heap is known; `progress`: some worker
    tells how far it is, `context` how full its context is."""
    there = [column.id for column in _COLUMNS if not column.id.endswith("-short")]
    if not progress or width < PROGRESS_WIDE:
        there.remove("progress")
    if width < _WIDE:
        there = [id for id in there if id not in _WIDE_ONLY]
    if not heap:
        there.remove("heap")
    if not context:
        there.remove("context")
    for id in _SHORT:
        if id in there and _needs(there) > width:
            there[there.index(id)] = f"{id}-short"
    for id in (*_WIDE_ONLY, *_GIVE_WAY):
        if _needs(there) <= width:
            break
        if id in there:
            there.remove(id)
    widths = {id: _BY_ID[id].width for id in there}
    spare = width - _needs(there)
    if spare < 0:
        widths["name"] = max(1, widths["name"] + spare)
    for id, most in (
        ("name", max(16, min(longest_name, 24))),
        ("bar", _BAR_MAX),
        ("name", min(longest_name, _NAME_MAX)),
        ("spark", _SPARK_POINTS),
        ("progress", _PROGRESS_MAX),
        ("bar", 24),
        ("spark", 2 * _SPARK_POINTS),
        ("command", width),
    ):
        more = max(0, min(spare, most - widths.get(id, most)))
        if more:
            widths[id] += more
            spare -= more
    return Layout(width, tuple((_BY_ID[id], widths[id]) for id in there))


def _needs(there: list[str]) -> int:
    # one cell stays free at the right
    return _LEAD + 1 + sum(_BY_ID[id].width + _BY_ID[id].gap for id in there)


def heading(shape: Layout, order: str) -> Line:
    """The titles; the one that orders the table is sky."""
    spans: list[Span] = [(" " * _LEAD, "plain")]
    for column, width in shape.columns:
        fit = left if column.at_left else right
        title = "10 MIN" if column.id == "spark" and width < 11 else column.title
        role: Role = "sky" if column.order and column.order == order else "dim"
        spans += [(" " * column.gap, "plain"), (fit(title, width), role)]
    return joined(spans)
