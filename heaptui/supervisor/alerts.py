"""What the operator must know now, worst first: one line each, with its figures. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from heaptui import units
from heaptui.model import Alert, HostSample, State
from heaptui.supervisor.task import Task

SOON_S = 20 * 60.0
"""Less than this to the cap is worth a line."""

NEAR = 0.95
_HOST_LEAST = 0.05


def of_task(task: Task) -> tuple[float, Alert] | None:
    """The alert of one task with its urgency in seconds, None when it is calm."""
    sample, cap = task.sample, task.cap_bytes
    if task.state is not State.RUNNING or sample is None or not cap:
        return None
    memory, shown_cap = sample.memory_bytes, units.short_size(cap)
    if memory >= cap * NEAR:
        text = f"is at its cap: {units.size(memory)} of {shown_cap}"
        return 0.0, Alert(id=f"cap:{task.id}", level="red", text=text, task_id=task.id)
    left = task.to_cap_s
    if left is None or left > SOON_S:
        return None
    text = (
        f"reaches its {shown_cap} cap in {units.duration(left)} "
        f"at {units.growth(task.growth)} a minute"
    )
    level = "red" if left < 120 else "amber"
    return left, Alert(id=f"soon:{task.id}", level=level, text=text, task_id=task.id)


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


def alerts(tasks: Iterable[Task], host: HostSample | None, trouble: str | None) -> list[Alert]:
    """All of them, the machine's first, then tasks by urgency."""
    urgent = [found for task in tasks if (found := of_task(task)) is not None]
    urgent.sort(key=lambda pair: (pair[0], pair[1].id))
    return [*of_host(host, trouble), *(alert for _, alert in urgent)]
