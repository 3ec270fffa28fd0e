"""What the operator must know now, worst first: one line each, with its figures. Pure."""

from __future__ import annotations

from collections.abc import Collection

from heaptui import units
from heaptui.model import Alert, HostSample, State
from heaptui.supervisor.task import Task

SOON_S = 20 * 60.0
"""Less than this to the cap is worth a line."""

NEAR = 0.95
FRESH_S = 15 * 60.0
ENDS_MOST = 20
_HOST_LEAST = 0.05
_SMALL = 0.25
_SMALL_SOON_S = 300.0


def of_task(task: Task) -> tuple[float, Alert] | None:
    """The alert of one task with its urgency in seconds, None when it is calm."""
    sample, cap = task.sample, task.cap_in_force
    if task.state is not State.RUNNING or sample is None or not cap:
        return None
    memory, shown_cap = sample.memory_bytes, units.short_size(cap)
    if memory >= cap * NEAR:
        text = f"is at its cap: {units.size(memory)} of {shown_cap}"
        return 0.0, Alert(id=f"cap:{task.id}", level="red", text=text, task_id=task.id)
    left = task.to_cap_s
    if left is None or left > SOON_S:
        return None
    if memory < cap * _SMALL and left > _SMALL_SOON_S:
        # far from its cap a trend has time to change
        return None
    text = (
        f"reaches its {shown_cap} cap in {units.duration(left)} "
        f"at {units.growth(task.growth)} a minute"
    )
    level = "red" if left < 120 else "amber"
    return left, Alert(id=f"soon:{task.id}", level=level, text=text, task_id=task.id)


def of_end(task: Task, now: float) -> Alert | None:
    """A task that ended badly in the last minutes: nobody should have to notice that a row
    changed its colour."""
    if task.state not in (State.FAILED, State.LOST) or task.ended_at is None:
        return None
    if now - task.ended_at > FRESH_S:
        return None
    text = f"ended: {task.reason or task.state}"
    return Alert(id=f"ended:{task.id}.{task.attempts}", level="red", text=text, task_id=task.id)


def of_host(host: HostSample | None, trouble: str | None) -> list[Alert]:
    """What is wrong with the machine or with heaptui's own storage."""
    found: list[Alert] = []
    if trouble:
        found.append(Alert(id="store", level="red", text=trouble))
    if host and host.mem_available_bytes < host.mem_total_bytes * _HOST_LEAST:
        text = (
            f"this machine has {units.size(host.mem_available_bytes)} "
            f"of {units.size(host.mem_total_bytes)} left"
        )
        found.append(Alert(id="host", level="red", text=text))
    return found


def alerts(
    tasks: Collection[Task], host: HostSample | None, trouble: str | None, now: float
) -> list[Alert]:
    """All of them: the machine's first, then tasks by urgency, then the latest bad ends."""
    urgent = [found for task in tasks if (found := of_task(task)) is not None]
    urgent.sort(key=lambda pair: (pair[0], pair[1].id))
    ended = sorted(tasks, key=lambda task: -(task.ended_at or 0))
    ends = [alert for task in ended if (alert := of_end(task, now)) is not None]
    return [*of_host(host, trouble), *(alert for _, alert in urgent), *ends[:ENDS_MOST]]
