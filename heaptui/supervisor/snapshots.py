"""A heap snapshot: what it would take, and taking it.

A snapshot costs the process memory, up to many times its heap. It is begun only where there is room
for that: under the task's cap, which may be raised meanwhile, on the machine, and on the disk.
"""

from __future__ import annotations

import asyncio
import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from heaptui import protocol, units
from heaptui.engine.base import Working
from heaptui.errors import HeaptuiError, NoSuchTask, Refused
from heaptui.memory.identity import alive, identify
from heaptui.model import CapMeans, HostSample, ProcessHeap, Snapshot, SnapshotPlan, State
from heaptui.supervisor import snapshot_files as files
from heaptui.supervisor.activities import Work
from heaptui.supervisor.collecting import SILENT_S, heaps_of
from heaptui.supervisor.estimates import Estimate, estimate, format_of
from heaptui.supervisor.headroom import (
    ASK,
    FITS,
    RAISE,
    RAISE_RESERVE,
    REFUSED,
    Judgement,
    Room,
    judge,
)
from heaptui.supervisor.lasting import seen_through
from heaptui.supervisor.loop import Supervisor
from heaptui.supervisor.operations import of_attempts, resolve
from heaptui.supervisor.rooms import Promise
from heaptui.supervisor.snapshot_shelf import followed, keep
from heaptui.supervisor.snapshots_begun import Begun
from heaptui.supervisor.task import Task
from heaptui.wire import Written

RESERVE_SHARE = 0.05
RESERVE_LEAST = 256 * units.MIB
"""Of the machine's memory: left to everything else while a snapshot is written."""

DISK_RESERVE = 64 * units.MIB
"""Of the disk: heaptui's own records must go on being stored."""

FRESH_WITHIN_S = 2.5
"""After that the figures there are have to do."""

_TIMES_LONGER = 10
_WITHIN_LEAST_S = 600.0


@dataclass(frozen=True, slots=True)
class _Planned:
    plan: SnapshotPlan
    promise: Promise


async def plan(supervisor: Supervisor, request: protocol.PlanSnapshot) -> SnapshotPlan:
    """What a snapshot would take now, with the room there is beside those under way.

    Raises:
        NoSuchTask: the task cannot be found.
        Refused: it has no heap that can be written, or the path cannot be taken.
        StorageTrouble: the directory of snapshots cannot be made.
    """
    task = await resolve(supervisor, request.task)
    writable(task, request.pid)
    await _look_again(supervisor, task)
    heap = writable(task, request.pid)
    path = await _path(supervisor, task, heap, request.path)
    return (await _planned(supervisor, task, heap, path)).plan


async def take(
    supervisor: Supervisor, request: protocol.TakeSnapshot, why: str = "operator"
) -> Snapshot:
    """Takes one, when it is its turn; returns when it is written and recorded. Who hangs up
    meanwhile does not end it.

    Raises:
        NoSuchTask: the task cannot be found.
        Refused: there is no room, or what there is was not allowed to be used; it is in another
            attempt; it was cancelled while it waited; its process could not write it.
        StorageTrouble: the directory of snapshots cannot be made.
        HeaptuiError: the process ended while it wrote.
    """
    task = await resolve(supervisor, request.task)
    if request.attempt is not None:
        of_attempts([task], [request.attempt], "then take the snapshot of what you see")
    heap = writable(task, request.pid)
    path = await _path(supervisor, task, heap, request.path)
    return await seen_through(_take(supervisor, task, heap, path, request, why))


def writable(task: Task, pid: int | None) -> ProcessHeap:
    """The largest heap of the task that can be written, or that of `pid`.

    Raises:
        Refused: there is none; the reason is in it.
    """
    if task.state is State.STOPPING:
        raise Refused(f"{task.name} is being stopped.", "Take snapshots of tasks that run.")
    heaps = heaps_of(task, pid)
    able = [heap for heap in heaps if "snapshot" in heap.can]
    if not able:
        why = heaps[0].why.get("snapshot", "its runtime offers none")
        raise Refused(f"{task.name}: no snapshot of its heap can be taken: {why}.", "")
    return max(able, key=lambda heap: heap.used_bytes or 0)


# --- planning ------------------------------------------------------------------------------------
async def _path(supervisor: Supervisor, task: Task, heap: ProcessHeap, asked: str | None) -> Path:
    ours = files.directory(supervisor.state, supervisor.config.heap.directory)
    name = files.named(
        heap.runtime, task.name, task.id, task.attempts, heap.pid, supervisor.clock()
    )
    return await asyncio.to_thread(files.place, asked, ours, name)


