"""The one table of keys: bindings, footer, help and the README's table are made from it.

A key in the configuration's `[app.keys]` replaces an entry's keys by its id.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace

from textual.binding import Binding, BindingType

from heaptui.model import Row

Available = Callable[[Row | None], str | None]
"""None when the action can be done with this row, else the reason why not."""

_SHOWN = {
    "question_mark": "?",
    "slash": "/",
    "exclamation_mark": "!",
    "escape": "esc",
    "pageup": "pgup",
    "pagedown": "pgdn",
    "delete": "del",
    "up": "↑",
    "down": "↓",
    "left": "←",
    "right": "→",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One key: `label` for the footer, `text` for help, palette and README.

    `where` is the place that takes the key: `app` (everywhere), `main` (table and dock), `table`,
    `dock`, `detail` (a task on the whole screen) or `history`. `action` is the name
    of Textual's action. `rank` orders the footer, 0 is not shown there.
    """

    id: str
    keys: tuple[str, ...]
    label: str
    text: str
    where: str
    action: str
    available: Available
    rank: int = 0

    @property
    def shown(self) -> str:
        """The keys as an operator reads them."""
        return " ".join(display(key) for key in self.keys)


def display(key: str) -> str:
    """`ctrl+p`, `F9`, `esc`, `K`."""
    if key[:1] == "f" and key[1:].isdigit():
        return key.upper()
    return _SHOWN.get(key, key)


def _always(_: Row | None) -> str | None:
    return None


def _needs_task(row: Row | None) -> str | None:
    return "there is no task under the cursor" if row is None else None


def _needs_unended(row: Row | None) -> str | None:
    if row is None:
        return _needs_task(row)
    return "it has ended" if row.state.ended else None


def _needs_ended(row: Row | None) -> str | None:
    if row is None:
        return _needs_task(row)
    return None if row.state.ended else "it has not ended"


def _entry(
    id: str,
    keys: str,
    label: str,
    text: str,
    where: str = "main",
    *,
    action: str = "",
    available: Available = _always,
    rank: int = 0,
) -> Entry:
    return Entry(
        id=id,
        keys=tuple(keys.split()),
        label=label,
        text=text,
        where=where,
        action=action or id.rpartition(".")[2].replace("-", "_"),
        available=available,
        rank=rank,
    )


_PANES = ("memory", "context", "processes", "output", "events", "snapshots")

