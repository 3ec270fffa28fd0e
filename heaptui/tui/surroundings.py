"""What the app gives to every widget and screen in it, besides its palette and signs."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Protocol, cast

if TYPE_CHECKING:
    from textual.dom import DOMNode

    from heaptui.config import PolicyConfig
    from heaptui.model import HostSample, Row
    from heaptui.tui.board import Board
    from heaptui.tui.keys import Entry


class _Timed(Protocol):
    clock: Callable[[], float]


class _Keyed(Protocol):
    entries: tuple[Entry, ...]


class _Governed(Protocol):
    policy: PolicyConfig


class _Pictured(Protocol):
    board: Board


def clock_of(node: DOMNode) -> Callable[[], float]:
    """The clock that the app around `node` goes by: seconds since the epoch."""
    return cast("_Timed", node.app).clock


def entries_of(node: DOMNode) -> tuple[Entry, ...]:
    """The table of keys of the app around `node`, as the configuration has it."""
    return cast("_Keyed", node.app).entries


def drain_of(node: DOMNode, rows: Iterable[Row]) -> float:
    """Seconds that the memory policy gives these tasks to finish what they have in hand; 0 for
    none of them."""
    policy = cast("_Governed", node.app).policy
    return max((policy.of(row.kind).drain_s for row in rows), default=0.0)


def children_of(node: DOMNode, rows: Iterable[Row]) -> list[Row]:
    """What these tasks were split into, as far as the app around `node` holds it."""
    board = cast("_Pictured", node.app).board
    return [child for row in rows for child in board.children(row.id)]


def machine_of(node: DOMNode) -> HostSample | None:
    """The machine's figures as the app around `node` shows them; None before there are any."""
    host = cast("_Pictured", node.app).board.host
    return None if host is None else host.sample
