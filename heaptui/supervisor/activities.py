"""Long work that runs now: what the activity line shows, and how it is ended."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

from msgspec.structs import replace

from heaptui.model import Activity
from heaptui.supervisor.task import Task

PACE_S = 0.25
"""Progress is shown this often; a beginning and an end at once."""


class Watchers(Protocol):
    """Who is shown the list."""

    def act(self, activities: list[Activity]) -> None: ...


@dataclass(slots=True, eq=False)
class Work:
    """One activity while it runs, in the hands of whoever does it."""

    activity: Activity
    cancel: Callable[[], None] | None
    _told: Callable[[], None]

    @property
    def id(self) -> str:
        return self.activity.id

    def tell(self, *, text: str | None = None, fraction: float | None = None) -> None:
        """What it does now, and how much of it is done (0 to 1, never backwards); None: as
        before."""
        held = self.activity
        if fraction is not None:
            fraction = max(held.fraction or 0.0, min(1.0, fraction))
        told = replace(
            held,
            text=held.text if text is None else text,
            fraction=held.fraction if fraction is None else fraction,
        )
        if told != held:
            self.activity = told
            self._told()

    def expect(self, seconds: float) -> None:
        """How long the whole takes, from now on."""
        self.activity = replace(self.activity, expected_s=seconds)
        self._told()

    def keep(self) -> None:
        """From now on it cannot be cancelled."""
        self.cancel = None
        self.activity = replace(self.activity, cancellable=False)
        self._told()


class Activities:
    """All that run now, the oldest first. Belongs to one event loop."""

    def __init__(self, watchers: Watchers, clock: Callable[[], float]) -> None:
        self._watchers = watchers
        self._clock = clock
        self._ids = itertools.count(1)
        self._running: dict[str, Work] = {}
        self._pending: asyncio.TimerHandle | None = None

    def listed(self) -> list[Activity]:
        return [work.activity for work in self._running.values()]

    @contextmanager
    def running(
        self,
        kind: str,
        text: str,
        task: Task | None = None,
        expected_s: float | None = None,
        cancel: Callable[[], None] | None = None,
    ) -> Iterator[Work]:
        """Shows work for the length of the block. `cancel` ends it from outside."""
        activity = Activity(
            id=f"{kind}-{next(self._ids)}",
            kind=kind,
            text=text,
            began_at=self._clock(),
            task_id=task.id if task else None,
            name=task.name if task else "",
            expected_s=expected_s,
            cancellable=cancel is not None,
        )
        work = self._running[activity.id] = Work(activity, cancel, self._show_soon)
        self._show()
        try:
            yield work
        finally:
            del self._running[activity.id]
            self._show()

    def cancel(self, activity_id: str) -> bool:
        """Ends one; False when there is none of that id that can be ended."""
        work = self._running.get(activity_id)
        if work is None or work.cancel is None:
            return False
        work.cancel()
        return True

    def _show(self) -> None:
        if self._pending is not None:
            self._pending.cancel()
            self._pending = None
        self._watchers.act(self.listed())

    def _show_soon(self) -> None:
        if self._pending is None:
            self._pending = asyncio.get_running_loop().call_later(PACE_S, self._show)
