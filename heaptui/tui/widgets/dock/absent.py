"""What a pane says that has nothing to show: what would fill it."""

from __future__ import annotations

from heaptui.model import Row
from heaptui.tui.heaps import why_no_heap
from heaptui.tui.lines import Line, indented, sentence


def context_lines(row: Row, width: int) -> list[Line]:
    """The context pane of a task that reports no tokens."""
    return _paragraphs(
        width,
        f"This task reports no context: a {row.kind.value} process says nothing about tokens.",
        "An agent that tells how full its context is fills this pane: tokens by tier, against "
        "the budget.",
    )


def snapshot_lines(row: Row, width: int) -> list[Line]:
    """The snapshots pane of a task without any."""
    why_not = why_no_heap(row)
    possible = (
        "s takes a heap snapshot, which tells what holds the memory, class by class; L hunts a "
        "leak with two of them."
        if why_not is None
        else f"None can be taken now: {why_not}."
    )
    return _paragraphs(width, "No snapshots of this task.", possible)


def _paragraphs(width: int, first: str, second: str) -> list[Line]:
    room = max(20, min(width - 4, 76))
    return indented([*sentence(first, room), *sentence(second, room, "dim")], 2)
