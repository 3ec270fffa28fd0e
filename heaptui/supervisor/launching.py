"""From a task to what the engine executes."""

from __future__ import annotations

import asyncio
import shutil
from dataclasses import dataclass
from pathlib import Path

from heaptui.engine.base import LaunchSpec
from heaptui.errors import StorageTrouble
from heaptui.model import CapMeans, TaskSpec
from heaptui.paths import StateDir, private
from heaptui.runtime.launch import Launch, prepare
from heaptui.runtime.preload.place import Preload, placed
from heaptui.supervisor.task import Task

_FORCED = (CapMeans.CGROUP1, CapMeans.CGROUP2)


@dataclass(slots=True)
class Surroundings:
    """What all launches of one supervisor share. `own_presets`: the directory of the operator's own
    presets (None: beside the configuration); `looks_inside`: whether tasks get the preload."""

    state: StateDir
    own_presets: Path | None = None
    looks_inside: bool = True
    _preload: Preload | None = None

    async def preload(self) -> Preload | None:
        """Where the preload lies now; put there again when somebody removed it, because a Node that
        misses it does not start.

        Raises:
            StorageTrouble: it cannot be written.
        """
        if not self.looks_inside:
            return None
        if self._preload is None or not self._preload.node.exists():
            self._preload = await asyncio.to_thread(placed, self.state.root)
        return self._preload


async def prepared(
    around: Surroundings,
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
        cache=around.state.runtimes,
        rlimited=means not in _FORCED,
        preload=await around.preload() if spec.preload else None,
        socket=str(around.state.socket("worker")),
        checkpoint=str(around.state.checkpoint(task_id)),
        result=str(around.state.result(task_id)),
        reports=str(around.state.reports(task_id, attempt)),
        own_presets=around.own_presets,
    )


async def launch_spec(
    around: Surroundings, task: Task, means: CapMeans, environment: dict[str, str]
) -> tuple[LaunchSpec, Launch]:
    """The attempt that was just begun, ready for the engine; its directories are made.

    Raises:
        StorageTrouble: its directory cannot be made now.
        HeaptuiError: it can never be launched.
    """
    state = around.state
    try:
        private(state.task(task.id))
        private(state.reports(task.id, task.attempts))
    except OSError as error:
        raise StorageTrouble(
            f"The directory of a task's output cannot be made: {error.strerror or error}.",
            "Free space in the state directory; the task starts by itself then.",
        ) from error
    launch = await prepared(
        around,
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
        checkpoint=str(state.checkpoint(task.id)),
        result=str(state.result(task.id)),
        reports=str(state.reports(task.id, task.attempts)),
    )
    return spec, launch


def remove_files(state: StateDir, task_id: str) -> None:
    """Its output, for good."""
    directory: Path = state.task(task_id)
    shutil.rmtree(directory, ignore_errors=True)
