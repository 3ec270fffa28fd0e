"""Asking an attempt to finish what it has in hand and end."""

from __future__ import annotations

from heaptui.engine.base import Engine
from heaptui.errors import HeaptuiError, NoSuchTask
from heaptui.supervisor.task import Task

_WITHIN_S = 5.0
"""For the engine to pass it on; the attempt itself has its grace."""


async def drain(engine: Engine, task: Task, grace_s: float) -> None:
    """Tells its worker and its leader; the tree is stopped after `grace_s`, and killed after the
    task's own grace more. Where nobody can be told so, the tree is stopped at once in that way.
    One that has ended meanwhile has ended."""
    kill_s = task.spec.limits.grace_s
    try:
        await engine.command(task.id, "drain", {"grace_s": grace_s, "kill_s": kill_s}, _WITHIN_S)
    except NoSuchTask:
        return
    except (HeaptuiError, TimeoutError):
        await engine.cancel(task.id, grace_s)
