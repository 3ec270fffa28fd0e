"""What a front end may ask of a foreign process, whatever it runs."""

from __future__ import annotations

import asyncio
from pathlib import Path

from heaptui.errors import NoSuchTask, Refused
from heaptui.inspection import node, python
from heaptui.inspection.foreign import Foreign, look
from heaptui.memory.host import room_of
from heaptui.model import Collection, ProcessHeap
from heaptui.units import size

WORST_EXTRA = 14
"""A snapshot may take so many times the used heap while it is written: a heap of small objects."""


def require(pid: int) -> Foreign:
    """The process as it is now.

    Raises:
        NoSuchTask: there is none, it has no heap that heaptui knows, or it is not to be looked at.
    """
    foreign = look(pid)
    if foreign is None:
        raise NoSuchTask(
            f"Process {pid} is no Node or Python process that this user may look at.",
            "`heaptui inspect` lists those that there are.",
        )
    return foreign


async def heap(foreign: Foreign) -> ProcessHeap:
    """Its heap's figures. Raises Refused with the reason where that cannot be."""
    if foreign.runtime == "python":
        return await python.heap(foreign)
    async with node.attached(foreign) as session:
        return await node.heap(session, foreign)


async def collect(foreign: Foreign) -> Collection:
    """Its garbage collected. Raises Refused with the reason where that cannot be."""
    if foreign.runtime == "python":
        return await python.collect(foreign)
    async with node.attached(foreign) as session:
        return await node.collect(session, foreign)


async def snapshot(foreign: Foreign, path: Path, *, insist: bool) -> float:
    """A heap snapshot written to `path`; the seconds it took.

    Raises:
        Refused: it cannot be, or the machine, or a group that the process is in, may not have the
            memory and `insist` is not given.
    """
    if foreign.runtime == "python":
        raise Refused(f"No snapshot of process {foreign.pid}: {foreign.way('snapshot').why}.")
    async with node.attached(foreign) as session:
        told = await node.heap(session, foreign)
        used, room = told.used_bytes or 0, await asyncio.to_thread(room_of, foreign.pid)
        if used * WORST_EXTRA > room and not insist:
            raise Refused(
                f"A heap of {size(used)} may take {size(used * WORST_EXTRA)} more while its "
                f"snapshot is written; it has {size(room)} left.",
                "Collect its garbage first, or insist where it holds long strings rather than "
                "small objects: those take about half their size.",
            )
        return await node.snapshot(session, foreign, path)
