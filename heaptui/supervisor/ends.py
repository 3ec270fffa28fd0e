"""What the ladder must know about the end of a task's attempt."""

from __future__ import annotations

from heaptui.config import Policy
from heaptui.engine.base import Exited
from heaptui.inputs import DEPTH_ASKED
from heaptui.model import HostSample, Verdict
from heaptui.supervisor.policy.ladder import End
from heaptui.supervisor.policy.larger import larger
from heaptui.supervisor.task import Task


def end_of(
    task: Task,
    at: float,
    verdict: Verdict,
    exited: Exited | None,
    host: HostSample | None,
    policy: Policy,
) -> End:
    """Of an attempt that is still the task's current one. What it held is free by now, and counts
    as room for a larger limit."""
    work = (exited.work if exited is not None else None) or task.work
    reports = exited.traces.reports if exited is not None else ()
    told = next((one.heap_limit_bytes for one in reports if one.heap_limit_bytes), None)
    held = task.sample.memory_bytes if task.sample is not None else 0
    kept_now = work is not None and work.checkpoint_at is not None
    return End(
        state=task.state,
        verdict=verdict,
        stopping=task.stop_why not in (None, "recycle", "split"),
        resulted=work is not None and work.result_bytes is not None,
        checkpointed=kept_now or task.checkpoint_at is not None,
        retry_lost=task.spec.retry_lost or policy.retry_lost,
        at=at,
        ran_s=max(0.0, at - (task.started_at or at)),
        retries_left=task.spec.retries - task.failures,
        recovery=task.recovery,
        larger=larger(
            task.spec,
            verdict.kind,
            cap_bytes=task.cap_bytes,
            heap_limit_bytes=task.heap_limit_bytes or told,
            room_bytes=None if host is None else host.mem_available_bytes + held,
            policy=policy,
        ),
        done=work.done if work is not None else None,
        passing=exited is not None and exited.passing,
        dividable=policy.acts
        and policy.split == "auto"
        and task.items is not None
        and task.kin.depth < DEPTH_ASKED,
    )
