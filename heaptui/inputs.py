"""What a task works through, and how that is divided among children: the nouns of splitting.

Tokens are estimates (a quarter of the bytes); seconds, bytes. An item's name is what the command is
given and what it reports as done: one line, and no two of a task are alike.
"""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct

ITEMS_MAX = 100_000
"""Of one task."""

NAME_MAX = 4096
"""Bytes of one item's name: that of a path."""

DONE_TOLD = 10_000
"""Names of what is done in one hand-over: the latest."""

CHILDREN_MAX = 200
"""Of one task: more than that nobody oversees."""

DEPTH_ASKED = 2
"""Children of children: beyond that a split is the operator's to insist on."""


class Source(StrEnum):
    """What the items of a task are."""

    FILES = "files"
    """Paths, as they were given, from the task's directory on."""
    LINES = "lines"
    """Lines of a list that name anything."""
    BOXES = "boxes"
    """Unchecked `- [ ]` items of a markdown file."""
    SECTIONS = "sections"
    """Headings of a markdown file, each with what stands below it."""


class Item(Struct, frozen=True, array_like=True):
    """One thing to work through.

    `first` to `last` are lines of the file `of`, counted from 1, where the item is a part of a file
    that is larger than one child's budget (0: it is whole); its name is then `of:first-last`.
    `under` is the heading it stands under, `nth` which of several boxes of the same text it is.
    """

    name: str
    tokens: int
    of: str = ""
    first: int = 0
    last: int = 0
    under: str = ""
    nth: int = 1


class Inputs(Struct, frozen=True, kw_only=True):
    """All that a task works through, in its order. `origin` says where it came from: the absolute
    path of the markdown file, else the operator's words."""

    source: Source
    items: tuple[Item, ...]
    origin: str


class Share(Struct, frozen=True, kw_only=True):
    """What one child is to do. `after` are the places (from 0) of the shares that it builds on;
    `memory_bytes` what it is expected to reach, None where nothing tells."""

    title: str
    items: tuple[Item, ...]
    after: tuple[int, ...] = ()
    memory_bytes: int | None = None

    @property
    def tokens(self) -> int:
        return sum(item.tokens for item in self.items)


class SplitPlan(Struct, frozen=True, kw_only=True):
    """How a task would be divided now; nothing has been done yet.

    `strategy` is the one used, `strategies` those that this task has. `budget_tokens` bounds a
    child's slice: what was asked for less `fixed_tokens`, which its agent's own prompt takes (0:
    not known to take any). `original` counts the inputs in the beginning, `done` are those that
    were reported as done, `gone` those whose files are not there any more (they are divided all
    the same), `oversized` those that are larger than the budget and cannot be divided further.
    `drains`: its worker says that it ends in order; None: it does not run. `hand` is what it says
    it has in hand. `again` says in a sentence what may be done twice, empty: nothing. `depth` is
    that of the children, 1 for those of an operator's task. `notes` are sentences for the operator.
    """

    task_id: str
    attempt: int
    name: str
    strategy: str
    strategies: tuple[str, ...]
    source: Source
    origin: str
    shares: tuple[Share, ...]
    original: int
    done: tuple[str, ...]
    budget_tokens: int
    fixed_tokens: int
    timeout_s: float
    gone: tuple[str, ...] = ()
    oversized: tuple[str, ...] = ()
    drains: bool | None = None
    drain_s: float = 0
    hand: tuple[str, ...] = ()
    again: str = ""
    depth: int = 1
    notes: tuple[str, ...] = ()


class ChildShare(Struct, frozen=True, kw_only=True):
    """A share that was confirmed, with the id that its child has or will have. `after` are ids.
    `reduces`: it works on the results of all the others instead of items."""

    id: str
    title: str
    items: tuple[Item, ...]
    after: tuple[str, ...] = ()
    reduces: bool = False


class Division(Struct, frozen=True, kw_only=True):
    """A split that was confirmed, as it is kept. `by`: operator or policy. `done` and `again` are
    filled in when the worker has ended: what was done by then, and what it had in hand when it
    had to be stopped. `left_out` is what the operator chose to leave out, `key` the caller's name
    for the request."""

    at: float
    by: str
    strategy: str
    timeout_s: float
    children: tuple[ChildShare, ...]
    reduce: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()
    done: tuple[str, ...] = ()
    again: tuple[str, ...] = ()
    key: str = ""
    error: str = ""
    """Why the last attempt ended, for the children to know."""


class SplitReport(Struct, frozen=True, kw_only=True):
    """How a split ended. `children` are ids in their order; none, when the task finished by itself
    before it could be divided, or nothing was left. `again` are the items that may be done twice.
    `drain_s` is how long the worker took to end, `text` the sentence for the operator."""

    task_id: str
    name: str
    text: str
    children: tuple[str, ...] = ()
    done: tuple[str, ...] = ()
    again: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()
    drain_s: float | None = None


class Handover(Struct, frozen=True, kw_only=True):
    """What $HEAPTUI_HANDOVER holds, as JSON: all that a worker needs to know of its place.

    `goal` is the command of the operator's task, as it was given. `items` is its own slice: what it
    is to do now, `done` what was done before by it or by the task it comes from: the latest of
    `done_count`. `siblings` are the titles of the others, whose items are none of its business.
    `constraints` are its limits in words. `error` is why the attempt before it, or its parent,
    ended; empty where all went well. `results` are files, for one that reduces.
    """

    task: str
    goal: tuple[str, ...]
    title: str
    items: tuple[str, ...]
    done: tuple[str, ...]
    done_count: int = 0
    parent: str = ""
    siblings: tuple[str, ...] = ()
    constraints: tuple[str, ...] = ()
    error: str = ""
    results: tuple[str, ...] = ()
