"""The end of a task that takes too long: what it has done is kept first, where that can be."""

from __future__ import annotations

from heaptui.errors import Refused
from heaptui.supervisor.loop import Supervisor
from heaptui.supervisor.recycling import checkpoint, checkpoints, fresh, runs
from heaptui.supervisor.task import Task
from heaptui.units import duration, size

_KIND = "timeout"


async def expired(supervisor: Supervisor, task: Task, attempt: int) -> None:
    """Asks its worker for a checkpoint where that keeps any, for as long as it may drain, and stops
    it then. One that ended meanwhile, or is ended otherwise, is left alone."""
    if runs(task, attempt) and checkpoints(task) and not fresh(task, supervisor.clock()):
        await _keep(supervisor, task, attempt)
    if runs(task, attempt):
        await supervisor.stop({task: task.spec.limits.grace_s}, "timeout")


async def _keep(supervisor: Supervisor, task: Task, attempt: int) -> None:
    within_s = supervisor.config.policy.of(task.spec.kind).drain_s
    text = f"time-out: asked for a checkpoint, stopped in {duration(within_s)} at the latest"
    supervisor.ledger.note(task, _KIND, text)
    supervisor.settle_soon()
    try:
        work = await checkpoint(supervisor, task, within_s)
    except Refused as refused:
        text = refused.what
    else:
        text = f"checkpoint kept, {size(work.checkpoint_bytes)}"
    if runs(task, attempt):
        supervisor.ledger.note(task, _KIND, f"time-out: {text}")
