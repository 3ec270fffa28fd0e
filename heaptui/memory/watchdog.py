"""Keeping a cap where the kernel does not: looking more often the nearer it comes.

The interval is what the headroom lasts at the growth that was seen, or at a growth that is
plausible for any program, whichever is faster: so a burst that begins far below the cap is met
with ever shorter intervals instead of being seen when it is over.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

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

_PROOF_REST = 20
"""And how many times as long as the cheap proof took it is not sought again: it is on the event
loop."""

_SEEN_FACTOR = 1.25
"""Growth that is seen may speed up before the next look."""


def next_check(cap_bytes: int, memory_bytes: int, growth_bytes_per_s: float) -> float:
    """Seconds until the memory should be looked at again, from 5 ms to 1 s."""
    headroom = max(0, cap_bytes - memory_bytes)
    fastest = max(PLAUSIBLE_BYTES_PER_S, growth_bytes_per_s * _SEEN_FACTOR)
    return min(LONGEST_S, max(SHORTEST_S, headroom / fastest))


async def guard(
    read: Callable[[], int | None],
    proof: Callable[[], int],
    judge: Callable[[], Coroutine[Any, Any, int | None]],
    cap: Callable[[], int],
    over: Callable[[int], Awaitable[None]],
) -> None:
    """Watches one task until it is over its cap, or gone.

    `read` gives its memory in bytes, cheaply and never too small; `proof` cheaply and never too
    large; `judge` gives it exactly. They are asked when `read` is beyond the cap, `proof` also
    while `judge` takes its time: what is judged may be growing by gigabytes a second. `read` and
    `judge` give None once there is nothing to watch any more. `cap` gives the cap in force, in
    bytes: it may move while somebody watches. `over` gets the first proof or judgement that is
    beyond the cap, and the watch ends with it: a second look would give a burst of several
    processes the time to take twice as much.
    """
    seek = _paced(proof)
    memory = read()
    at = time.monotonic()
    growth = 0.0
    patience, again_at, calm_at = 0, at, at
    while memory is not None:
        wait = next_check(cap(), memory, growth)
        if memory > cap():
            proven = seek()
            if proven > cap():
                await over(proven)
                return
            if at >= again_at:
                settled = await _judged(judge, seek, cap)
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


async def _judged(
    judge: Callable[[], Coroutine[Any, Any, int | None]],
    seek: Callable[[], int],
    cap: Callable[[], int],
) -> int | None:
    """The judgement, or the proof beyond the cap that is there before it."""
    judging = asyncio.create_task(judge())
    try:
        while not judging.done():
            await asyncio.wait([judging], timeout=SHORTEST_S)
            if not judging.done() and (proven := seek()) > cap():
                return proven
        return judging.result()
    finally:
        judging.cancel()


def _paced(proof: Callable[[], int]) -> Callable[[], int]:
    """The same, 0 while it rests."""
    rested_at = 0.0

    def seek() -> int:
        nonlocal rested_at
        began = time.monotonic()
        if began < rested_at:
            return 0
        found = proof()
        ended = time.monotonic()
        rested_at = ended + _PROOF_REST * (ended - began)
        return found

    return seek
