"""The one stream of an engine's events: many put in, one reads."""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import AsyncIterator

from msgspec.structs import replace

from heaptui.engine.base import EngineEvent, Sampled, Working

HELD = 60
"""How many passes, and how many words of work, wait for a reader that is busy: older ones are of
no use to anybody."""

_PASSING = (Sampled, Working)


class EventStream:
    """Events come out in the order in which they were put in, once each, to one reader.

    What is said about attempts always waits: a handful for each attempt. Samples go on for ever, so
    only the newest wait; so of what is said about work in hand.
    """

    def __init__(self) -> None:
        self._waiting: deque[EngineEvent] = deque()
        self._passing: Counter[type[EngineEvent]] = Counter()
        self._stirred = asyncio.Event()
        self._error: BaseException | None = None
        self._closed = False

    def put(self, event: EngineEvent) -> None:
        kind = type(event)
        if kind in _PASSING:
            if self._passing[kind] == HELD:
                self._drop_oldest(kind)
            else:
                self._passing[kind] += 1
        self._waiting.append(event)
        self._stirred.set()

    def _drop_oldest(self, kind: type[EngineEvent]) -> None:
        """What a pass tells of work is told once: the pass after it tells it as well then."""
        of_kind = (n for n, one in enumerate(self._waiting) if type(one) is kind)
        oldest, following = next(of_kind), next(of_kind)
        dropped, kept = self._waiting[oldest], self._waiting[following]
        if isinstance(dropped, Sampled) and isinstance(kept, Sampled):
            self._waiting[following] = replace(kept, work=dropped.work | kept.work)
        del self._waiting[oldest]

    def fail(self, error: BaseException) -> None:
        """The reader gets this error after what waits already; the first one counts."""
        self._error = self._error or error
        self._stirred.set()

    def close(self) -> None:
        """The stream ends for its reader; what waits is dropped."""
        self._closed = True
        self._stirred.set()

    async def read(self) -> AsyncIterator[EngineEvent]:
        """Until it is closed; raises what `fail` was given."""
        while not self._closed:
            if self._waiting:
                event = self._waiting.popleft()
                self._passing[type(event)] -= 1
                yield event
            elif self._error is not None:
                raise self._error
            else:
                self._stirred.clear()
                await self._stirred.wait()
