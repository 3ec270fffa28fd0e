"""Ending processes, and waiting for their end: by identity, never by a pid that may be reused."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable, Iterable

from heaptui.memory.cgroups import Group
from heaptui.memory.identity import alive, open_pidfd, send
from heaptui.model import Identity

_KILL_AGAIN_S = 1.0
_LOOK_AGAIN_S = 0.025

Living = Callable[[], list[Identity]]
"""Looks who lives of a tree now."""


def ask(processes: Iterable[Identity]) -> None:
    """TERM to each."""
    for identity in processes:
        send(identity, signal.SIGTERM)


async def kill(living: Living, group: Group | None) -> None:
    """Kills until a look finds nobody.

    By the group where there is one: no fork escapes it. And one by one, for what left the group or
    where there is none. Returns once they are gone, however long the kernel holds one of them up.
    """
    while left := living():
        if group is not None:
            group.kill()
        for identity in left:
            send(identity, signal.SIGKILL)
        try:
            async with asyncio.timeout(_KILL_AGAIN_S):
                await gone(left)
        except TimeoutError:
            continue  # in an uninterruptible wait, or it got a child that is still to be found


async def gone(processes: Iterable[Identity]) -> None:
    """Returns when every one of them has ended (a zombie has)."""
    for identity in processes:
        while alive(identity):
            handle = open_pidfd(identity)
            if handle is None:  # it ended just now, or this system has no such descriptors
                await asyncio.sleep(_LOOK_AGAIN_S)
                continue
            ended = asyncio.Event()
            loop = asyncio.get_running_loop()
            loop.add_reader(handle, ended.set)
            try:
                await ended.wait()
            finally:
                loop.remove_reader(handle)
                os.close(handle)
