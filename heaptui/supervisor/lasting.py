"""Work that goes on when whoever asked for it hangs up."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from heaptui.errors import Refused

T = TypeVar("T")


async def seen_through(work: Coroutine[Any, Any, T]) -> T:
    """Its result. Being cancelled while waiting does not touch the work, which then ends unseen.

    Raises:
        Refused: the work itself was cancelled.
    """
    doing = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(doing)
    except asyncio.CancelledError:
        waiting = asyncio.current_task()
        if doing.cancelled() and waiting is not None and not waiting.cancelling():
            raise Refused("It was cancelled before it was done.", "") from None
        raise
