"""What to do with each task after one supervisor took over from another. Pure.

Three sources meet: what was stored, what the engine knows to be live or ended, and what is
neither. An attempt that the engine knows and the store does not yet is one that was started in the
moment the supervisor before died: it is caught up with, never started twice.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import NamedTuple

from heaptui.engine.base import Known
from heaptui.model import State
from heaptui.supervisor.task import Task


class Step(StrEnum):
    """One thing to do about one task."""

    CATCH_UP = "catch-up"
    """It was started and not stored: begin the attempt in the books."""
    ENQUEUE = "enqueue"
    """It waits: offer it for dispatch."""
    WAIT = "wait"
    """It backs off: set its timer again."""
    SUBMIT = "submit"
    """It was admitted and never started: start the same attempt."""
    GO_ON_STOPPING = "go-on-stopping"
    """It was being stopped: see that through."""
    GO_ON_DRAINING = "go-on-draining"
    """It was being recycled: ask it once more."""
    GO_ON_SPLITTING = "go-on-splitting"
    """It was asked to end so that it can be divided: ask it once more."""
    AWAIT_CHILDREN = "await-children"
    """It was split: its children say how it ends."""
    FOLLOW = "follow"
    """It runs, or its end is on its way: nothing to do but listen."""
    LOST = "lost"
    """It ran, and nobody can say what became of it."""
    END_STRAY = "end-stray"
    """The engine runs something that no unended task asked for."""


class Action(NamedTuple):
    step: Step
    task_id: str
    attempt: int


def reconcile(tasks: Iterable[Task], known: Iterable[Known]) -> list[Action]:
    """Every unended task and every known attempt gets one action."""
    by_task: dict[str, Known] = {}
    for one in known:
        # the newest attempt is the one that counts; older ones are only acknowledged
        held = by_task.get(one.task_id)
        if held is None or one.attempt > held.attempt:
            by_task[one.task_id] = one
    actions: list[Action] = []
    stored: set[str] = set()
    for task in tasks:
        if not task.state.ended:
            stored.add(task.id)
            actions.append(_action(task, by_task.get(task.id)))
    actions += [
        Action(Step.END_STRAY, one.task_id, one.attempt)
        for one in by_task.values()
        if one.live and one.task_id not in stored
    ]
    return actions


def _action(task: Task, known: Known | None) -> Action:
    ahead = known is not None and known.attempt > task.attempts
    if known is not None and ahead:
        return Action(Step.CATCH_UP, task.id, known.attempt)
    current = known is not None and known.attempt == task.attempts
    match task.state:
        case State.QUEUED:
            step = Step.ENQUEUE
        case State.BACKOFF:
            step = Step.WAIT
        case State.STARTING if not current:
            step = Step.SUBMIT
        case State.STOPPING if known is not None and current and known.live:
            step = Step.GO_ON_STOPPING
        case State.RECYCLING if known is not None and current and known.live:
            step = Step.GO_ON_DRAINING
        case State.SPLITTING if known is not None and current and known.live:
            step = Step.GO_ON_SPLITTING
        case State.SPLIT:
            step = Step.AWAIT_CHILDREN
        case _ if current:
            step = Step.FOLLOW
        case _:
            step = Step.LOST
    return Action(step, task.id, task.attempts)
