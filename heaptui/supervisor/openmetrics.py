"""The supervisor's figures as OpenMetrics text: gathered on the loop, written beside it."""

from __future__ import annotations

import asyncio
from collections import Counter

from heaptui.model import OUT_OF_MEMORY, Kind
from heaptui.supervisor.exposition import Figures, TaskFigures, written
from heaptui.supervisor.loop import Supervisor
from heaptui.supervisor.task import Task


async def text(supervisor: Supervisor) -> str:
    """The figures of the latest sample, `# EOF` at the end."""
    # the writing takes tens of milliseconds for a thousand tasks, and no start shall wait for it
    return await asyncio.to_thread(written, gathered(supervisor))


def gathered(supervisor: Supervisor) -> Figures:
    """A copy of what is told, which nothing changes any more."""
    tasks = supervisor.ledger.tasks.values()
    counts = supervisor.counts
    verdicts = dict(counts.verdicts)
    ooms = dict.fromkeys(Kind, 0)
    for (kind, verdict), count in verdicts.items():
        if verdict in OUT_OF_MEMORY:
            ooms[kind] += count
    return Figures(
        version=supervisor.version,
        since=supervisor.since,
        host=supervisor.gallery.host,
        places=supervisor.dispatch.concurrency,
        paused=supervisor.dispatch.paused,
        states=Counter(task.state for task in tasks),
        alerts=Counter(alert.level for alert in supervisor.gallery.alerts),
        verdicts=verdicts,
        ooms=ooms,
        recycles=counts.recycles,
        started_s=counts.started_s,
        starts_within=tuple(counts.starts_within),
        tasks=tuple(_of(task) for task in tasks if task.state.live),
    )


def _of(task: Task) -> TaskFigures:
    heap = task.largest_heap
    return TaskFigures(
        id=task.id,
        name=task.name,
        kind=task.spec.kind,
        memory_bytes=task.sample.memory_bytes if task.sample is not None else None,
        peak_bytes=task.attempt_peak,
        cap_bytes=task.cap_in_force,
        heap_used_bytes=heap.used_bytes if heap is not None else None,
        heap_limit_bytes=(heap.limit_bytes if heap is not None else None) or task.heap_limit_bytes,
    )
