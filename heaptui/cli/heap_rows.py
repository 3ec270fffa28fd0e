"""A snapshot's rows as tables on a terminal: names out of a foreign heap are made harmless."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from heaptui import units
from heaptui.cli.listing import clean, put_json
from heaptui.cli.tables import Column, put_table

if TYPE_CHECKING:
    from heaptui.heap.answers import ClassRow, DiffRow, ObjectRow, Page, StringRow

_PREVIEW = 100

_CLASS_COLUMNS = (
    Column("CLASS", least=16),
    Column("COUNT", right=True),
    Column("SHALLOW", right=True),
    Column("RETAINED", right=True),
    Column("SHARE", right=True, leaves=2),
    Column("DISTANCE", right=True, leaves=1),
)
_DIFF_COLUMNS = (
    Column("CLASS", least=16),
    Column("NEW", right=True),
    Column("FREED", right=True),
    Column("DELTA", right=True),
    Column("NEW BYTES", right=True, leaves=2),
    Column("FREED BYTES", right=True, leaves=1),
    Column("DELTA BYTES", right=True),
    Column("RETAINED", right=True, leaves=3),
)
_OBJECT_COLUMNS = (
    Column("ID", right=True),
    Column("OBJECT", least=12),
    Column("SHALLOW", right=True, leaves=1),
    Column("RETAINED", right=True),
    Column("DISTANCE", right=True, leaves=2),
    Column("VALUE", least=12),
)
_PATH_COLUMNS = (
    Column("HELD BY", least=12),
    Column("OBJECT", least=12),
    Column("ID", right=True, leaves=2),
    Column("RETAINED", right=True),
    Column("DISTANCE", right=True, leaves=1),
    Column("VALUE", least=12),
)
_STRING_COLUMNS = (
    Column("BYTES", right=True),
    Column("COUNT", right=True),
    Column("WASTED", right=True),
    Column("LENGTH", right=True, leaves=1),
    Column("TEXT", least=16),
)


def put_note(text: str) -> None:
    """A line beside the data."""
    print(clean(text, 400), file=sys.stderr)


def put_classes(rows: Sequence[ClassRow]) -> None:
    """Classes, and in a note on stderr what has to be known of one."""
    put_table(
        _CLASS_COLUMNS,
        [
            (
                clean(row.name, 60),
                f"{row.count:,}",
                units.size(row.shallow),
                units.size(row.retained),
                units.UNKNOWN if row.share is None else f"{row.share:.1%}",
                units.UNKNOWN if row.distance is None else str(row.distance),
            )
            for row in rows
        ],
    )
    for row in rows:
        if row.note:
            put_note(f"{row.name}: {row.note}")


def put_difference(rows: Sequence[DiffRow], *, even: bool) -> None:
    """Classes that differ; `even`: those too that have as much new as freed."""
    shown = [row for row in rows if even or row.delta or row.delta_bytes]
    if left_out := len(rows) - len(shown):
        classes = "class has" if left_out == 1 else "classes have"
        put_note(f"{left_out} {classes} as much new as freed: --order new shows them")
    if not shown:
        return
    put_table(
        _DIFF_COLUMNS,
        [
            (
                clean(row.name, 60),
                f"{row.new:,}",
                f"{row.freed:,}",
                f"{row.delta:+,}",
                units.size(row.new_bytes),
                units.size(row.freed_bytes),
                _signed(row.delta_bytes),
                units.size(row.retained),
            )
            for row in shown
        ],
    )


def put_strings(rows: Sequence[StringRow]) -> None:
    """Strings that are equal, a row each."""
    put_table(
        _STRING_COLUMNS,
        [
            (
                units.size(row.bytes),
                f"{row.count:,}",
                units.size(row.wasted),
                f"{row.length:,}",
                clean(row.preview, _PREVIEW),
            )
            for row in rows
        ],
    )


def put_page(page: Page, offset: int, *, json_: bool) -> None:
    """Objects; `offset` of them were passed over."""
    if json_:
        put_json(page)
        return
    put_table(
        _OBJECT_COLUMNS,
        [
            (
                f"@{row.id}",
                clean(row.name, 40),
                units.size(row.shallow),
                units.size(row.retained),
                units.UNKNOWN if row.distance is None else str(row.distance),
                clean(row.preview, _PREVIEW),
            )
            for row in page.rows
        ],
    )
    left = page.total - offset - len(page.rows)
    if left > 0:
        put_note(f"{left:,} more")


def put_path(rows: Sequence[ObjectRow]) -> None:
    """Objects by the edges that lead to them; the runtime's own edges dim."""
    put_table(
        _PATH_COLUMNS,
        [
            (
                clean(row.edge, 60),
                clean(row.name, 40),
                f"@{row.id}",
                units.size(row.retained),
                units.UNKNOWN if row.distance is None else str(row.distance),
                clean(row.preview, _PREVIEW),
            )
            for row in rows
        ],
        ["dim" if row.inner else "" for row in rows],
    )


def _signed(size: int) -> str:
    return ("+" if size > 0 else "") + units.size(size)