async def _planned(supervisor: Supervisor, task: Task, heap: ProcessHeap, path: Path) -> _Planned:
    earlier = await supervisor.store.costs(heap.runtime)
    heap = next((one for one in task.heaps if one.pid == heap.pid), heap)
    need = estimate(heap, task.id, task.name, earlier)
    try:
        free, device = await asyncio.to_thread(files.room_on_disk, path)
    except OSError as error:
        raise Refused(
            f"{path.parent} cannot be looked at: {error.strerror or error}.", "Name another."
        ) from error
    disk = max(0, free - DISK_RESERVE - supervisor.rooms.disk(device))
    room = _room(supervisor, task, disk)
    judged = judge(need, room, supervisor.config.heap.raise_cap)
    memory = need.extra_bytes
    if judged.raise_to_bytes is not None:
        # all of a raised cap may come to be used
        memory = max(memory, judged.raise_to_bytes - room.memory_bytes - room.promised_bytes)
    promise = Promise(memory=memory, disk=need.file_bytes, device=device)
    return _Planned(_as_plan(task, heap, need, room, judged, path), promise)


def _room(supervisor: Supervisor, task: Task, disk: int) -> Room:
    sample, host, promised = task.sample, supervisor.host, supervisor.rooms.memory()
    return Room(
        memory_bytes=sample.memory_bytes if sample else 0,
        cap_bytes=task.cap_in_force,
        may_rise=_may_rise(task.cap_means),
        promised_bytes=supervisor.rooms.memory(task.id),
        total_bytes=None if host is None else host.mem_total_bytes,
        available_bytes=_available(host, promised, RESERVE_SHARE),
        raisable_bytes=_available(host, promised, RAISE_RESERVE),
        disk_bytes=disk,
    )


def _may_rise(means: CapMeans | None) -> bool:
    # only root may raise the limit of a process that has one
    return means is not None and (means is not CapMeans.RLIMIT or os.geteuid() == 0)


def _available(host: HostSample | None, promised: int, share: float) -> int | None:
    if host is None:
        return None
    reserve = max(RESERVE_LEAST, round(host.mem_total_bytes * share))
    return max(0, host.mem_available_bytes - reserve - promised)


def _as_plan(
    task: Task, heap: ProcessHeap, need: Estimate, room: Room, judged: Judgement, path: Path
) -> SnapshotPlan:
    return SnapshotPlan(
        task_id=task.id,
        attempt=task.attempts,
        name=task.name,
        pid=heap.pid,
        runtime=heap.runtime,
        verdict=judged.verdict,
        text=judged.text,
        basis=need.basis,
        heap_bytes=heap.used_bytes,
        seconds=need.seconds,
        extra_bytes=need.extra_bytes,
        file_bytes=need.file_bytes,
        cap_room_bytes=room.under_cap,
        host_room_bytes=room.available_bytes,
        disk_room_bytes=room.disk_bytes,
        raise_to_bytes=judged.raise_to_bytes,
        directory=str(path.parent),
        reasons=judged.reasons,
    )


# --- taking --------------------------------------------------------------------------------------
async def _take(
    supervisor: Supervisor,
    task: Task,
    heap: ProcessHeap,
    path: Path,
    request: protocol.TakeSnapshot,
    why: str,
) -> Snapshot:
    attempt, doing = task.attempts, asyncio.current_task()
    assert doing is not None
    with (
        supervisor.rooms.asked(task.id, heap.pid),
        supervisor.activities.running(
            "snapshot", "looks for room", task, cancel=lambda: _cancel(doing)
        ) as work,
    ):
        planned = await _turn(supervisor, task, heap, path, request, work)
        work.keep()
        if not task.state.live or task.attempts != attempt:
            raise Refused(f"{task.name} ended before it was its turn.", "")
        with supervisor.rooms.promised(task.id, heap.pid, planned.promise):
            plan = planned.plan
            # with `always` the plan fits, and rests on a raise all the same
            rise = request.raise_cap or plan.verdict == FITS
            if not rise:
                plan = msgspec.structs.replace(plan, raise_to_bytes=None)
            written, extra = await _write(supervisor, task, heap, path, plan, work)
    snapshot = Snapshot(
        id=0,
        task_id=task.id,
        attempt=attempt,
        name=task.name,
        pid=heap.pid,
        runtime=heap.runtime,
        version=heap.version,
        format=format_of(heap.runtime),
        at=supervisor.clock(),
        path=str(path),
        bytes=await asyncio.to_thread(files.size_if_whole, path, format_of(heap.runtime)),
        seconds=written.took_ms / 1000,
        pause_s=written.pause_ms / 1000,
        heap_bytes=written.used or heap.used_bytes,
        rss_bytes=heap.rss_bytes,
        extra_bytes=extra,
        why=why,
    )
    return await keep(supervisor, task, snapshot)


def _cancel(doing: asyncio.Task[Any]) -> None:
    doing.cancel()


async def _turn(
    supervisor: Supervisor,
    task: Task,
    heap: ProcessHeap,
    path: Path,
    request: protocol.TakeSnapshot,
    work: Work,
) -> _Planned:
    """Waits while others that are being written take the room; nothing is awaited between the last
    look and the promise that rests on it.

    Raises:
        Refused: there is none, though no other one is being written.
    """
    rooms = supervisor.rooms
    while True:
        await _look_again(supervisor, task)
        planned = await _planned(supervisor, task, heap, path)
        if not rooms.full:
            try:
                _allow(planned.plan, request)
            except Refused:
                if rooms.empty:
                    raise
            else:
                return planned
        work.tell(text="waits until another snapshot is written")
        await rooms.one_less()


