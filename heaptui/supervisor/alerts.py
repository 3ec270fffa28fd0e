"""What the operator must know now: one line each with its figures, and what it means. Pure.

An alert begins at its threshold and ends a twentieth below it, so that a figure that trembles there
is told once: each condition is asked with the ids that stand already. Of what one task's cap is
about (at it, soon, beyond help, beyond the soft limit) only the worst is told.
"""

from __future__ import annotations

from collections.abc import Container, Iterator
from dataclasses import dataclass

from heaptui import units
from heaptui.config import AlertsConfig
from heaptui.model import Alert, HostSample, Kind, State
from heaptui.supervisor.alert_meanings import (
    ABOUT_CAP,
    HOST_FULL,
    OWN_SIZE,
    PRESSURE,
    SILENT,
    SOFT,
    STORE,
    SWAP,
    TOO_LARGE,
    at_cap,
    divisible,
    ended,
    handed,
    out_of_memory,
    remedies,
    soon,
)
from heaptui.supervisor.task import Task

NEAR = 0.95
"""Of its cap: one more allocation ends it."""

FRESH_S = 15 * 60.0
"""A bad end is news for so long."""

ENDS_BELOW = 0.95
_ENDS_BEYOND = 1.25
"""A predicted time trembles more than a size does."""

_HOST_LEAST = 0.05
_SMALL = 0.25
_SMALL_SOON_S = 300.0
_RED_S = 120.0
_TREND_BYTES_PER_MIN = 1 << 20

AT_CAP_S, HANDED_S, SOFT_S, LARGE_S, SILENT_S = 0.0, 1800.0, 3600.0, 7200.0, 10_800.0
"""Urgencies of what has no time of its own."""

Urgent = tuple[float, Alert]
"""An alert of a task, and how many seconds there are to act on it."""


@dataclass(frozen=True, slots=True)
class Thresholds:
    """The configuration's, read: bytes, seconds, shares, percent of time. `splits` are the kinds
    whose tasks are proposed to be split."""

    own_bytes: int
    worker_bytes: int
    cap_within_s: float
    swap_share: float
    pressure: float
    silent_s: float | None
    splits: frozenset[Kind]

    @classmethod
    def of(cls, config: AlertsConfig, splits: frozenset[Kind] = frozenset(Kind)) -> Thresholds:
        return cls(
            own_bytes=config.supervisor_bytes,
            worker_bytes=config.worker_bytes,
            cap_within_s=config.cap_within_s,
            swap_share=config.swap_share,
            pressure=config.pressure,
            silent_s=config.silent_s,
            splits=splits,
        )


def reached(figure: float, threshold: float, *, stands: bool) -> bool:
    """Whether `figure` is beyond `threshold`; of an alert that stands, whether it is still near."""
    return figure >= (threshold * ENDS_BELOW if stands else threshold)


# --- the machine, and heaptui itself ---------------------------------------------------------
def of_machine(
    host: HostSample | None,
    own_bytes: int,
    trouble: str | None,
    limits: Thresholds,
    standing: Container[str],
) -> Iterator[Alert]:
    """`trouble` is what heaptui's own storage has."""
    if trouble:
        yield Alert(id="store", level="red", text=trouble, meaning=STORE)
    if host is not None:
        yield from _of_host(host, limits, standing)
    if reached(own_bytes, limits.own_bytes, stands="supervisor" in standing):
        text = f"heaptui itself takes {units.size(own_bytes)}, {_beyond(limits.own_bytes)}"
        yield Alert(
            id="supervisor", level="amber", text=text, meaning=OWN_SIZE, actions=("app.detach",)
        )


def _of_host(host: HostSample, limits: Thresholds, standing: Container[str]) -> Iterator[Alert]:
    least = host.mem_total_bytes * _HOST_LEAST
    if host.mem_available_bytes < (least / ENDS_BELOW if "host" in standing else least):
        text = (
            f"this machine has {units.size(host.mem_available_bytes)} "
            f"of {units.size(host.mem_total_bytes)} left"
        )
        yield _of_all("host", "red", text, HOST_FULL)
    if host.pressure is not None and reached(
        host.pressure, max(limits.pressure, 0.1), stands="pressure" in standing
    ):
        text = f"tasks wait for memory {host.pressure:.0f} % of the time"
        yield _of_all("pressure", "amber", text, PRESSURE)
    swap = host.swap_total_bytes
    if swap and reached(host.swap_used_bytes, swap * limits.swap_share, stands="swap" in standing):
        text = f"{units.size(host.swap_used_bytes)} of {units.size(swap)} swap is in use"
        yield _of_all("swap", "amber", text, SWAP)


def _of_all(id: str, level: str, text: str, meaning: str) -> Alert:
    # nothing new starts, and the worst grower is one key away
    return Alert(
        id=id, level=level, text=text, meaning=meaning, actions=("dispatch.pause", "view.worst")
    )


# --- tasks that run --------------------------------------------------------------------------
def calm(task: Task, limits: Thresholds) -> bool:
    """Whether its memory is nowhere near anything: cheap, and never true of what `of_running`
    would tell about, standing or not."""
    sample = task.sample
    if sample is None:
        return True
    if task.handed is not None:
        return False
    memory = sample.memory_bytes
    if memory >= limits.worker_bytes * ENDS_BELOW:
        return False
    soft = task.soft_bytes
    if soft is not None and memory >= soft * ENDS_BELOW:
        return False
    cap = task.raised_cap or task.cap_bytes
    if not cap:
        return True
    if memory >= cap * NEAR * ENDS_BELOW:
        return False
    growth = task.growth
    if growth is None or growth < _TREND_BYTES_PER_MIN:
        return True
    return (cap - memory) * 60 > growth * limits.cap_within_s * _ENDS_BEYOND


