"""Garbage collection on demand: in every heap that is meant, all at once."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import NamedTuple

import msgspec

from heaptui import protocol, units
from heaptui.engine.base import Working
from heaptui.errors import HeaptuiError, NoSuchTask, Refused
from heaptui.model import Collection, ProcessHeap
from heaptui.supervisor.activities import Work
from heaptui.supervisor.lasting import seen_through
from heaptui.supervisor.loop import Supervisor
from heaptui.supervisor.operations import of_attempts, resolve_all
from heaptui.supervisor.task import Task
from heaptui.wire import Collected

WITHIN_S = 300.0
"""A native call may take its time; the activity can be ended earlier."""

SILENT_S = 10.0
"""Of a process that says nothing at all, not even that it waits."""

NOTHING = 0.02
"""A heap that shrank by less than this gave nothing back worth the name."""

_NOTHING_OF_SMALL = 0.05
_FEW = 2 * units.MIB
"""Of a small heap, what any collection finds."""

ADVICE = ", a snapshot tells what holds it"
"""For an operator who collected; a hunt takes its snapshots by itself."""

_NATIVE = "waits for a native call to return"
_LONG_WAIT_S = 1.0


class Telling(NamedTuple):
    """How a collection stands in the history: the event's kind, what is said in place of the task's
    name, and what follows when nothing came back."""

    kind: str = "gc"
    who: str = ""
    advice: str = ""


BY_ITSELF = Telling()


async def collect(supervisor: Supervisor, request: protocol.Collect) -> list[Collection]:
    """In every heap of these tasks, or in that of `pid` alone; one for each process asked, and one
    with the reason for each task that has none.

    Raises:
        NoSuchTask: one means nothing, or too much.
        Refused: an attempt is not the one meant, or none of the tasks has a heap to collect.
    """
    found = await resolve_all(supervisor, request.tasks)
    of_attempts(found, request.attempts, "then collect what you see")
    chosen: list[tuple[Task, list[ProcessHeap]]] = []
    refused: list[tuple[Task, Refused]] = []
    for task in found:
        try:
            chosen.append((task, collectable(task, request.pid)))
        except Refused as why:
            refused.append((task, why))
    if not chosen:
        raise refused[0][1]
    done = await seen_through(_collect_all(supervisor, chosen, Telling(advice=ADVICE)))
    return [*done, *(_impossible(task, why) for task, why in refused)]


async def collect_in(
    supervisor: Supervisor, task: Task, pid: int | None, telling: Telling = BY_ITSELF
) -> list[Collection]:
    """In every heap of this task, or in that of `pid` alone, for what heaptui does by itself.

    Raises:
        Refused: it has no heap that can be collected; the reason is in it.
    """
    return await seen_through(_collect_all(supervisor, [(task, collectable(task, pid))], telling))


def collectable(task: Task, pid: int | None) -> list[ProcessHeap]:
    """The heaps of the task that can be collected, or that of `pid`.

    Raises:
        Refused: there is none.
    """
    heaps = heaps_of(task, pid)
    able = [heap for heap in heaps if "gc" in heap.can]
    if not able:
        why = heaps[0].why.get("gc", "its runtime offers none")
        raise Refused(f"{task.name}: garbage cannot be collected on demand: {why}.", "")
    return able


def heaps_of(task: Task, pid: int | None) -> list[ProcessHeap]:
    """What the task's processes report, or the process `pid` alone.

    Raises:
        Refused: nothing, with the reason and what to do.
    """
    if not task.state.live:
        raise Refused(
            f"{task.name} is {task.state}: it has no heap to look into.",
            "Retry it, or choose a task that runs.",
        )
    if not task.heaps:
        raise Refused(
            f"{task.name} shows no heap: {task.heap_absent or 'nothing has reported one yet'}.",
            "Node 18 and newer and Python 3.8 and newer report theirs when launched by heaptui; "
            "`heaptui inspect PID` looks into others.",
        )
    heaps = [heap for heap in task.heaps if pid in (None, heap.pid)]
    if not heaps:
        known = ", ".join(str(heap.pid) for heap in task.heaps)
        raise Refused(f"Process {pid} of {task.name} reports no heap.", f"These do: {known}.")
    return heaps


async def _collect_all(
    supervisor: Supervisor, chosen: list[tuple[Task, list[ProcessHeap]]], telling: Telling
) -> list[Collection]:
    async with asyncio.TaskGroup() as group:
        doing = [
            group.create_task(_collect(supervisor, task, heap, telling, alone=len(heaps) == 1))
            for task, heaps in chosen
            for heap in heaps
        ]
    done = [one.result() for one in doing]
    with suppress(HeaptuiError):  # a full disk is shown in the header
        await supervisor.ledger.commit()
    return done


async def _collect(
    supervisor: Supervisor, task: Task, heap: ProcessHeap, telling: Telling, *, alone: bool
) -> Collection:
    meant = telling.who or task.name
    who = meant if alone else f"{meant} ({heap.pid})"
    loop = asyncio.get_running_loop()
    attempt, began = task.attempts, loop.time()
    given_up, news = asyncio.Event(), asyncio.Event()
    with supervisor.activities.running("gc", "collects garbage", task, cancel=given_up.set) as work:

        def heard(event: Working) -> None:
            news.set()
            work.tell(text=_NATIVE if event.phase == "waiting" else "collects garbage")

        with supervisor.phases.followed(task.id, heap.pid, "gc", heard):
            try:
                collected = await _answer(supervisor, task, heap, given_up, news)
            except HeaptuiError as error:
                return _failed(task, attempt, heap, f"{who}: not collected: {error.what}")
            except TimeoutError:
                return _failed(task, attempt, heap, f"{who}: {_unanswered(work, given_up)}")
    took_s = loop.time() - began
    text = sentence(who, collected, took_s, telling.advice)
    if task.attempts == attempt and task.state.live:
        supervisor.ledger.note(task, telling.kind, text)
        supervisor.settle_soon()
    return Collection(
        task_id=task.id,
        attempt=attempt,
        pid=heap.pid,
        runtime=heap.runtime,
        text=text,
        flavour=collected.flavour,
        took_s=took_s,
        pause_s=collected.pause_ms / 1000,
        heap_before=collected.used_before,
        heap_after=collected.used_after,
        rss_before=collected.rss_before,
        rss_after=collected.rss_after,
    )


async def _answer(
    supervisor: Supervisor,
    task: Task,
    heap: ProcessHeap,
    given_up: asyncio.Event,
    news: asyncio.Event,
) -> Collected:
    """Raises TimeoutError when none came, or the operator no longer waits for it; early, when
    nothing at all was heard: a process that lives says at least that it waits."""
    asked = asyncio.ensure_future(
        supervisor.engine.command(task.id, "gc", {"pid": heap.pid}, WITHIN_S)
    )
    ended = asyncio.ensure_future(given_up.wait())
    alive = asyncio.ensure_future(news.wait())
    try:
        await asyncio.wait(
            (asked, ended, alive), timeout=SILENT_S, return_when=asyncio.FIRST_COMPLETED
        )
        if alive.done():
            await asyncio.wait((asked, ended), return_when=asyncio.FIRST_COMPLETED)
        if not asked.done():
            raise TimeoutError
        return msgspec.convert(asked.result(), Collected)
    except NoSuchTask:
        raise Refused("it ended meanwhile", "") from None
    finally:
        for one in (asked, ended, alive):
            one.cancel()
        await asyncio.gather(asked, ended, alive, return_exceptions=True)


def sentence(who: str, done: Collected, took_s: float, advice: str = ADVICE) -> str:
    """What came back, for the operator: "refactor-auth: heap 1.41 → 0.62G, memory 1.9 → 1.1G,
    412 ms"; `advice` follows where nothing did."""
    parts = []
    if done.used_before is not None and done.used_after is not None:
        parts.append(f"heap {_change(done.used_before, done.used_after)}")
    if done.rss_before is not None and done.rss_after is not None:
        parts.append(f"memory {_change(done.rss_before, done.rss_after)}")
    parts.append(short_time(done.pause_ms / 1000))
    if took_s - done.pause_ms / 1000 > _LONG_WAIT_S:
        parts.append(f"{units.duration(took_s)} with the wait for it")
    text = f"{who}: {', '.join(parts)}"
    if done.used_before is None or done.used_after is None:
        return text
    if _next_to_nothing(done.used_before, done.used_after):
        return f"{text}: next to nothing came back: the data is live{advice}"
    if done.rss_before and (done.rss_after or 0) > done.rss_before * (1 - NOTHING):
        return f"{text}: the heap shrank, its runtime keeps the pages for itself"
    return text


