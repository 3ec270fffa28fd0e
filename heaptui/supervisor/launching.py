"""From a task to what the engine executes."""

from __future__ import annotations

import shutil
from pathlib import Path

from heaptui.engine.base import LaunchSpec
from heaptui.errors import StorageTrouble
from heaptui.model import CapMeans, TaskSpec
from heaptui.paths import StateDir, private
from heaptui.runtime.launch import Launch, prepare
from heaptui.supervisor.task import Task

_FORCED = (CapMeans.CGROUP1, CapMeans.CGROUP2)


async def prepared(
    state: StateDir,
    spec: TaskSpec,
    *,
    task_id: str,
    attempt: int,
    environment: dict[str, str],
    cap_bytes: int | None,
    means: CapMeans,
) -> Launch:
    """What would be executed; raises what the operator should be told when it cannot be."""
    return await prepare(
        spec,
        task_id=task_id,
        attempt=attempt,
        environment=environment,
        cap_bytes=cap_bytes,
        cache=state.root / "runtimes.json",
        rlimited=means not in _FORCED,
    )


async def launch_spec(
    state: StateDir, task: Task, means: CapMeans, environment: dict[str, str]
) -> tuple[LaunchSpec, Launch]:
    """The attempt that was just begun, ready for the engine; its directory is made.

    Raises:
        StorageTrouble: its directory cannot be made now.
        HeaptuiError: it can never be launched.
    """
    try:
        private(state.task(task.id))
    except OSError as error:
        raise StorageTrouble(
            f"The directory of a task's output cannot be made: {error.strerror or error}.",
            "Free space in the state directory; the task starts by itself then.",
        ) from error
    launch = await prepared(
        state,
        task.spec,
        task_id=task.id,
        attempt=task.attempts,
        environment=environment,
        cap_bytes=task.cap_bytes,
        means=means,
    )
    spec = LaunchSpec(
        task_id=task.id,
        name=task.name,
        argv=launch.argv,
        cwd=task.spec.cwd,
        env=launch.env,
        output=str(state.output(task.id, task.attempts)),
        output_bytes=task.spec.limits.output_bytes,
        cap_bytes=task.cap_bytes,
        data_floor_bytes=launch.data_floor_bytes,
    )
    return spec, launch


def remove_files(state: StateDir, task_id: str) -> None:
    """Its output, for good."""
    directory: Path = state.task(task_id)
    shutil.rmtree(directory, ignore_errors=True)
