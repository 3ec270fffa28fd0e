"""The files that `heaptui heap` is given: by path, or by their number in `heaptui snapshots`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from heaptui.cli.context import Context
from heaptui.errors import HeaptuiError, UsageError
from heaptui.units import duration

if TYPE_CHECKING:
    from heaptui.heap.answers import Header

_ALIKE_S = 1.0
"""File times that differ by less tell no order."""


def argument(name: str, metavar: str) -> Callable[[Any], Any]:
    """An argument of a command: a file, or a snapshot's number."""
    return click.argument(
        name, metavar=metavar, type=click.Path(path_type=Path), callback=_argument
    )


def _argument(context: click.Context, _: click.Parameter, given: Path) -> Path:
    return located(context.find_object(Context), given)


def located(context: Context | None, given: Path) -> Path:
    """The file meant: `given`, or, where it is digits and no file, the snapshot of that number.

    Raises:
        HeaptuiError: there is no snapshot of that number.
    """
    word = str(given)
    if context is None or not (word.isascii() and word.isdecimal()) or given.exists():
        return given
    found = context.ask(lambda client: client.snapshots(), "heap") if context.used() else []
    for one in found:
        if str(one.id) == word.lstrip("0"):
            return Path(one.path)
    raise HeaptuiError(
        f"There is no snapshot {word[:20]}, and no file of that name.",
        "`heaptui snapshots` lists them with their numbers; another file is given by its path.",
    )


def order_note(older: Path, newer: Path) -> str | None:
    """What to say where the files' times tell that they were given in the wrong order."""
    try:
        ahead = older.stat().st_mtime - newer.stat().st_mtime
    except OSError:  # whoever reads it says what is wrong with it
        return None
    if ahead < _ALIKE_S:
        return None
    return (
        f"the first file is newer than the second, by {duration(ahead)}: the older one comes "
        "first, else what grew is shown as freed"
    )


def require_one_runtime(headers: Sequence[Header]) -> None:
    """Raises UsageError where heaps of different runtimes are to be compared."""
    if len({header.format for header in headers}) > 1:
        raise UsageError(
            "A heap of Node and one of Python cannot be compared.",
            "Give two snapshots of one process.",
        )
