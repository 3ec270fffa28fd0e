"""The steps of a conversation, each a line in the task's history with figures before and after."""

from __future__ import annotations

import asyncio

from msgspec.structs import replace

from heaptui import units
from heaptui.config import GcRule, Policy
from heaptui.errors import Refused
from heaptui.model import Collection
from heaptui.supervisor import recycling
from heaptui.supervisor.collecting import Telling, collect_in, short_time
from heaptui.supervisor.loop import Supervisor
from heaptui.supervisor.policy import collections, soft
from heaptui.supervisor.policy.soft import Tried
from heaptui.supervisor.policy.talk import Talk, figures, moment, runs, situation
from heaptui.supervisor.recycling import Why
from heaptui.supervisor.task import Task

_GC_LEAST_S, _GC_S_PER_GIB = 2.0, 3.0
"""How long a collection is waited for: then the next step may be due."""

WHY = Why("soft", "soft limit")
_COLLECTED = Telling("soft", "soft limit: collected garbage")


async def collect(supervisor: Supervisor, task: Task, talk: Talk, policy: Policy) -> None:
    """Garbage, in every heap of it."""
    before = situation(supervisor, task, talk, policy)
    done = await _collected(supervisor, task, _COLLECTED)
    took_s = moment() - before.at
    helped = False
    if collections.came_back(done) and runs(task, talk):
        # what that is worth is known when memory is measured again
        await supervisor.next_sample()
        helped = soft.helped(before, situation(supervisor, task, talk, policy))
    if runs(task, talk):
        last = talk.past.gc.again(moment(), took_s, helped=helped)
        talk.past = replace(talk.past, gc=last)


async def checkpoint(supervisor: Supervisor, task: Task, talk: Talk, policy: Policy) -> None:
    began = moment()
    try:
        work = await recycling.checkpoint(supervisor, task, policy.drain_s)
    except Refused as refused:
        helped, text = False, refused.what
    else:
        helped, kept = True, units.size(work.checkpoint_bytes)
        text = f"checkpoint kept, {kept}, {short_time(moment() - began)}; {figures(task)}"
    if not helped:
        # one that was about to end has ended by then
        await supervisor.next_sample()
    if not runs(task, talk):
        return
    now = moment()
    last = talk.past.checkpoint.again(now, now - began, helped=helped)
    talk.past = replace(talk.past, checkpoint=last)
    if last.in_vain <= 1:
        # asked again until it gives one: the history need not tell each time that it did not
        supervisor.ledger.note(task, "soft", f"soft limit: {text}")


async def recycle(supervisor: Supervisor, task: Task, talk: Talk, policy: Policy) -> None:
    began = moment()
    try:
        await recycling.begin(supervisor, task, WHY, anew=policy.recycle_anew)
    except Refused as refused:
        if not runs(task, talk):
            return
        supervisor.ledger.note(task, "soft", f"soft limit: not recycled: {refused.what}")
        now = moment()
        last = talk.past.recycle.again(now, now - began, helped=False)
        talk.past = replace(talk.past, recycle=last)


def hand_over(supervisor: Supervisor, task: Task, talk: Talk, policy: Policy) -> None:
    """Nothing heaptui may do helps: its operator is told why."""
    task.handed = f"{_tried_in_vain(task, talk, policy)}, {_not_recycled(talk, policy)}"
    talk.past = replace(talk.past, handed=True)
    text = f"soft limit: {figures(task)}: {task.handed}; what is left is yours to decide"
    supervisor.ledger.note(task, "soft", text)
    supervisor.ledger.shown(task)


async def by_rule(
    supervisor: Supervisor, task: Task, talk: Talk, rule: GcRule, policy: Policy
) -> None:
    telling = collections.telling(rule)
    last = talk.by_rule or Tried(at=moment())
    began = moment()
    try:
        if not policy.acts:
            if talk.by_rule is None:
                supervisor.ledger.note(task, "gc", f"observe: would have {telling.who}")
            talk.by_rule = last.again(began, 0, helped=True)
            return
        done = await _collected(supervisor, task, telling)
        now = moment()
        helped = collections.came_back(done)
        talk.by_rule = last.again(now, now - began, helped=helped)
        if talk.by_rule.in_vain and not talk.rarely and runs(task, talk):
            talk.rarely = True
            text = f"{telling.who}: so little comes back that it is done more rarely now"
            supervisor.ledger.note(task, "gc", text)
    finally:
        talk.acting = False
        supervisor.settle_soon()


async def _collected(supervisor: Supervisor, task: Task, telling: Telling) -> list[Collection]:
    """Those that were done in time; one that takes longer goes on, and is told when it is done."""
    held = sum(heap.used_bytes or 0 for heap in task.heaps)
    within_s = _GC_LEAST_S + _GC_S_PER_GIB * held / units.GIB
    recycling.does(supervisor, task, "collects garbage")
    try:
        async with asyncio.timeout(within_s):
            done = await collect_in(supervisor, task, None, telling)
    except Refused:
        return []  # its last heap has just gone
    except TimeoutError:
        text = f"{telling.who}: not within {units.duration(within_s)}; it goes on by itself"
        supervisor.ledger.note(task, telling.kind, text)
        return []
    finally:
        recycling.does(supervisor, task, None)
    for one in done:
        if one.error is not None:
            supervisor.ledger.note(task, telling.kind, one.error)
    return [one for one in done if one.error is None]


def _tried_in_vain(task: Task, talk: Talk, policy: Policy) -> str:
    if "gc" not in policy.steps:
        return "the policy collects no garbage"
    if not any("gc" in heap.can for heap in task.heaps):
        return "no garbage of it can be collected"
    return "a collection gave nothing back" if talk.past.gc.in_vain else "collecting helps no more"


def _not_recycled(talk: Talk, policy: Policy) -> str:
    if "recycle" not in policy.steps:
        return "the policy recycles nothing"
    if talk.past.recycle.in_vain or talk.past.checkpoint.in_vain:
        return "it gave no checkpoint to be recycled from"
    return "its worker keeps no checkpoints"
