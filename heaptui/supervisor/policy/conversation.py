"""The soft limit as a conversation: garbage collection, a checkpoint, a recycle.

One with each attempt at a time, as `soft` decides; between two passes of the sampler nothing is
looked at. Collections by a rule (`collections`) are part of it: they never meet a step of it.
"""

from __future__ import annotations

import asyncio

from msgspec.structs import replace

from heaptui import units
from heaptui.config import Config, GcRule, Policy
from heaptui.config.policy import parse_gc
from heaptui.model import Kind, State
from heaptui.supervisor.loop import Supervisor
from heaptui.supervisor.policy import collections, soft, steps
from heaptui.supervisor.policy.soft import Situation, Step
from heaptui.supervisor.policy.talk import (
    Talk,
    busy,
    figures,
    fullest,
    heap_soft_bytes,
    left_s,
    moment,
    old_bytes,
    runs,
    situation,
)
from heaptui.supervisor.task import Task

_SETTLED = 4
"""Passes after which a recycled task's memory says what the recycle gave back."""

_WOULD = {
    Step.GC: "collect garbage",
    Step.CHECKPOINT: "ask for a checkpoint",
    Step.RECYCLE: "recycle it",
    Step.HAND_OVER: "hand it to you",
}


async def hold(supervisor: Supervisor) -> None:
    """With every task that comes near its cap, until cancelled."""
    said, policies = supervisor.config, _policies(supervisor.config)
    talks: dict[str, Talk] = {}
    async with asyncio.TaskGroup() as group:
        while True:
            await supervisor.next_sample()
            if supervisor.config is not said:
                said, policies = supervisor.config, _policies(supervisor.config)
            for task in tuple(supervisor.ledger.tasks.values()):
                if not task.state.live:
                    if task.state.ended:
                        talks.pop(task.id, None)
                    continue
                policy = policies[task.spec.kind]
                _mark(supervisor, task, policy)
                if task.state is not State.RUNNING or task.sample is None:
                    continue
                talk = _talk(talks, task)
                if not talk.acting:
                    _look(supervisor, group, task, talk, policy)
            if len(talks) > len(supervisor.ledger.tasks):
                talks = {key: talk for key, talk in talks.items() if supervisor.ledger.get(key)}


def _policies(config: Config) -> dict[Kind, Policy]:
    return {kind: config.policy.of(kind) for kind in Kind}


def _mark(supervisor: Supervisor, task: Task, policy: Policy) -> None:
    limit = soft.soft_limit(task.spec.limits.soft_bytes, task.cap_in_force, policy)
    if limit != task.soft_bytes:
        task.soft_bytes = limit
        supervisor.ledger.shown(task)


def _talk(talks: dict[str, Talk], task: Task) -> Talk:
    now, held = moment(), talks.get(task.id)
    if held is None or held.attempt != task.attempts:
        recycles = task.recovery.recycles
        recycled = held is not None and recycles > held.recycles
        before = held.memory_bytes if held is not None and recycled else None
        held = talks[task.id] = Talk(task.attempts, recycles, now, before_bytes=before)
    heap = fullest(task)
    held.seen += 1
    if task.sample is not None:
        held.memory_bytes = task.sample.memory_bytes
        held.memory.add(now, held.memory_bytes)
    if heap is not None:
        held.heap.add(now, old_bytes(heap))
    return held


def _look(
    supervisor: Supervisor, group: asyncio.TaskGroup, task: Task, talk: Talk, policy: Policy
) -> None:
    """Begins what is to be done about it now."""
    if talk.before_bytes is not None and talk.seen >= _SETTLED:
        change = f"{units.size(talk.before_bytes)} → {units.size(talk.memory_bytes)}"
        supervisor.ledger.note(task, "recycle", f"after its recycle: memory {change}")
        talk.before_bytes = None
    if _near(task, talk, policy) or talk.told or talk.past.handed:
        stands = situation(supervisor, task, talk, policy)
        if soft.calm(stands, policy):
            _calmed(supervisor, task, talk)
        elif not policy.acts:
            _tell(supervisor, task, talk, stands, policy)
        elif soft.next_step(stands, policy) is not None:
            talk.acting = True
            group.create_task(_converse(supervisor, task, talk, policy), name=f"soft {task.id}")
            return
    rule = policy.gc if task.spec.gc is None else parse_gc(task.spec.gc)
    if rule == GcRule() or busy(supervisor, task):
        return
    if collections.due(rule, moment(), talk.since, talk.by_rule, task.heaps):
        talk.acting = True
        group.create_task(steps.by_rule(supervisor, task, talk, rule, policy), name=f"gc {task.id}")


def _near(task: Task, talk: Talk, policy: Policy) -> bool:
    """Whether it is worth a closer look; costs next to nothing."""
    held, soft_bytes = task.sample, task.soft_bytes
    if held is None or soft_bytes is None:
        return False
    heap = fullest(task)
    heap_soft = heap_soft_bytes(task, heap)
    if heap is not None and heap_soft is not None and old_bytes(heap) >= heap_soft:
        return True
    if held.memory_bytes >= soft_bytes:
        return True
    left = left_s(task, talk)
    if left is not None and left <= soft.QUICK_S:
        return True
    cap, growth = task.cap_in_force, task.growth
    if cap is None or growth is None:
        return False
    return growth * policy.ahead_s / 60 > cap - held.memory_bytes


def _calmed(supervisor: Supervisor, task: Task, talk: Talk) -> None:
    talk.told.clear()
    if talk.past.handed:
        talk.past = replace(talk.past, handed=False)
        task.handed = None
        supervisor.ledger.note(task, "soft", f"soft limit: well below it again: {figures(task)}")
        supervisor.ledger.shown(task)


def _tell(
    supervisor: Supervisor, task: Task, talk: Talk, stands: Situation, policy: Policy
) -> None:
    """What would be done, once for each occasion and step."""
    if Step.RECYCLE in talk.told or Step.HAND_OVER in talk.told:
        return
    left = replace(stands, can=stands.can - talk.told, fresh=Step.CHECKPOINT in talk.told)
    step = soft.next_step(left, policy)
    if step is not None:
        talk.told.add(step)
        supervisor.ledger.note(task, "soft", f"observe: would {_WOULD[step]}: {figures(task)}")
        supervisor.settle_soon()


async def _converse(supervisor: Supervisor, task: Task, talk: Talk, policy: Policy) -> None:
    """One step after the other, until it is calm, there is nothing to do yet, or the policy is told
    to observe from now on."""
    try:
        while runs(task, talk) and supervisor.config.policy.mode == "act":
            step = soft.next_step(situation(supervisor, task, talk, policy), policy)
            match step:
                case Step.GC:
                    await steps.collect(supervisor, task, talk, policy)
                case Step.CHECKPOINT:
                    await steps.checkpoint(supervisor, task, talk, policy)
                case Step.RECYCLE:
                    await steps.recycle(supervisor, task, talk, policy)
                case Step.HAND_OVER:
                    steps.hand_over(supervisor, task, talk, policy)
                case None:
                    return
    finally:
        talk.acting = False
        supervisor.settle_soon()
