"""The result of a task that was split: what it had handed in itself, then its children's, in order.

Each part is the result that was handed in, else what was printed, ended by a newline; where a child
makes one result of the others', that alone. Files are copied block by block, whatever their size.
Before the first join the parent's own result is moved aside, and where it had none an empty file
says so: from then on what stands as its result was joined here, and may be joined anew. A result
takes its place whole or not at all.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import stat
import tempfile
import threading
from collections.abc import Iterable, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import BinaryIO

from heaptui import output
from heaptui.engine import keeping
from heaptui.errors import Refused, StorageTrouble
from heaptui.model import State
from heaptui.paths import StateDir, private
from heaptui.supervisor.task import Task
from heaptui.units import size

_BLOCK = 1 << 20
_PART = f"joined.{keeping.PART}"
_OUTPUT = StateDir(Path()).output("", 1).suffix


class _GivenUp(Exception):
    """Nobody waits for it any more."""


def result_paths(state: StateDir, children: Sequence[Task]) -> list[Path]:
    """What the result of the task that was split into `children` is made of: its own part, then
    what these handed in or printed, in their order. Those that make one of it are passed over."""
    parts = sorted(children, key=lambda child: child.kin.part)
    own = _own(state, parts[0].parent) if parts else []
    return own + [path for child in parts if not child.kin.reduces for path in _paths(state, child)]


async def join(state: StateDir, parent: Task) -> int | None:
    """Puts its result together; the bytes of it, None where there is nothing to join.

    Raises:
        StorageTrouble: not now; the one before still stands, and it can be tried again.
    """
    children = tuple(parent.children)
    given_up = threading.Event()
    try:
        return await asyncio.to_thread(_join, state, parent, children, given_up)
    except (OSError, Refused) as error:
        what = error.what if isinstance(error, Refused) else error.strerror or str(error)
        raise StorageTrouble(
            f"The results of the children of {parent.name} cannot be joined: {what}.",
            f"Free space in {state.root}; they are joined as soon as that goes.",
        ) from error
    finally:
        # a thread is not cancelled by itself
        given_up.set()


def _join(
    state: StateDir, parent: Task, children: Sequence[Task], given_up: threading.Event
) -> int | None:
    private(state.task(parent.id))
    _set_own_aside(state, parent.id)
    reducers = [one for one in children if one.kin.reduces and one.state is State.DONE]
    if reducers:
        paths = [path for one in reducers for path in _paths(state, one)]
    else:
        paths = result_paths(state, children) if children else _own(state, parent.id)
    target = state.result(parent.id)
    if not paths:
        target.unlink(missing_ok=True)
        return None
    _check_room(target.parent, paths)
    with suppress(_GivenUp):
        return _written(target, paths, given_up)
    return None


def _set_own_aside(state: StateDir, task_id: str) -> None:
    own = state.own_result(task_id)
    if own.exists():
        return
    try:
        state.result(task_id).rename(own)
    except FileNotFoundError:
        own.touch(mode=0o600)
    keeping.sync(own.parent)


def _check_room(directory: Path, paths: Iterable[Path]) -> None:
    needed = sum(_on_disk(path) for path in paths)
    room = shutil.disk_usage(directory).free - keeping.LEFT_FREE_BYTES
    if needed > room:
        raise Refused(
            f"{size(needed)} would leave the disk less than {size(keeping.LEFT_FREE_BYTES)}"
        )


def _written(target: Path, paths: Iterable[Path], given_up: threading.Event) -> int:
    # what a supervisor that was killed left half done
    for left in target.parent.glob(f"{target.name}.*.{_PART}"):
        left.unlink(missing_ok=True)
    handle, name = tempfile.mkstemp(f".{_PART}", f"{target.name}.", target.parent)
    part = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            for path in paths:
                _append(file, path, given_up)
            file.flush()
            os.fsync(file.fileno())
            written = file.tell()
        part.replace(target)
        keeping.sync(target.parent)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    return written


def _append(file: BinaryIO, path: Path, given_up: threading.Event) -> None:
    last = b"\n"
    with ExitStack() as opened:
        try:
            source = opened.enter_context(keeping.ours(path))
        except (OSError, Refused) as error:
            # its worker made it so, and it would stay so: nobody waits for that
            file.write(f"[left out, cannot be read: {error}]\n".encode(errors="backslashreplace"))
            return
        if path.suffix == _OUTPUT and (gone := output.given_back(source.fileno())):
            file.write(f"[{gone} bytes of older output were given back]\n".encode())
            source.seek(gone)
        while block := source.read(_BLOCK):
            if given_up.is_set():
                raise _GivenUp
            file.write(block)
            last = block[-1:]
    if last != b"\n":
        file.write(b"\n")


# --- where it lies -----------------------------------------------------------------------------
def _own(state: StateDir, task_id: str) -> list[Path]:
    """What the worker of a task that was split had handed in, else what it had printed."""
    own = state.own_result(task_id)
    handed_in = own if own.exists() else state.result(task_id)
    if _bytes(handed_in):
        return [handed_in]
    printed = state.task(task_id).glob(f"*{_OUTPUT}")
    numbered = {int(path.stem): path for path in printed if path.stem.isdecimal()}
    return [path for _, path in sorted(numbered.items()) if _bytes(path)]


def _paths(state: StateDir, child: Task) -> list[Path]:
    result = state.result(child.id)
    if (handed_in := _bytes(result)) is not None:
        return [result] if handed_in else []
    # of a slice each attempt does what is left; anything else is done anew from the beginning
    first = 1 if child.items is not None else max(1, child.attempts)
    return _outputs(state, child, range(first, child.attempts + 1))


def _outputs(state: StateDir, task: Task, attempts: Iterable[int]) -> list[Path]:
    paths = (state.output(task.id, attempt) for attempt in attempts)
    return [path for path in paths if _bytes(path)]


def _bytes(path: Path) -> int | None:
    """Of a plain file; None where there is none: anything else was not handed in."""
    with suppress(FileNotFoundError):
        status = path.lstat()
        return status.st_size if stat.S_ISREG(status.st_mode) else None
    return None


def _on_disk(path: Path) -> int:
    with suppress(FileNotFoundError):
        status = path.lstat()
        # without what was given back
        return min(status.st_size, status.st_blocks * 512)
    return 0
