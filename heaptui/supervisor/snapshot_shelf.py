"""Heap snapshots on disk: recorded, listed, deleted, and let go of when there are too many."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from pathlib import Path

import msgspec

from heaptui import units
from heaptui.errors import HeaptuiError, NoSuchTask, StorageTrouble
from heaptui.model import Snapshot
from heaptui.supervisor import snapshot_files as files
from heaptui.supervisor.estimates import format_of
from heaptui.supervisor.lasting import seen_through
from heaptui.supervisor.loop import Supervisor
from heaptui.supervisor.operations import resolve
from heaptui.supervisor.snapshots_begun import Begun
from heaptui.supervisor.task import Task

BEGUN_S = 30.0
FOLLOWED_S = 600.0
"""A snapshot that nobody waits for any more is begun and written by then, or it never will be."""

_SECRETS = "it may hold secrets (environment, prompts): mode 0600"


async def listed(supervisor: Supervisor, text: str | None) -> list[Snapshot]:
    """Of one task or of all, the latest first. One whose file is gone is no longer listed.

    Raises:
        NoSuchTask: the task cannot be found, and there is no snapshot of it either.
    """
    found = await supervisor.store.snapshots()
    if text is not None:
        found = await _of_task(supervisor, text, found)
    there = await asyncio.to_thread(_there, found)
    gone = {one.id for one in found} - {one.id for one in there}
    if gone:
        await supervisor.store.delete_snapshots(gone)
    return there


async def delete(supervisor: Supervisor, ids: Sequence[int]) -> int:
    """Deletes files and records; how many there were.

    Raises:
        StorageTrouble: a file cannot be deleted; it stays listed.
    """
    wanted = set(ids)
    doomed = [one for one in await supervisor.store.snapshots() if one.id in wanted]
    return await seen_through(_delete(supervisor, doomed))


async def take_over(supervisor: Supervisor) -> None:
    """What the supervisor before left: snapshots that are being written or are written and not
    recorded, and files that will never be whole, which are deleted."""
    left = supervisor.begun.left
    ours = files.directory(supervisor.state, supervisor.config.heap.directory)
    try:
        await asyncio.to_thread(
            files.clear_parts, ours, {files.part(Path(one.path)) for one in left}
        )
    except OSError as error:
        supervisor.ledger.trouble = StorageTrouble(
            f"Unfinished snapshots in {ours} cannot be deleted: {error.strerror or error}.",
            "Look at its permissions.",
        )
    for begun in left:
        supervisor.begin(followed(supervisor, begun), f"snapshot of {begun.task_id}")


async def followed(supervisor: Supervisor, begun: Begun) -> None:
    """Sees a snapshot through that nobody waits for: it is recorded when it is whole, and what
    there is of it deleted when its process is gone."""
    path, since = Path(begun.path), supervisor.clock()
    task = supervisor.ledger.get(begun.task_id)
    while not await asyncio.to_thread(path.exists):
        runs = task is not None and task.state.live and task.attempts == begun.attempt
        writes = await asyncio.to_thread(files.part(path).exists)
        if not runs or supervisor.clock() > since + (FOLLOWED_S if writes else BEGUN_S):
            await asyncio.to_thread(files.part(path).unlink, missing_ok=True)
            break
        await supervisor.next_sample()
    else:
        await _adopt(supervisor, task, begun)
    await supervisor.begun.over(begun)


async def _adopt(supervisor: Supervisor, task: Task | None, begun: Begun) -> None:
    kind = format_of(begun.runtime)
    try:
        size = await asyncio.to_thread(files.size_if_whole, Path(begun.path), kind)
        written_at = (await asyncio.to_thread(Path(begun.path).stat)).st_mtime
        known = msgspec.structs.asdict(begun)
        await keep(
            supervisor,
            task,
            Snapshot(
                **(known | {"at": written_at}),
                id=0,
                format=kind,
                bytes=size,
                seconds=max(0.0, written_at - begun.at),
            ),
        )
    except (HeaptuiError, OSError) as error:
        if task is not None:
            supervisor.ledger.note(task, "snapshot", f"a snapshot was not kept: {error}")


async def keep(supervisor: Supervisor, task: Task | None, snapshot: Snapshot) -> Snapshot:
    """Records one that is whole, tells of it, and lets go of the oldest beyond what is to be
    kept."""
    number = await supervisor.store.add_snapshot(snapshot)
    snapshot = msgspec.structs.replace(snapshot, id=number)
    gone = await _thin_out(supervisor, snapshot)
    if task is not None:
        text = (
            f"heap snapshot {number}: {units.size(snapshot.bytes)} in "
            f"{units.duration(max(1.0, snapshot.seconds))}"
            f"{_grew(snapshot)}, {snapshot.path}; {_SECRETS}"
        )
        if gone:
            text += f"; {len(gone)} older deleted (config, [heap])"
        supervisor.ledger.note(task, "snapshot", text)
        supervisor.settle_soon()
    return snapshot


def _grew(snapshot: Snapshot) -> str:
    if not snapshot.extra_bytes:
        return ""
    return f", took {units.size(snapshot.extra_bytes)} of memory"


async def _of_task(supervisor: Supervisor, text: str, found: list[Snapshot]) -> list[Snapshot]:
    try:
        task_id = (await resolve(supervisor, text)).id
    except NoSuchTask:
        # forgotten: its snapshots are not
        ids = {one.task_id for one in found if text in (one.task_id, one.name)}
        if len(ids) != 1:
            raise
        task_id = ids.pop()
    return [one for one in found if one.task_id == task_id]


def _there(found: Sequence[Snapshot]) -> list[Snapshot]:
    return [one for one in found if os.path.lexists(one.path)]


async def _delete(supervisor: Supervisor, doomed: Sequence[Snapshot]) -> int:
    gone: list[int] = []
    try:
        for one in doomed:
            await asyncio.to_thread(Path(one.path).unlink, missing_ok=True)
            gone.append(one.id)
    except OSError as error:
        raise StorageTrouble(
            f"{one.path} cannot be deleted: {error.strerror or error}.",
            "Mend the permissions of its directory; it stays listed.",
        ) from error
    finally:
        await supervisor.store.delete_snapshots(gone)
    return len(gone)


async def _thin_out(supervisor: Supervisor, latest: Snapshot) -> list[int]:
    """Deletes the oldest beyond the configured number and bytes: never the one just taken, nor one
    that was written where the operator wanted it; their numbers."""
    keep = supervisor.config.heap
    ours = files.directory(supervisor.state, keep.directory)
    held = [one for one in await listed(supervisor, None) if Path(one.path).parent == ours]
    doomed, total = [], 0
    for count, one in enumerate(held, start=1):
        total += one.bytes
        if one.id != latest.id and (count > keep.keep_snapshots or total > keep.keep_bytes):
            doomed.append(one)
    if doomed:
        try:
            await _delete(supervisor, doomed)
        except StorageTrouble as trouble:
            supervisor.ledger.trouble = trouble
            return []
    return [one.id for one in doomed]
