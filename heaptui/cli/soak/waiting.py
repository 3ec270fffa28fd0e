"""Waiting that the operator can end."""

from __future__ import annotations

import asyncio
from contextlib import suppress


async def ended_within(stop: asyncio.Event, seconds: float) -> bool:
    """Waits so long, or until `stop` is set; whether it is."""
    with suppress(TimeoutError):
        await asyncio.wait_for(stop.wait(), max(0.0, seconds))
    return stop.is_set()