BINDINGS: tuple[Entry, ...] = (
    # the table
    _entry("table.up", "up k", "up", "the task above", "table", action="cursor_up"),
    _entry("table.down", "down j", "down", "the task below", "table", action="cursor_down"),
    _entry("table.page-up", "pageup", "page up", "one page up", "table"),
    _entry("table.page-down", "pagedown", "page down", "one page down", "table"),
    _entry("table.first", "home", "first", "the first task", "table"),
    _entry("table.last", "end", "last", "the last task", "table"),
    _entry(
        "table.mark",
        "space",
        "mark",
        "mark: every action then works on the marked",
        "table",
        available=_needs_task,
        rank=60,
    ),
    _entry(
        "table.open",
        "enter",
        "open",
        "open the task full",
        "table",
        available=_needs_task,
        rank=70,
    ),
    # tasks
    _entry(
        "task.stop",
        "K f9",
        "stop…",
        "stop: TERM, grace, then kill; asks first",
        available=_needs_unended,
        rank=10,
    ),
    _entry(
        "task.retry",
        "R",
        "retry",
        "queue an ended task for another attempt",
        available=_needs_ended,
        rank=20,
    ),
    _entry(
        "task.forget",
        "delete",
        "forget…",
        "delete an ended task with its output; asks first",
        available=_needs_ended,
    ),
    _entry("task.new", "n", "new", "launch a task", rank=30),
    # finding and order
    _entry("view.filter", "/", "filter", "find in what has the focus", action="find", rank=40),
    _entry(
        "view.worst",
        "!",
        "worst",
        "go to the task in the greatest danger",
        available=_needs_task,
        rank=50,
    ),
    _entry("view.order", "o", "order", "order by the next column"),
    _entry("view.reverse", "O", "reverse", "reverse the order"),
    _entry("view.history", "h", "history", "the attempts that ended"),
    _entry("view.seen", "a", "seen", "this alert is seen; an ended task: put it away"),
    _entry("view.back", "escape", "back", "leave the filter, the marks, the dock"),
    # the dock
    *(
        _entry(f"dock.{name}", str(digit), name, f"the dock's {name}", action=f"tab('{name}')")
        for digit, name in enumerate(_PANES, start=1)
    ),
    _entry("dock.taller", "z", "taller", "make the dock taller, and small again"),
    _entry("dock.focus", "tab", "to dock", "go between table and dock", action="other"),
    _entry("dock.up", "up k", "up", "one line up", "dock", action="move(-1)"),
    _entry("dock.down", "down j", "down", "one line down", "dock", action="move(1)"),
    _entry("dock.page-up", "pageup", "page up", "one page up", "dock", action="page(-1)"),
    _entry("dock.page-down", "pagedown", "page down", "one page down", "dock", action="page(1)"),
    _entry("dock.first", "home", "first", "the first line", "dock"),
    _entry("dock.last", "end", "last", "the last line", "dock"),
    _entry("dock.follow", "f", "follow", "follow the output's end, or stay", "dock"),
    _entry("dock.search", "/", "search", "find in the output", "dock"),
    _entry("dock.older", "n", "older", "the match before", "dock"),
    _entry("dock.newer", "N", "newer", "the match after", "dock"),
    _entry("dock.end-search", "escape", "end search", "end the search", "dock"),
    _entry("output.copy", "y", "copy", "copy the lines of output that are seen", "dock"),
    # one task on the whole screen
    _entry("detail.back", "escape", "back", "back to the table", "detail"),
    _entry("detail.other", "tab", "dock or facts", "go between dock and facts", "detail"),
    _entry("detail.stop", "K f9", "stop…", "stop this task; asks first", "detail"),
    _entry("detail.up", "up k", "up", "one line up", "detail", action="move(-1)"),
    _entry("detail.down", "down j", "down", "one line down", "detail", action="move(1)"),
    _entry("detail.page-up", "pageup", "page up", "one page up", "detail", action="page(-1)"),
    _entry(
        "detail.page-down", "pagedown", "page down", "one page down", "detail", action="page(1)"
    ),
    *(
        _entry(f"detail.{name}", str(digit), name, name, "detail", action=f"tab('{name}')")
        for digit, name in enumerate(_PANES, start=1)
    ),
    # history
    _entry("history.back", "escape", "back", "back to the table", "history"),
    _entry("history.up", "up k", "up", "the attempt above", "history", action="move(-1)"),
    _entry("history.down", "down j", "down", "the attempt below", "history", action="move(1)"),
    _entry("history.page-up", "pageup", "page up", "one page up", "history", action="page(-1)"),
    _entry(
        "history.page-down", "pagedown", "page down", "one page down", "history", action="page(1)"
    ),
    _entry("history.first", "home", "first", "the latest", "history", action="move(-100000)"),
    _entry("history.last", "end", "last", "the oldest", "history", action="move(100000)"),
    _entry("history.open", "enter", "open", "open the task full", "history"),
    _entry("history.filter", "/", "filter", "filter by name, kind, verdict", "history"),
    _entry("history.order", "o", "order", "order by the next column", "history"),
    # the supervisor and the app
    _entry(
        "dispatch.pause",
        "P",
        "pause",
        "pause and resume dispatch: nothing new starts",
        action="dispatch",
    ),
    _entry("app.detach", "d", "detach", "leave; the work goes on"),
    _entry("app.quit", "q ctrl+c", "quit", "leave; asks when work is live", action="leave"),
    _entry(
        "app.palette", "ctrl+p", "actions", "every action by name", "app", action="command_palette"
    ),
    _entry("app.help", "?", "keys", "the keys of where you are", "app", action="help", rank=80),
    _entry("app.repaint", "ctrl+l", "repaint", "paint the screen anew", "app"),
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
