"""What watchers are shown: a full picture, then changes, at the pace of each watcher.

A watcher that does not read piles up little: what it missed is a set of task ids, and it is sent
those rows as they are when it reads again; one that missed too much is sent a full picture.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterable

from heaptui import units
from heaptui.model import Activity, Alert, Event, Host, Row
from heaptui.protocol import Change, Picture
from heaptui.supervisor.task import Task

EVENTS_HELD = 200
MISSED_MOST = 5000
"""Ids of rows and of departures that are kept for a watcher before it needs a full picture."""

_GROWTH_GRAIN = 1 << 20
_GRAIN_BITS = 9
"""Memory is compared to nine bits: what moves less is not visible in three digits."""


class Watcher:
    """What one subscriber has yet to see."""

    def __init__(self) -> None:
        self._rows: set[str] = set()
        self._gone: set[str] = set()
        self._events: deque[Event] = deque(maxlen=EVENTS_HELD)
        self._host = False
        self._alerts = False
        self._activities = False
        self._stale = False
        self._something = asyncio.Event()

    def changed(self, task_id: str) -> None:
        self._gone.discard(task_id)
        if not self._stale:
            self._rows.add(task_id)
        self._something.set()

    def gone(self, task_id: str) -> None:
        self._rows.discard(task_id)
        if not self._stale:
            self._gone.add(task_id)
        if len(self._gone) + len(self._rows) > MISSED_MOST:
            self._stale = True
            self._gone.clear()
            self._rows.clear()
        self._something.set()

    def happened(self, event: Event) -> None:
        self._events.append(event)
        self._something.set()

    def header(self, *, host: bool, alerts: bool) -> None:
        self._host |= host
        self._alerts |= alerts
        if host or alerts:
            self._something.set()

    def acted(self) -> None:
        self._activities = True
        self._something.set()

    async def stirred(self) -> None:
        """Waits for any change, without taking it in."""
        await self._something.wait()
        self._something.clear()
        self._rows.clear()
        self._gone.clear()
        self._events.clear()

    async def next(
        self, at: Callable[[], float], row: Callable[[str], Row | None], gallery: Gallery
    ) -> Change | None:
        """Waits until there is something to see, and takes it; None: it missed too much for a
        change to tell."""
        await self._something.wait()
        self._something.clear()
        if self._stale:
            self._stale = False
            return None
        rows, self._rows = self._rows, set()
        gone, self._gone = self._gone, set()
        events = list(self._events)
        self._events.clear()
        host, self._host = self._host, False
        alerts, self._alerts = self._alerts, False
        activities, self._activities = self._activities, False
        return Change(
            at=at(),
            rows=[shown for task_id in rows if (shown := row(task_id)) is not None],
            gone=sorted(gone),
            host=gallery.host if host else None,
            alerts=gallery.alerts if alerts else None,
            events=events,
            activities=gallery.activities if activities else None,
        )


class Gallery:
    """The current host line, alerts and activities, and all who watch."""

    def __init__(self, host: Host) -> None:
        self._watchers: set[Watcher] = set()
        self.host = host
        self.alerts: list[Alert] = []
        self.activities: list[Activity] = []

    @property
    def watched(self) -> bool:
        return bool(self._watchers)

    @property
    def watchers(self) -> int:
        """How many watch."""
        return len(self._watchers)

    def enter(self) -> Watcher:
        watcher = Watcher()
        self._watchers.add(watcher)
        return watcher

    def leave(self, watcher: Watcher) -> None:
        self._watchers.discard(watcher)

    async def until(self, holds: Callable[[], bool], within_s: float) -> None:
        """Returns when `holds` does, which is asked after every change.

        Raises:
            TimeoutError: it did not within so many seconds.
        """
        watcher = self.enter()
        try:
            async with asyncio.timeout(within_s):
                while not holds():
                    await watcher.stirred()
        finally:
            self.leave(watcher)

    def changed(self, task_id: str) -> None:
        for watcher in self._watchers:
            watcher.changed(task_id)

    def gone(self, task_id: str) -> None:
        for watcher in self._watchers:
            watcher.gone(task_id)

    def happened(self, event: Event) -> None:
        for watcher in self._watchers:
            watcher.happened(event)

    def hang(self, host: Host, alerts: list[Alert]) -> None:
        """The header as it is now."""
        new_host, new_alerts = host != self.host, alerts != self.alerts
        self.host, self.alerts = host, alerts
        for watcher in self._watchers:
            watcher.header(host=new_host, alerts=new_alerts)

    def act(self, activities: list[Activity]) -> None:
        """What runs now."""
        if activities == self.activities:
            return
        self.activities = activities
        for watcher in self._watchers:
            watcher.acted()

    def picture(self, at: float, tasks: Iterable[Task]) -> Picture:
        return Picture(
            at=at,
            host=self.host,
            rows=[task.row() for task in tasks],
            alerts=self.alerts,
            activities=self.activities,
        )


def visibly_moved(task: Task) -> bool:
    """Whether a reading changed anything that a row shows; notes what is shown now."""
    sample = task.sample
    if sample is None:
        return False
    left = task.to_cap_s
    shown = (
        _grain(sample.memory_bytes),
        None if task.growth is None else round(task.growth / _GROWTH_GRAIN),
        None if left is None else units.duration(left),
        None if sample.cpu_percent is None else round(sample.cpu_percent),
        sample.processes,
        sample.pss_bytes is None or _grain(sample.pss_bytes),
        task.peak_bytes and _grain(task.peak_bytes),
        task.spark,
        task.cap_in_force,
        *_heap_shown(task),
    )
    moved = shown != task.shown
    task.shown = shown
    return moved


def _heap_shown(task: Task) -> tuple[object, ...]:
    largest = task.largest_heap
    if largest is None:
        return (task.heap_absent,)
    figures = (largest.used_bytes, largest.external_bytes, task.heap_peak_bytes)
    grains = (None if figure is None else _grain(figure) for figure in figures)
    return (*grains, largest.limit_bytes, len(task.heaps))


def _grain(value: int) -> int:
    drop = max(0, value.bit_length() - _GRAIN_BITS)
    return value >> drop << drop