async def _look_again(supervisor: Supervisor, task: Task) -> None:
    """Figures of this moment: a heap that fills is a second later another one."""
    with suppress(HeaptuiError, TimeoutError):
        async with asyncio.timeout(FRESH_WITHIN_S):
            await supervisor.engine.command(task.id, "heaps", {}, FRESH_WITHIN_S)
            await supervisor.next_sample()


def _allow(planned: SnapshotPlan, request: protocol.TakeSnapshot) -> None:
    """Raises:
    Refused: it is not allowed to go on with this plan.
    """
    name, text = planned.name, planned.text
    if planned.verdict == REFUSED:
        raise Refused(
            f"No snapshot of {name} ({planned.pid}): it {text}.",
            "\n".join(planned.reasons),
        )
    if planned.verdict == RAISE and not request.raise_cap:
        raise Refused(
            f"A snapshot of {name} ({planned.pid}) {text}.",
            'Allow that: `--raise-cap`, or `raise_cap = "always"` under [heap] in the '
            "configuration.",
        )
    if planned.verdict == ASK and not request.insist:
        raise Refused(
            f"A snapshot of {name} ({planned.pid}) may not fit: it {text}.",
            "It ends the task when it does not. Insist: `--yes`"
            + (", with `--raise-cap`." if planned.raise_to_bytes else "."),
        )
    assert planned.verdict in (FITS, RAISE, ASK)


async def _write(
    supervisor: Supervisor,
    task: Task,
    heap: ProcessHeap,
    path: Path,
    planned: SnapshotPlan,
    work: Work,
) -> tuple[Written, int | None]:
    """The file stands whole at `path`, or nothing of it is left. Also says how much the process
    grew."""
    loop = asyncio.get_running_loop()
    began, expected = loop.time(), planned.seconds or 1.0
    work.expect(expected)
    writes = f"writes a snapshot, heap of {units.size(planned.heap_bytes)}"
    work.tell(text=writes)

    silence = loop.call_later(
        SILENT_S, lambda: work.tell(text="it says nothing: is it stopped (SIGSTOP)?")
    )

    def heard(event: Working) -> None:
        silence.cancel()
        if event.phase == "waiting":
            work.tell(text="waits for a native call to return")
            return
        elapsed = (loop.time() - began) / expected
        filed = event.written / max(1, planned.file_bytes or 1)
        size = f", {units.size(event.written)} written" if event.written else ""
        work.tell(
            text=f"{writes}{size}",
            fraction=min(0.99, max(elapsed, filed)),
        )

    rise = planned.raise_to_bytes
    if rise is not None and rise <= (task.cap_in_force or 0):
        rise = None
    within_s = max(_WITHIN_LEAST_S, _TIMES_LONGER * expected)
    begun = Begun(
        task_id=task.id,
        attempt=task.attempts,
        name=task.name,
        pid=heap.pid,
        runtime=heap.runtime,
        version=heap.version,
        at=supervisor.clock(),
        path=str(path),
        heap_bytes=heap.used_bytes,
        rss_bytes=heap.rss_bytes,
    )
    process = identify(heap.pid)
    async with (
        supervisor.caps.raised(task, rise, "while a heap snapshot is written"),
        supervisor.begun.noted(begun),
    ):
        with supervisor.phases.followed(task.id, heap.pid, "snapshot", heard):
            try:
                answer = await supervisor.engine.command(
                    task.id, "snapshot", {"pid": heap.pid, "path": str(path)}, within_s
                )
            except TimeoutError:
                supervisor.begin(followed(supervisor, begun), f"snapshot of {task.id}")
                raise Refused(
                    f"{task.name} has not written its snapshot within {units.duration(within_s)}.",
                    f"It may yet: look at {path}.",
                ) from None
            except HeaptuiError as error:
                # its connection tells of its end sooner than whoever reaps it
                ended = process is not None and not alive(process)
                failed = _not_written(task, begun, error, ended=ended)
                if not isinstance(failed, Refused):
                    await asyncio.to_thread(files.part(path).unlink, missing_ok=True)
                elif await asyncio.to_thread(files.part(path).exists):
                    # it lost its connection, and writes on
                    supervisor.begin(followed(supervisor, begun), f"snapshot of {task.id}")
                raise failed from error
            finally:
                silence.cancel()
    return _understood(answer)


def _understood(answer: dict[str, Any]) -> tuple[Written, int | None]:
    extra = answer.get("extra_bytes")
    return msgspec.convert(answer, Written), extra if isinstance(extra, int) else None


def _not_written(task: Task, begun: Begun, error: HeaptuiError, *, ended: bool) -> HeaptuiError:
    over = isinstance(error, NoSuchTask) or not task.state.live or task.attempts != begun.attempt
    if not (over or ended):
        return Refused(f"{task.name} wrote no snapshot: {error.what}", error.remedy)
    return HeaptuiError(
        f"Process {begun.pid} of {task.name} ended while its heap snapshot was being written; "
        "nothing is left of it.",
        f"`heaptui show {task.id}` says why it ended.",
    )
