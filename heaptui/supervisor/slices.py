"""What an attempt is given to do: laid out as files for its worker, from what is left of its task.

The slice lists it, an item a line; a part of a large file is cut out of it; a child of a split has
a markdown file of its own; the hand-over says in JSON all that a worker needs to know. Each is
written whole or not at all, 0600, before the worker starts. What is done stands in the file `done`
and in the boxes that are ticked: a later attempt is laid out from those anew.
"""

from __future__ import annotations

import asyncio
import errno
import os
import tempfile
from collections.abc import Sequence
from itertools import chain
from pathlib import Path
from typing import NamedTuple

import msgspec

from heaptui.engine.done_file import prepare
from heaptui.errors import Refused, StorageTrouble
from heaptui.inputs import DONE_TOLD, Division, Handover, Inputs, Item, Source
from heaptui.model import VerdictKind
from heaptui.paths import StateDir
from heaptui.runtime.placeholders import Filling
from heaptui.splitting.left import read_done, remaining, ticked
from heaptui.splitting.listed import measured
from heaptui.splitting.markdown import excerpt
from heaptui.splitting.markdown import read as read_markdown
from heaptui.splitting.parts import cut, path_of
from heaptui.supervisor.known import Known
from heaptui.supervisor.splitting.joining import result_paths
from heaptui.supervisor.task import Task
from heaptui.units import count, duration, named, size
from heaptui.wire import DONE_VARIABLE, HANDOVER_VARIABLE, SLICE_VARIABLE, TASK_FILE_VARIABLE

_MARKDOWN = (Source.BOXES, Source.SECTIONS)
_NO_ERROR = (None, VerdictKind.FINISHED, VerdictKind.STOPPED)
_NO_FILE = (errno.ELOOP, errno.ENXIO, errno.EISDIR)
_NAMED = 3


class Laid(NamedTuple):
    """What stands ready. `filling` is for the command, `variables` for the environment; `done` is
    the file in which is noted what the worker has done, empty for one that reduces. `left` counts
    what there is to do. `notes` are for the task's history."""

    filling: Filling
    variables: dict[str, str]
    done: str
    left: int
    notes: tuple[str, ...] = ()


class _Ancestor(NamedTuple):
    """A task that was split into the next one, how, and the markdown file that it works on."""

    task: Task
    division: Division | None
    file: Path | None


async def lay_out(state: StateDir, known: Known, task: Task) -> Laid:
    """Writes what the attempt that was just begun is given, of a task that names what it works
    through, or makes one result of others'. Its directory is there.

    Raises:
        StorageTrouble: it cannot be written, or read from the store, now.
        HeaptuiError: what it works through is gone or cannot be read.
    """
    if task.kin.reduces:
        above = await _above(known, task)
        children = await known.children(above[0].task) if above else ()
        others = [child for child in children if not child.kin.reduces]
        error = await _error(known, task, above)
        work = asyncio.to_thread(_lay_out_results, state, task, above, error, others)
    else:
        inputs = await known.inputs(task.id)
        if inputs is None:
            raise Refused(
                f"What {task.name} works through is not in the store any more.", "Submit it again."
            )
        above = await _above(known, task, with_files=inputs.source in _MARKDOWN)
        error = await _error(known, task, above)
        work = asyncio.to_thread(_lay_out, state, task, above, error, inputs)
    try:
        return await work
    except OSError as trouble:
        raise StorageTrouble(
            f"What {task.name} is to do cannot be written down: {trouble.strerror or trouble}.",
            "Free space in the state directory; the task starts by itself then.",
        ) from trouble


def in_the_beginning(state: StateDir, task_id: str, inputs: Inputs) -> Filling:
    """As the first attempt of an operator's task will have it. Nothing is written."""
    return _filling(state, task_id, inputs, inputs.items)


# --- those that it comes from ------------------------------------------------------------------
async def _above(known: Known, task: Task, *, with_files: bool = False) -> list[_Ancestor]:
    """Its parent first, the operator's own task last."""
    above: list[_Ancestor] = []
    parent = await known.task(task.parent) if task.parent else None
    while parent is not None:
        division = await known.division(parent)
        inputs = await known.inputs(parent.id) if with_files else None
        above.append(_Ancestor(parent, division, Path(inputs.origin) if inputs else None))
        parent = await known.task(parent.parent) if parent.parent else None
    return above


async def _error(known: Known, task: Task, above: Sequence[_Ancestor]) -> str:
    """Why the attempt before this one ended badly; of the first one, why its parent did."""
    if task.attempts > 1:
        records = await known.attempts(task.id)
        before = next((one for one in records if one.attempt == task.attempts - 1), None)
        if before is None or before.verdict in _NO_ERROR:
            return ""
        return before.reason or ""
    division = above[0].division if above else None
    return division.error if division is not None else ""


