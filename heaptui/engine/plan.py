"""What a later engine must know of an attempt to go on guarding it: a small file beside its
output."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec
from msgspec import Struct

from heaptui.engine import keeping
from heaptui.engine.base import LaunchSpec
from heaptui.engine.keeping import Mark
from heaptui.errors import Refused
from heaptui.memory.cgroups import Group
from heaptui.model import DEFAULT_OUTPUT_BYTES, CapMeans, Identity
from heaptui.paths import StateDir

_BYTES_MAX = 1 << 20


class Writing(Struct, frozen=True):
    """A snapshot that a process of the attempt was told to write. `left_at`: since then nobody is
    connected who would hear of its end; the process may go on with it all the same."""

    identity: Identity
    path: str
    left_at: float | None = None


class RunPlan(Struct, frozen=True, kw_only=True):
    """`cap_hit` is the evidence when the cap ended it: written before anything is killed for it, so
    that whoever learns of the end knows why.

    `cap_bytes` is the cap in force. `raised_from` is the one that it was launched with while it is
    raised for something that passes: the next engine puts it back. `writing` are the snapshots that
    have not ended: until then nothing may be put back. `data_floor_bytes` as in LaunchSpec.

    `checkpoint` and `result` as in LaunchSpec; `…_before` is what stood there when the attempt was
    launched. `done` as in LaunchSpec. `leader_asked`: a drain has asked the leader to end.
    `listeners` are the processes that said that they hear of drains by themselves, None: nobody
    can say.
    """

    task_id: str
    attempt: int
    output: str
    output_bytes: int
    cap_bytes: int | None
    means: CapMeans | None
    cap_hit: str | None = None
    data_floor_bytes: int | None = None
    raised_from: int | None = None
    writing: tuple[Writing, ...] = ()
    checkpoint: str = ""
    result: str = ""
    checkpoint_before: Mark | None = None
    result_before: Mark | None = None
    done: str = ""
    leader_asked: bool = False
    listeners: tuple[Identity, ...] | None = None


def plan_file(output: Path) -> Path:
    return output.with_suffix(".plan")


def keep(plan: RunPlan) -> None:
    """Writes it in place of the one before, whole or not at all. Raises OSError."""
    target = plan_file(Path(plan.output))
    beside = target.with_suffix(".new")
    # a new one: whatever a worker put in its place would be waited for, or written through
    beside.unlink(missing_ok=True)
    handle = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(msgspec.json.encode(plan))
        beside.replace(target)
    except OSError:
        beside.unlink(missing_ok=True)
        raise


def read(output: Path) -> RunPlan | None:
    """None where there is none, or it is damaged."""
    try:
        with keeping.ours(plan_file(output)) as file:
            return msgspec.json.decode(file.read(_BYTES_MAX), type=RunPlan)
    except (OSError, Refused, msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def plan_of(spec: LaunchSpec, attempt: int, group: Group | None) -> RunPlan:
    """What this attempt is guarded by, in this group or in none."""
    return RunPlan(
        task_id=spec.task_id,
        attempt=attempt,
        output=spec.output,
        output_bytes=spec.output_bytes,
        cap_bytes=spec.cap_bytes,
        means=_means(spec, group),
        data_floor_bytes=spec.data_floor_bytes,
        checkpoint=spec.checkpoint,
        result=spec.result,
        checkpoint_before=keeping.mark(spec.checkpoint) if spec.checkpoint else None,
        result_before=keeping.mark(spec.result) if spec.result else None,
        done=spec.done,
        listeners=(),
    )


def data_limit(plan: RunPlan, cap_bytes: int | None) -> int | None:
    """The RLIMIT_DATA that holds this cap; None where it is not held by one."""
    if plan.means is not CapMeans.RLIMIT or not cap_bytes or plan.data_floor_bytes is None:
        return None
    return max(cap_bytes, plan.data_floor_bytes)


def guessed(task_id: str, attempt: int, state: StateDir, group: Group | None) -> RunPlan:
    """For an attempt whose plan cannot be read: what its group still holds, and the usual."""
    done = state.done(task_id)
    return RunPlan(
        task_id=task_id,
        attempt=attempt,
        output=str(state.output(task_id, attempt)),
        checkpoint=str(state.checkpoint(task_id)),
        result=str(state.result(task_id)),
        done=str(done) if done.exists() else "",
        output_bytes=DEFAULT_OUTPUT_BYTES,
        cap_bytes=None,
        means=group.means if group is not None else None,
    )


def without(means: CapMeans | None) -> str:
    """What the operator is told about an attempt whose plan could only be guessed."""
    if means is not None:
        return f"its plan cannot be read; its cap goes on being held by {means}"
    return "its plan cannot be read: nothing holds its cap any more; stop it, or watch it"


def _means(spec: LaunchSpec, group: Group | None) -> CapMeans | None:
    if spec.cap_bytes is None:
        return None
    if group is not None and group.means is not None:
        return group.means
    return CapMeans.WATCHDOG if spec.data_floor_bytes is None else CapMeans.RLIMIT
