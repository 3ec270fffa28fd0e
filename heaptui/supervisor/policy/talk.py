"""One conversation: what was said so far, and where its task stands now."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from functools import lru_cache

from heaptui import units
from heaptui.config import Policy
from heaptui.model import ProcessHeap
from heaptui.runtime import v8
from heaptui.supervisor import recycling
from heaptui.supervisor.loop import Supervisor
from heaptui.supervisor.policy import soft
from heaptui.supervisor.policy.pace import Pace
from heaptui.supervisor.policy.soft import Past, Situation, Step, Tried
from heaptui.supervisor.task import Task

_DIES_AT = 0.95
"""Of what an old generation may hold: what is promoted at once has to fit as well."""


@dataclass(slots=True)
class Talk:
    """With one attempt. `told` are the steps that a policy which only observes has told on this
    occasion; `before_bytes` what the attempt before held when it was recycled; `memory` and `heap`
    how they grow, in `seen` passes `since` it began. Instants are those of `moment`."""

    attempt: int
    recycles: int
    since: float
    past: Past = field(default_factory=Past)
    told: set[Step] = field(default_factory=set)
    by_rule: Tried | None = None
    rarely: bool = False
    seen: int = 0
    acting: bool = False
    memory_bytes: int = 0
    memory: Pace = field(default_factory=Pace)
    heap: Pace = field(default_factory=Pace)
    before_bytes: int | None = None


def moment() -> float:
    """Now, for rests and paces: a clock that is set back or forth changes nothing."""
    return asyncio.get_running_loop().time()


def situation(supervisor: Supervisor, task: Task, talk: Talk, policy: Policy) -> Situation:
    at_it = busy(supervisor, task)
    memory = task.sample.memory_bytes if task.sample is not None else 0
    heap = fullest(task)
    can = soft.able(
        collects=any("gc" in heap.can for heap in task.heaps),
        checkpoints=recycling.checkpoints(task),
        kept=recycling.kept(task),
        busy=at_it,
        policy=policy,
    )
    return Situation(
        at=moment(),
        memory_bytes=memory,
        soft_bytes=task.soft_bytes if task.soft_bytes is not None else memory + 1,
        heap_bytes=old_bytes(heap) if heap is not None else 0,
        heap_soft_bytes=heap_soft_bytes(task, heap),
        to_cap_s=task.to_cap_s,
        left_s=left_s(task, talk),
        can=can,
        fresh=recycling.fresh(task, supervisor.clock()),
        busy=soft.looked_into(at_it),
        past=talk.past,
    )


def left_s(task: Task, talk: Talk) -> float | None:
    """To the nearest of its limits, at the pace of the last seconds."""
    heap = fullest(task)
    limit = old_limit(task, heap) if heap is not None else None
    dies_at = int(limit * _DIES_AT) if limit is not None else None
    left = (talk.memory.left_s(task.cap_in_force), talk.heap.left_s(dies_at))
    return min((one for one in left if one is not None), default=None)


def fullest(task: Task) -> ProcessHeap | None:
    """Of its heaps the one that is nearest to its own limit."""
    limited = [heap for heap in task.heaps if heap.limit_bytes and heap.used_bytes is not None]

    def share(heap: ProcessHeap) -> float:
        return old_bytes(heap) / (old_limit(task, heap) or 1)

    return max(limited, key=share, default=None)


def old_bytes(heap: ProcessHeap) -> int:
    """What its old generation holds, where its runtime tells: that is the one which fills."""
    return heap.old_bytes if heap.old_bytes is not None else heap.used_bytes or 0


def old_limit(task: Task, heap: ProcessHeap) -> int | None:
    """What its old generation may hold: a heap dies when that is full, not at its limit, in which
    V8 counts the young one three times. As the task's own command says, else as for any heap of
    this limit that heaptui chose."""
    if heap.limit_bytes is None:
        return None
    named = _named_old(task.spec.argv)
    old_mb = _usual_old(heap.limit_bytes) if named is None else named
    return min(heap.limit_bytes, old_mb * units.MIB)


# asked for each heap with every pass, and always answered alike
@lru_cache(maxsize=4096)
def _named_old(argv: tuple[str, ...]) -> int | None:
    return v8.named(argv).get(v8.OLD)


@lru_cache(maxsize=4096)
def _usual_old(limit_bytes: int) -> int:
    return v8.flags_for(limit_bytes).old_mb


def heap_soft_bytes(task: Task, heap: ProcessHeap | None) -> int | None:
    """Where the policy begins to act for this heap: the share of what it may hold that the soft
    limit is of the cap."""
    cap, soft_bytes = task.cap_in_force, task.soft_bytes
    limit = old_limit(task, heap) if heap is not None else None
    if limit is None or not cap or soft_bytes is None:
        return None
    return int(limit * soft_bytes / cap)


def busy(supervisor: Supervisor, task: Task) -> list[str]:
    """What is done with it now, by an operator or a step that takes long."""
    return [
        one.kind
        for one in supervisor.activities.listed()
        if one.task_id == task.id and one.kind in ("gc", "snapshot", "hunt")
    ]


def runs(task: Task, talk: Talk) -> bool:
    return recycling.runs(task, talk.attempt)


def figures(task: Task) -> str:
    """Where it stands: "memory 262M of 300M, soft 240M, heap 171M of 200M, cap in 40s"."""
    held = units.size(task.sample.memory_bytes if task.sample is not None else None)
    ahead = f", cap in {units.duration(task.to_cap_s)}" if task.to_cap_s is not None else ""
    return (
        f"memory {held} of {units.size(task.cap_in_force)}, soft {units.size(task.soft_bytes)}"
        f"{_heap(task)}{ahead}"
    )


def _heap(task: Task) -> str:
    heap = fullest(task)
    if heap is None:
        return ""
    return f", heap {units.size(heap.used_bytes)} of {units.size(heap.limit_bytes)}"
