"""A task as a line of the table: its figures, or why it has none. Pure."""

from __future__ import annotations

from rich.cells import cell_len

from heaptui import units
from heaptui.model import Row, State
from heaptui.tui.cells import bar, cut, left, right, safe, sparkline
from heaptui.tui.context import context_role, context_text
from heaptui.tui.danger import SOON_S, Danger, danger
from heaptui.tui.families import ALONE, Kinship
from heaptui.tui.glyphs import Glyphs
from heaptui.tui.heaps import is_tight
from heaptui.tui.lines import Line, Role, Span, joined
from heaptui.tui.widgets.columns import Layout
from heaptui.tui.widgets.look import Look
from heaptui.tui.widgets.reasons import abridged, age, doing_of, instead
from heaptui.tui.words import label_of, progress_cell

ROLE: dict[Danger, Role] = {Danger.CALM: "plain", Danger.AMBER: "amber", Danger.RED: "red"}
_FILL: dict[Danger, Role] = {**ROLE, Danger.CALM: "quantity"}
_QUIET: dict[Danger, Role] = {**ROLE, Danger.CALM: "dim"}


_PAIR = 10
"""Cells of a heap with its limit."""


def row_line(
    row: Row,
    look: Look,
    *,
    cursor: bool = False,
    marked: bool = False,
    kinship: Kinship = ALONE,
) -> Line:
    """A row in exactly the layout's width, or less."""
    level = max(danger(row), kinship.danger)
    spans: list[Span] = [
        (look.glyphs.mark if marked else " ", "sky"),
        (look.glyphs.of(row.state), _sign_role(row, level)),
        (" ", "plain"),
    ]
    figures = row.state.live and row.memory_bytes is not None
    doing = _doing(row, look.layout, kinship) if figures else {}
    for at, (column, width) in enumerate(look.layout.columns):
        if not figures and column.id not in _ALWAYS:
            rest = sum(wide + after.gap for after, wide in look.layout.columns[at:])
            spans += instead(row, rest - column.gap, look, column.gap, kinship)
            break
        spans.append((" " * column.gap, "plain"))
        match column.id:
            case "name":
                said = doing.get("name", "")
                branch = cut(kinship.branch, width - 1)
                room = width - cell_len(said) - len(branch)
                name = left(label_of(row, within=bool(branch)), room, look.glyphs)
                role = _name_role(row, level, cursor=cursor)
                spans += [(branch, "dim"), (name, role), (said, "sky")]
            case id if id in doing:
                spans.append((left(doing[id], width, look.glyphs), "sky"))
            case "bar":
                fill, ticks = _bar(row, width, look.glyphs)
                spans += [(fill, _FILL[level]), (ticks, "dim")]
            case "spark":
                spans.append((sparkline(row.spark, width, look.glyphs), _QUIET[level]))
            case id:
                text, role = _cell(id, row, look, level)
                fit = left if column.at_left else right
                spans.append((fit(text, width, look.glyphs), role))
    return joined(spans)


_ALWAYS = frozenset(("name", "kind", "pid", "processes", "memory"))
"""What a row that does not run has too; the reason why stands from there to the right."""


def _doing(row: Row, layout: Layout, kinship: Kinship) -> dict[str, str]:
    """What heaptui does about it, by the column that has room: beside a short name, else in the
    place of what it was like before."""
    text = doing_of(row)
    if not text:
        return {}
    widths = {column.id: width for column, width in layout.columns}
    branch = kinship.branch
    named = len(branch) + cell_len(label_of(row, within=bool(branch)))
    if widths["name"] - named >= cell_len(text) + 2:
        return {"name": text}
    said = abridged(text, widths.get("spark", 0))
    return {"spark": said} if said else {}


def _sign_role(row: Row, level: Danger) -> Role:
    match row.state:
        case State.QUEUED | State.BACKOFF | State.DONE | State.STOPPED:
            return "dim"
        case State.STARTING | State.STOPPING | State.RECYCLING | State.SPLITTING:
            return "sky"
        case _:
            return "sky" if row.doing else ROLE[level]