def _next_to_nothing(before: int, after: int) -> bool:
    return before - after < max(before * NOTHING, min(_FEW, before * _NOTHING_OF_SMALL))


def _change(before: int, after: int) -> str:
    """Two sizes in the larger one's unit, with three digits: 1.41 → 0.62G."""
    largest = units.size(max(before, after))
    unit = largest[-1]
    scale = {"B": 1, "k": units.KIB, "M": units.MIB, "G": units.GIB, "T": units.GIB << 10}[unit]
    digits = {"G": 2, "T": 2}.get(unit, 0)
    if max(before, after) / scale >= 10:
        digits = min(digits, 1)
    return f"{before / scale:.{digits}f} → {after / scale:.{digits}f}{unit}"


def short_time(seconds: float) -> str:
    """In milliseconds below ten seconds."""
    return f"{seconds * 1000:.0f} ms" if seconds < 10 else units.duration(seconds)


def _unanswered(work: Work, given_up: asyncio.Event) -> str:
    if given_up.is_set():
        return "no longer waited for; it is collected as soon as it can be"
    if work.activity.text == _NATIVE:
        return f"a native call did not return within {units.duration(WITHIN_S)}"
    return f"no answer within {units.duration(SILENT_S)}: is it stopped (SIGSTOP)?"


def _failed(task: Task, attempt: int, heap: ProcessHeap, text: str) -> Collection:
    return Collection(
        task_id=task.id, attempt=attempt, pid=heap.pid, runtime=heap.runtime, text=text, error=text
    )


def _impossible(task: Task, why: Refused) -> Collection:
    return Collection(
        task_id=task.id,
        attempt=task.attempts,
        pid=task.pid or 0,
        runtime="",
        text=why.what,
        error=why.what,
    )
