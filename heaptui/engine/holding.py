"""Holding the cap of an attempt that runs: the kernel's work where its group has a memory
controller, the watchdog's elsewhere, and from one to the other when the group vanishes."""

from __future__ import annotations

import asyncio
import signal
import sys
from typing import TYPE_CHECKING

import msgspec

from heaptui import units
from heaptui.memory.group import Group
from heaptui.memory.identity import send
from heaptui.memory.watchdog import guard
from heaptui.model import CapMeans

if TYPE_CHECKING:
    from heaptui.engine.run import Run

_COUNT_LOOKS = 40
_LOOK_AGAIN_S = 0.025


async def hold_cap(run: Run) -> None:
    """By the means in force; returns where there is no cap to hold, or it has ended the attempt."""
    await run.begun.wait()
    if run.group is not None and run.plan.means in (CapMeans.CGROUP1, CapMeans.CGROUP2):
        await _listen(run, run.group)
        if run.cap_hit is not None:
            return
        _take_over(run)
    if run.plan.means in (CapMeans.RLIMIT, CapMeans.WATCHDOG) and run.plan.cap_bytes:
        await _watch(run)


def by_kernel(run: Run) -> str:
    """The evidence when the kernel killed at the cap."""
    cap = units.size(run.plan.cap_bytes) if run.plan.cap_bytes else "its limit"
    return f"reached its cap of {cap}: killed by the kernel ({run.plan.means})"


async def _listen(run: Run, group: Group) -> None:
    """The kernel may kill one process at the cap: the rest of the tree goes with it. Returns then,
    or once the group is gone."""
    rung = asyncio.Event()
    loop = asyncio.get_running_loop()
    # whoever samples finds a group gone that does not tell of it
    group.on_vanishing = rung.set
    handle = group.oom_fd()
    if handle is not None:
        loop.add_reader(handle, rung.set)
    try:
        while True:
            rung.clear()
            # also at first, for what happened while nobody listened; and more than once, for v1
            # tells that an OOM has begun before it counts the kill
            for _ in range(_COUNT_LOOKS):
                if group.killed_at_cap():
                    run.hit_its_cap(by_kernel(run))
                    await run.kill()
                    return
                if group.charged() is None:
                    return
                await asyncio.sleep(_LOOK_AGAIN_S)
            await rung.wait()
    finally:
        group.on_vanishing = None
        if handle is not None:
            loop.remove_reader(handle)


def _take_over(run: Run) -> None:
    """Somebody removed its group, or took it from us, while it runs."""
    cap = run.plan.cap_bytes
    gone = f"its {run.plan.means} group is gone"
    run.plan = msgspec.structs.replace(run.plan, means=CapMeans.WATCHDOG if cap else None)
    run.note_plan()
    if cap:
        run.say(run, "unguarded", f"{gone}: the watchdog holds its cap of {units.size(cap)} now")
    else:
        run.say(run, "unguarded", f"{gone}: nothing holds its cap any more; stop it, or watch it")


async def _watch(run: Run) -> None:
    """The cap where no cgroup holds it."""

    task_id, sampler = run.plan.task_id, run.sampler

    def cap() -> int:
        return run.plan.cap_bytes or sys.maxsize

    async def over(memory: int) -> None:
        if run.overdue.is_set():  # it is being killed already, and not for this
            return
        run.hit_its_cap(
            f"went over its cap: {units.size(memory)} of {units.size(cap())}, "
            "killed by the watchdog"
        )
        # those that were just counted, before a look at every process there is
        for identity in sampler.known(task_id):
            send(identity, signal.SIGKILL)
        await run.kill()

    await guard(
        lambda: sampler.quick(task_id, cap()),
        lambda: sampler.certain(task_id),
        lambda: sampler.judged(task_id),
        cap,
        over,
    )
