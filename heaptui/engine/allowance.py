"""How much somebody may ask of us: so much a second for long, and more at once."""

from __future__ import annotations

import time
from collections.abc import Callable


class Allowance:
    """A token bucket: `at_once` may be taken at any time, `per_s` a second in the long run.

    `clock` gives seconds and never jumps.
    """

    __slots__ = ("_at", "_at_once", "_clock", "_left", "_per_s")

    def __init__(
        self, per_s: float, at_once: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._per_s = per_s
        self._at_once = self._left = at_once
        self._clock = clock
        self._at = clock()

    def take(self) -> bool:
        """Takes one; False when none is left."""
        self._refill()
        if self._left < 1:
            return False
        self._left -= 1
        return True

    def due_s(self) -> float:
        """Seconds until one can be taken."""
        self._refill()
        return max(0.0, 1 - self._left) / self._per_s

    def _refill(self) -> None:
        now = self._clock()
        self._left = min(self._at_once, self._left + (now - self._at) * self._per_s)
        self._at = now
