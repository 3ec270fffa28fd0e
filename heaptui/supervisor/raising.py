"""Larger limits for a task's next attempt, where the machine has them.

The attempt that runs keeps its own: a heap's limit cannot change after its start.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from msgspec import Struct
from msgspec.structs import replace

from heaptui import protocol
from heaptui.errors import Refused, UsageError
from heaptui.model import Kind, Limits, Row, TaskSpec
from heaptui.runtime import heap_limits, presets, v8
from heaptui.supervisor.loop import Supervisor
from heaptui.supervisor.operations import resolve_all
from heaptui.supervisor.policy import larger
from heaptui.supervisor.policy.larger import Larger
from heaptui.supervisor.task import Task
from heaptui.units import size


class Room(Struct, frozen=True, kw_only=True):
    """What the machine has for one task's next attempt. `available_bytes` now, with what the task
    itself holds, which is free by then (None: not measured); `promised_bytes` the caps of the other
    tasks that run."""

    total_bytes: int
    available_bytes: int | None
    promised_bytes: int


async def raise_limits(supervisor: Supervisor, request: protocol.Raise) -> list[Row]:
    """Gives all of these tasks larger limits from their next attempt on, or none of them.

    Raises:
        NoSuchTask: one means nothing, or too much.
        UsageError: nothing is raised, or a limit that the task's kind does not have.
        Refused: an attempt is not the one meant, or the machine does not have it.
        StorageTrouble: it holds, and is not stored yet.
    """
    if request.cap_bytes is None and request.heap_bytes is None:
        raise UsageError("Nothing is raised.", "Give a cap, a heap limit, or both: --cap 12G.")
    found = await resolve_all(supervisor, request.tasks)
    for task, attempt in zip(found, request.attempts or [], strict=False):
        if task.attempts != attempt:
            raise Refused(
                f"{task.name} is at attempt {task.attempts} now, not {attempt}: left as it is.",
                "Look again, then raise what you see.",
            )
    raised = [_raised(supervisor, task, request) for task in found]
    # who hangs up now has raised them all the same
    return await asyncio.shield(asyncio.ensure_future(_take(supervisor, found, raised)))


async def _take(
    supervisor: Supervisor, found: Sequence[Task], raised: Sequence[Limits]
) -> list[Row]:
    held = []
    for task, limits in zip(found, raised, strict=True):
        before = task.spec
        one = supervisor.ledger.relimit(task, limits)
        supervisor.ledger.note(one, "raised", _told(before, one))
        held.append(one)
    await supervisor.ledger.commit()
    return [task.row() for task in held]


def _raised(supervisor: Supervisor, task: Task, request: protocol.Raise) -> Limits:
    """The task's limits with what is asked for; nothing is changed."""
    cap, heap = request.cap_bytes, request.heap_bytes
    now = task.spec.limits.cap_bytes or task.cap_bytes
    if cap is not None and now is not None and cap < now:
        raise Refused(
            f"The cap of {task.name} is {size(now)} already: {size(cap)} would lower it.",
            "Name a larger one; for a smaller one submit the task again.",
        )
    if heap is not None and (needed := heap + v8.OUTSIDE_HEAP) > (cap or now or needed):
        if cap is not None:
            raise Refused(
                f"A heap of {size(heap)} does not fit under a cap of {size(cap)}: Node needs "
                f"{size(v8.OUTSIDE_HEAP)} beside it, {size(needed)} together.",
                f"Give --cap {size(needed)} or more, or leave it out: it then grows with the heap.",
            )
        cap = needed
    limits = replace(
        larger.raised(task.spec.limits, Larger(cap_bytes=cap), task.cap_bytes),
        heap_bytes=heap if heap is not None else task.spec.limits.heap_bytes,
    )
    spec = replace(task.spec, limits=limits)
    preset = presets.find(spec.preset, supervisor.around.own_presets) if spec.preset else None
    heap_limits.check(spec, preset, limits.cap_bytes or task.cap_bytes)
    if cap is not None:
        check_room(task.name, cap, _room(supervisor, task))
    return limits


def check_room(name: str, cap_bytes: int, room: Room) -> None:
    """Whether the machine has `cap_bytes` for the next attempt of the task `name`.

    Raises:
        Refused: it does not; with the arithmetic.
    """
    available = room.available_bytes
    if cap_bytes <= room.total_bytes and (available is None or cap_bytes <= available):
        return
    has = f"this machine has {size(room.total_bytes)}"
    if available is not None:
        has += f", {size(available)} available to it"
    promised = ""
    if room.promised_bytes:
        promised = f", caps of the other running tasks promise {size(room.promised_bytes)}"
    raise Refused(
        f"{size(cap_bytes)} asked for {name}; {has}{promised}.",
        "Ask for less, or stop another task first.",
    )


def _room(supervisor: Supervisor, task: Task) -> Room:
    host = supervisor.host
    own = task.sample.memory_bytes if task.sample is not None else 0
    return Room(
        total_bytes=supervisor.engine.nodes()[0].mem_total_bytes,
        available_bytes=None if host is None else host.mem_available_bytes + own,
        promised_bytes=sum(
            other.cap_bytes or 0
            for other in supervisor.ledger.tasks.values()
            if other.state.live and other.id != task.id
        ),
    )


def _told(before: TaskSpec, task: Task) -> str:
    """What the task's history says."""
    old, new = before.limits, task.spec.limits
    parts = []
    if new.cap_bytes != old.cap_bytes:
        parts.append(f"cap {size(new.cap_bytes)}")
    if new.heap_bytes != old.heap_bytes:
        parts.append(f"heap {size(new.heap_bytes)}")
    text = f"raised by the operator for the next attempt: {', '.join(parts) or 'nothing new'}"
    fixed = new.heap_bytes is not None or bool(task.spec.preset)
    if task.spec.kind is Kind.NODE and fixed and new.heap_bytes == old.heap_bytes:
        text += "; the heap's limit stays"
    return text
