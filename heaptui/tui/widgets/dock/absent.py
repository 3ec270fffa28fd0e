"""What the pane of snapshots says that has nothing to show: what would fill it."""

from __future__ import annotations

from heaptui.model import Row
from heaptui.tui.heaps import why_no_heap
from heaptui.tui.lines import Line, indented, sentence


def snapshot_lines(row: Row, width: int) -> list[Line]:
    """The snapshots pane of a task without any."""
    why_not = why_no_heap(row)
    possible = (
        "s takes a heap snapshot, which tells what holds the memory, class by class; L hunts a "
        "leak with two of them."
        if why_not is None
        else f"None can be taken now: {why_not}."
    )
    return paragraphs(width, "No snapshots of this task.", possible)


def paragraphs(width: int, first: str, second: str) -> list[Line]:
    """What there is not, and what would make that different."""
    room = max(20, min(width - 4, 76))
    return indented([*sentence(first, room), *sentence(second, room, "dim")], 2)
