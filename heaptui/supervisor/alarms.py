"""Which alerts there are now, since when, and which begin and end.

Looked at with every sample and every change, so what is calm costs next to nothing. Whether time
has passed is asked of the steady clock: the clock on the wall may jump, and then neither are alerts
lost nor new ones made of it.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from msgspec.structs import replace

from heaptui.config import AlertsConfig
from heaptui.memory.own import own_rss
from heaptui.model import Alert, HostSample, Kind, State
from heaptui.supervisor.alert_meanings import ABOUT_CAP
from heaptui.supervisor.alerts import (
    FRESH_S,
    Thresholds,
    calm,
    last_heard,
    of_end,
    of_machine,
    of_memory_end,
    of_running,
    of_silence,
)
from heaptui.supervisor.task import Task

HOLD_S = 5.0
"""An alert ends when its reason was away for so long ..."""

_TREND_HOLD_S = 20.0
"""... a predicted time may be away for longer: growth pauses and goes on."""

_TREND_AGAIN_S = 90.0
"""After a hand-over: until growth is known again."""

ENDS_MOST = 20
"""Of the tasks that ended badly so many are told, the latest first."""

_PENDING_MOST = 10_000
_JUMP_S = 2.0
_MACHINE, _TASK, _END = range(3)
_NEVER = float("-inf")


class Transition(NamedTuple):
    began: bool
    alert: Alert


@dataclass(slots=True)
class _Standing:
    """`seen` is when its reason was there last, by the steady clock."""

    alert: Alert
    seen: float


@dataclass(slots=True)
class _MemoryEnd:
    """Of a task that ran out of memory and goes on: when, by the wall and by the steady clock."""

    task: Task
    ooms: int
    at: float
    steady: float


_Found = dict[str, tuple[tuple[bool, int, float], Alert]]
"""Alerts with their place: red before amber, the machine before tasks, then by urgency."""


@dataclass(slots=True)
class Alarms:
    """`stirred` is set when `transitions` has something new. Tasks of the kinds in `splits` are
    proposed to be split."""

    config: AlertsConfig
    splits: frozenset[Kind] = frozenset(Kind)
    own_bytes: Callable[[], int] = own_rss
    steady: Callable[[], float] = time.monotonic
    transitions: deque[Transition] = field(default_factory=lambda: deque(maxlen=_PENDING_MOST))
    stirred: asyncio.Event = field(default_factory=asyncio.Event)
    _limits: Thresholds = field(init=False)
    _standing: dict[str, _Standing] = field(default_factory=dict)
    _ends: dict[str, float] = field(default_factory=dict)
    _memory_ends: dict[str, _MemoryEnd] = field(default_factory=dict)
    _silent: dict[str, float] = field(default_factory=dict)
    _clocks: tuple[float, float] | None = None
    _floor: float = _NEVER

    def __post_init__(self) -> None:
        self._limits = Thresholds.of(self.config, self.splits)

    @property
    def standing(self) -> list[Alert]:
        """All that have begun and not ended."""
        return [one.alert for one in self._standing.values()]

    def recall(self, alerts: Iterable[Alert]) -> None:
        """What an earlier supervisor had told already does not begin again."""
        steady = self.steady()
        known = {alert.id: alert for alert in alerts}
        for id, alert in known.items():
            held = self._standing.get(id)
            if held is not None:
                held.alert = replace(held.alert, since=alert.since)
            else:
                later = _TREND_AGAIN_S - _TREND_HOLD_S if _kind(id) == "soon" else 0.0
                self._standing[id] = _Standing(alert, steady + later)
        pending = [one for one in self.transitions if not (one.began and one.alert.id in known)]
        self.transitions.clear()
        self.transitions.extend(pending)

    def look(
        self, tasks: Collection[Task], host: HostSample | None, trouble: str | None, now: float
    ) -> list[Alert]:
        """The alerts at the instant `now`, the worst first; `trouble` is what the storage has."""
        steady = self.steady()
        jumped = self._jumped(now, steady)
        standing = self._standing
        found: _Found = {}
        for alert in of_machine(host, self.own_bytes(), trouble, self._limits, standing):
            found[alert.id] = _placed(alert, _MACHINE, 0.0)
        self._look_at_tasks(tasks, now, steady, jumped, found)
        self._hold(tasks, steady, found)
        self._settle(now, steady, found)
        shown: list[Alert] = []
        ends = 0
        for (_, group, _), alert in sorted(found.values(), key=lambda pair: pair[0]):
            ends += group == _END
            if group != _END or ends <= ENDS_MOST:
                shown.append(alert)
        return shown

    def _look_at_tasks(
        self, tasks: Collection[Task], now: float, steady: float, jumped: float, found: _Found
    ) -> None:
        limits, standing = self._limits, self._standing
        running, done, stopped = State.RUNNING, State.DONE, State.STOPPED
        silent_s, quiet_since = limits.silent_s, _NEVER
        if silent_s is not None:
            quiet_since = now - silent_s
        ends: dict[str, float] = {}
        silent: dict[str, float] = {}
        for task in tasks:
            state = task.state
            if state is running:
                if not calm(task, limits):
                    for urgency, alert in of_running(task, limits, standing):
                        found[alert.id] = _placed(alert, _TASK, urgency)
                heard = task.active_at or task.started_at
                if silent_s is not None and heard is not None and not quiet_since < heard <= now:
                    self._listen(task, now, silent_s, silent, found)
                if task.recovery.ooms:
                    self._note_memory_end(task, now, steady, jumped)
            elif state is done or state is stopped or state is State.SPLIT:
                # of one that was split its children tell
                continue
            elif task.ended_at is not None and state.ended:
                self._look_at_end(task, now, steady, jumped, ends, found)
            elif task.recovery.ooms or task.verdict is not None:
                self._note_memory_end(task, now, steady, jumped)
        self._ends, self._silent = ends, silent
        for id, end in list(self._memory_ends.items()):
            if end.task.state.ended or end.task.state is State.SPLIT:
                del self._memory_ends[id]
            elif steady - end.steady < FRESH_S:
                alert = of_memory_end(end.task)
                found[alert.id] = _placed(alert, _END, -end.steady)

    def _listen(
        self, task: Task, now: float, silent_s: float, silent: dict[str, float], found: _Found
    ) -> None:
        """To one that may be silent. An instant from before the clock jumped is as old as the jump,
        unless its task was silent already."""
        heard = last_heard(task)
        if heard is None:
            return
        since = heard if self._floor <= heard <= now else self._floor
        standing = f"silent:{task.id}" in self._standing
        # of one that an earlier supervisor found silent nothing was heard since
        known = self._silent.get(task.id) == heard or task.active_at is None
        if (standing and known) or now - since >= silent_s:
            silent[task.id] = heard
            urgency, alert = of_silence(task, max(silent_s, now - since))
            found[alert.id] = _placed(alert, _TASK, urgency)

    def _look_at_end(
        self,
        task: Task,
        now: float,
        steady: float,
        jumped: float,
        ends: dict[str, float],
        found: _Found,
    ) -> None:
        id = f"ended:{task.id}.{task.attempts}"
        ended = self._ends.get(id)
        if ended is None:
            ended = steady - _age(task.ended_at, now, jumped)
        ends[id] = ended
        fresh, one = steady - ended < FRESH_S, self._standing.get(id)
        if one is not None and fresh == (one.alert.level == "red"):
            alert: Alert | None = one.alert
        else:
            alert = of_end(task, self._limits, fresh=fresh)
        if alert is not None:
            found[id] = _placed(alert, _END, -ended)

    def _note_memory_end(self, task: Task, now: float, steady: float, jumped: float) -> None:
        """Once for each end, however soon the next attempt began."""
        known, recovery = self._memory_ends.get(task.id), task.recovery
        if task.verdict is not None and task.verdict.out_of_memory:
            at = task.ended_at or now
            if known is not None and known.at == at:
                return
        elif known is not None and known.ooms >= recovery.ooms:
            return
        elif recovery.ooms:
            at = recovery.bad_ends[-1] if recovery.bad_ends else now
        else:
            return
        ended = steady - _age(at, now, jumped)
        self._memory_ends[task.id] = _MemoryEnd(task, recovery.ooms, at, ended)

    def _hold(self, tasks: Collection[Task], steady: float, found: _Found) -> None:
        """Keeps those whose reason has only just gone, while what they are about is still there."""
        gone = [id for id in self._standing if id not in found]
        held: dict[str, Task] | None = None
        for id in gone:
            one, kind = self._standing[id], _kind(id)
            if steady - one.seen >= (_TREND_HOLD_S if kind == "soon" else HOLD_S):
                continue
            task_id = one.alert.task_id
            if task_id is None:
                found[id] = _placed(one.alert, _MACHINE, 0.0)
                continue
            if kind in ("ended", "oom"):
                continue
            if held is None:
                held = {task.id: task for task in tasks}
            task = held.get(task_id)
            if task is None or task.state is not State.RUNNING:
                continue
            if task.started_at is not None and one.alert.since < task.started_at:
                # it was about an attempt before this one
                continue
            if kind in ABOUT_CAP:
                others = [other for other in ABOUT_CAP if f"{other}:{task_id}" in found]
                if any(ABOUT_CAP.index(other) < ABOUT_CAP.index(kind) for other in others):
                    continue
                for other in others:
                    del found[f"{other}:{task_id}"]
            found[id] = _placed(one.alert, _TASK, 0.0)

    def _settle(self, now: float, steady: float, found: _Found) -> None:
        """Notes what begins and what ends, and gives each its beginning."""
        standing = self._standing
        before = len(self.transitions)
        for id in [id for id in standing if id not in found]:
            self.transitions.append(Transition(False, standing.pop(id).alert))
        for id, (place, alert) in found.items():
            one = standing.get(id)
            if one is None:
                begun = replace(alert, since=now)
                standing[id] = _Standing(begun, steady)
                self.transitions.append(Transition(True, begun))
                found[id] = (place, begun)
            elif one.alert is not alert:
                one.alert, one.seen = replace(alert, since=one.alert.since), max(one.seen, steady)
                found[id] = (place, one.alert)
        if len(self.transitions) != before:
            self.stirred.set()

    def _jumped(self, now: float, steady: float) -> float:
        """How far the wall's clock went ahead of the steady one since the last look; negative:
        back. At the first look, 0."""
        last, self._clocks = self._clocks, (now, steady)
        if last is None:
            self._floor = now
            return 0.0
        jump = (now - last[0]) - (steady - last[1])
        if abs(jump) < _JUMP_S:
            return 0.0
        self._floor = now
        return jump


def _age(at: float | None, now: float, jumped: float) -> float:
    """Seconds since the instant `at`, which came before the jump if there was one just now."""
    return max(0.0, now - (now if at is None else at) - max(0.0, jumped))


def _placed(alert: Alert, group: int, urgency: float) -> tuple[tuple[bool, int, float], Alert]:
    return (alert.level != "red", group, urgency), alert


def _kind(id: str) -> str:
    return id.partition(":")[0]
