"""What a pane says that has nothing to show: what would fill it."""

from __future__ import annotations

from heaptui.model import Kind, Row
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
    possible = (
        "A heap snapshot tells what holds the memory, class by class."
        if row.kind in (Kind.NODE, Kind.PYTHON)
        else f"A {row.kind.value} task has no heap that heaptui can read: start it as node or "
        "python where it is one."
    )
    return _paragraphs(width, "No snapshots of this task.", possible)


def _paragraphs(width: int, first: str, second: str) -> list[Line]:
    room = max(20, min(width - 4, 76))
    return indented([*sentence(first, room), *sentence(second, room, "dim")], 2)
