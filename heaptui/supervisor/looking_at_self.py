"""heaptui's own process: what it consists of, and how that has moved since it began."""

from __future__ import annotations

import asyncio
import gc
import os
import sys
import threading
from collections import Counter
from typing import TYPE_CHECKING

from heaptui.memory.own import own_rss
from heaptui.model import SelfPart, SelfReport
from heaptui.supervisor.metrics import COARSE_SLOTS, FINE_SLOTS
from heaptui.supervisor.own_descriptors import descriptors
from heaptui.supervisor.own_trend import STEP_S, Trend, verdict

if TYPE_CHECKING:
    from heaptui.supervisor.loop import Supervisor

_GAUGE_BYTES = 4 * (FINE_SLOTS + 2 * COARSE_SLOTS)
_GREW = 1.5
_LEAST_GROWN = 100
"""Counts below this are too small to speak of growth."""

Part = tuple[str, int, str, str]
"""Name, figure, unit, note."""


class OwnFigures:
    """What is kept of the supervisor's own past: the parts as they were, and memory's trend."""

    def __init__(self) -> None:
        self._at_start: dict[str, int] = {}
        self.trend = Trend()

    def begin(self, parts: list[Part]) -> None:
        self._at_start = {name: figure for name, figure, _, _ in parts}

    def at_start(self, name: str, unit: str) -> int | None:
        """What was not there counted nothing; None before there was a beginning."""
        if not self._at_start:
            return None
        return self._at_start.get(name, 0 if unit == "count" else None)


async def sampling(supervisor: Supervisor) -> None:
    """Notes this process's memory once a minute, until cancelled."""
    supervisor.own.begin(_parts(supervisor))
    while True:
        supervisor.own.trend.add(supervisor.clock(), own_rss())
        await asyncio.sleep(STEP_S)


def look(supervisor: Supervisor) -> SelfReport:
    """Everything that can be said truly from inside, in a few milliseconds."""
    own = supervisor.own
    parts = tuple(
        SelfPart(name, figure, own.at_start(name, unit), unit, note)
        for name, figure, unit, note in _parts(supervisor)
    )
    said = verdict(own.trend.points())
    grown = [part.name for part in parts if _grew(part)] if said.startswith("grows") else []
    return SelfReport(
        at=supervisor.clock(),
        since=supervisor.since,
        pid=os.getpid(),
        parts=parts,
        trend=own.trend.points(),
        verdict=f"{said}; with it grew: {', '.join(grown)}" if grown else said,
    )


def _grew(part: SelfPart) -> bool:
    start = part.at_start
    return start is not None and part.now > max(start * _GREW, start + _LEAST_GROWN)


def _parts(supervisor: Supervisor) -> list[Part]:
    ledger, tasks = supervisor.ledger, supervisor.ledger.tasks.values()
    gauges = sum(task.gauge is not None for task in tasks)
    collections = [stats["collections"] for stats in gc.get_stats()]
    stuck = sum(stats["uncollectable"] for stats in gc.get_stats())
    return [
        ("resident memory", own_rss(), "bytes", "with the screen's, if it is inside"),
        ("python's small blocks", sys.getallocatedblocks(), "count", "of up to 512 bytes each"),
        ("gc objects", len(gc.get_objects()), "count", f"{gc.get_freeze_count()} beside them"),
        ("gc runs, oldest", collections[-1], "count", f"uncollectable: {stuck}"),
        ("memory series", gauges * _GAUGE_BYTES, "bytes", f"of {gauges} tasks"),
        ("tasks held", len(ledger.tasks), "count", f"{ledger.unended} of them not ended"),
        ("events not stored yet", ledger.unwritten, "count", ""),
        ("activities", len(supervisor.activities.listed()), "count", ""),
        ("subscriptions", supervisor.gallery.watchers, "count", "screens and waiting commands"),
        ("async tasks", len(asyncio.all_tasks()), "count", ""),
        ("threads", threading.active_count(), "count", "the database's own among them"),
        *_database(supervisor),
        *_open(supervisor),
    ]  # fmt: skip


def _database(supervisor: Supervisor) -> list[Part]:
    path = supervisor.state.database
    found: list[Part] = []
    for name, file in (("database", path), ("its log", path.with_name(f"{path.name}-wal"))):
        try:
            found.append((name, file.stat().st_size, "bytes", "on disk"))
        except FileNotFoundError:
            continue
    return found


def _open(supervisor: Supervisor) -> list[Part]:
    kinds: Counter[str] = descriptors(supervisor.state)
    total: Part = ("open descriptors", kinds.total(), "count", "")
    return [total, *((f"  {kind}", kinds[kind], "count", "") for kind in sorted(kinds))]
