"""One alert in one line, and all of them with what they mean; each with the keys that act on it.
Pure.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from heaptui.model import Alert, Row
from heaptui.tui.cells import cut, safe
from heaptui.tui.danger import Danger, danger
from heaptui.tui.glyphs import Glyphs
from heaptui.tui.keys import Entry, display, label_of
from heaptui.tui.lines import Line, Role, Span, fitted, indented, joined, sentence, width_of
from heaptui.units import duration

_NARROW = 100
_ROOMY = 120
"""From here on the line says what it means too, as far as there is room."""
_MEANS_LEAST = 30
_NAME_MAX = 32
_KEYS_MAX = 4
_INDENT = 3

Key = tuple[str, str]


def alert_line(
    alerts: Sequence[Alert],
    row: Row | None,
    width: int,
    glyphs: Glyphs,
    entries: Sequence[Entry],
    *,
    here: bool,
) -> Line:
    """The first of `alerts`; `row` is the task it is about, `here` that the cursor is on it: only
    then do the keys act on it."""
    if not alerts:
        return ()
    alert = alerts[0]
    text = _text(alert, row, glyphs, narrow=width < _NARROW)
    gap = "  " if width < _NARROW else "   "
    acts = actions_of(alert, row, entries) if here or row is None else [("!", "go")]
    tail = _seen(entries)
    if len(alerts) > 1:
        tail.insert(0, (f"1{'/' if width < _NARROW else ' of '}{len(alerts)}{gap}", "dim"))
    keys = _keys(acts[:_KEYS_MAX], gap)
    # the figures come before all keys but the first
    while len(keys) > 2 and width_of((*text, *keys, *tail)) >= width:
        del keys[-2:]
    room = width - width_of((*keys, *tail)) - 1
    if room < 20:
        return fitted(tuple(text), width)
    left = room - width_of(tuple(text)) - 3
    if width >= _ROOMY and alert.meaning and left >= _MEANS_LEAST:
        text += [("   ", "plain"), (safe(alert.meaning), "dim")]
    return (*fitted(tuple(text), room), (" ", "plain"), *keys, *tail)


def _text(alert: Alert, row: Row | None, glyphs: Glyphs, *, narrow: bool) -> list[Span]:
    role: Role = "red" if _level(alert, row) is Danger.RED else "amber"
    text: list[Span] = [(f" {glyphs.alert} ", role)]
    if row is not None:
        text += [(cut(safe(row.name), _NAME_MAX, glyphs), "strong"), (" ", "plain")]
    said = safe(alert.text)
    return [*text, (said.replace(" a minute", "/min") if narrow else said, "plain")]


def _keys(keys: Sequence[Key], gap: str) -> list[Span]:
    spans: list[Span] = []
    for key, label in keys:
        spans += [(display(key), "sky"), (f" {label}{gap}", "plain")]
    return spans


def _seen(entries: Sequence[Entry]) -> list[Span]:
    key = next(entry.keys[0] for entry in entries if entry.id == "view.seen")
    return [(display(key), "sky"), (" seen ", "plain")]


def acts_of(alert: Alert, row: Row | None, entries: Sequence[Entry]) -> list[Entry]:
    """Those of its actions that can be done with its task now; one that this heaptui does not know
    is left out."""
    by_id = {entry.id: entry for entry in entries}
    acts = [by_id[id] for id in alert.actions if id in by_id]
    if alert.task_id is None:
        return acts
    if row is None:
        return []
    return [entry for entry in acts if entry.available(row) is None]


def actions_of(alert: Alert, row: Row | None, entries: Sequence[Entry]) -> list[Key]:
    """Their keys in force with their labels."""
    rows = [] if row is None else [row]
    return [
        (entry.keys[0], entry.label if row is None else label_of(entry, rows))
        for entry in acts_of(alert, row, entries)
    ]


def _level(alert: Alert, row: Row | None) -> Danger:
    """A task's line has the colour of its row."""
    if row is not None:
        return max(danger(row), Danger.AMBER)
    return Danger.RED if alert.level == "red" else Danger.AMBER


def alerts_lines(
    alerts: Sequence[Alert],
    rows: Mapping[str, Row],
    seen: Callable[[str], bool],
    entries: Sequence[Entry],
    width: int,
    *,
    now: float,
    glyphs: Glyphs,
) -> list[list[Line]]:
    """Every alert in lines of its own: what it says, what it means, and its keys; one that was
    seen is dim."""
    found: list[list[Line]] = []
    for alert in alerts:
        row = rows.get(alert.task_id) if alert.task_id is not None else None
        text = _text(alert, row, glyphs, narrow=False)
        marks = [f"for {duration(max(0.0, now - alert.since))}"] if alert.since else []
        if seen(alert.id):
            text = [(piece, "dim") for piece, _ in text]
            marks.append("seen")
        mark = ", ".join(marks)
        first, *rest = _wrapped(text, width - len(mark) - 2)
        lines = [joined((*fitted(first, width - len(mark)), (mark, "dim"))), *rest]
        if alert.meaning:
            lines += indented(sentence(safe(alert.meaning), width - _INDENT), _INDENT)
        if keys := actions_of(alert, row, entries):
            lines += indented([tuple(_keys(keys, "   "))], _INDENT)
        found.append(lines)
    return found


def _wrapped(text: Sequence[Span], width: int) -> list[Line]:
    """The sign and the name, and the words after them in as many lines as they take."""
    *head, (said, role) = text
    used = width_of(tuple(head))
    first, *rest = sentence(said, max(20, width - used), role)
    return [(*head, *first), *indented(rest, _INDENT)]
