"""Parents and children: what the end of one means for the other.

A child that builds on others starts when they are done, and never when one of them will not be. A
parent ends when all of its children have: their results are joined, which takes as long as it
takes, and only then its end is stored. A supervisor that is killed in between leaves a parent that
waits for nobody, and the next one joins anew.
"""

from __future__ import annotations

import asyncio

from heaptui.engine.done_file import DoneFile
from heaptui.errors import StorageTrouble
from heaptui.model import State
from heaptui.supervisor.dispatching import AGAIN_S
from heaptui.supervisor.loop import Supervisor
from heaptui.supervisor.splitting import joining
from heaptui.supervisor.splitting.kinship import (
    all_over,
    blocked,
    descendants,
    outcome,
    over,
    reason,
    why_blocked,
)
from heaptui.supervisor.task import Task, revived

__all__ = ["changed", "descendants", "gather", "look_round", "settle_soon", "spare"]

_JOINS = "joins results"

_End = tuple[str, State, int, float | None]


async def gather(supervisor: Supervisor) -> None:
    """Gives each parent that waits the children it had, once, when a supervisor takes over.

    Raises:
        StorageTrouble: the store cannot be read.
    """
    ledger, store = supervisor.ledger, supervisor.store
    for parent in tuple(ledger.tasks.values()):
        if parent.state not in (State.SPLITTING, State.SPLIT):
            continue
        parent.division = await store.division(parent.id)
        if parent.state is State.SPLIT:
            children = await store.children(parent.id)
            parent.children = [ledger.held(revived(stored)) for stored in children]
    for task in tuple(ledger.tasks.values()):
        # of one that has ended, or was split itself, the store knows better
        counts = not (task.state.ended or task.kin.children)
        if task.parent and task.items is not None and counts:
            reported = DoneFile(str(supervisor.state.done(task.id)))
            # one that cannot be read keeps nobody from taking over
            if await asyncio.to_thread(reported.look):
                task.items_done = min(len(reported), task.items)


def look_round(supervisor: Supervisor) -> None:
    """After a supervisor took over: what should have followed an end, and did not."""
    # they ask of families what families ask of them
    from heaptui.supervisor.splitting import by_policy

    for task in tuple(supervisor.ledger.tasks.values()):
        if task.state is State.SPLIT:
            _call_off(supervisor, task)
            settle_soon(supervisor, task)
        elif task.state is State.QUARANTINED and task.recovery.split_due:
            supervisor.begin(by_policy.split(supervisor, task), f"split of {task.id} by the policy")


def changed(supervisor: Supervisor, task: Task) -> None:
    """A child's state is another, or a parent has just been split."""
    if task.state is State.SPLIT:
        settle_soon(supervisor, task)
    parent = supervisor.ledger.get(task.parent)
    if parent is None or parent.state is not State.SPLIT:
        return
    if task.state is State.DONE:
        for child in parent.children:
            if child.state is State.QUEUED and task.id in child.kin.after:
                # one that waits for others as well goes on waiting, for the next of them
                supervisor.ledger.enqueue(child)
                supervisor.dispatch.wake.set()
    elif over(task):
        _call_off(supervisor, parent)
    settle_soon(supervisor, parent)


def settle_soon(supervisor: Supervisor, parent: Task) -> None:
    """Ends a parent that waits for nobody any more, as soon as its result stands."""
    if all_over(parent):
        supervisor.begin(_settle(supervisor, parent), f"end of {parent.id}")


def spare(supervisor: Supervisor, task: Task, why: str) -> None:
    """One that the policy was about to split is left as it is."""
    if task.recovery.split_due:
        supervisor.ledger.undivided(task, f"not split: {why}")
        changed(supervisor, task)


def _call_off(supervisor: Supervisor, parent: Task) -> None:
    """Stops what would wait for ever."""
    for child, cause in blocked(parent):
        supervisor.ledger.stop(child, "stop", None)
        child.reason = why_blocked(cause)
        supervisor.ledger.note(child, "stopped", child.reason)


async def _settle(supervisor: Supervisor, parent: Task) -> None:
    if parent.doing == _JOINS:
        return
    parent.doing = _JOINS
    supervisor.ledger.shown(parent)
    try:
        # one of them may be tried again meanwhile, and even end again
        while all_over(parent):
            ends = _ends(parent)
            try:
                joined = await joining.join(supervisor.state, parent)
            except StorageTrouble as trouble:
                # shown in the header
                supervisor.ledger.trouble = trouble
                await asyncio.sleep(AGAIN_S)
                continue
            if ends == _ends(parent):
                parent.result_bytes = joined
                parent.items_done = parent.done_together
                supervisor.ledger.settle(parent, outcome(parent), reason(parent))
    finally:
        parent.doing = None
        supervisor.ledger.shown(parent)
    if parent.state.ended:
        changed(supervisor, parent)
        supervisor.dispatch.wake.set()
    supervisor.settle_soon()


def _ends(parent: Task) -> list[_End]:
    return [(one.id, one.state, one.attempts, one.ended_at) for one in parent.children]
