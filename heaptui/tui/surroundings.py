"""What the app gives to every widget and screen in it, besides its palette and signs."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol, cast

if TYPE_CHECKING:
    from textual.dom import DOMNode


class _Timed(Protocol):
    clock: Callable[[], float]


def clock_of(node: DOMNode) -> Callable[[], float]:
    """The clock that the app around `node` goes by: seconds since the epoch."""
    return cast("_Timed", node.app).clock
