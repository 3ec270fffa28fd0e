"""A Python process that was not started by heaptui: asked from inside where both are Python 3.14 or
newer (PEP 768), else read from outside by py-spy where that is installed.
"""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from heaptui.errors import Refused
from heaptui.inspection.foreign import Foreign, again, py_spy
from heaptui.memory.identity import alive
from heaptui.model import Collection, ProcessHeap
from heaptui.output import printable
from heaptui.units import duration, short_size

_ANSWER_WITHIN_S = 10.0
_STACK_WITHIN_S = 30.0
_LOOK_EVERY_S = 0.02
_ANSWER_MAX = 1 << 16
_VERSION_MAX = 40

_SCRIPT = """\
def _heaptui_answers(path, collecting):
    import gc, json, os, sys, time
    def resident():
        try:
            with open("/proc/self/statm") as file:
                return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
        except OSError:
            return None
    told = {"version": sys.version.split()[0], "ppid": os.getppid(), "rss": resident(),
            "blocks": sys.getallocatedblocks(),
            "collections": sum(one["collections"] for one in gc.get_stats())}
    if collecting:
        began = time.perf_counter()
        gc.collect()
        try:
            import ctypes
            ctypes.CDLL(None).malloc_trim(0)
        except (ImportError, AttributeError, OSError):
            pass
        told["pause"] = time.perf_counter() - began
        told["rss_after"] = resident()
        told["blocks_after"] = sys.getallocatedblocks()
    with open(path + ".part", "w") as file:
        json.dump(told, file)
    os.replace(path + ".part", path)
"""


class _Told(Struct):
    """What it answers: bytes, counts, seconds; the last three of a collection."""

    version: str
    ppid: int
    rss: int | None
    blocks: int
    collections: int
    pause: float = 0.0
    rss_after: int | None = None
    blocks_after: int = 0


class _SpiedFrame(Struct):
    name: str
    filename: str
    line: int


class _Spied(Struct):
    """A thread as py-spy prints it."""

    frames: tuple[_SpiedFrame, ...]
    active: bool = False
    thread_name: str | None = None
    os_thread_id: int | None = None


class Frame(Struct, frozen=True):
    """One frame of a stack, innermost first."""

    name: str
    file: str
    line: int


class Stack(Struct, frozen=True):
    """What one thread does."""

    thread: str
    active: bool
    frames: tuple[Frame, ...]


def script(answer: Path, *, collecting: bool) -> str:
    """What the process runs to write its figures to `answer`; it leaves no name behind."""
    return (
        f"{_SCRIPT}\ntry:\n    _heaptui_answers({str(answer)!r}, {collecting})\n"
        "finally:\n    del _heaptui_answers\n"
    )


async def heap(foreign: Foreign) -> ProcessHeap:
    """Its figures now. Raises Refused."""
    told = await _asked(foreign, collecting=False)
    return ProcessHeap(
        pid=foreign.pid,
        ppid=told.ppid,
        runtime="python",
        version=printable(told.version[:_VERSION_MAX]),
        at=time.time(),
        title=foreign.command,
        rss_bytes=told.rss,
        blocks=told.blocks,
        gc_count=told.collections,
        can=("gc",),
    )


async def collect(foreign: Foreign) -> Collection:
    """A full collection, and what malloc holds unused given back. Raises Refused."""
    began = time.monotonic()
    told = await _asked(foreign, collecting=True)
    text = (
        f"{foreign.pid}: memory {short_size(told.rss)} → {short_size(told.rss_after)}, "
        f"{told.blocks - told.blocks_after:,} blocks freed, {told.pause * 1000:.0f} ms"
    )
    return Collection(
        task_id="",
        attempt=0,
        pid=foreign.pid,
        runtime="python",
        text=text,
        flavour="gc.collect and malloc_trim",
        took_s=time.monotonic() - began,
        pause_s=told.pause,
        rss_before=told.rss,
        rss_after=told.rss_after,
    )


async def stacks(foreign: Foreign) -> list[Stack]:
    """What each of its threads does, by py-spy.

    Raises:
        Refused: it has gone, py-spy is not there, or it cannot look at this process.
    """
    program = py_spy()
    if program is None:
        raise Refused("py-spy is not installed.", "pip install py-spy")
    await asyncio.to_thread(again, foreign)
    process = await asyncio.create_subprocess_exec(
        program,
        "dump",
        "--json",
        "--pid",
        str(foreign.pid),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(_STACK_WITHIN_S):
            out, said = await process.communicate()
    except TimeoutError as error:
        raise Refused(
            f"py-spy did not read process {foreign.pid} within {duration(_STACK_WITHIN_S)}."
        ) from error
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode != 0:
        words = said.decode("utf-8", "replace").strip().splitlines()
        raise Refused(
            f"py-spy cannot read process {foreign.pid}: {words[0][:200] if words else ''}"
        )
    try:
        threads = msgspec.json.decode(out, type=list[_Spied])
    except msgspec.DecodeError as error:
        raise Refused(f"py-spy tells what heaptui does not understand: {error}.") from error
    return [
        Stack(
            thread.thread_name or str(thread.os_thread_id),
            thread.active,
            tuple(Frame(one.name, one.filename, one.line) for one in thread.frames),
        )
        for thread in threads
    ]


async def _asked(foreign: Foreign, *, collecting: bool) -> _Told:
    now = await asyncio.to_thread(again, foreign)
    way = now.way("gc" if collecting else "heap")
    if way.why is not None:
        raise Refused(f"Process {foreign.pid} is left alone: {way.why}.")
    with tempfile.TemporaryDirectory(prefix="heaptui-") as directory:
        return await asyncio.to_thread(_enter, now, Path(directory), collecting)


def _enter(foreign: Foreign, room: Path, collecting: bool) -> _Told:
    """Has it run the question, and waits for the file that it writes."""
    answer, source = room / "answer.json", room / "asked.py"
    source.write_text(script(answer, collecting=collecting))
    # the process may be another user's, when root asks
    for path in (room, source):
        os.chown(path, foreign.uid, -1)
    remote_exec: Any = getattr(sys, "remote_exec", None)
    try:
        remote_exec(foreign.pid, str(source))
    except (OSError, RuntimeError) as error:
        raise Refused(f"Process {foreign.pid} cannot be entered: {error}.") from error
    deadline = time.monotonic() + _ANSWER_WITHIN_S
    while not answer.exists():
        if not alive(foreign.identity):
            raise Refused(f"Process {foreign.pid} ended meanwhile.")
        if time.monotonic() > deadline:
            raise Refused(
                f"It did not answer within {duration(_ANSWER_WITHIN_S)}: its main thread is in a "
                "native call, and runs the question when that returns.",
            )
        time.sleep(_LOOK_EVERY_S)
    return answered(answer)


def answered(answer: Path) -> _Told:
    """What it wrote there. Raises Refused: not what it was asked for."""
    try:
        # of another user, where root asks: no link of theirs is followed
        with os.fdopen(os.open(answer, os.O_RDONLY | os.O_NOFOLLOW), "rb") as file:
            return msgspec.json.decode(file.read(_ANSWER_MAX), type=_Told)
    except (OSError, msgspec.DecodeError) as error:
        raise Refused("It answers what heaptui does not understand.") from error
