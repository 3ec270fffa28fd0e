"""A leak hunt: what an expert does by hand, and the finding in words.

Collect, snapshot, wait, collect, snapshot, compare. It goes on when whoever asked hangs up, can be
ended at any moment but while a snapshot is written, and ends by itself where the next snapshot
would not fit. Whatever was taken stays.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, TypeVar

from msgspec.structs import replace

from heaptui import protocol
from heaptui.errors import HeaptuiError, Refused, StorageTrouble, UsageError
from heaptui.heap.answers import Diff, DiffRow, Leak, LeakAnswer
from heaptui.heap.reader import reader
from heaptui.model import Finding, Grower, ProcessHeap, Snapshot, State
from heaptui.supervisor import finding_words
from heaptui.supervisor.activities import Work
from heaptui.supervisor.collecting import collect_in
from heaptui.supervisor.hunt_waiting import ENDS, Underway, ended, gone, wait
from heaptui.supervisor.loop import Supervisor
from heaptui.supervisor.operations import resolve
from heaptui.supervisor.snapshots import plan, take
from heaptui.supervisor.task import Task
from heaptui.units import duration

LEAST_S, MOST_S = 1.0, 86400.0
GROWERS = 5
_REASON_MAX = 400
_COMPARING_S = 10.0
_COMPARING = 0.85
"""Of the whole hunt, where the comparison begins."""

_UNPAIRED = (
    "the program was too busy to take its own snapshots, and those that the inspector takes number "
    "their objects anew; hunt again when it is less busy"
)

T = TypeVar("T")


class Cancelled(Refused):
    """The operator ended it."""


async def hunt(supervisor: Supervisor, request: protocol.Hunt) -> Finding:
    """Hunts to the end.

    Raises:
        NoSuchTask: there is no such task.
        UsageError: a time to wait that cannot be meant.
        Refused: it does not run, no heap of it can be looked into, a hunt of it is under way, there
            is no room for the first snapshot, or the process ended meanwhile.
    """
    if not LEAST_S <= request.seconds <= MOST_S:
        raise UsageError(
            f"A hunt cannot wait for {request.seconds:g} seconds.",
            "Wait for one second up to a day: --for 2m.",
        )
    if request.requests is not None and request.requests < 1:
        raise UsageError(f"{request.requests} requests.", "Wait for one or more.")
    task = await resolve(supervisor, request.task)
    heap = _heap_of(task, request)
    if task.id in supervisor.hunts:
        raise Refused(
            f"A hunt of {task.name} is under way.", "Wait for its finding, or end it first."
        )
    under_way = Underway(
        supervisor, task, task.attempts, heap.pid, request, began_at=supervisor.clock()
    )
    work = asyncio.create_task(_see_through(under_way), name=f"hunt {task.id}")
    supervisor.hunts[task.id] = work
    work.add_done_callback(lambda _: supervisor.hunts.pop(task.id, None))
    return await asyncio.shield(work)


async def findings(supervisor: Supervisor, request: protocol.ListFindings) -> list[Finding]:
    """The findings of one task, or all, newest first.

    Raises:
        NoSuchTask: there is no such task.
    """
    task_id = None if request.task is None else (await resolve(supervisor, request.task)).id
    return await supervisor.store.findings(task_id)


def _heap_of(task: Task, request: protocol.Hunt) -> ProcessHeap:
    if request.attempt is not None and task.attempts != request.attempt:
        raise Refused(
            f"{task.name} is at attempt {task.attempts} now, not {request.attempt}.",
            "Look again, then hunt in what you see.",
        )
    if task.state is not State.RUNNING:
        raise Refused(f"{task.name} is {task.state}: there is no heap to look into.")
    if request.pid is None:
        found = task.largest_heap
    else:
        found = next((heap for heap in task.heaps if heap.pid == request.pid), None)
    if found is None:
        why = task.heap_absent or "none of its processes reports a heap"
        raise Refused(
            f"No heap of {task.name} can be looked into: {why}.",
            "Tasks started with heaptui's preload report theirs (not with --no-preload).",
        )
    if "snapshot" not in found.can:
        why = found.why.get("snapshot", "it does not say why")
        raise Refused(f"No snapshot of pid {found.pid} can be taken: {why}.")
    if request.requests is not None and found.requests is None:
        raise Refused(
            f"Pid {found.pid} does not count requests.", "Wait for a time instead: --for 2m."
        )
    return found


async def _see_through(hunt: Underway) -> Finding:
    """The whole hunt; how it ends stands in the task's history, whoever still listens."""
    supervisor, task, request = hunt.supervisor, hunt.task, hunt.request
    expected = await _expected_s(hunt)
    activities = supervisor.activities
    try:
        with activities.running(
            "hunt", "begins", task=task, expected_s=expected, cancel=hunt.cancelled.set
        ) as work:
            supervisor.ledger.note(task, "hunt", f"leak hunt begun: {_plan_of(request)}")
            finding = await _hunted(hunt, work)
    except HeaptuiError as error:
        supervisor.ledger.note(task, "hunt", f"leak hunt ended without a finding: {error.what}")
        if hunt.first is None:
            raise
        what = f"{error.what} Its first snapshot stays: {hunt.first.path}."
        raise type(error)(what, error.remedy) from error
    supervisor.ledger.note(task, "hunt", f"leak hunt: {finding.text}")
    try:
        finding = replace(finding, id=await supervisor.store.add_finding(finding))
        await supervisor.ledger.commit()
    except StorageTrouble as trouble:
        # it is told all the same: a finding takes minutes to come by
        supervisor.ledger.trouble = trouble
    return finding


