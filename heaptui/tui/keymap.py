"""The one table of keys: bindings, footer, help and the README's table are made from it.

A key in the configuration's `[app.keys]` replaces an entry's keys by its id.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from textual.binding import Binding, BindingType

from heaptui.tui.heaps import why_no_heap
from heaptui.tui.keys import (
    Entry,
    display,
    key_entry,
    needs_ended,
    needs_recyclable,
    needs_splittable,
    needs_task,
    needs_unended,
)
from heaptui.tui.measures.keys import MEASURES
from heaptui.tui.splitting.keys import SPLITTING

_READING = (
    ("summary", "classes and what they hold"),
    ("diff", "how two snapshots differ"),
    ("dominators", "what would be freed with what"),
    ("strings", "the largest strings, and the same text held twice"),
    ("finding", "what grew between two snapshots, and what holds it"),
)


def _moves(where: str, above: str, below: str) -> tuple[Entry, ...]:
    """Up and down in what has the focus, by line and by page."""
    return (
        key_entry(f"{where}.up", "up k", "up", above, where, action="move(-1)"),
        key_entry(f"{where}.down", "down j", "down", below, where, action="move(1)"),
        key_entry(f"{where}.page-up", "pageup", "page up", "one page up", where, action="page(-1)"),
        key_entry(
            f"{where}.page-down", "pagedown", "page down", "one page down", where, action="page(1)"
        ),
    )


def _kept(where: str, prefix: str) -> tuple[Entry, ...]:
    """What is done to the snapshot under the cursor of a list."""
    return (
        key_entry(
            f"{prefix}.open", "enter", "read", "read the snapshot", where, action="open_snapshot"
        ),
        key_entry(
            f"{prefix}.mark",
            "space",
            "mark",
            "mark the snapshot to compare another with it",
            where,
            action="mark_snapshot",
        ),
        key_entry(
            f"{prefix}.compare",
            "D",
            "compare",
            "compare with the marked one, else with the one before",
            where,
        ),
        key_entry(
            f"{prefix}.delete",
            "delete",
            "delete…",
            "delete the snapshot; asks first",
            where,
            action="delete_snapshot",
        ),
    )


_PANES = ("memory", "context", "processes", "output", "events", "snapshots")

BINDINGS: tuple[Entry, ...] = (
    # the table
    key_entry("table.up", "up k", "up", "the task above", "table", action="cursor_up"),
    key_entry("table.down", "down j", "down", "the task below", "table", action="cursor_down"),
    key_entry("table.page-up", "pageup", "page up", "one page up", "table"),
    key_entry("table.page-down", "pagedown", "page down", "one page down", "table"),
    key_entry("table.first", "home", "first", "the first task", "table"),
    key_entry("table.last", "end", "last", "the last task", "table"),
    key_entry("table.fold", "left", "close", "close the family of children", "table"),
    key_entry("table.unfold", "right", "open", "open the family again", "table"),
    key_entry(
        "table.mark",
        "space",
        "mark",
        "mark: every action then works on the marked",
        "table",
        available=needs_task,
        rank=70,
    ),
    key_entry(
        "table.open",
        "enter",
        "open",
        "open the task full",
        "table",
        available=needs_task,
        rank=60,
    ),
    # heaps
    key_entry(
        "heap.collect",
        "g",
        "collect",
        "collect garbage; asks first where the pause may be long, or of several",
        available=why_no_heap,
        rank=2,
    ),
    key_entry(
        "heap.snapshot",
        "s",
        "snapshot…",
        "take a heap snapshot; says first what it costs",
        available=why_no_heap,
        rank=4,
    ),
    key_entry(
        "heap.hunt",
        "L",
        "leak hunt…",
        "hunt a leak: what grows, and what holds it",
        available=why_no_heap,
        rank=6,
    ),
    key_entry(
        "heap.inspect",
        "I",
        "inspect…",
        "look into a process that heaptui did not start",
    ),
    # tasks
    key_entry(
        "task.stop",
        "K f9",
        "stop…",
        "stop: TERM, grace, then kill; asks first",
        available=needs_unended,
        rank=10,
    ),
    key_entry(
        "task.recycle",
        "r",
        "recycle…",
        "recycle: checkpoint, end, start again from it with a clean heap; asks first",
        available=needs_recyclable,
        rank=8,
    ),
    key_entry(
        "task.split",
        "x",
        "split…",
        "split: what is left of it goes to children that fit; shows first how",
        available=needs_splittable,
        rank=5,
    ),
    key_entry(
        "task.retry",
        "R",
        "retry",
        "queue an ended task for another attempt",
        available=needs_ended,
        rank=20,
    ),
    key_entry(
        "task.forget",
        "delete",
        "forget…",
        "delete an ended task with its output; asks first",
        available=needs_ended,
    ),
    key_entry(
        "task.raise",
        "+",
        "raise…",
        "raise the cap or the heap limit for the next attempt",
        action="raise_limits",
        available=needs_task,
    ),
    key_entry("task.new", "n", "new", "launch a task", rank=30),
    # finding and order
    key_entry("view.filter", "/", "filter", "find in what has the focus", action="find", rank=40),
    key_entry(
        "view.worst",
        "!",
        "worst",
        "go to the task in the greatest danger",
        available=needs_task,
        rank=50,
    ),
    key_entry("view.order", "o", "order", "order by the next column"),
    key_entry("view.reverse", "O", "reverse", "reverse the order"),
    key_entry("view.tree", "t", "tree", "children under the task they come from, or all alike"),
    key_entry("view.history", "h", "history", "the attempts that ended"),
    key_entry("view.snapshots", "S", "snapshots", "the snapshots and findings of all tasks"),
    key_entry("view.alerts", "A", "alerts", "every alert: what it means, and what acts on it"),
    key_entry("view.seen", "a", "seen", "this alert is seen; an ended task: put it away"),
    key_entry(
        "view.back", "escape", "back", "leave the filter, the marks, the dock; cancel long work"
    ),
    # the dock
    *(
        key_entry(f"dock.{name}", str(digit), name, f"the dock's {name}", action=f"tab('{name}')")
        for digit, name in enumerate(_PANES, start=1)
    ),
    key_entry("dock.taller", "z", "taller", "make the dock taller, and small again"),
    key_entry("dock.focus", "tab", "to dock", "go between table and dock", action="other"),
    *_moves("dock", "one line up", "one line down"),
    key_entry("dock.first", "home", "first", "the first line", "dock"),
    key_entry("dock.last", "end", "last", "the last line", "dock"),
    key_entry("dock.follow", "f", "follow", "follow the output's end, or stay", "dock"),
    key_entry("dock.search", "/", "search", "find in the output", "dock"),
    key_entry("dock.older", "n", "older", "the match before", "dock"),
    key_entry("dock.newer", "N", "newer", "the match after", "dock"),
    key_entry("dock.end-search", "escape", "end search", "end the search", "dock"),
    key_entry("output.copy", "y", "copy", "copy the lines of output that are seen", "dock"),
    *_kept("dock", "snapshot"),
    # one task on the whole screen
    key_entry("detail.back", "escape", "back", "back to the table", "detail"),
    key_entry("detail.other", "tab", "dock or facts", "go between dock and facts", "detail"),
    key_entry(
        "detail.stop",
        "K f9",
        "stop…",
        "stop this task; asks first",
        "detail",
        available=needs_unended,
    ),
    key_entry(
        "detail.collect", "g", "collect", "collect its garbage", "detail", available=why_no_heap
    ),
    key_entry(
        "detail.snapshot",
        "s",
        "snapshot…",
        "take a heap snapshot",
        "detail",
        available=why_no_heap,
    ),
    key_entry(
        "detail.hunt", "L", "leak hunt…", "hunt a leak in it", "detail", available=why_no_heap
    ),
    key_entry(
        "detail.recycle",
        "r",
        "recycle…",
        "checkpoint, end, start again with a clean heap; asks first",
        "detail",
        available=needs_recyclable,
    ),
    key_entry(
        "detail.split",
        "x",
        "split…",
        "divide what is left of it among children; shows first how",
        "detail",
        available=needs_splittable,
    ),
    key_entry(
        "detail.raise",
        "+",
        "raise…",
        "raise its cap or heap limit",
        "detail",
        action="raise_limits",
    ),
    *_moves("detail", "one line up", "one line down"),
    *(
        key_entry(f"detail.{name}", str(digit), name, name, "detail", action=f"tab('{name}')")
        for digit, name in enumerate(_PANES, start=1)
    ),
    # history
    key_entry("history.back", "escape", "back", "back to the table", "history"),
    *_moves("history", "the attempt above", "the attempt below"),
    key_entry("history.first", "home", "first", "the latest", "history", action="move(-100000)"),
    key_entry("history.last", "end", "last", "the oldest", "history", action="move(100000)"),
    key_entry("history.open", "enter", "open", "open the task full", "history"),
    key_entry("history.filter", "/", "filter", "filter by name, kind, verdict", "history"),
    key_entry("history.order", "o", "order", "order by the next column", "history"),
    # a snapshot that is read
    key_entry("reading.back", "escape b backspace", "back", "one list back, then close", "reading"),
    *_moves("reading", "the row above", "the row below"),
    key_entry(
        "reading.first", "home", "first", "the first row", "reading", action="move(-1000000)"
    ),
    key_entry("reading.last", "end", "last", "the last row", "reading", action="move(1000000)"),
    key_entry("reading.open", "enter", "open", "open what is under the cursor", "reading"),
    key_entry("reading.retainers", "r", "retainers", "who refers to the object", "reading"),
    key_entry("reading.value", "v", "value", "the whole text of a string", "reading"),
    key_entry("reading.filter", "/", "filter", "find a class or a text", "reading"),
    key_entry("reading.order", "o", "order", "order by the next column", "reading"),
    key_entry("reading.write", "w", "write the finding", "write the finding to a file", "reading"),
    *(
        key_entry(f"reading.{name}", str(digit), name, text, "reading", action=f"tab('{name}')")
        for digit, (name, text) in enumerate(_READING, start=1)
    ),
    # processes that heaptui did not start
    key_entry("inspect.back", "escape", "back", "back to the table", "inspect"),
    *_moves("inspect", "the process above", "the process below"),
    key_entry("inspect.heap", "enter", "heap", "read its heap's figures; asks first", "inspect"),
    key_entry("inspect.collect", "g", "collect", "collect its garbage; asks first", "inspect"),
    key_entry(
        "inspect.snapshot", "s", "snapshot", "have it write a snapshot; asks first", "inspect"
    ),
    key_entry("inspect.stacks", "t", "stacks", "what its threads do (Python)", "inspect"),
    key_entry("inspect.again", "r", "look again", "list the processes anew", "inspect"),
    # snapshots of all tasks, and what a leak hunt found
    key_entry("snapshots.back", "escape", "back", "back to the table", "snapshots"),
    *_moves("snapshots", "the one above", "the one below"),
    key_entry(
        "snapshots.first", "home", "first", "the latest", "snapshots", action="move(-100000)"
    ),
    key_entry("snapshots.last", "end", "last", "the oldest", "snapshots", action="move(100000)"),
    *_kept("snapshots", "snapshots"),
    key_entry("finding.back", "escape", "back", "back to where it was opened", "finding"),
    *_moves("finding", "one line up", "one line down"),
    key_entry(
        "finding.compare", "enter v", "compare the two", "compare its two snapshots", "finding"
    ),
    key_entry(
        "finding.before",
        "b",
        "read the first",
        "read its first snapshot",
        "finding",
        action="read('before')",
    ),
    key_entry(
        "finding.after",
        "s",
        "read the second",
        "read its second snapshot",
        "finding",
        action="read('after')",
    ),
    *MEASURES,
    *SPLITTING,
    # the supervisor and the app
    key_entry(
        "dispatch.pause",
        "P",
        "pause",
        "pause and resume dispatch: nothing new starts",
        action="dispatch",
    ),
    key_entry(
        "app.measures",
        "m",
        "measures",
        "what tasks needed so far: peaks, suggested caps, ends, waits",
    ),
    key_entry("app.detach", "d", "detach", "leave; the work goes on"),
    key_entry("app.quit", "q ctrl+c", "quit", "leave; asks when work is live", action="leave"),
    key_entry(
        "app.palette", "ctrl+p", "actions", "every action by name", "app", action="command_palette"
    ),
    key_entry("app.help", "?", "keys", "the keys of where you are", "app", action="help", rank=80),
    key_entry("app.repaint", "ctrl+l", "repaint", "paint the screen anew", "app"),
)
"""Every key, in the order help and README show them."""


def resolved(
    keys: Mapping[str, str], table: Iterable[Entry] = BINDINGS
) -> tuple[tuple[Entry, ...], list[str]]:
    """The table with the configuration's keys (id → keys, parted by commas) put in, and what is
    wrong with them: ids that do not exist, keys that two entries of one place would share."""
    entries = tuple(
        replace(entry, keys=_split(keys[entry.id])) if keys.get(entry.id) else entry
        for entry in table
    )
    known = {entry.id for entry in entries}
    wrong = [f"[app.keys] {id} is no action" for id in keys if id not in known]
    taken: dict[tuple[str, str], str] = {}
    for entry in entries:
        for key in entry.keys:
            other = taken.setdefault((_place(entry.where), key), entry.id)
            if other != entry.id:
                wrong.append(f"[app.keys] {display(key)} is both {other} and {entry.id}")
    return entries, wrong


def _place(where: str) -> str:
    """Table, main screen and app take keys at the same time; the dock, where it has the focus,
    takes its own before them."""
    return "main" if where in ("app", "main", "table") else where


def _split(keys: str) -> tuple[str, ...]:
    return tuple(key.strip() for key in keys.split(",") if key.strip())


def bindings(where: str) -> list[BindingType]:
    """Textual's bindings of one place; their ids let the configuration's keys replace them."""
    return [
        Binding(",".join(entry.keys), entry.action, entry.label, id=entry.id, show=False)
        for entry in BINDINGS
        if entry.where == where
    ]


def markdown_table() -> str:
    """The README's table of keys."""
    lines = ["| Key | What it does | Where | Id |", "|---|---|---|---|"]
    for entry in BINDINGS:
        keys = " ".join(f"`{display(key)}`" for key in entry.keys)
        lines.append(f"| {keys} | {entry.text} | {entry.where} | `{entry.id}` |")
    return "\n".join(lines)
