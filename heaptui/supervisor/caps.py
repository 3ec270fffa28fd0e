"""Caps that are raised for something that passes, and put back when it is over."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from heaptui import units
from heaptui.engine.base import Engine
from heaptui.errors import HeaptuiError
from heaptui.supervisor.ledger import Ledger
from heaptui.supervisor.task import Task

_WITHIN_S = 30.0
"""The kernel makes room before it lowers a cap."""


@dataclass(slots=True, eq=False)
class _Raised:
    """Of one attempt: how high each one who needs it wants the cap. `changing` is held by whoever
    changes it, so that nobody begins under a cap that is just being put back."""

    wanted: dict[int, int] = field(default_factory=dict)
    changing: asyncio.Lock = field(default_factory=asyncio.Lock)


class Caps:
    """Who needs which task's cap raised now. Belongs to one event loop.

    `begin` starts work of the supervisor's own; `next_sample` returns when memory was measured
    again. An engine that takes over from another puts back what that one had raised.
    """

    def __init__(
        self,
        engine: Engine,
        ledger: Ledger,
        begin: Callable[[Coroutine[Any, Any, None], str], None],
        next_sample: Callable[[], Awaitable[None]],
    ) -> None:
        self._engine = engine
        self._ledger = ledger
        self._begin = begin
        self._next_sample = next_sample
        self._tickets = itertools.count(1)
        self._raised: dict[tuple[str, int], _Raised] = {}

    @asynccontextmanager
    async def raised(self, task: Task, cap_bytes: int | None, why: str) -> AsyncIterator[None]:
        """Holds the task's cap at `cap_bytes` at least, for the length of the block; None leaves it
        as it is. Afterwards it is put back as soon as less is in use, which the end of the block
        does not wait for.

        Raises:
            HeaptuiError: it cannot be raised.
        """
        if cap_bytes is None:
            yield
            return
        key = (task.id, task.attempts)
        held = self._raised.setdefault(key, _Raised())
        ticket = next(self._tickets)
        held.wanted[ticket] = cap_bytes
        try:
            async with held.changing:
                if cap_bytes > (task.cap_in_force or 0):
                    await self._change(task, cap_bytes)
                    self._in_force(task, cap_bytes)
                    self._note(task, f"cap raised to {units.size(cap_bytes)} {why}")
            yield
        finally:
            del held.wanted[ticket]
            if not held.wanted:
                self._begin(self._put_back(task, key, held), f"cap of {task.id}")

    async def _put_back(self, task: Task, key: tuple[str, int], held: _Raised) -> None:
        told = False
        while task.raised_cap is not None and not held.wanted and _runs(task, key):
            own = task.cap_bytes or 0
            try:
                async with held.changing:
                    if held.wanted:
                        break
                    await self._change(task, own)
                    if _runs(task, key):
                        self._in_force(task, None)
                        self._note(task, f"cap is {units.size(own)} again")
            except (HeaptuiError, TimeoutError) as error:
                if not told and _runs(task, key):
                    told = True
                    why = error.what if isinstance(error, HeaptuiError) else "it takes long"
                    self._note(task, f"cap stays raised until less is in use: {why}")
                await self._next_sample()
        if not held.wanted and self._raised.get(key) is held:
            del self._raised[key]

    async def _change(self, task: Task, cap_bytes: int) -> None:
        await self._engine.command(task.id, "cap", {"cap_bytes": cap_bytes}, _WITHIN_S)

    def _in_force(self, task: Task, cap_bytes: int | None) -> None:
        task.raise_cap(cap_bytes)
        self._ledger.shown(task)

    def _note(self, task: Task, text: str) -> None:
        self._ledger.note(task, "cap", text)


def _runs(task: Task, key: tuple[str, int]) -> bool:
    return task.state.live and task.attempts == key[1]
