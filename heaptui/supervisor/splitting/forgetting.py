"""What goes with a task that is forgotten: all that came of it, and never a part alone."""

from __future__ import annotations

from collections.abc import Sequence

from heaptui.errors import Refused
from heaptui.supervisor.loop import Supervisor
from heaptui.supervisor.task import Task


async def whole_families(supervisor: Supervisor, found: Sequence[Task]) -> list[str]:
    """The ids of these and their descendants, parents before their children.

    Raises:
        Refused: one is a part of a task that stays.
        StorageTrouble: the store cannot be read.
    """
    depths = {task.id: task.kin.depth for task in found}
    parents = [task.id for task in found if task.kin.children]
    for parent in parents:
        for child in await supervisor.store.children(parent):
            if child.kin.children and child.id not in depths:
                parents.append(child.id)
            depths[child.id] = child.kin.depth
    for task in found:
        if task.parent in depths:
            continue
        name = await _name(supervisor, task.parent)
        if name is not None:
            raise Refused(
                f"{task.name} is a part of {name} ({task.parent}), whose result is made of it.",
                f"Forget {name} as a whole.",
            )
    return sorted(depths, key=depths.__getitem__)


async def _name(supervisor: Supervisor, task_id: str) -> str | None:
    """None where there is no such task."""
    if (held := supervisor.ledger.get(task_id)) is not None:
        return held.name
    stored = await supervisor.store.task(task_id) if task_id else None
    return stored.spec.name if stored is not None else None
