"""The tools from an event loop: each call is one visit to a thread, and can be cancelled."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from threading import Event
from typing import TypeVar

from heaptui.tools.reading.source import Cancelled

_T = TypeVar("_T")


async def in_thread(tool: Callable[[Cancelled], _T]) -> _T:
    """Runs `tool` in a thread, with what tells it that nobody wants its answer any more.

    Cancelled, it waits until the tool has noticed, at its next chunk: no thread and no descriptor
    stays behind. Raises what the tool raises.
    """
    unwanted = Event()
    running = asyncio.ensure_future(asyncio.to_thread(tool, unwanted.is_set))
    return await waited_for(running, unwanted.set)


async def waited_for(running: asyncio.Future[_T], give_up: Callable[[], object]) -> _T:
    """What it answers. Cancelled, it is told to `give_up`, and has ended when this does: also when
    the caller is cancelled again meanwhile."""
    try:
        return await asyncio.shield(running)
    except asyncio.CancelledError:
        give_up()
        while not running.done():
            with suppress(asyncio.CancelledError):
                await asyncio.wait({running})
        if not running.cancelled():
            running.exception()  # nobody is left to be told
        raise
