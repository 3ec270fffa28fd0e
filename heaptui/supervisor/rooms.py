"""Snapshots that are being written, and the memory and disk that each may still take.

What one was promised is nobody else's until it ends: twenty that are asked for at once do not
together take what there was for one.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from heaptui.errors import Refused

AT_ONCE = max(1, os.cpu_count() or 1)
"""Each takes a core for its whole time; more at once are no sooner done."""

JUST_NOW_S = 5.0


@dataclass(frozen=True, slots=True)
class Promise:
    """What a snapshot may take, in bytes: memory under its task's cap, and disk at `device`."""

    memory: int
    disk: int
    device: int


class Rooms:
    """By task and process. Belongs to one event loop."""

    def __init__(self) -> None:
        self._asked: set[tuple[str, int]] = set()
        self._promised: dict[tuple[str, int], Promise] = {}
        self._broken_off: dict[str, float] = {}
        self._left = asyncio.Event()

    @contextmanager
    def asked(self, task_id: str, pid: int) -> Iterator[None]:
        """One of this process is wanted, for the length of the block.

        Raises:
            Refused: another one is.
        """
        key = (task_id, pid)
        if key in self._asked:
            raise Refused(
                f"A snapshot of process {pid} is on its way already.",
                "It is listed by `heaptui snapshots` as soon as it is written.",
            )
        self._asked.add(key)
        try:
            yield
        finally:
            self._asked.discard(key)

    @contextmanager
    def promised(self, task_id: str, pid: int, promise: Promise) -> Iterator[None]:
        """It is being written, for the length of the block."""
        now = asyncio.get_running_loop().time()
        self._promised[task_id, pid] = promise
        self._broken_off = {
            held: at for held, at in self._broken_off.items() if now - at < JUST_NOW_S
        }
        try:
            yield
        except BaseException:
            self._broken_off[task_id] = asyncio.get_running_loop().time()
            raise
        finally:
            del self._promised[task_id, pid]
            left, self._left = self._left, asyncio.Event()
            left.set()

    def written(self, task_id: str) -> bool:
        """Whether one of this task is being written, or was just now when it broke off: the news of
        a process's end come by several ways."""
        if any(key[0] == task_id for key in self._promised):
            return True
        at = self._broken_off.get(task_id)
        return at is not None and asyncio.get_running_loop().time() - at < JUST_NOW_S

    @property
    def full(self) -> bool:
        return len(self._promised) >= AT_ONCE

    @property
    def empty(self) -> bool:
        return not self._promised

    def memory(self, task_id: str | None = None) -> int:
        """Bytes that are promised, to all or to those of one task."""
        return sum(
            promise.memory
            for (held, _), promise in self._promised.items()
            if task_id in (None, held)
        )

    def disk(self, device: int) -> int:
        return sum(one.disk for one in self._promised.values() if one.device == device)

    async def one_less(self) -> None:
        """Returns when one of them has ended."""
        await self._left.wait()
