"""How much a process, and the task that it belongs to, grew while something was done."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from heaptui.memory.own import rss_of
from heaptui.memory.procfs import peak_rss

LOOK_EVERY_S = 0.1


class Growth:
    """Begins with what is in use when it is made; `look` is called `LOOK_EVERY_S` apart.

    `of_task` gives the task's memory in bytes, None where it is not known: a child that the process
    forks for the work shows only there.
    """

    def __init__(self, pid: int, of_task: Callable[[], int | None]) -> None:
        self._pid = pid
        self._of_task = of_task
        self._rss = self._most_rss = rss_of(pid) or 0
        self._task = self._most_task = of_task() or 0
        self._peak = _peak(pid)

    def look(self) -> None:
        self._most_rss = max(self._most_rss, rss_of(self._pid) or 0)
        self._most_task = max(self._most_task, self._of_task() or 0)

    def bytes(self) -> int:
        """The growth at its largest."""
        self.look()
        peak = _peak(self._pid)
        if self._peak is not None and peak is not None and peak > self._peak:
            # a new record is the kernel's own, exact between any two looks
            self._most_rss = max(self._most_rss, peak)
        return max(self._most_rss - self._rss, self._most_task - self._task, 0)


def _peak(pid: int) -> int | None:
    return peak_rss(pid) if Path("/proc/self/status").exists() else None
