"""The line under the table: what the filter shows in sum, and how it is ordered. Pure."""

from __future__ import annotations

from heaptui import units
from heaptui.tui.board import Board
from heaptui.tui.cells import safe
from heaptui.tui.glyphs import Glyphs
from heaptui.tui.lines import Line, Span, joined, width_of


def summary_line(
    board: Board, seen: tuple[int, int], width: int, glyphs: Glyphs, *, typing: bool
) -> Line:
    """`seen`: the first row on the screen and the one after the last; `typing`: the filter itself
    stands beside."""
    sums = board.sums()
    left: list[Span] = [(" ", "plain")]
    if board.filter and not typing:
        left += [("/", "sky"), (f"{safe(board.filter)}  ", "plain")]
    if board.marks:
        left += [(f"{len(board.marks):,} marked", "sky"), ("  ", "plain")]
    of = f" of {len(board.rows):,}" if board.filter else ""
    noun = "task" if sums.tasks == 1 and not of else "tasks"
    left += [(f"{sums.tasks:,}", "plain"), (f"{of} {noun}", "dim")]
    if sums.memory_bytes is not None:
        left += [("  ", "plain"), (units.size(sums.memory_bytes), "plain")]
    if sums.growth_bytes_per_min is not None:
        left += [
            ("  ", "plain"),
            (units.growth(sums.growth_bytes_per_min), "plain"),
            (" a min", "dim"),
        ]
    if sums.recycling:
        left.append((f"  {glyphs.recycling} {sums.recycling}", "sky"))
    if sums.split:
        left.append((f"  {glyphs.split} {sums.split}", "plain"))
    if sums.quarantined:
        left.append((f"  {glyphs.quarantined} {sums.quarantined}", "red"))
    spans = left
    for part in _right(board, seen):
        if width_of(tuple(spans)) + width_of(tuple(part)) + 3 > width:
            break
        blank = "   " if spans is not left else "    "
        spans = [*spans, (blank, "plain"), *part]
    tail = spans[len(left) :]
    between = max(0, width - width_of(tuple(spans)) - 1)
    return joined((*left, (" " * between, "plain"), *tail))


def _right(board: Board, seen: tuple[int, int]) -> list[list[Span]]:
    """What else is worth saying, the most important first."""
    parts: list[list[Span]] = []
    first, after = seen
    if after - first < len(board.visible):
        parts.append([(f"{first + 1:,}-{after:,} of {len(board.visible):,}", "dim")])
    if board.collapsed:
        parts.append([(f"{board.collapsed:,} ended ", "dim"), ("h", "sky"), (" history", "dim")])
    if board.order != "danger" or board.reverse:
        way = " reversed" if board.reverse else ""
        parts.append([("by ", "dim"), (f"{board.order}{way}", "plain")])
    return parts