def of_running(task: Task, limits: Thresholds, standing: Container[str]) -> Iterator[Urgent]:
    """What is to be said of the memory of a task that runs."""
    sample = task.sample
    if sample is None:
        return
    memory = sample.memory_bytes
    if (found := _about_cap(task, memory, limits, standing)) is not None:
        yield found
    id = f"worker:{task.id}"
    if reached(memory, limits.worker_bytes, stands=id in standing):
        text = f"is too large: it holds {units.size(memory)}, {_beyond(limits.worker_bytes)}"
        actions = remedies(task, gc=False, divisible=divisible(task, limits.splits))
        yield LARGE_S, _of_task(id, "amber", text, task, TOO_LARGE, actions)


def _about_cap(
    task: Task, memory: int, limits: Thresholds, standing: Container[str]
) -> Urgent | None:
    cap = task.cap_in_force
    ids = {kind: f"{kind}:{task.id}" for kind in ABOUT_CAP}
    if cap and reached(memory, cap * NEAR, stands=ids["cap"] in standing):
        text = f"is at its cap: {units.size(memory)} of {units.short_size(cap)}"
        return AT_CAP_S, _of_task(ids["cap"], "red", text, task, at_cap(task), remedies(task))
    left = _time_left(task, memory, limits, stands=ids["soon"] in standing)
    if cap and left is not None:
        text = (
            f"reaches its {units.short_size(cap)} cap in {units.duration(left)} "
            f"at {units.growth(task.growth)} a minute"
        )
        level = "red" if left < _RED_S else "amber"
        return left, _of_task(ids["soon"], level, text, task, soon(task), remedies(task))
    of_cap = f" of a {units.short_size(cap)} cap" if cap else ""
    if task.handed is not None:
        text = f"needs you at {units.size(memory)}{of_cap}: {task.handed}"
        able = divisible(task, limits.splits)
        meaning, actions = handed(task, divisible=able), remedies(task, gc=False, divisible=able)
        return HANDED_S, _of_task(ids["handed"], "amber", text, task, meaning, actions)
    soft = task.soft_bytes
    if soft and reached(memory, soft, stands=ids["soft"] in standing):
        doing = f"; {task.doing}" if task.doing else ""
        text = f"is at its soft limit: {units.size(memory)}{of_cap}{doing}"
        return SOFT_S, _of_task(ids["soft"], "amber", text, task, SOFT, remedies(task))
    return None


def _time_left(task: Task, memory: int, limits: Thresholds, *, stands: bool) -> float | None:
    """Seconds to the cap where they are few enough to be told."""
    left, cap = task.to_cap_s, task.cap_in_force
    if left is None or cap is None:
        return None
    if left > limits.cap_within_s * (_ENDS_BEYOND if stands else 1.0):
        return None
    if not stands and memory < cap * _SMALL and left > _SMALL_SOON_S:
        # far from its cap a trend has time to change
        return None
    return left


def last_heard(task: Task) -> float | None:
    """When it last printed, computed or told of its work; None: it has not begun."""
    heard = task.active_at or task.started_at
    if heard is not None and task.work is not None:
        return max(heard, task.work.at)
    return heard


def of_silence(task: Task, silent_s: float) -> Urgent:
    """Of a task that was not heard for `silent_s` seconds."""
    text = f"has neither printed nor computed for {units.duration(silent_s)}"
    actions = ("table.open", "task.stop")
    return SILENT_S, _of_task(f"silent:{task.id}", "amber", text, task, SILENT, actions)


# --- what ended ------------------------------------------------------------------------------
def of_memory_end(task: Task) -> Alert:
    """A task that ran out of memory, and goes on: it waits for its next attempt, or is in it."""
    id = f"oom:{task.id}.{task.recovery.ooms}"
    under = f" under {units.short_size(task.cap_bytes)}" if task.cap_bytes else ""
    if task.verdict is not None and task.verdict.out_of_memory:
        text = f"ran out of memory: {task.reason}; attempt {task.attempts + 1} follows{under}"
    else:
        outgrown = task.recovery.outgrown_bytes
        at = f" at {units.size(outgrown)}" if outgrown else ""
        text = f"ran out of memory{at}; attempt {task.attempts} goes on{under}"
    return _of_task(id, "red", text, task, out_of_memory(task), ("task.raise", "task.stop"))


def of_end(task: Task, limits: Thresholds, *, fresh: bool) -> Alert | None:
    """A task that ended badly. A failure is told for a while; what was quarantined or lost waits
    for the operator, and is told until it is retried, split or forgotten."""
    if (not fresh and task.state is State.FAILED) or task.recovery.split_due:
        # a task that the policy splits next needs nobody
        return None
    meaning, actions = ended(task, divisible=divisible(task, limits.splits))
    reason = task.reason or task.state.value
    memory = task.verdict is not None and task.verdict.out_of_memory
    how = {
        State.QUARANTINED: "is quarantined: ",
        State.LOST: "" if reason.startswith("lost") else "is lost: ",
    }.get(task.state, "ran out of memory: " if memory else "ended: ")
    level = "red" if fresh else "amber"
    id = f"ended:{task.id}.{task.attempts}"
    return _of_task(id, level, f"{how}{reason}", task, meaning, actions)


def _of_task(
    id: str, level: str, text: str, task: Task, meaning: str, actions: tuple[str, ...]
) -> Alert:
    return Alert(id=id, level=level, text=text, task_id=task.id, meaning=meaning, actions=actions)


def _beyond(threshold: int) -> str:
    return f"more than {units.short_size(threshold)}"
