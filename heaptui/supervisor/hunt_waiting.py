"""Between the two snapshots of a leak hunt: how long, and what ends it early."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any

from heaptui import protocol
from heaptui.errors import Refused
from heaptui.model import ProcessHeap, Snapshot, TaskSample
from heaptui.supervisor.activities import Work
from heaptui.supervisor.loop import Supervisor
from heaptui.supervisor.task import Task
from heaptui.units import duration, size

NEAR = 1.25
"""Of the memory that the first snapshot took, what must be free for the second: the heap has grown
since."""

NEAR_ANYWAY = 0.05
"""Of the cap and of the heap's limit: nearer than that the process may not live to the snapshot."""

IN_A_ROW = 2
"""Readings that must say the same: what a snapshot took may be given back a moment later."""

LEAST_AGAIN_S = 5.0
"""No shorter hunt is worth to be suggested."""

BEGINS, ENDS = 0.15, 0.75
"""Of the whole hunt, where the wait lies."""


@dataclass(slots=True)
class Underway:
    """One hunt while it is under way. `cut_short` says why it will end early."""

    supervisor: Supervisor
    task: Task
    attempt: int
    pid: int
    request: protocol.Hunt
    began_at: float
    cancelled: asyncio.Event = field(default_factory=asyncio.Event)
    cut_short: str | None = None
    first: Snapshot | None = None
    second: Snapshot | None = None
    first_at: float = 0
    second_at: float = 0

    def cut(self, why: str) -> None:
        """It ends early; what was said before stays."""
        self.cut_short = f"{self.cut_short}; {why}" if self.cut_short else why


async def wait(hunt: Underway, work: Work) -> None:
    """Until the time is over, the requests were seen, the operator ends it, or the second snapshot
    would soon not fit.

    Raises:
        Refused: the process ended.
    """
    supervisor, task, request = hunt.supervisor, hunt.task, hunt.request
    loop = asyncio.get_running_loop()
    began = loop.time()
    before = _requests(hunt)
    watch = Watch(task.sample)
    while (left := began + request.seconds - loop.time()) > 0:
        if hunt.cancelled.is_set():
            hunt.cut(f"cancelled after {duration(loop.time() - began)}")
            return
        if gone(hunt):
            raise ended(hunt)
        done = 1 - left / request.seconds
        text = f"waits {duration(left)} more"
        if request.requests is not None:
            seen = max(0, _requests(hunt) - before)
            if seen >= request.requests:
                return
            done = max(done, seen / request.requests)
            text = f"{seen} of {request.requests} requests, {text} at most"
        near = _heap_near_its_limit(hunt) or watch.look(
            task.sample,
            lambda ahead: _near_its_cap(hunt, ahead),
            writes=supervisor.rooms.written(task.id),
        )
        if near is not None:
            hunt.cut(near)
            return
        work.tell(text=text, fraction=BEGINS + (ENDS - BEGINS) * done)
        await _first_of(supervisor.next_sample(), hunt.cancelled.wait(), within_s=left)


@dataclass(slots=True)
class Watch:
    """Over what readings in a row say. `last` is the latest one, which counts no more."""

    last: TaskSample | None
    in_a_row: int = 0

    def look(
        self, sample: TaskSample | None, near: Callable[[int], str | None], *, writes: bool
    ) -> str | None:
        """Why the task is near its cap, when as many readings as it takes said so; none counts
        while a snapshot is being written, whose own memory it would be.

        `near` is given the bytes that came since the reading before: as many may come until the
        next one, for which there must still be room.
        """
        last, self.last = self.last, sample
        if sample is None or writes:
            self.in_a_row = 0
            return None
        if sample is last:
            return None
        why = near(max(0, sample.memory_bytes - last.memory_bytes) if last is not None else 0)
        self.in_a_row = 0 if why is None else self.in_a_row + 1
        return why if self.in_a_row >= IN_A_ROW else None


async def _first_of(*events: Coroutine[Any, Any, object], within_s: float) -> None:
    """Returns with the first of them, or when the time is over."""
    waiting = [asyncio.ensure_future(event) for event in events]
    try:
        await asyncio.wait(waiting, timeout=within_s, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for one in waiting:
            one.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)


def _heap_near_its_limit(hunt: Underway) -> str | None:
    """Why the second snapshot must be taken now, if it must."""
    heap = _heap_now(hunt)
    used, limit = (heap.used_bytes, heap.limit_bytes) if heap is not None else (None, None)
    if used is not None and limit is not None and used > limit * (1 - NEAR_ANYWAY):
        return f"its heap came near its limit: {size(used)} of {size(limit)}"
    return None


def _near_its_cap(hunt: Underway, ahead: int) -> str | None:
    """The same, with so many bytes more in use."""
    sample, cap, first = hunt.task.sample, hunt.task.cap_in_force, hunt.first
    if sample is None or cap is None or first is None:
        return None
    # where the cap is raised for the snapshot, the process has to live until it is
    needed = NEAR * (first.extra_bytes or 0)
    least = cap * NEAR_ANYWAY
    free = cap - sample.memory_bytes - ahead
    if free >= (least if hunt.request.raise_cap else max(least, needed)):
        return None
    return f"its memory came near the cap: {size(sample.memory_bytes)} of {size(cap)}"


def gone(hunt: Underway) -> bool:
    task = hunt.task
    return not task.state.live or task.attempts != hunt.attempt


def ended(hunt: Underway) -> Refused:
    why = hunt.task.reason or f"it is {hunt.task.state}"
    lived_s = hunt.supervisor.clock() - (hunt.first_at or hunt.began_at)
    return Refused(
        f"{hunt.task.name} ended during the hunt: {why}.", again(lived_s, hunt.request.seconds)
    )


def again(lived_s: float, asked_s: float) -> str:
    """What to do after it lived so long during a hunt that was to wait for `asked_s`."""
    seconds = int(min(lived_s, asked_s) / 2)
    if seconds < LEAST_AGAIN_S:
        return "Hunt again in the next attempt."
    return f"Hunt again in the next attempt, for a shorter time: --for {seconds}s."


def _heap_now(hunt: Underway) -> ProcessHeap | None:
    return next((heap for heap in hunt.task.heaps if heap.pid == hunt.pid), None)


def _requests(hunt: Underway) -> int:
    heap = _heap_now(hunt)
    return (heap.requests if heap is not None else None) or 0
