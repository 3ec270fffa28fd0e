"""What a task is expected to need: by the peaks of earlier attempts of its name, else its cap.

Kept in memory by name: read from the store once, then carried on with every attempt that ends.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable, Sequence

from heaptui.model import Kind, VerdictKind
from heaptui.store.history import Peak
from heaptui.store.rows import base_name
from heaptui.supervisor.quantiles import quantile
from heaptui.supervisor.task import Task

LAST = 20
"""Attempts that are looked back at."""

ENOUGH = 3
"""With fewer peaks a name has shown nothing yet."""

BEYOND = 1.5
"""What ran out of memory needed more than it reached, and nobody knows how much: the factor by
which its next attempt is given more."""

NAMES_KEPT = 1000
_SHARE = 0.95

_INTERRUPTED = frozenset(
    (VerdictKind.STOPPED, VerdictKind.KILLED, VerdictKind.LOST, VerdictKind.BAD_LAUNCH)
)

Name = tuple[Kind, str]
"""What attempts have in common that resemble each other: kind and base name."""


def name_of(task: Task) -> Name:
    return task.spec.kind, base_name(task.name)


def need(task: Task) -> int | None:
    """Bytes that the attempt which ended is known to have needed; None: it says nothing, because
    it was cut short."""
    return None if task.attempt_peak is None else _needed((task.attempt_peak, task.verdict))


def _needed(peak: Peak) -> int | None:
    reached, verdict = peak
    if verdict is None or verdict in _INTERRUPTED:
        return None
    return int(reached * (BEYOND if verdict.out_of_memory else 1))


def expected_peak(needs: Sequence[int], cap_bytes: int, outgrown_bytes: int | None) -> int:
    """P95 of `needs`, `cap_bytes` while they are too few, and never more than that: there it ends.
    `outgrown_bytes` is the largest limit that the task itself ran out of."""
    if len(needs) < ENOUGH:
        return cap_bytes
    return min(cap_bytes, max(quantile(sorted(needs), _SHARE), int((outgrown_bytes or 0) * BEYOND)))


class Expected:
    """The latest needs by name. `read` gives the peaks that are stored, the latest first."""

    def __init__(self, read: Callable[[Kind, str, int], Awaitable[list[Peak]]]) -> None:
        self._read = read
        self._needs: dict[Name, deque[int]] = {}
        self._reading: dict[Name, list[int]] = {}

    def peak(self, task: Task, cap_bytes: int) -> int:
        """Bytes that the next attempt of `task` is expected to reach, as far as is known now."""
        needs = self._needs.get(name_of(task), ())
        return expected_peak(tuple(needs), cap_bytes, task.recovery.outgrown_bytes)

    def usual(self, name: Name) -> int | None:
        """P95 of what attempts of that name needed; None while they are too few, or unread."""
        needs = self._needs.get(name, ())
        return quantile(sorted(needs), _SHARE) if len(needs) >= ENOUGH else None

    def unread(self, name: Name) -> bool:
        """Whether the store was never asked about it; whoever is told so asks, by `learn`."""
        if name in self._needs or name in self._reading:
            return False
        self._reading[name] = []
        return True

    async def learn(self, name: Name) -> None:
        """Reads what the store knows of a name that was `unread`.

        Raises:
            StorageTrouble: it cannot be read; the name is unread again.
        """
        try:
            stored = await self._read(*name, LAST)
        except BaseException:
            del self._reading[name]
            raise
        # what ended while we read may be missing from what was read, or be counted twice
        needs = (needed for peak in reversed(stored) if (needed := _needed(peak)) is not None)
        self._needs[name] = deque((*needs, *self._reading.pop(name)), LAST)
        while len(self._needs) > NAMES_KEPT:
            del self._needs[next(iter(self._needs))]

    def ended(self, task: Task) -> None:
        """The latest attempt of `task` is over."""
        name, needed = name_of(task), need(task)
        if needed is None:
            return
        if (needs := self._needs.get(name)) is not None:
            needs.append(needed)
        elif (late := self._reading.get(name)) is not None:
            late.append(needed)
