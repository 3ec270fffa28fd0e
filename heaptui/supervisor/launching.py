"""From a task to what the engine executes."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec.structs import replace

from heaptui.engine.base import LaunchSpec
from heaptui.errors import Refused, StorageTrouble
from heaptui.inputs import Inputs
from heaptui.model import CapMeans, TaskSpec
from heaptui.paths import StateDir, private
from heaptui.runtime import placeholders
from heaptui.runtime.launch import Launch, prepare
from heaptui.runtime.placeholders import Filling
from heaptui.runtime.preload.place import Preload, placed
from heaptui.supervisor.known import Known
from heaptui.supervisor.task import Task

if TYPE_CHECKING:
    from heaptui.supervisor.slices import Laid

_FORCED = (CapMeans.CGROUP1, CapMeans.CGROUP2)


@dataclass(slots=True)
class Surroundings:
    """What all launches of one supervisor share. `known` tells what tasks work through and what
    they come from. `own_presets`: the directory of the operator's own presets (None: beside the
    configuration); `looks_inside`: whether tasks get the preload."""

    state: StateDir
    known: Known
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


class NothingLeft(Exception):
    """Everything that the task works through is done, and its command takes the items themselves:
    without any it would do something else."""


async def prepared(
    around: Surroundings,
    spec: TaskSpec,
    *,
    task_id: str,
    attempt: int,
    environment: dict[str, str],
    cap_bytes: int | None,
    means: CapMeans,
    works: Mapping[str, str] = {},
) -> Launch:
    """What would be executed, its placeholders as they were written; raises what the operator
    should be told when it cannot be. `works` are the variables that say what it works through."""
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
        works=works,
        own_presets=around.own_presets,
    )


async def launch_spec(
    around: Surroundings, task: Task, means: CapMeans, environment: dict[str, str]
) -> tuple[LaunchSpec, Launch]:
    """The attempt that was just begun, ready for the engine; its directories are made, and what it
    is to do is laid out. The command in the launch is that of the spec, many items abridged.

    Raises:
        NothingLeft: it has nothing to do any more.
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
    laid: Laid | None = None
    if task.items is not None or task.kin.reduces:
        from heaptui.supervisor.slices import lay_out

        laid = await lay_out(state, around.known, task)
    if laid is not None and laid.left == 0 and "items" in placeholders.uses(task.spec.argv):
        raise NothingLeft
    launch = await prepared(
        around,
        task.spec,
        task_id=task.id,
        attempt=task.attempts,
        environment=environment,
        cap_bytes=task.cap_bytes,
        means=means,
        works=laid.variables if laid is not None else {},
    )
    filling = laid.filling if laid is not None else Filling()
    argv = placeholders.filled(launch.argv, filling)
    if len(argv) > len(launch.argv):
        placeholders.check_room(argv, launch.env)
    spec = LaunchSpec(
        task_id=task.id,
        name=task.name,
        argv=argv,
        cwd=task.spec.cwd,
        env=launch.env,
        output=str(state.output(task.id, task.attempts)),
        output_bytes=task.spec.limits.output_bytes,
        cap_bytes=task.cap_bytes,
        data_floor_bytes=launch.data_floor_bytes,
        checkpoint=str(state.checkpoint(task.id)),
        result=str(state.result(task.id)),
        reports=str(state.reports(task.id, task.attempts)),
        done=laid.done if laid is not None else "",
    )
    shown = placeholders.abridged(launch.argv, filling)
    return spec, replace(launch, argv=shown, notes=(*launch.notes, *_notes(task, laid)))


def check_inputs(state: StateDir, task_id: str, launch: Launch, inputs: Inputs) -> None:
    """Whether a task could be launched on what it names; looks at every item.

    Raises:
        UsageError: an item cannot be one, or there are too many.
        Refused: the command has a place for what the task does not have, or takes more items than
            a program can be given.
    """
    from heaptui.splitting import listed
    from heaptui.supervisor.slices import in_the_beginning

    listed.check(inputs)
    filling = in_the_beginning(state, task_id, inputs)
    if filling.task_file is None and "task_file" in placeholders.uses(launch.argv):
        raise Refused(
            "{task_file} in the command, and the task names no markdown file.",
            "Name one by --task-file, or write {slice}: the path of a file that lists its items.",
        )
    argv = placeholders.filled(launch.argv, filling)
    if len(argv) > len(launch.argv):
        placeholders.check_room(argv, launch.env)


def _notes(task: Task, laid: Laid | None) -> tuple[str, ...]:
    """What the operator should know of what it was given."""
    if laid is not None:
        return laid.notes
    open_ones = sorted(placeholders.uses(task.spec.argv))
    if not open_ones:
        return ()
    names = " and ".join(f"{{{name}}}" for name in open_ones)
    return (f"it names nothing that it works through: {names} stays as it was written",)


def remove_files(state: StateDir, task_id: str) -> None:
    """Its output, for good."""
    directory: Path = state.task(task_id)
    shutil.rmtree(directory, ignore_errors=True)
