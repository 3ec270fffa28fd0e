"""The last line: what can be done with the row under the cursor. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from heaptui.model import Row
from heaptui.tui.keys import Entry, display, label_of
from heaptui.tui.lines import Line, Span, joined, width_of


def footer_line(entries: Sequence[Entry], rows: Sequence[Row], width: int) -> Line:
    """The actions that can be done now with `rows`, by rank, as many as fit; the last of them is
    always the one that shows all keys. With marks the first of the marked speaks for all."""
    row = rows[0] if rows else None
    shown = sorted((entry for entry in entries if entry.rank), key=lambda entry: entry.rank)
    usable = [entry for entry in shown if entry.available(row) is None]
    return keys_line([(entry.keys[0], label_of(entry, rows)) for entry in usable], width)


def keys_of(
    entries: Sequence[Entry], ids: Sequence[str], row: Row | None = None
) -> list[tuple[str, str]]:
    """The keys of these entries with their labels, in this order, without what cannot be done with
    `row`; each by the first of its keys."""
    by_id = {entry.id: entry for entry in entries}
    usable = [by_id[id] for id in ids if by_id[id].available(row) is None]
    return [(entry.keys[0], label_of(entry, [] if row is None else [row])) for entry in usable]


def keys_line(keys: Sequence[tuple[str, str]], width: int) -> Line:
    """Keys with what they do; the last one stays when not all fit."""
    if not keys:
        return ()
    for gap in (3, 2, 1):
        line = _joined(keys, gap)
        if width_of(line) <= width:
            return line
    *others, last = keys
    while others and width_of(_joined([*others, last], 1)) > width:
        others.pop()
    return _joined([*others, last], 1)


def _joined(keys: Iterable[tuple[str, str]], gap: int) -> Line:
    spans: list[Span] = []
    for key, label in keys:
        spans += [
            (" " * gap if spans else " ", "plain"),
            (display(key), "sky"),
            (f" {label}", "plain"),
        ]
    return joined(spans)