# --- writing -----------------------------------------------------------------------------------
def _lay_out(
    state: StateDir, task: Task, above: Sequence[_Ancestor], error: str, inputs: Inputs
) -> Laid:
    notes: tuple[str, ...] = ()
    done_file = state.done(task.id)
    _make_ready(done_file)
    cwd, parts = Path(task.spec.cwd), state.parts(task.id)
    reported = chain(read_done(done_file), ticked(inputs, Path(inputs.origin)))
    left, done = remaining(inputs, reported, cwd=cwd, parts=parts)
    for item in left:
        if item.of:
            cut(parts, item, cwd)
    gone = measured([item for item in left if not item.of], inputs.source, cwd).gone
    if gone:
        notes = (
            f"{len(gone)} of its {len(left)} files are not there any more: {named(gone, _NAMED)}",
        )
    if task.parent and inputs.source in _MARKDOWN:
        _write_task_file(Path(inputs.origin), inputs, above)
    filling = _filling(state, task.id, inputs, left)
    given = filling.items or ()
    _write(state.slice(task.id), "".join(f"{name}\n" for name in given).encode())
    earlier = [one.division.done for one in reversed(above) if one.division is not None]
    before = [name for names in earlier for name in names]
    _write_handover(
        state,
        task,
        above,
        error,
        items=given,
        done=(*before, *(item.name for item in done)),
        constraints=(*_constraints(task), _measure(left)),
    )
    variables = {
        DONE_VARIABLE: str(done_file),
        SLICE_VARIABLE: str(state.slice(task.id)),
        HANDOVER_VARIABLE: str(state.handover(task.id)),
    }
    if filling.task_file is not None:
        variables[TASK_FILE_VARIABLE] = filling.task_file
    return Laid(filling, variables, str(done_file), len(left), notes)


def _lay_out_results(
    state: StateDir, task: Task, above: Sequence[_Ancestor], error: str, others: Sequence[Task]
) -> Laid:
    """For one that reduces: its slice lists the results of the others."""
    results = tuple(map(str, result_paths(state, others)))
    slice_file, handover = str(state.slice(task.id)), str(state.handover(task.id))
    _write(state.slice(task.id), "".join(f"{path}\n" for path in results).encode())
    _write_handover(state, task, above, error, results=results, constraints=_constraints(task))
    return Laid(
        filling=Filling(results=results, slice=slice_file, handover=handover),
        variables={SLICE_VARIABLE: slice_file, HANDOVER_VARIABLE: handover},
        done="",
        left=len(results),
    )


def _filling(state: StateDir, task_id: str, inputs: Inputs, left: Sequence[Item]) -> Filling:
    parts = state.parts(task_id)
    return Filling(
        items=tuple(_given(item, inputs.source, parts) for item in left),
        slice=str(state.slice(task_id)),
        task_file=inputs.origin if inputs.source in _MARKDOWN else None,
        handover=str(state.handover(task_id)),
    )


def _given(item: Item, source: Source, parts: Path) -> str:
    """What a command can work on."""
    if item.of:
        return str(path_of(parts, item))
    # a file of that name must not be taken for an option
    return f"./{item.name}" if source is Source.FILES and item.name[:1] == "-" else item.name


def _make_ready(path: Path) -> None:
    """The file in which is noted what is done, here rather than by the engine alone, which waits
    for no disk: what a worker left in it may be any amount.

    Raises:
        Refused: something else lies there.
    """
    try:
        prepare(path)
    except (OSError, Refused) as error:
        if isinstance(error, OSError) and error.errno not in _NO_FILE:
            raise
        raise Refused(
            f"What is done cannot be told any more: {path} is not a plain file.",
            "Remove it and try again: then all items are done again.",
        ) from error


def _write_task_file(target: Path, inputs: Inputs, above: Sequence[_Ancestor]) -> None:
    """A child's own part of its parent's. Once it is there it is the worker's, who ticks its boxes.

    Raises:
        Refused: the file that it comes from is gone.
        Unreadable: it cannot be read.
    """
    if target.exists():
        return
    # a parent that never ran has no file of its own
    files = [one.file for one in above if one.file is not None]
    whole = next((file for file in files if file.is_file()), None)
    if whole is None:
        raise Refused(
            f"The task file {files[-1] if files else ''} is gone, of which this is to do a part.",
            "Put it back and retry the task.",
        )
    text = read_markdown(whole)
    _write(target, excerpt(text, inputs.items, inputs.source).encode())


def _write_handover(
    state: StateDir,
    task: Task,
    above: Sequence[_Ancestor],
    error: str,
    *,
    constraints: tuple[str, ...],
    items: tuple[str, ...] = (),
    done: tuple[str, ...] = (),
    results: tuple[str, ...] = (),
) -> None:
    parent = above[0] if above else None
    shares = parent.division.children if parent is not None and parent.division is not None else ()
    handover = Handover(
        task=task.name,
        goal=above[-1].task.spec.argv if above else task.spec.argv,
        title=task.kin.title or task.name,
        items=items,
        done=done[-DONE_TOLD:],
        done_count=len(done),
        parent=parent.task.name if parent is not None else "",
        siblings=tuple(share.title for share in shares if share.id != task.id),
        constraints=constraints,
        error=error,
        results=results,
    )
    _write(state.handover(task.id), msgspec.json.format(msgspec.json.encode(handover)) + b"\n")


def _constraints(task: Task) -> tuple[str, ...]:
    """Its limits in words."""
    said: list[str] = []
    if task.cap_bytes is not None:
        said.append(f"memory: at most {size(task.cap_bytes)} for all of its processes together")
    if task.spec.limits.timeout_s is not None:
        said.append(f"time: at most {duration(task.spec.limits.timeout_s)}")
    return tuple(said)


def _measure(left: Sequence[Item]) -> str:
    tokens = count(sum(item.tokens for item in left))
    return f"input: {len(left)} items, about {tokens} tokens by a quarter of their bytes"


def _write(path: Path, content: bytes) -> None:
    """0600, whole or not at all, also when the power fails."""
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except OSError:
        Path(name).unlink(missing_ok=True)
        raise
