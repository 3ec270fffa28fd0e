"""Aligned tables on a terminal of any width, and in a pipe."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass

_GAP = "  "
_SGR = {"red": "31", "green": "32", "dim": "2", "bold": "1"}


@dataclass(frozen=True, slots=True)
class Column:
    """One column. On a narrow terminal it shrinks to `least` cells (None: it never does), and
    where that is not enough the columns with a `leaves` go, the lowest first."""

    head: str
    right: bool = False
    least: int | None = None
    leaves: int | None = None


def put_table(
    columns: Sequence[Column], rows: Sequence[Sequence[str]], styles: Sequence[str] = ()
) -> None:
    """Prints it on stdout: as wide as the terminal, uncut where there is none. The cells hold
    harmless text; `styles` (red, green, dim or nothing) are one a row."""
    terminal = sys.stdout.isatty()
    width = shutil.get_terminal_size().columns if terminal else None
    coloured = terminal and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    looks = ["bold", *(styles or [""] * len(rows))]
    for line, look in zip(table_lines(columns, rows, width), looks, strict=True):
        print(f"\x1b[{_SGR[look]}m{line}\x1b[0m" if coloured and look else line)


def table_lines(
    columns: Sequence[Column], rows: Sequence[Sequence[str]], width: int | None
) -> list[str]:
    """The head's line and one for each row, none wider than `width` cells."""
    natural = [
        max(cells(column.head), *(cells(row[index]) for row in rows), 0)
        for index, column in enumerate(columns)
    ]
    widths = natural if width is None else _fitted(columns, natural, width)
    shown = [index for index, cell_width in enumerate(widths) if cell_width]
    found = []
    for texts in ([column.head for column in columns], *rows):
        parts = [fit(texts[index], widths[index], right=columns[index].right) for index in shown]
        line = _GAP.join(parts).rstrip()
        found.append(line if width is None else fit(line, width).rstrip())
    return found


def _fitted(columns: Sequence[Column], natural: Sequence[int], width: int) -> list[int]:
    """The widths on `width` cells; 0 for a column that has to go."""
    widths = list(natural)
    leaving = sorted(
        (column.leaves, index) for index, column in enumerate(columns) if column.leaves is not None
    )
    while True:
        over = sum(widths) + len(_GAP) * (sum(map(bool, widths)) - 1) - width
        spare = {
            index: widths[index] - column.least
            for index, column in enumerate(columns)
            if column.least is not None and widths[index] > column.least
        }
        if over <= sum(spare.values()) or not leaving:
            break
        widths[leaving.pop(0)[1]] = 0
    while over > 0 and any(spare.values()):
        widest = max(spare, key=lambda index: spare[index])
        widths[widest] -= 1
        spare[widest] -= 1
        over -= 1
    return widths


def cells(text: str) -> int:
    """How many cells of a terminal it takes."""
    if text.isascii():
        return len(text)
    from rich.cells import cell_len

    return cell_len(text)


def fit(text: str, width: int, *, right: bool = False) -> str:
    """Exactly `width` cells of it: padded, or cut with an ellipsis."""
    missing = width - cells(text)
    if missing >= 0:
        return " " * missing + text if right else text + " " * missing
    from rich.cells import set_cell_size

    return set_cell_size(text, max(0, width - 1)) + "…" if width else ""
