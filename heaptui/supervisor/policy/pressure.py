"""Heavy pressure on the machine: the task that grows fastest gives way, one at a time.

Pressure is what the kernel says of stalls (PSI), or memory that can be had (MemAvailable) below the
reserve while somebody grows; free memory says nothing. After a recycle it is waited for what that
gave back; one that gave nothing back makes the next ones rarer.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from heaptui.config import AdmissionConfig
from heaptui.model import HostSample, State
from heaptui.supervisor import recycling
from heaptui.supervisor.loop import Supervisor
from heaptui.supervisor.policy.soft import Step, able
from heaptui.supervisor.policy.talk import busy, moment
from heaptui.supervisor.recycling import Why
from heaptui.supervisor.task import Task
from heaptui.units import size

SAMPLES = 5
"""So many passes in a row: one stall is none."""

PAUSE_S, PAUSE_MOST_S = 15.0, 900.0
"""What one gave back is seen after this; it doubles with each that gave nothing back."""

GAVE_BACK = 0.01
"""Of the machine's memory: less is nothing."""

GROWS_BYTES_PER_MIN = 1 << 20


@dataclass(slots=True)
class _Relief:
    """What was done about it so far. `heavy` passes in a row, `in_vain` recycles in a row that gave
    nothing back; `judged_at` is when the last one, of `task`, shows what it gave back."""

    heavy: int = 0
    in_vain: int = 0
    judged_at: float = 0.0
    task: Task | None = None
    attempt: int = 0
    before: HostSample | None = None
    told: bool = False


async def relieve(supervisor: Supervisor) -> None:
    """Until cancelled."""
    if not supervisor.config.admission.relieve:
        return
    relief = _Relief()
    while True:
        await supervisor.next_sample()
        host = supervisor.host
        if host is None:
            continue
        if relief.task is not None and moment() >= relief.judged_at:
            _judge(supervisor, relief, host)
        why = heavy(host, supervisor.config.admission)
        if why is None:
            relief.heavy, relief.told = 0, False
            continue
        relief.heavy += 1
        waits = relief.task is not None or moment() < relief.judged_at
        if relief.heavy >= SAMPLES and not waits:
            await _give_way(supervisor, relief, host, why)


def heavy(host: HostSample, admission: AdmissionConfig) -> str | None:
    """What is heavy about it, None when nothing is."""
    if host.pressure is not None and host.pressure >= admission.heavy:
        return f"everybody stalls for memory {host.pressure:.0f} % of the time"
    reserve = admission.reserve_bytes(host.mem_total_bytes)
    if host.mem_available_bytes < reserve:
        return f"{size(host.mem_available_bytes)} available, below the reserve of {size(reserve)}"
    return None


def worst(tasks: Iterable[Task], *, stalls: bool) -> Task | None:
    """The one that grows fastest; where everybody stalls and none grows, the largest. A task that
    does not grow is left alone when memory is only scarce."""
    growing = [task for task in tasks if task.sample is not None]
    if not stalls:
        growing = [task for task in growing if (task.growth or 0) >= GROWS_BYTES_PER_MIN]
    return max(growing, key=_badness, default=None)


def _badness(task: Task) -> tuple[float, int]:
    growth = task.growth or 0.0
    held = task.sample.memory_bytes if task.sample is not None else 0
    return (growth if growth >= GROWS_BYTES_PER_MIN else 0.0, held)


async def _give_way(supervisor: Supervisor, relief: _Relief, host: HostSample, why: str) -> None:
    pressure = host.pressure
    stalls = pressure is not None and pressure >= supervisor.config.admission.heavy
    found = worst(_candidates(supervisor), stalls=stalls)
    if found is None:
        return
    grows = f"grows fastest, {size(found.growth)} a minute" if _badness(found)[0] else "is largest"
    words = f"pressure: {why}; this task {grows}"
    if not supervisor.config.policy.of(found.spec.kind).acts:
        if not relief.told:
            relief.told = True
            supervisor.ledger.note(found, "pressure", f"observe: would recycle it: {words}")
            supervisor.settle_soon()
        return
    attempt = found.attempts
    began = await recycling.recycle_task(supervisor, found, Why("pressure", words))
    relief.judged_at = moment() + _pause_s(relief)
    if began:
        relief.task, relief.attempt, relief.before = found, attempt, host
    else:
        relief.in_vain += 1


def _candidates(supervisor: Supervisor) -> list[Task]:
    """Those that their policy lets be recycled."""
    found = []
    for task in supervisor.ledger.tasks.values():
        if task.state is State.RUNNING:
            can = able(
                collects=False,
                checkpoints=recycling.checkpoints(task),
                kept=recycling.kept(task),
                busy=busy(supervisor, task),
                policy=supervisor.config.policy.of(task.spec.kind),
            )
            if Step.RECYCLE in can:
                found.append(task)
    return found


def _judge(supervisor: Supervisor, relief: _Relief, host: HostSample) -> None:
    """What the last recycle gave back, once it is over."""
    task, before = relief.task, relief.before
    if task is None or before is None:
        return
    if task.attempts == relief.attempt and task.state is State.RECYCLING:
        return  # it drains: its grace bounds that
    back = host.mem_available_bytes - before.mem_available_bytes
    helped = back >= host.mem_total_bytes * GAVE_BACK
    relief.in_vain = 0 if helped else relief.in_vain + 1
    relief.task = relief.before = None
    relief.judged_at = moment() + (0.0 if helped else _pause_s(relief))
    text = (
        f"pressure: after its recycle: available {size(before.mem_available_bytes)} → "
        f"{size(host.mem_available_bytes)}{_stalls(before, host)}"
    )
    supervisor.ledger.note(task, "pressure", text)
    supervisor.settle_soon()


def _stalls(before: HostSample, now: HostSample) -> str:
    if before.pressure is None or now.pressure is None:
        return ""
    return f", stalls {before.pressure:.0f} → {now.pressure:.0f} %"


def _pause_s(relief: _Relief) -> float:
    return min(PAUSE_MOST_S, PAUSE_S * 2.0 ** min(relief.in_vain, 30))
