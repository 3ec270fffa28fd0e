"""One timer a task: its time-out while it runs, the end of its back-off while it waits."""

from __future__ import annotations

import asyncio
from collections.abc import Callable


class Timers:
    """Belongs to one event loop; instants are those of `clock`."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._armed: dict[str, asyncio.TimerHandle] = {}

    def arm(self, task_id: str, at: float, what: Callable[[], None]) -> None:
        """In place of the one that the task has."""
        self.disarm(task_id)
        left_s = max(0.0, at - self._clock())
        self._armed[task_id] = asyncio.get_running_loop().call_later(left_s, what)

    def disarm(self, task_id: str) -> None:
        handle = self._armed.pop(task_id, None)
        if handle is not None:
            handle.cancel()
