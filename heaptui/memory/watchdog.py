"""Keeping a cap where the kernel does not: looking more often the nearer it comes.

The interval is what the headroom lasts at the growth that was seen, or at a growth that is
plausible for any program, whichever is faster: so a burst that begins far below the cap is met
with ever shorter intervals instead of being seen when it is over.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

SHORTEST_S = 0.005
LONGEST_S = 1.0
PLAUSIBLE_BYTES_PER_S = 6.0 * (1 << 30)
"""How fast memory may grow out of nothing. Measured at a cap of 300 MB with warm memory on two
cores: four children that take 250 MB each at once went 34 to 96 MB beyond it at half this figure
(2 looks), 11 to 36 MB at this one (5 looks). Twice the looks cost twice as much at a quiet task:
about 0.1 % of a core where the headroom is 250 MB, less where it is larger."""

_REST = 20
"""How many times as long as a judgement took there is no other, once they come one after another:
it walks page tables. The first is followed by a second as soon as there is reason for one, for what
was found just below the cap may be growing by gigabytes a second; then they become rarer."""

_SEEN_FACTOR = 1.25
"""Growth that is seen may speed up before the next look."""


def next_check(cap_bytes: int, memory_bytes: int, growth_bytes_per_s: float) -> float:
    """Seconds until the memory should be looked at again, from 5 ms to 1 s."""
    headroom = max(0, cap_bytes - memory_bytes)
    fastest = max(PLAUSIBLE_BYTES_PER_S, growth_bytes_per_s * _SEEN_FACTOR)
    return min(LONGEST_S, max(SHORTEST_S, headroom / fastest))


async def guard(
    read: Callable[[], int | None],
    judge: Callable[[], Awaitable[int | None]],
    cap: Callable[[], int],
    over: Callable[[int], Awaitable[None]],
) -> None:
    """Watches one task until it is over its cap, or gone.

    `read` gives its memory in bytes, cheaply and never too small; `judge` gives it exactly, and is
    asked when `read` is beyond the cap; both give None once there is nothing to watch any more.
    `cap` gives the cap in force, in bytes: it may move while somebody watches. `over` gets the
    first judgement that is beyond the cap, and the watch ends with it: a second look would give a
    burst of several processes the time to take twice as much.
    """
    memory = read()
    at = time.monotonic()
    growth = 0.0
    patience, again_at, calm_at = 0, at, at
    while memory is not None:
        wait = next_check(cap(), memory, growth)
        if memory > cap():
            if at >= again_at:
                settled = await judge()
                if settled is None:
                    return
                if settled > cap():
                    await over(settled)
                    return
                patience = 0 if at >= calm_at else min(_REST, 2 * patience + 1)
                took, memory, at = time.monotonic() - at, settled, time.monotonic()
                again_at, calm_at = at + patience * took, at + _REST * took
                wait = next_check(cap(), memory, growth)
            else:
                wait = max(SHORTEST_S, again_at - at)
        await asyncio.sleep(wait)
        before, began = memory, at
        memory, at = read(), time.monotonic()
        if memory is not None:
            growth = (memory - before) / max(at - began, SHORTEST_S)
