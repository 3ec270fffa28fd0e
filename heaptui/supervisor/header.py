"""The header's figures: the machine, how many tasks do what, and what heaptui itself takes."""

from __future__ import annotations

from collections.abc import Iterable

from heaptui.memory.own import own_rss, rss_of
from heaptui.model import ENDED_BADLY, CapMeans, Host, HostSample, State
from heaptui.supervisor.admission import Admission
from heaptui.supervisor.dispatching import Dispatch
from heaptui.supervisor.task import Task


def header(
    tasks: Iterable[Task],
    *,
    sample: HostSample | None,
    dispatch: Dispatch,
    means: CapMeans,
    keeper_pid: int | None,
    trouble: str | None,
    admission: Admission,
    policy: str,
) -> Host:
    """As they are now."""
    running = waiting = failed = caps = expected = 0
    for task in tasks:
        if task.state.live:
            running += 1
            caps += task.cap_in_force or 0
            memory = task.sample.memory_bytes if task.sample is not None else 0
            expected += max(task.expected_bytes or 0, memory)
        elif task.state in ENDED_BADLY:
            failed += 1
        elif not task.state.ended and task.state is not State.SPLIT:
            # what was split waits for nothing but its children
            waiting += 1
    return Host(
        sample=sample,
        caps_bytes=caps,
        self_bytes=own_rss(),
        warden_bytes=rss_of(keeper_pid) if keeper_pid else None,
        running=running,
        waiting=waiting,
        failed=failed,
        paused=dispatch.paused,
        concurrency=dispatch.concurrency,
        means=means,
        store_trouble=trouble,
        expected_bytes=expected,
        budget_bytes=admission.config.budget_bytes,
        held=admission.held,
        policy=policy,
    )
