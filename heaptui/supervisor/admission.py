"""Whether a task may start now: its expected peak against what the machine has.

What is free is MemAvailable less the reserve and less what running tasks have yet to take of their
own expected peaks: a burst of submissions finds the machine as it will be, not as it looks before
anything has grown. With a budget the expected peaks of all that run fit into that as well. Memory
holds nobody while nothing runs: a task that is expected to need more than there is runs alone.
Under pressure only the first one starts, under heavy pressure none.

Who is first in the queue and does not fit may be passed by smaller ones, a few times.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from heaptui.config import AdmissionConfig, Config
from heaptui.model import HostSample
from heaptui.runtime.caps import LEAST
from heaptui.store.store import Store
from heaptui.supervisor.expected import Expected, Name, name_of
from heaptui.supervisor.task import Task
from heaptui.units import size

PASSED_MOST = 8
"""So many may start before the one that is first: then it is its turn, whatever fits besides."""


@dataclass(frozen=True, slots=True)
class Standing:
    """What a task is judged against, in bytes.

    `running` tasks are live; `pledged` is what they reach together: of each its expected peak, or
    its memory where that is more. `free` is what nobody holds, was promised or shall keep: below 0
    when others took it. `pressure` in percent, None where it is not measured.
    """

    running: int
    free: int
    pledged: int
    budget: int | None
    pressure: float | None


def waits_for(expected_bytes: int, standing: Standing, config: AdmissionConfig) -> str | None:
    """What a task that is expected to reach `expected_bytes` waits for; None: it may start."""
    pressure = standing.pressure
    if pressure is not None and pressure > config.heavy:
        return f"waits: this machine stalls heavily for memory (PSI {pressure:.0f} %)"
    if standing.running == 0:
        return None
    if pressure is not None and pressure > config.pressure:
        return f"waits: this machine stalls for memory (PSI {pressure:.0f} %)"
    if standing.budget is not None and standing.pledged + expected_bytes > standing.budget:
        left = size(max(0, standing.budget - standing.pledged))
        return (
            f"waits for {size(expected_bytes)} of the budget: {left} of {size(standing.budget)} "
            "is left beside what running tasks are expected to reach"
        )
    if expected_bytes > standing.free:
        return (
            f"waits for {size(expected_bytes)} of memory: {size(max(0, standing.free))} free "
            "beside the reserve and what running tasks may still take"
        )
    return None


@dataclass(slots=True)
class Head:
    """The first in the queue, for which there is a place and no room. `attempt` tells this wait
    from a later one of the same task."""

    task: Task
    attempt: int
    passed: int = 0


@dataclass(slots=True)
class _Running:
    task: Task
    name: Name
    memory: int = 0


class Admission:
    """What runs, and what it is expected to need. `survey` is told of the machine before anybody
    is judged by it; all of it is without a wait."""

    def __init__(self, config: Config, store: Store) -> None:
        self.config = config.admission
        self.observes = config.policy.mode == "observe"
        self.expected = Expected(store.peaks)
        self.head: Head | None = None
        """Who is held now."""
        self._last_held: Head | None = None
        self._share = config.limits.share
        self._budget = self.config.budget_bytes
        self._places = 1
        self._total = 0
        self._reserve = 0
        self._host: HostSample | None = None
        self._running: dict[str, _Running] = {}
        self._pledged = 0
        self._promised = 0
        self._given_back = 0

    @property
    def held(self) -> str | None:
        """Why the next task in the queue does not start though there is a place."""
        return self.head.task.wait_reason if self.head is not None else None

    def survey(self, *, live: int, places: int, total_bytes: int, host: HostSample | None) -> None:
        """Takes in what was measured and who ended since the last time. `live` tasks run on
        `places` places, on a machine with `total_bytes` as long as `host` is not known."""
        self._places = places
        total = host.mem_total_bytes if host is not None else total_bytes
        if total != self._total:
            self._total, self._reserve = total, self.config.reserve_bytes(total)
        measured = host is not self._host
        if not measured and live == len(self._running):
            return
        if measured:
            self._host, self._given_back = host, 0
        stale: set[Name] = set()
        for one in [one for one in self._running.values() if not one.task.state.live]:
            del self._running[one.task.id]
            self.expected.ended(one.task)
            stale.add(one.name)
            # the sample that we know saw its memory, and it is nobody's by now
            if host is not None and (one.task.ended_at or 0) > host.at:
                self._given_back += one.memory
        self._reckon(stale)

    def reckons(self, task: Task) -> int:
        """The peak that is expected of its next attempt; the task shows it."""
        cap = task.spec.limits.cap_bytes or task.cap_bytes or 0
        if task.cap_source == "share" and cap <= LEAST:
            # the least cap is no share of the machine: all places together would promise more
            # than there is
            cap = min(cap, int(self._total * self._share / self._places))
        task.expected_bytes = self.expected.peak(task, cap)
        return task.expected_bytes

    def judge(self, task: Task) -> str | None:
        """What `task` waits for; None: it may start."""
        return waits_for(self.reckons(task), self.standing(), self.config)

    def standing(self) -> Standing:
        host = self._host
        available = self._total if host is None else host.mem_available_bytes
        return Standing(
            running=len(self._running),
            free=available + self._given_back - self._reserve - self._promised,
            pledged=self._pledged,
            budget=self._budget,
            pressure=None if host is None else host.pressure,
        )

    def admitted(self, task: Task) -> None:
        """It was judged and starts: from now on its expected peak is promised to it."""
        expected = task.expected_bytes or 0
        self._running[task.id] = _Running(task, name_of(task))
        self._pledged += expected
        self._promised += expected

    def inherit(self, tasks: Iterable[Task]) -> None:
        """Those that run already."""
        for task in tasks:
            self.reckons(task)
            self.admitted(task)

    def learned(self, name: Name) -> None:
        """More is known of the tasks of this name."""
        self._reckon({name})

    def hold(self, task: Task, why: str) -> bool:
        """It is first and waits for `why`; whether it did not wait so before."""
        head, task.wait_reason = self._last_held, why
        known = head is not None and head.task is task and head.attempt == task.attempts
        # while there was no place nobody was held, and how often it was passed counts on
        self.head = self._last_held = head if known else Head(task, task.attempts)
        return not known

    def release(self) -> None:
        """Nobody is held: it started, there is no place, or nobody waits."""
        if self.head is not None and not self.head.task.state.live:
            self.head.task.wait_reason = None
        self.head = None

    def may_pass(self, task: Task) -> bool:
        """Whether `task` may start before the one that is held."""
        head = self.head
        if head is None or head.passed >= PASSED_MOST or self.judge(task) is not None:
            return False
        head.passed += 1
        return True

    def _reckon(self, stale: set[Name]) -> None:
        """The sums anew; what is expected of tasks with a stale name too."""
        self._pledged = self._promised = 0
        for one in self._running.values():
            task = one.task
            if one.name in stale:
                self.reckons(task)
            expected = task.expected_bytes or 0
            one.memory = task.sample.memory_bytes if task.sample is not None else 0
            self._pledged += max(expected, one.memory)
            self._promised += max(0, expected - one.memory)
