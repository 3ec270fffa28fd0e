"""What of a task's work is done, and what is left."""

from __future__ import annotations

import asyncio
from itertools import chain
from pathlib import Path
from typing import NamedTuple

from msgspec.structs import replace

from heaptui.errors import Refused
from heaptui.inputs import Inputs, Item
from heaptui.model import Work
from heaptui.paths import StateDir
from heaptui.splitting.left import read_done, remaining, ticked
from heaptui.supervisor.loop import Supervisor
from heaptui.supervisor.task import Task


class Standing(NamedTuple):
    """What it works through, and of that what is left and what is done, each in its order."""

    inputs: Inputs
    left: tuple[Item, ...]
    done: tuple[Item, ...]


async def standing(supervisor: Supervisor, task: Task) -> Standing:
    """As its workers have reported until now.

    Raises:
        Refused: it names nothing that it works through.
        StorageTrouble: that cannot be read.
    """
    known = supervisor.around.known
    inputs = await known.inputs(task.id) if task.items is not None else None
    if inputs is None:
        raise Refused(
            f"{task.name} does not say what it works through: there is nothing to divide.",
            "Start it with --inputs GLOB, --inputs-from FILE or --task-file TASKS.md.",
        )
    return await asyncio.to_thread(_standing, supervisor.state, task.id, task.spec.cwd, inputs)


async def in_hand(
    supervisor: Supervisor, task: Task, now: Standing, work: Work | None
) -> tuple[Item, ...]:
    """Which of those that are left its worker says it has begun, in whatever spelling."""
    if work is None or not work.hand:
        return ()
    left, parts = replace(now.inputs, items=now.left), supervisor.state.parts(task.id)
    cwd = Path(task.spec.cwd)
    return (await asyncio.to_thread(remaining, left, work.hand, cwd=cwd, parts=parts)).done


def _standing(state: StateDir, task_id: str, cwd: str, inputs: Inputs) -> Standing:
    reported = chain(read_done(state.done(task_id)), ticked(inputs, Path(inputs.origin)))
    left, done = remaining(inputs, reported, cwd=Path(cwd), parts=state.parts(task_id))
    return Standing(inputs, left, done)
