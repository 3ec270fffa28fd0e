"""The keys of the measures, for the one table of keys."""

from __future__ import annotations

from heaptui.tui.keys import Entry, key_entry

WHERE = "measures"

MEASURES: tuple[Entry, ...] = (
    key_entry("measures.back", "escape", "back", "back to the table", WHERE),
    key_entry("measures.up", "up k", "up", "the profile above", WHERE, action="move(-1)"),
    key_entry("measures.down", "down j", "down", "the profile below", WHERE, action="move(1)"),
    key_entry("measures.page-up", "pageup", "page up", "one page up", WHERE, action="page(-1)"),
    key_entry(
        "measures.page-down", "pagedown", "page down", "one page down", WHERE, action="page(1)"
    ),
    key_entry(
        "measures.first", "home", "first", "the first profile", WHERE, action="move(-100000)"
    ),
    key_entry("measures.last", "end", "last", "the last profile", WHERE, action="move(100000)"),
    key_entry("measures.order", "o", "order", "order by peak, OOMs or ends", WHERE),
    key_entry("measures.again", "r", "look again", "read the measures anew", WHERE),
)
