"""Between the two snapshots of a leak hunt: how long, and what ends it early."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass, field
from typing import Any

from heaptui import protocol
from heaptui.errors import Refused
from heaptui.model import ProcessHeap, Snapshot
from heaptui.supervisor.activities import Work
from heaptui.supervisor.loop import Supervisor
from heaptui.supervisor.task import Task
from heaptui.units import duration, size

NEAR = 1.25
"""Of the memory that the first snapshot took, what must be free for the second: the heap has grown
since."""

NEAR_ANYWAY = 0.05
"""Of the cap and of the heap's limit: nearer than that the process may not live to the snapshot."""

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
    supervisor, request = hunt.supervisor, hunt.request
    loop = asyncio.get_running_loop()
    began = loop.time()
    before = _requests(hunt)
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
        if (near := _near_its_end(hunt)) is not None:
            hunt.cut(near)
            return
        work.tell(text=text, fraction=BEGINS + (ENDS - BEGINS) * done)
        await _first_of(supervisor.next_sample(), hunt.cancelled.wait(), within_s=left)


async def _first_of(*events: Coroutine[Any, Any, object], within_s: float) -> None:
    """Returns with the first of them, or when the time is over."""
    waiting = [asyncio.ensure_future(event) for event in events]
    try:
        await asyncio.wait(waiting, timeout=within_s, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for one in waiting:
            one.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)


def _near_its_end(hunt: Underway) -> str | None:
    """Why the second snapshot must be taken now, if it must."""
    task, first, heap = hunt.task, hunt.first, _heap_now(hunt)
    used, limit = (heap.used_bytes, heap.limit_bytes) if heap is not None else (None, None)
    if used is not None and limit is not None and used > limit * (1 - NEAR_ANYWAY):
        return f"its heap came near its limit: {size(used)} of {size(limit)}"
    sample, cap = task.sample, task.cap_in_force
    if sample is None or cap is None or first is None:
        return None
    # where the cap is raised for the snapshot, the process has to live until it is
    needed = NEAR * (first.extra_bytes or 0)
    least = cap * NEAR_ANYWAY
    if cap - sample.memory_bytes >= (least if hunt.request.raise_cap else max(least, needed)):
        return None
    return f"its memory came near the cap: {size(sample.memory_bytes)} of {size(cap)}"


def gone(hunt: Underway) -> bool:
    task = hunt.task
    return not task.state.live or task.attempts != hunt.attempt


def ended(hunt: Underway) -> Refused:
    why = hunt.task.reason or f"it is {hunt.task.state}"
    return Refused(
        f"{hunt.task.name} ended during the hunt: {why}.",
        "Hunt again in the next attempt, for a shorter time: --for 30s.",
    )


def _heap_now(hunt: Underway) -> ProcessHeap | None:
    return next((heap for heap in hunt.task.heaps if heap.pid == hunt.pid), None)


def _requests(hunt: Underway) -> int:
    heap = _heap_now(hunt)
    return (heap.requests if heap is not None else None) or 0
