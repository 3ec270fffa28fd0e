"""Splitting without being asked, where the policy says so."""

from __future__ import annotations

import asyncio

from heaptui import protocol
from heaptui.errors import HeaptuiError, NoSuchTask, Refused, StorageTrouble
from heaptui.model import State
from heaptui.supervisor.dispatching import AGAIN_S
from heaptui.supervisor.loop import Supervisor
from heaptui.supervisor.splitting import dividing, families, planning
from heaptui.supervisor.task import Task


async def split(supervisor: Supervisor, task: Task) -> None:
    """Divides what is left of a quarantined task; where that cannot be done, its history says why,
    and it is not tried again. What an operator does with it meanwhile comes first."""
    while _due(task):
        try:
            await _split(supervisor, task)
            return
        except NoSuchTask:
            return
        except StorageTrouble as trouble:
            # shown in the header; what is left of the task stands on that disk
            supervisor.ledger.trouble = trouble
            await asyncio.sleep(AGAIN_S)
        except HeaptuiError as why:
            if _due(task):
                _not_split(supervisor, task, why.what)
            return


def _due(task: Task) -> bool:
    return task.state is State.QUARANTINED and task.recovery.split_due


async def _split(supervisor: Supervisor, task: Task) -> None:
    plan = await planning.plan(supervisor, protocol.PlanSplit(task=task.id))
    if len(plan.shares) < 2:
        raise Refused("What is left is one piece, which would not fit any better.")
    if not _due(task):
        return
    request = protocol.Split(
        task=task.id,
        shares=list(plan.shares),
        attempt=plan.attempt,
        strategy=plan.strategy,
        timeout_s=plan.timeout_s,
    )
    await dividing.split(supervisor, request, by=dividing.POLICY)


def _not_split(supervisor: Supervisor, task: Task, why: str) -> None:
    text = f"the policy does not split it: {why}"
    supervisor.ledger.undivided(task, text, because=f" Not divided: {why}")
    families.changed(supervisor, task)
    supervisor.settle_soon()
