"""Ending processes, and waiting for their end: by identity, never by a pid that may be reused."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable, Iterable
from contextlib import suppress

from heaptui.memory.cgroups import Group
from heaptui.memory.identity import alive, open_pidfd, send
from heaptui.model import Identity

_KILL_AGAIN_S = 1.0
_LOOK_AGAIN_S = 0.025
_GIVE_UP_S = 10.0
"""How long signals are refused before it is believed that they always will be."""

Living = Callable[[], list[Identity]]
"""Looks who lives of a tree now."""


def ask(processes: Iterable[Identity]) -> None:
    """TERM to each."""
    for identity in processes:
        send(identity, signal.SIGTERM)


async def kill(living: Living, group: Group | None) -> list[Identity]:
    """Kills until a look finds nobody; whom this user may not end, once only those are left.

    By the group where there is one: no fork escapes it. And one by one, for what left the group or
    where there is none. Returns once they are gone, however long the kernel holds one of them up.
    """
    loop = asyncio.get_running_loop()
    reached = loop.time()
    while left := living():
        if group is not None:
            group.kill()
        sent = [send(identity, signal.SIGKILL) for identity in left]
        if any(sent):
            reached = loop.time()
        elif loop.time() > reached + _GIVE_UP_S:
            return [identity for identity in left if alive(identity)]
        # after a second it is in an uninterruptible wait, or got a child that is still to be found
        with suppress(TimeoutError):
            async with asyncio.timeout(_KILL_AGAIN_S):
                await gone(left)
        # what lives by one look and not by another is no reason to hold up everybody else
        await asyncio.sleep(_LOOK_AGAIN_S)
    return []


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
