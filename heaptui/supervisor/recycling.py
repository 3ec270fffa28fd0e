"""Recycling: checkpoint, end in order, start again from it with a clean heap."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import NamedTuple

from heaptui import protocol
from heaptui.engine.base import work_of
from heaptui.errors import HeaptuiError, NoSuchTask, Refused
from heaptui.model import Row, State, Work
from heaptui.supervisor.draining import drain
from heaptui.supervisor.lasting import seen_through
from heaptui.supervisor.loop import Supervisor
from heaptui.supervisor.machine import Trigger, may
from heaptui.supervisor.operations import of_attempts, resolve_all
from heaptui.supervisor.task import Task
from heaptui.units import duration, size

FRESH_S = 2.0
"""A checkpoint younger than this holds next to all of what is done."""

_SLACK_S = 15.0
"""Beyond both graces, for the end itself."""


class Why(NamedTuple):
    """On what occasion: the kind of the events it makes, and the first words of each."""

    kind: str
    words: str


BY_OPERATOR = Why("recycle", "by the operator")


async def recycle(supervisor: Supervisor, request: protocol.Recycle) -> list[Row]:
    """Recycles each, at once; answered when each attempt has ended or was found unable, which its
    history then says.

    Raises:
        NoSuchTask: one means nothing, or too much.
        Refused: an attempt is not the one meant, or none of the tasks can be recycled.
    """
    found = await resolve_all(supervisor, request.tasks)
    of_attempts(found, request.attempts, "then recycle what you see")
    refused: list[tuple[Task, Refused]] = []
    able: list[Task] = []
    for task in found:
        try:
            check(task, anew=request.insist)
            able.append(task)
        except Refused as cannot:
            refused.append((task, cannot))
    # who hangs up now has recycled them all the same
    refused += await seen_through(_recycle_all(supervisor, able, anew=request.insist))
    if len(refused) == len(found) and refused:
        raise refused[0][1]
    for task, why in refused:
        if not task.state.ended:
            supervisor.ledger.note(task, "recycle", f"not recycled: {why.what}")
    supervisor.settle_soon()
    return [task.row() for task in found]


async def recycle_task(supervisor: Supervisor, task: Task, why: Why) -> bool:
    """Begins to recycle a task that runs, as its policy allows; whether it now ends. What stands
    against it is told in its history."""
    policy = supervisor.config.policy.of(task.spec.kind)
    try:
        check(task, anew=policy.recycle_anew)
        await begin(supervisor, task, why, anew=policy.recycle_anew)
    except Refused as refused:
        if task.state is State.RUNNING:
            supervisor.ledger.note(task, why.kind, f"{why.words}: not recycled: {refused.what}")
            supervisor.settle_soon()
        return False
    return True


def check(task: Task, *, anew: bool) -> None:
    """Whether it could be recycled at all; `anew`: even though what it has done is lost.

    Raises:
        Refused: it does not run, or its worker keeps no checkpoints.
    """
    if not may(task.state, Trigger.RECYCLE):
        state = "being recycled already" if task.state is State.RECYCLING else task.state.value
        raise Refused(
            f"{task.name} is {state}: only what runs can be recycled.",
            "Wait until it runs, or retry it when it has ended.",
        )
    if not anew and not (checkpoints(task) or kept(task)):
        raise Refused(
            f"{task.name} keeps no checkpoints: recycled, it would begin anew and lose what it has "
            "done.",
            "`heaptui recycle --anew` does so all the same; WORKERS.md says how a worker keeps "
            "checkpoints.",
        )


def checkpoints(task: Task) -> bool:
    """Whether its worker can be asked for one."""
    return task.work is not None and "checkpoint" in task.work.can


def kept(task: Task) -> bool:
    """Whether one of this attempt stands: its worker has told so, or it is younger."""
    if task.work is not None and task.work.checkpoint_at is not None:
        return True
    stood, began = task.checkpoint_at, task.started_at
    return stood is not None and began is not None and stood >= began


def fresh(task: Task, at: float) -> bool:
    """Whether one of this attempt stands that holds next to all of what is done."""
    stood = task.checkpoint_at
    return kept(task) and stood is not None and 0 <= at - stood <= FRESH_S


async def checkpoint(supervisor: Supervisor, task: Task, within_s: float) -> Work:
    """Asks the task's worker for one; what the worker has told when it stands.

    Raises:
        Refused: there is none, with the reason; the one before then still stands.
    """
    attempt = task.attempts
    does(supervisor, task, "waits for a checkpoint")
    try:
        work = work_of(await supervisor.engine.command(task.id, "checkpoint", {}, within_s))
    except NoSuchTask:
        raise Refused(f"{task.name} ended meanwhile.") from None
    except TimeoutError:
        raise Refused(
            f"{task.name} gave no checkpoint within {duration(within_s)}.",
            "It may be in the middle of one long step: try again later.",
        ) from None
    except HeaptuiError as error:
        raise Refused(f"{task.name} gave no checkpoint: {error.what}", error.remedy) from error
    finally:
        does(supervisor, task, None)
    if task.attempts == attempt and task.state.live:
        supervisor.ledger.worked(task, work)
    return work


async def begin(supervisor: Supervisor, task: Task, why: Why, *, anew: bool) -> None:
    """Has a checkpoint kept where the worker can be asked for one, and asks the attempt to end.
    Returns when it was asked; what follows its end is the ladder's.

    Raises:
        Refused: it ended or is ended otherwise meanwhile, or it gives no checkpoint and may not
            begin `anew`.
    """
    attempt, policy = task.attempts, supervisor.config.policy.of(task.spec.kind)
    if checkpoints(task) and not fresh(task, supervisor.clock()):
        try:
            await checkpoint(supervisor, task, policy.drain_s)
        except Refused as refused:
            if not anew or not runs(task, attempt):
                raise
            supervisor.ledger.note(task, why.kind, f"{why.words}: {refused.what}")
    if not runs(task, attempt):
        raise Refused(f"{task.name} ended, or is being ended, meanwhile.")
    supervisor.ledger.recycling(task)
    task.doing = "drains"
    supervisor.ledger.shown(task)
    supervisor.ledger.note(task, why.kind, f"{why.words}: {_words(task, policy.drain_s)}")
    with suppress(HeaptuiError):  # a full disk is shown in the header
        await supervisor.ledger.commit()
    # while that was stored it may have ended, and its next attempt is not the one to drain
    if task.attempts == attempt and task.state is State.RECYCLING:
        await drain(supervisor.engine, task, policy.drain_s)
    supervisor.settle_soon()


async def _recycle_all(
    supervisor: Supervisor, tasks: list[Task], *, anew: bool
) -> list[tuple[Task, Refused]]:
    """Those that were found unable."""
    ends = await asyncio.gather(*(_recycle(supervisor, task, anew=anew) for task in tasks))
    with suppress(HeaptuiError):
        await supervisor.ledger.commit()
    return [(task, why) for task, why in zip(tasks, ends, strict=True) if why is not None]


async def _recycle(supervisor: Supervisor, task: Task, *, anew: bool) -> Refused | None:
    attempt = task.attempts
    try:
        await begin(supervisor, task, BY_OPERATOR, anew=anew)
    except Refused as why:
        return why
    policy = supervisor.config.policy.of(task.spec.kind)
    try:
        await supervisor.gallery.until(
            lambda: task.attempts != attempt or task.state is not State.RECYCLING,
            policy.drain_s + task.spec.limits.grace_s + _SLACK_S,
        )
    except TimeoutError:
        return Refused(f"{task.name} has not ended yet.", "It is recycled as soon as it has.")
    return None


def _words(task: Task, drain_s: float) -> str:
    held = f", memory {size(task.sample.memory_bytes)}" if task.sample is not None else ""
    if task.cap_in_force is not None and held:
        held += f" of {size(task.cap_in_force)}"
    source = "from its checkpoint" if kept(task) else "and begins anew"
    return f"recycled {source}{held}; it drains within {duration(drain_s)}"


def runs(task: Task, attempt: int) -> bool:
    """Whether it is still this attempt, and nobody ends it."""
    return task.attempts == attempt and task.state is State.RUNNING


def does(supervisor: Supervisor, task: Task, what: str | None) -> None:
    """Shows what is done with it now, unless it is being ended."""
    if task.state is State.RUNNING:
        task.doing = what
        supervisor.ledger.shown(task)
