"""The keys of a split's preview and of a child's items, for the one table of keys."""

from __future__ import annotations

from heaptui.tui.keys import Entry, key_entry

SPLIT, SHARE = "split", "share"
"""The places: the preview, and what one child is to do."""


def _moves(where: str, one: str) -> tuple[Entry, ...]:
    return (
        key_entry(f"{where}.up", "up k", "up", f"the {one} above", where, action="move(-1)"),
        key_entry(f"{where}.down", "down j", "down", f"the {one} below", where, action="move(1)"),
        key_entry(f"{where}.page-up", "pageup", "page up", "one page up", where, action="page(-1)"),
        key_entry(
            f"{where}.page-down", "pagedown", "page down", "one page down", where, action="page(1)"
        ),
        key_entry(
            f"{where}.first", "home", "first", f"the first {one}", where, action="move(-1000000)"
        ),
        key_entry(f"{where}.last", "end", "last", f"the last {one}", where, action="move(1000000)"),
    )


SPLITTING: tuple[Entry, ...] = (
    key_entry("split.go", "enter", "split", "split it so", SPLIT),
    key_entry(
        "split.insist", "X", "split all the same", "split what is a part of a part already", SPLIT
    ),
    key_entry("split.edit", "e", "edit", "the child's title and items", SPLIT),
    key_entry(
        "split.leave",
        "space",
        "leave out",
        "leave the child out, or put it back in",
        SPLIT,
        action="leave_out",
    ),
    key_entry("split.earlier", "[", "earlier", "put the child one place up", SPLIT),
    key_entry("split.later", "]", "later", "put the child one place down", SPLIT),
    key_entry("split.more", "+", "more", "divide into one child more", SPLIT),
    key_entry("split.fewer", "-", "fewer", "divide into one child fewer", SPLIT),
    key_entry("split.strategy", "o", "other", "divide by the next strategy", SPLIT),
    key_entry("split.join", "J", "join", "join the child with the next one", SPLIT),
    key_entry("split.cut", "C", "cut", "cut the child in two", SPLIT),
    key_entry("split.undo", "u", "undo", "take the latest change back", SPLIT),
    key_entry("split.back", "escape", "cancel", "leave it undivided", SPLIT),
    *_moves(SPLIT, "child"),
    key_entry("share.back", "escape", "back", "back to the children", SHARE),
    key_entry("share.rename", "t", "title", "give the child another title", SHARE),
    key_entry(
        "share.mark", "space", "mark", "mark the item: keys then work on the marked", SHARE
    ),
    key_entry("share.all", "a", "mark all", "mark all that are listed, or none", SHARE),
    key_entry(
        "share.leave", "x", "leave out", "leave it out, or put it back in", SHARE,
        action="leave_out",
    ),
    key_entry("share.give", "m", "move to…", "move it to another child", SHARE),
    key_entry("share.filter", "/", "filter", "find items by their text", SHARE),
    key_entry("share.undo", "u", "undo", "take the latest change back", SHARE),
    *_moves(SHARE, "item"),
)  # fmt: skip
