"""The commands that an engine takes for one of its attempts (engine/base.py names them)."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

import msgspec
from msgspec import Struct

from heaptui.engine import capping
from heaptui.engine.base import Working
from heaptui.engine.outputs import lengths
from heaptui.engine.plan import Writing
from heaptui.engine.run import Run
from heaptui.engine.worker import Answer, Asked, Gone, Worker
from heaptui.engine.worker_figures import clean, collected, written
from heaptui.engine.workers import Workers
from heaptui.errors import Refused, UsageError
from heaptui.memory.growth import LOOK_EVERY_S, Growth
from heaptui.memory.identity import alive
from heaptui.model import ProcessHeap
from heaptui.wire import AskHeap, Collect, Done, Failed, Snap, ToWorker

PHASES = ("waiting", "collecting", "writing")
TELL_EVERY_S = 0.5
HEAPS_WITHIN_S = 0.5
"""Who does not tell its heap by then is shown with what it told last."""

_GONE_WITHIN_S = 1.0
_PATH_MAX = 4096
_LONGEST_S = 366 * 86400.0

Emit = Callable[[Working], None]
Verb = Callable[["Surroundings", dict[str, Any]], Awaitable[dict[str, Any]]]
Arguments = TypeVar("Arguments", bound=Struct)


class Surroundings(Struct):
    """What a command has to do with. `why_none` says why a task has no heap."""

    run: Run
    workers: Workers
    emit: Emit
    why_none: Callable[[str], str | None]


class _Nothing(Struct, forbid_unknown_fields=True):
    pass


class _Process(Struct, forbid_unknown_fields=True):
    pid: int


class _Place(Struct, forbid_unknown_fields=True):
    pid: int
    path: str


class _Cap(Struct, forbid_unknown_fields=True):
    cap_bytes: int


class _Graces(Struct, forbid_unknown_fields=True):
    grace_s: float
    kill_s: float


async def obey(
    around: Surroundings, verb: str, args: dict[str, Any], timeout_s: float
) -> dict[str, Any]:
    """The answer, see engine/base.py.

    Raises:
        UsageError: an unknown verb, or wrong arguments.
        Refused: it cannot be done; the reason is in it.
        TimeoutError: no answer within `timeout_s`.
    """
    known = VERBS.get(verb)
    if known is None:
        raise UsageError(
            f"This engine does not know {verb!r}.", f"It knows {', '.join(sorted(VERBS))}."
        )
    async with asyncio.timeout(timeout_s):
        return await known(around, args)


async def processes(around: Surroundings, args: dict[str, Any]) -> dict[str, Any]:
    _arguments(_Nothing, args, "processes")
    run = around.run
    return {"processes": msgspec.to_builtins(run.sampler.processes(run.plan.task_id))}


async def output(around: Surroundings, args: dict[str, Any]) -> dict[str, Any]:
    _arguments(_Nothing, args, "output")
    return await asyncio.to_thread(lengths, around.run.plan)


async def heaps(around: Surroundings, args: dict[str, Any]) -> dict[str, Any]:
    """Everybody is asked at once."""
    _arguments(_Nothing, args, "heaps")
    workers = around.workers
    asked = [workers.ask(worker, AskHeap) for worker in workers.of(around.run.plan.task_id)]
    with suppress(TimeoutError):
        async with asyncio.timeout(HEAPS_WITHIN_S):
            for one in asked:
                if one is not None:
                    await one.moved.wait()
    found: tuple[ProcessHeap, ...] = workers.heaps(around.run.plan.task_id)
    return {"heaps": msgspec.to_builtins(found)}


async def gc(around: Surroundings, args: dict[str, Any]) -> dict[str, Any]:
    worker = _worker(around, _arguments(_Process, args, "gc").pid, "gc")
    asked = _ask(around, worker, Collect)
    done = await _done(around, worker, asked, "gc", lambda: 0)
    answer = None if done.collected is None else collected(done.collected)
    if answer is None:
        raise _untrue(worker)
    found: dict[str, Any] = msgspec.to_builtins(answer)
    return found


async def snapshot(around: Surroundings, args: dict[str, Any]) -> dict[str, Any]:
    wanted = _arguments(_Place, args, "snapshot")
    if not wanted.path.startswith("/") or "\0" in wanted.path or len(wanted.path) > _PATH_MAX:
        raise UsageError(f"{wanted.path[:80]!r} is no absolute path.", "Name a file.")
    run, worker = around.run, _worker(around, wanted.pid, "snapshot")
    path, part = Path(wanted.path), Path(f"{wanted.path}.part")
    growth = Growth(worker.identity.pid, lambda: _task_memory(run))
    writing = Writing(worker.identity, wanted.path)

    def answered(answer: Answer) -> None:
        # however long it is waited for, and whether or not it is connected, it goes on writing
        left = msgspec.structs.replace(writing, left_at=time.time())
        others = [one for one in run.plan.writing if one != writing]
        run.writes(*others, *([left] if isinstance(answer, Gone) else []))

    asked = _ask(around, worker, lambda number: Snap(number, wanted.path), answered)
    run.writes(*run.plan.writing, writing)

    def look() -> int:
        growth.look()
        return _size(part) or 0

    try:
        done = await _done(around, worker, asked, "snapshot", look)
    except Refused:
        if not alive(worker.identity):
            _discard(part)
        raise
    size = _closed_to_others(path)
    answer = None if done.written is None or not size else written(done.written, str(path), size)
    if answer is None:
        raise _untrue(worker)
    found: dict[str, Any] = msgspec.to_builtins(answer)
    return found | {"extra_bytes": growth.bytes()}


async def cap(around: Surroundings, args: dict[str, Any]) -> dict[str, Any]:
    wanted = _arguments(_Cap, args, "cap").cap_bytes
    if wanted <= 0:
        raise UsageError(f"A cap of {wanted} bytes is none.", "Give more than 0.")
    around.run.cap_decided = True
    # begun, it is done: a change that is half made would be in no plan
    changing = asyncio.ensure_future(capping.change_cap(around.run, wanted))
    changing.add_done_callback(_seen)
    before = await asyncio.shield(changing)
    return {"cap_bytes": wanted, "before": before}


async def checkpoint(around: Surroundings, args: dict[str, Any]) -> dict[str, Any]:
    _arguments(_Nothing, args, "checkpoint")
    found: dict[str, Any] = msgspec.to_builtins(await around.workers.work.checkpoint(around.run))
    return found


async def drain(around: Surroundings, args: dict[str, Any]) -> dict[str, Any]:
    wanted = _arguments(_Graces, args, "drain")
    if not (0 <= wanted.grace_s <= _LONGEST_S and 0 <= wanted.kill_s <= _LONGEST_S):
        raise UsageError("A grace is between 0 seconds and a year.")
    around.run.drain(wanted.grace_s, wanted.kill_s)
    around.workers.work.tell_drain(around.run)
    return {}


VERBS: dict[str, Verb] = {
    "processes": processes,
    "output": output,
    "heaps": heaps,
    "gc": gc,
    "snapshot": snapshot,
    "cap": cap,
    "checkpoint": checkpoint,
    "drain": drain,
}


def _arguments(kind: type[Arguments], args: dict[str, Any], verb: str) -> Arguments:
    try:
        return msgspec.convert(args, kind)
    except msgspec.ValidationError as error:
        fields = ", ".join(kind.__struct_fields__) or "no arguments"
        raise UsageError(f"{verb!r} takes {fields}: {error}.") from error


def _worker(around: Surroundings, pid: int, verb: str) -> Worker:
    """The one that can do it.

    Raises:
        Refused: there is none, or it cannot.
    """
    task_id = around.run.plan.task_id
    worker = around.workers.find(task_id, pid)
    if worker is None:
        why = None if around.workers.of(task_id) else around.why_none(task_id)
        raise Refused(
            f"heaptui does not reach into process {pid} of {task_id}{f': {why}' if why else ''}.",
            "heaptui show lists the processes that it reaches into.",
        )
    if verb not in worker.known.can:
        why = worker.known.why.get(verb, f"it offers no {verb}")
        raise Refused(f"Process {pid} ({worker.known.runtime}) cannot do that: {why}.")
    if any(one.identity == worker.identity for one in capping.written_now(around.run)):
        raise Refused(
            f"Process {pid} is writing a snapshot.", "It cannot be cancelled: wait for its end."
        )
    return worker


def _ask(
    around: Surroundings,
    worker: Worker,
    command: Callable[[int], ToWorker],
    then: Callable[[Answer], None] | None = None,
) -> Asked:
    asked = around.workers.ask(worker, command, then)
    if asked is None:
        raise Refused(
            f"Process {worker.identity.pid} has not answered what it was asked before.",
            "It may be stopped, or in a native call for long.",
        )
    return asked


async def _done(
    around: Surroundings, worker: Worker, asked: Asked, verb: str, look: Callable[[], int]
) -> Done:
    """What the worker answers. Meanwhile it is told where it is; `look` gives the bytes written.

    Raises:
        Refused: it failed, or ended.
    """
    plan, pid = around.run.plan, worker.identity.pid
    told, told_at = ("", 0), 0.0
    while asked.answer is None:
        now = time.monotonic()
        state = (asked.phase if asked.phase in PHASES else "", look())
        if state[0] and (state[0] != told[0] or (state != told and now - told_at >= TELL_EVERY_S)):
            told, told_at = state, now
            around.emit(
                Working(
                    task_id=plan.task_id,
                    attempt=plan.attempt,
                    pid=pid,
                    verb=verb,
                    phase=state[0],
                    written=state[1],
                )
            )
        asked.moved.clear()
        with suppress(TimeoutError):
            async with asyncio.timeout(LOOK_EVERY_S):
                await asked.moved.wait()
    match asked.answer:
        case Done() as done:
            return done
        case Failed(code=code, text=text):
            raise Refused(f"Process {pid} could not do it: {clean(text) or clean(code, 80)}.")
        case Gone():
            raise Refused(await _how_it_went(worker, verb))
        case _:
            raise _untrue(worker)


async def _how_it_went(worker: Worker, verb: str) -> str:
    """A process that ends closes its connection a moment before it is gone."""
    doing = "its snapshot was written" if verb == "snapshot" else "its garbage was collected"
    loop = asyncio.get_running_loop()
    until = loop.time() + _GONE_WITHIN_S
    while alive(worker.identity):
        if loop.time() > until:
            return f"Process {worker.identity.pid} closed its connection while {doing}."
        await asyncio.sleep(LOOK_EVERY_S / 4)
    return f"Process {worker.identity.pid} ended while {doing}."


def _untrue(worker: Worker) -> Refused:
    return Refused(f"Process {worker.identity.pid} answered what cannot be true.")


def _task_memory(run: Run) -> int | None:
    usage = None if run.group is None else run.group.usage()
    return run.sampler.quick(run.plan.task_id) if usage is None else usage


def _size(path: Path) -> int | None:
    """Bytes of a file, None where there is none or it is a link to one."""
    try:
        return None if path.is_symlink() else path.stat().st_size
    except OSError:
        return None


def _closed_to_others(path: Path) -> int | None:
    """The size of what was written, which nobody else may read; None when it is not there."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return None
    try:
        os.fchmod(handle, 0o600)
        return os.fstat(handle).st_size
    except OSError:
        return None
    finally:
        os.close(handle)


def _discard(part: Path) -> None:
    """Half a snapshot holds as many secrets as a whole one, and is of no use."""
    with suppress(OSError):
        part.unlink(missing_ok=True)


def _seen(changing: asyncio.Future[int | None]) -> None:
    """Nobody may be left to hear how it went."""
    if not changing.cancelled():
        changing.exception()
