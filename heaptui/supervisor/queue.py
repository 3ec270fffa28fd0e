"""Who runs next: the highest priority first, and among equals who came first."""

from __future__ import annotations

import heapq
from collections.abc import Callable

from heaptui.model import State
from heaptui.supervisor.task import Task

Get = Callable[[str], Task | None]
_Entry = tuple[int, int, str]


class Queue:
    """Waiting tasks by (priority, arrival). Entries of tasks that left the state are dropped when
    they come to the front, so leaving costs nothing."""

    def __init__(self) -> None:
        self._heap: list[_Entry] = []

    def put(self, task: Task) -> None:
        heapq.heappush(self._heap, (-task.spec.priority, task.order, task.id))

    def take(self, get: Get) -> Task | None:
        """The next task that still waits, None when there is none."""
        found = self._next(get)
        return found[1] if found is not None else None

    def first(self, get: Get, n: int) -> list[Task]:
        """The next `n` that still wait, in their order; they stay."""
        ahead: dict[str, tuple[_Entry, Task]] = {}
        while len(ahead) < n and (found := self._next(get)) is not None:
            ahead[found[1].id] = found
        for entry, _ in ahead.values():
            heapq.heappush(self._heap, entry)
        return [task for _, task in ahead.values()]

    def _next(self, get: Get) -> tuple[_Entry, Task] | None:
        while self._heap:
            entry = heapq.heappop(self._heap)
            task = get(entry[2])
            # an entry from before a stop and a retry would give the task its old place
            if task is not None and task.state is State.QUEUED and task.order == entry[1]:
                return entry, task
        return None


def admissible(*, live: int, concurrency: int, paused: bool) -> bool:
    """Whether one more attempt may start now."""
    return not paused and live < concurrency


def wait_reason(*, paused: bool, concurrency: int, behind: str | None = None) -> str:
    """What a queued task waits for, for the place of its figures; `behind`: the name of the one
    that is first and does not fit."""
    if paused:
        return "waits: dispatch is paused"
    if behind is not None:
        return f"waits for its turn behind {behind}"
    return f"waits for one of {concurrency} places"
