"""Results that workers handed in, and where they lie."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

from heaptui.errors import NoSuchTask, StorageTrouble
from heaptui.model import AttemptRecord, ResultFile, State
from heaptui.supervisor.loop import Supervisor
from heaptui.supervisor.operations import resolve


async def result(supervisor: Supervisor, task: str) -> ResultFile:
    """The newest result of a task, of whichever attempt; of one that was split, all of it.

    Raises:
        NoSuchTask: no such task, or it has handed in none, or not all of it.
        StorageTrouble: it is there and cannot be looked at.
    """
    found = await resolve(supervisor, task)
    if found.state is State.SPLIT:
        ended = sum(child.state.ended for child in found.children)
        raise NoSuchTask(
            f"{found.name} ({found.id}) has no result yet: {ended} of its {len(found.children)} "
            "children have ended.",
            "`heaptui result --wait` waits for the others; each child's own can be had by its id.",
        )
    path = supervisor.state.result(found.id)
    status = await asyncio.to_thread(_look, path)
    if status is None:
        raise NoSuchTask(
            f"{found.name} ({found.id}) has handed in no result.",
            "A worker hands one in by heaptui.worker, or writes it to $HEAPTUI_RESULT."
            if found.state.ended
            else "It has not ended: `heaptui result --wait` waits for that.",
        )
    attempts = await supervisor.store.attempts(found.id)
    return ResultFile(
        task_id=found.id,
        attempt=_attempt_at(attempts, status.st_mtime) or found.attempts,
        path=str(path),
        bytes=status.st_size,
        at=status.st_mtime,
    )


def _attempt_at(attempts: list[AttemptRecord], at: float) -> int | None:
    """The one that ran at `at`; None where the latest did, which need not be stored yet."""
    ended = (one for one in attempts if one.ended_at is not None and at <= one.ended_at)
    return min((one.attempt for one in ended), default=None)


def _look(path: Path) -> os.stat_result | None:
    try:
        return path.stat()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise StorageTrouble(
            f"The result {path} cannot be looked at: {error.strerror or error}.",
            "Mend the permissions of the state directory.",
        ) from error