def _name_role(row: Row, level: Danger, *, cursor: bool) -> Role:
    if cursor:
        return "strong"
    return "plain" if row.state.live or row.state is State.SPLIT or level else "dim"


def _bar(row: Row, width: int, glyphs: Glyphs) -> tuple[str, str]:
    peak = row.peak_bytes
    if peak is not None and row.memory_bytes and peak < row.memory_bytes * 1.02:
        peak = None  # a tick at the filling's own edge says nothing
    return bar(width, row.memory_bytes, row.cap_bytes, row.soft_bytes, peak, glyphs=glyphs)


def _near(row: Row, level: Danger) -> Role:
    """The role of growth and time to the cap: a colour only where they are the danger."""
    near = row.to_cap_s is not None and row.to_cap_s < SOON_S
    return ROLE[level] if near else "plain"


def _memory(row: Row, level: Danger) -> tuple[str, Role]:
    if row.state.ended:
        return units.size(row.peak_bytes), "plain" if level else "dim"
    if row.memory_bytes is None:
        return units.UNKNOWN, "dim"
    return units.size(row.memory_bytes), ROLE[level]


def _number(value: int | None) -> str:
    return units.UNKNOWN if value is None else str(value)


def _known(text: str, role: Role = "plain") -> tuple[str, Role]:
    return text, "dim" if text == units.UNKNOWN else role


def heap_pair(used: int | None, limit: int | None) -> str:
    """`1.41/1.50G`, `611/700M`, `97M/1.50G`, `97M`: one unit where both have the same, and the
    limit's second decimal only where there is room for it."""
    if limit is None or used is None:
        return units.size(used)
    first, second = units.size(used), units.size(limit)
    pair = f"{first[:-1] if first[-1] == second[-1] else first}/{second}"
    return pair if len(pair) <= _PAIR else f"{first}/{units.short_size(limit)}"


def _heap_role(row: Row) -> Role:
    """Violet is a heap; amber, one that V8 soon ends for want of room."""
    return "amber" if is_tight(row) else "violet"


def _age_of(row: Row, look: Look) -> str:
    return units.UNKNOWN if row.started_at is None else age(look.now - row.started_at)


def _percent(value: float | None) -> str:
    return units.UNKNOWN if value is None else f"{value:.0f}%"


def _cell(id: str, row: Row, look: Look, level: Danger) -> tuple[str, Role]:
    """Text and role of a cell that is text."""
    match id:
        case "kind":
            return row.kind.value, "dim"
        case "pid":
            return _number(row.pid if row.state.live else None), "dim"
        case "processes":
            runs = row.state.live or row.state is State.SPLIT
            return _number(row.processes if runs else None), "dim"
        case "memory":
            return _memory(row, level)
        case "cap":
            return units.short_size(row.cap_bytes), "dim"
        case "peak":
            return units.size(row.peak_bytes), "dim"
        case "heap":
            return _known(heap_pair(row.heap_used_bytes, row.heap_limit_bytes), _heap_role(row))
        case "heap-short":
            return _known(units.size(row.heap_used_bytes), _heap_role(row))
        case "context" | "context-short":
            return _known(context_text(row, share=id == "context"), context_role(row))
        case "growth":
            return _known(units.growth(row.growth_bytes_per_min), _near(row, level))
        case "to-cap":
            return _known(units.duration(row.to_cap_s), _near(row, level))
        case "cpu":
            return _known(_percent(row.cpu_percent))
        case "age":
            return _age_of(row, look), "dim"
        case "tries":
            return str(row.attempts), "dim"
        case "progress":
            return _known(progress_cell(row) or units.UNKNOWN)
        case "command":
            return safe(" ".join(row.argv)), "dim"
    raise KeyError(id)
