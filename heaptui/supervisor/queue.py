"""Who runs next: the highest priority first, and among equals who came first."""

from __future__ import annotations

import heapq
from collections.abc import Callable

from heaptui.model import State
from heaptui.supervisor.task import Task


class Queue:
    """Waiting tasks by (priority, arrival). Entries of tasks that left the state are dropped when
    they come to the front, so leaving costs nothing."""

    def __init__(self) -> None:
        self._heap: list[tuple[int, int, str]] = []

    def put(self, task: Task) -> None:
        heapq.heappush(self._heap, (-task.spec.priority, task.order, task.id))

    def take(self, get: Callable[[str], Task | None]) -> Task | None:
        """The next task that still waits, None when there is none."""
        while self._heap:
            _, order, task_id = heapq.heappop(self._heap)
            task = get(task_id)
            # an entry from before a stop and a retry would give the task its old place
            if task is not None and task.state is State.QUEUED and task.order == order:
                return task
        return None


def admissible(*, live: int, concurrency: int, paused: bool) -> bool:
    """Whether one more attempt may start now."""
    return not paused and live < concurrency


def wait_reason(*, paused: bool, concurrency: int) -> str:
    """What a queued task waits for, for the place of its figures."""
    if paused:
        return "waits: dispatch is paused"
    return f"waits for one of {concurrency} places"
