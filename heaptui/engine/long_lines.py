"""Room for long lines: so many are in hand at once, however many workers have one to say.

A worker's checkpoint may take a megabyte, and thousands may be told to checkpoint at the same
moment: whoever has begun a long line while there is no room is not read from until there is.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

AT_ONCE = 8
ENDS_WITHIN_S = 10.0
"""A worker that stops in the middle of its line holds up the others no longer."""


@dataclass(slots=True, eq=False)
class Place:
    """One worker's wish. `go` is called when it may go on, `give_up` when its line does not end."""

    go: Callable[[], None]
    give_up: Callable[[], None]
    timer: asyncio.TimerHandle | None = None


class LongLines:
    """One event loop owns it."""

    def __init__(self, at_once: int = AT_ONCE) -> None:
        self._free = at_once
        self._inside: set[Place] = set()
        self._waiting: dict[Place, None] = {}

    def enter(self, place: Place) -> bool:
        """Whether it may go on at once; else `go` is called in its turn."""
        if self._free == 0:
            self._waiting[place] = None
            return False
        self._admit(place)
        return True

    def read(self, place: Place) -> None:
        """Its line has come to its end; it is still in hand."""
        if place.timer is not None:
            place.timer.cancel()
            place.timer = None

    def leave(self, place: Place) -> None:
        """It is done with, or its worker is gone."""
        self.read(place)
        self._waiting.pop(place, None)
        if place not in self._inside:
            return
        self._inside.remove(place)
        self._free += 1
        if self._waiting:
            following = next(iter(self._waiting))
            del self._waiting[following]
            self._admit(following)
            following.go()

    def _admit(self, place: Place) -> None:
        self._free -= 1
        self._inside.add(place)
        loop = asyncio.get_running_loop()
        place.timer = loop.call_later(ENDS_WITHIN_S, place.give_up)
