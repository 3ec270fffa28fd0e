"""What the app gives to every widget and screen in it, besides its palette and signs."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol, cast

if TYPE_CHECKING:
    from textual.dom import DOMNode

    from heaptui.tui.keys import Entry


class _Timed(Protocol):
    clock: Callable[[], float]


class _Keyed(Protocol):
    entries: tuple[Entry, ...]


def clock_of(node: DOMNode) -> Callable[[], float]:
    """The clock that the app around `node` goes by: seconds since the epoch."""
    return cast("_Timed", node.app).clock


def entries_of(node: DOMNode) -> tuple[Entry, ...]:
    """The table of keys of the app around `node`, as the configuration has it."""
    return cast("_Keyed", node.app).entries