async def _hunted(hunt: Underway, work: Work) -> Finding:
    work.tell(text="collects, then takes the first snapshot", fraction=0.0)
    await _collect(hunt)
    hunt.first_at = hunt.supervisor.clock()
    hunt.first = await _take(hunt)
    await wait(hunt, work)
    if not hunt.cancelled.is_set():
        work.tell(text="collects, then takes the second snapshot", fraction=ENDS)
        await _take_second(hunt)
    if hunt.second is None:
        return _finding(hunt, f"no finding: {hunt.cut_short or 'cancelled'}")
    return await _compared(hunt, work)


async def _collect(hunt: Underway) -> None:
    for collection in await collect_in(hunt.supervisor, hunt.task, hunt.pid):
        if collection.error is not None:
            raise Refused(f"Its garbage cannot be collected: {collection.error}")


async def _take(hunt: Underway) -> Snapshot:
    request = protocol.TakeSnapshot(
        task=hunt.task.id,
        attempt=hunt.attempt,
        pid=hunt.pid,
        raise_cap=hunt.request.raise_cap,
    )
    return await take(hunt.supervisor, request, why="hunt")


async def _take_second(hunt: Underway) -> None:
    """Or says why there is none: the first one stays worth something."""
    try:
        try:
            if hunt.first is not None and hunt.first.format != "v8":
                await _collect(hunt)
            # V8 collects by itself before it writes; a collection that the inspector has to do,
            # because the main thread is busy, would give every object another number
            await _take_and_date(hunt)
        except Refused:
            if gone(hunt):
                raise
            # collected, it may fit
            await _collect(hunt)
            await _take_and_date(hunt)
    except HeaptuiError as error:
        if gone(hunt):
            raise ended(hunt) from error
        hunt.cut(f"the second snapshot was not taken: {error.what}")


async def _take_and_date(hunt: Underway) -> None:
    hunt.second_at = hunt.supervisor.clock()
    hunt.second = await _take(hunt)


async def _compared(hunt: Underway, work: Work) -> Finding:
    assert hunt.first is not None
    assert hunt.second is not None
    work.tell(text="compares the two snapshots", fraction=_COMPARING)

    def progress(phase: str, fraction: float) -> None:
        work.tell(text=f"compares: {phase}", fraction=_COMPARING + (1 - _COMPARING) * fraction)

    asked = compare(Path(hunt.first.path), Path(hunt.second.path), progress)
    try:
        answer = await _unless_cancelled(asked, hunt)
    except HeaptuiError as error:
        said = " ".join(f"{error.what} {error.remedy}".split())[:_REASON_MAX]
        hunt.cut(f"the snapshots were not compared: {said}")
        return _finding(
            hunt,
            f"no finding: {hunt.cut_short}; `heaptui heap diff` compares the two later",
        )
    # while the first was written the program stood still
    stood_s = hunt.first.pause_s or 0.0
    seconds = max(0.001, hunt.second_at - hunt.first_at - stood_s)
    if isinstance(answer, LeakAnswer):
        return replace(
            _finding(
                hunt,
                finding_words.words(answer, seconds),
                finding_words.growers_of(answer, seconds),
            ),
            path=finding_words.path_of(answer.path),
            holder=answer.holder,
            function=answer.function,
            file=answer.file,
            line=answer.line,
        )
    rows, why = answer
    growers = finding_words.growers_by_class(rows, seconds, GROWERS)
    return _finding(hunt, finding_words.words_by_class(growers, seconds, why), growers)


async def compare(
    before: Path, after: Path, progress: Callable[[str, float], None]
) -> LeakAnswer | tuple[tuple[DiffRow, ...], str]:
    """What holds what grew; where only the plain engine is installed, or the objects of the two
    cannot be paired, what grew, and why that is all."""
    async with reader(before, after, progress=progress) as snapshots:
        try:
            answer = await snapshots.ask(Leak(most=GROWERS))
        except HeaptuiError as error:
            return await snapshots.ask(Diff(limit=GROWERS)), error.what
        if answer.paired:
            return answer
        return await snapshots.ask(Diff(limit=GROWERS)), _UNPAIRED


async def _unless_cancelled(work: Coroutine[Any, Any, T], hunt: Underway) -> T:
    doing = asyncio.ensure_future(work)
    ended = asyncio.ensure_future(hunt.cancelled.wait())
    try:
        await asyncio.wait([doing, ended], return_when=asyncio.FIRST_COMPLETED)
        if not doing.done():
            raise Cancelled("the operator ended it")
        return doing.result()
    finally:
        for one in (doing, ended):
            one.cancel()
        await asyncio.gather(doing, ended, return_exceptions=True)


def _finding(hunt: Underway, text: str, growers: tuple[Grower, ...] = ()) -> Finding:
    return Finding(
        id=0,
        task_id=hunt.task.id,
        attempt=hunt.attempt,
        name=hunt.task.name,
        pid=hunt.pid,
        at=hunt.supervisor.clock(),
        seconds=max(0.0, hunt.supervisor.clock() - hunt.began_at),
        text=text,
        growers=growers,
        before=hunt.first.id if hunt.first else None,
        after=hunt.second.id if hunt.second else None,
        cut_short=hunt.cut_short,
    )


def _plan_of(request: protocol.Hunt) -> str:
    if request.requests is not None:
        return f"{request.requests} requests, at most {duration(request.seconds)}"
    return f"waits {duration(request.seconds)}"


async def _expected_s(hunt: Underway) -> float:
    planned = await plan(hunt.supervisor, protocol.PlanSnapshot(task=hunt.task.id, pid=hunt.pid))
    return hunt.request.seconds + 2 * (planned.seconds or 1.0) + _COMPARING_S
