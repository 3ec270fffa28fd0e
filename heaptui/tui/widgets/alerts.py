"""One alert in one line, with the keys that act on it. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from heaptui.model import Alert, Row
from heaptui.tui.cells import cut, safe
from heaptui.tui.danger import Danger, danger
from heaptui.tui.glyphs import Glyphs
from heaptui.tui.heaps import why_no_heap
from heaptui.tui.lines import Line, Role, Span, fitted, width_of

_NARROW = 100
_NAME_MAX = 32


def alert_line(
    alerts: Sequence[Alert], row: Row | None, width: int, glyphs: Glyphs, *, here: bool
) -> Line:
    """The first of `alerts`; `row` is the task it is about, `here` that the cursor is on it."""
    if not alerts:
        return ()
    alert = alerts[0]
    role: Role = "red" if _level(alert, row) is Danger.RED else "amber"
    text: list[Span] = [(f" {glyphs.alert} ", role)]
    if row is not None:
        text += [(cut(safe(row.name), _NAME_MAX, glyphs), "strong"), (" ", "plain")]
    narrow = width < _NARROW
    said = safe(alert.text)
    text.append((said.replace(" a minute", "/min") if narrow else said, "plain"))
    gap = "  " if narrow else "   "
    keys: list[Span] = []
    if row is not None:
        acts = _acts(row) if here else (("!", "go"),)
        for key, label in acts[:1] if narrow else acts:
            keys += [(key, "sky"), (f" {label}{gap}", "plain")]
    if len(alerts) > 1:
        keys.append((f"1{'/' if narrow else ' of '}{len(alerts)}{gap}", "dim"))
    keys += [("a", "sky"), (" seen ", "plain")]
    room = width - width_of(tuple(keys)) - 1
    if room < 20:
        return fitted(tuple(text), width)
    return (*fitted(tuple(text), room), (" ", "plain"), *keys)


def _acts(row: Row) -> tuple[tuple[str, str], ...]:
    """The mildest that there is to do about it."""
    if why_no_heap(row) is None:
        return ("g", "collect"), ("s", "snapshot")
    return (("K", "stop…"),)


def _level(alert: Alert, row: Row | None) -> Danger:
    """A task's line has the colour of its row."""
    if row is not None:
        return danger(row)
    return Danger.RED if alert.level == "red" else Danger.AMBER
