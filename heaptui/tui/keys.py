"""A key: what it is called, where it works, and when it can be used.

The table of all of them is `keymap`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from heaptui.model import Row, State
from heaptui.tui.heaps import collects_at_once

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
    `dock`, `detail` (a task on the whole screen), `history`, `snapshots` (those of all tasks),
    `finding` (a leak hunt's), `reading` (inside a snapshot), `inspect` (foreign processes),
    `measures`, `split` (the preview of one) or `share` (what a child is to do).
    `action` is the name of Textual's action. `rank` orders the footer, 0 is not shown there. A
    label that ends in an ellipsis asks before it acts.
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


def label_of(entry: Entry, rows: Sequence[Row]) -> str:
    """As the footer names it for these rows: a collection asks first where it may take long."""
    if entry.id in ("heap.collect", "detail.collect") and not collects_at_once(rows):
        return f"{entry.label}…"
    return entry.label


def display(key: str) -> str:
    """`ctrl+p`, `F9`, `esc`, `K`."""
    if key[:1] == "f" and key[1:].isdigit():
        return key.upper()
    return _SHOWN.get(key, key)


def always(_: Row | None) -> str | None:
    return None


def needs_task(row: Row | None) -> str | None:
    return "there is no task under the cursor" if row is None else None


def needs_unended(row: Row | None) -> str | None:
    if row is None:
        return needs_task(row)
    return "it has ended" if row.state.ended else None


def needs_ended(row: Row | None) -> str | None:
    if row is None:
        return needs_task(row)
    return None if row.state.ended else "it has not ended"


def first_keys(entries: Iterable[Entry]) -> dict[str, str]:
    """The key of each action by its id, as an operator reads it."""
    return {entry.id: display(entry.keys[0]) for entry in entries}


def needs_recyclable(row: Row | None) -> str | None:
    """A recycle goes on from what the worker says, so there has to be a worker that runs."""
    if row is None:
        return needs_task(row)
    if row.state.ended:
        return "it has ended"
    match row.state:
        case State.RUNNING:
            return None
        case State.RECYCLING:
            return "it is being recycled already"
        case State.STOPPING:
            return "it is being stopped"
        case _:
            return "it does not run yet"


_UNSPLITTABLE = {
    State.DONE: "it is done: nothing is left of it",
    State.STARTING: "it does not run yet",
    State.RECYCLING: "it is being recycled",
    State.STOPPING: "it is being stopped",
    State.SPLITTING: "it is being split already",
    State.SPLIT: "it is split already: its children do the work",
}


def needs_splittable(row: Row | None) -> str | None:
    """What is left of it has to be known, and nothing else may be under way with it."""
    if row is None:
        return needs_task(row)
    if row.children and row.state.ended:
        return "it was split before: split one of its children"
    if why := _UNSPLITTABLE.get(row.state):
        return why
    if row.items is None:
        return (
            "it names nothing that it works through: start it with --inputs, --inputs-from or "
            "--task-file"
        )
    return None


def key_entry(
    id: str,
    keys: str,
    label: str,
    text: str,
    where: str = "main",
    *,
    action: str = "",
    available: Available = always,
    rank: int = 0,
) -> Entry:
    """An entry whose keys are parted by blanks; its action is the id's last part unless named."""
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
