"""What an operator may ask: each function one call of the protocol, over the supervisor's loop."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from contextlib import suppress

import msgspec

from heaptui import output, protocol
from heaptui.engine.base import processes_of
from heaptui.errors import HeaptuiError, NoSuchTask, Refused, StorageTrouble, UsageError
from heaptui.model import (
    AttemptRecord,
    Detail,
    Host,
    ProcessSample,
    Row,
    Series,
    State,
)
from heaptui.supervisor.draining import drain
from heaptui.supervisor.lasting import seen_through
from heaptui.supervisor.launching import remove_files
from heaptui.supervisor.loop import POLICY, Supervisor
from heaptui.supervisor.machine import Trigger, may
from heaptui.supervisor.metrics import Gauge
from heaptui.supervisor.splitting import families, retrying
from heaptui.supervisor.splitting.forgetting import whole_families
from heaptui.supervisor.splitting.kinship import builders_first, over
from heaptui.supervisor.task import Task, revived

LISTED_MOST = 20_000
_DRAINED = (State.RUNNING, State.RECYCLING, State.SPLITTING)


async def resolve(supervisor: Supervisor, text: str) -> Task:
    """The one task that an id, the beginning of one, or a name means.

    Raises:
        NoSuchTask: none fits, or several do.
    """
    held = supervisor.ledger.get(text)
    if held is not None:
        return held
    fits = _meant(supervisor.ledger.tasks.values(), text)
    unended = [task for task in fits.values() if not task.state.ended]
    if len(unended) == 1:
        return unended[0]
    for stored in await supervisor.store.find(text):
        if stored.id == text:
            return revived(stored)
        fits.setdefault(stored.id, revived(stored))
    fits = _meant(fits.values(), text)
    if len(fits) == 1:
        return next(iter(fits.values()))
    if not fits:
        raise NoSuchTask(
            f"No task fits {text[:60]!r}.",
            "`heaptui ps --all` lists them; an id, its beginning or a name will do.",
        )
    some = ", ".join(f"{task.id} ({task.name[:30]}, {task.state})" for task in _newest(fits)[:5])
    raise NoSuchTask(f"{text[:60]!r} fits {len(fits)} tasks.", f"Name one by its id: {some}.")


def _meant(tasks: Iterable[Task], text: str) -> dict[str, Task]:
    """Those of that name, else those whose id begins so: a short name is soon the beginning of
    some id as well, and the name is what was meant."""
    among = list(tasks)
    named = [task for task in among if task.name == text]
    begun = [task for task in among if len(text) >= 2 and task.id.startswith(text)]
    return {task.id: task for task in named or begun}


async def resolve_all(supervisor: Supervisor, names: Sequence[str]) -> list[Task]:
    """The tasks that these mean. A name that several copies share, `scan` of `scan/1` and
    `scan/2`, means all of them that are held.

    Raises:
        NoSuchTask: one means nothing, or too much.
    """
    found: dict[str, Task] = {}
    held = supervisor.ledger.tasks
    for text in names:
        copies = [task for task in held.values() if task.name.startswith(f"{text}/")]
        if text in held or any(task.name == text for task in held.values()):
            copies = []
        for task in copies or [await resolve(supervisor, text)]:
            found.setdefault(task.id, task)
    return list(found.values())


def _newest(fits: dict[str, Task]) -> list[Task]:
    return sorted(fits.values(), key=lambda task: -task.created_at)


async def tasks(supervisor: Supervisor, request: protocol.ListTasks) -> list[Row]:
    """The unended ones, oldest first; with `all` the ended ones of the store too; with `ids` those
    that are held in memory."""
    if request.ids:
        held = (supervisor.ledger.get(task_id) for task_id in request.ids)
        return [task.row() for task in held if task is not None]
    live = [task for task in supervisor.ledger.tasks.values() if not task.state.ended]
    if not request.all:
        return [task.row() for task in sorted(live, key=lambda task: task.order)]
    rows = {task.id: task.row() for task in supervisor.ledger.tasks.values()}
    for stored in await supervisor.store.all_tasks(LISTED_MOST):
        if stored.id not in rows:
            rows[stored.id] = revived(stored).row()
    return sorted(rows.values(), key=lambda row: row.created_at)


async def show(supervisor: Supervisor, text: str, events: int) -> Detail:
    task = await resolve(supervisor, text)
    with suppress(StorageTrouble):  # shown in the header; what is stored can be told all the same
        await supervisor.ledger.commit()
    processes: tuple[ProcessSample, ...] = ()
    if task.state.live:
        try:
            answer = await supervisor.engine.command(task.id, "processes", {}, 5)
            processes = tuple(processes_of(answer))
        except NoSuchTask:
            pass  # it ended between the look and the question
    path = supervisor.state.output(task.id, task.attempts)
    written = task.attempts > 0 and await asyncio.to_thread(path.exists)
    return Detail(
        row=task.row(),
        attempts=tuple(_current(one, task) for one in await supervisor.store.attempts(task.id)),
        events=tuple(await supervisor.store.events(task.id, max(0, min(events, 5000)))),
        processes=processes,
        heaps=task.heaps,
        env_names=tuple(sorted(task.spec.env)),
        output_path=str(path) if written else None,
        output_given_back=await asyncio.to_thread(output.given_back, path) if written else 0,
        launch=task.launch,
    )


def _current(record: AttemptRecord, task: Task) -> AttemptRecord:
    """What is stored of a live attempt is its beginning: the rest is in memory."""
    if record.attempt != task.attempts or not task.state.live:
        return record
    return msgspec.structs.replace(task.attempt_record(task.state), id=record.id)


async def history(supervisor: Supervisor, limit: int, match: str) -> list[AttemptRecord]:
    return await supervisor.store.history(max(1, min(limit, LISTED_MOST)), match)


async def series(supervisor: Supervisor, text: str, span_s: float) -> Series:
    """From memory while the task is held; from the one-minute roll-ups afterwards."""
    task = await resolve(supervisor, text)
    if task.gauge is not None:
        return task.gauge.series(task.id, span_s)
    rollups = await supervisor.store.rollups(task.id, 0)
    if not rollups:
        return Gauge().series(task.id, span_s)
    by_minute = {rollup.minute: rollup for rollup in rollups}
    newest = max(by_minute)
    minutes = range(max(min(by_minute), newest - int(span_s // 60)), newest + 1)
    found = [by_minute.get(minute) for minute in minutes]
    return Series(
        task_id=task.id,
        step_s=60,
        until=newest * 60 + 59,
        low=tuple(one.low if one else None for one in found),
        high=tuple(one.high if one else None for one in found),
    )


async def stop(supervisor: Supervisor, request: protocol.Stop) -> list[Row]:
    """Stops each; one that ended meanwhile is left as it is, one whose attempt changed is refused
    before anything is touched. Of a task that was split what came of it is stopped. Of those that
    drain, one that does not run yet is simply stopped."""
    found = await resolve_all(supervisor, request.tasks)
    of_attempts(found, request.attempts, "then stop what you see")
    reached = _reached(supervisor, found)
    if request.drain and not request.now:
        await seen_through(_drain_all(supervisor, reached, request.grace_s))
        return [task.row() for task in found]
    chosen: dict[Task, float] = {}
    for task in reached:
        if not may(task.state, Trigger.STOP):
            continue
        grace = task.spec.limits.grace_s if request.grace_s is None else request.grace_s
        chosen[task] = 0.0 if request.now else max(0.0, grace)
    await seen_through(supervisor.stop(chosen, "kill" if request.now else "stop"))
    return [task.row() for task in found]


def _reached(supervisor: Supervisor, found: Iterable[Task]) -> list[Task]:
    """What a stop of these stops, in the order in which it does."""
    reached: dict[str, Task] = {}
    for task in found:
        for one in families.descendants(task) if task.state is State.SPLIT else [task]:
            families.spare(supervisor, one, "it was to be stopped")
            reached[one.id] = one
    return builders_first(reached.values())


async def _drain_all(
    supervisor: Supervisor, reached: Sequence[Task], grace_s: float | None
) -> None:
    draining = [task for task in reached if task.state in _DRAINED]
    others = {
        task: task.spec.limits.grace_s
        for task in reached
        if task.state not in (*_DRAINED, State.STOPPING) and may(task.state, Trigger.STOP)
    }
    # first, else what waits would take the places of those that end
    await supervisor.stop(others, "stop")
    await _drain(supervisor, draining, grace_s)


async def _drain(supervisor: Supervisor, chosen: Sequence[Task], grace_s: float | None) -> None:
    """Asks each to finish what it has in hand and end for good; those that have ended are left as
    they are."""
    asked: list[tuple[Task, int, float]] = []
    for task in chosen:
        if not may(task.state, Trigger.STOP):
            continue
        grace = supervisor.config.policy.of(task.spec.kind).drain_s if grace_s is None else grace_s
        grace = max(0.0, grace)
        asked.append((task, task.attempts, grace))
        supervisor.ledger.stop(task, "drain", supervisor.clock() + grace)
        task.doing = "drains"
        text = f"drain: finishes what it has in hand; TERM to its tree in {grace:.0f} s"
        supervisor.ledger.note(task, "stop", text)
    # the intention first, so that it outlives us; a full disk keeps nobody from stopping
    with suppress(StorageTrouble):
        await supervisor.ledger.commit()
    await asyncio.gather(
        *(
            drain(supervisor.engine, task, grace)
            for task, attempt, grace in asked
            # it may have ended meanwhile, or be stopped at once by now
            if task.attempts == attempt and task.stop_why == "drain" and task.state.live
        )
    )
    supervisor.settle_soon()


def of_attempts(found: Sequence[Task], attempts: Sequence[int] | None, then: str) -> None:
    """What a dialog showed is what is touched.

    Raises:
        Refused: one is in another attempt by now; `then` ends the advice.
    """
    for task, attempt in zip(found, attempts or [], strict=False):
        if task.attempts != attempt:
            raise Refused(
                f"{task.name} is at attempt {task.attempts} now, not {attempt}: left as it is.",
                f"Look again, {then}.",
            )


async def retry(supervisor: Supervisor, request: protocol.Retry) -> list[Row]:
    """Queues ended tasks again; one that is not ended, or whose last attempt is not the one meant,
    is left as it is, and so are copies that are done when their common name was given. Of a task
    that was split those children are queued that are not done, and one that waited for the task
    that is queued waits anew.

    Raises:
        NoSuchTask: one means nothing, or too much.
        Refused: a part builds on one that will not be done; nothing is queued.
        StorageTrouble: the store cannot be read; or they are queued, and that is not stored yet.
    """
    found = await resolve_all(supervisor, request.tasks)
    if len(found) > len(request.tasks):
        found = [task for task in found if task.state is not State.DONE]
    meant = dict(zip(found, request.attempts or [], strict=False))
    known: dict[Task, retrying.Family] = {}
    for task in found:
        if task.state.ended:
            await supervisor.environments.get(task.environment)
        known[task] = await retrying.look_up(supervisor, task)
    held: list[Task] = []
    chosen: list[Task] = []
    for task, family in known.items():
        held.append(one := retrying.take_in(supervisor.ledger, task, family))
        if one.state.ended and meant.get(task, one.attempts) == one.attempts:
            chosen.append(one)
    again = retrying.plan(supervisor.ledger, chosen)
    await seen_through(_requeue(supervisor, again))
    return [task.row() for task in held]


async def _requeue(supervisor: Supervisor, again: retrying.Again) -> None:
    queued = retrying.begin(supervisor, again)
    try:
        await supervisor.ledger.commit()
    finally:
        # stored or not yet: the end that came before is, so another attempt may begin
        for task in queued:
            if task.state is State.QUEUED:
                supervisor.ledger.enqueue(task)
        for parent in again.reopen.values():
            families.settle_soon(supervisor, parent)
        await supervisor.tell_unended()
        supervisor.dispatch.wake.set()


async def forget(supervisor: Supervisor, names: Sequence[str]) -> int:
    """Deletes ended tasks with everything they left, and what they were split into.

    Raises:
        NoSuchTask: one means nothing, or too much.
        Refused: one has not ended, or is a part of one that stays.
    """
    found = await resolve_all(supervisor, names)
    for task in found:
        if not task.state.ended:
            raise Refused(f"{task.name} is {task.state}, not ended.", "Stop it first.")
    ids = await whole_families(supervisor, found)
    # who hangs up now has deleted them all the same: no output is left without its record
    return await seen_through(_forget(supervisor, ids))


async def _forget(supervisor: Supervisor, ids: Sequence[str]) -> int:
    await supervisor.ledger.commit()
    gone = await supervisor.store.forget(ids)
    for task_id in ids:
        if (held := supervisor.ledger.get(task_id)) is None or held.state.ended:
            supervisor.ledger.forgotten(task_id)
            await asyncio.to_thread(remove_files, supervisor.state, task_id)
    await supervisor.clear_environments()
    return gone


async def dispatch(supervisor: Supervisor, request: protocol.Dispatch) -> Host:
    if request.concurrency is not None:
        if not 1 <= request.concurrency <= 100_000:
            raise UsageError(f"{request.concurrency} places.", "Choose 1 to 100000.")
        supervisor.dispatch.concurrency = request.concurrency
        await supervisor.store.set_meta("concurrency", str(request.concurrency))
    if request.policy is not None:
        supervisor.set_policy(request.policy)
        await supervisor.store.set_meta(POLICY, request.policy)
    if request.paused is not None:
        supervisor.dispatch.paused = request.paused
        await supervisor.store.set_meta("paused", "1" if request.paused else None)
    if request != protocol.Dispatch():
        supervisor.header_changed()
        supervisor.dispatch.wake.set()
    return supervisor.gallery.host


async def settled(supervisor: Supervisor, names: Sequence[str]) -> list[Row]:
    """Returns when every one of them has ended and that is stored."""
    found = [await resolve(supervisor, text) for text in names]
    watcher = supervisor.gallery.enter()
    try:
        while not all(map(over, found)):
            await watcher.stirred()
        # what a waiter is told must be true after a crash as well
        while True:
            try:
                await supervisor.ledger.commit()
                break
            except HeaptuiError:
                await watcher.stirred()
    finally:
        supervisor.gallery.leave(watcher)
    return [task.row() for task in found]
