"""A task's output on this terminal or in this pipe, and waiting for tasks with it.

To a terminal it is made harmless line by line; to a pipe or a file it is the bytes themselves.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from heaptui.cli.groups import first_error
from heaptui.cli.listing import clean
from heaptui.client import Client, Down
from heaptui.model import Row, State, VerdictKind
from heaptui.output import Watch, follow, given_back, printable, read_from, search, tail
from heaptui.paths import StateDir
from heaptui.units import size

FOLLOWED_S = 30.0
"""Whoever follows an output has more patience with a hand-over than a single question."""

_TAIL_BYTES = 4 << 20
_LINE_BYTES = 1 << 16
_CANNOT_EXECUTE = 127


class Printer:
    """Where output goes. `prefix` stands before each line where several tasks speak."""

    def __init__(self, prefix: str = "") -> None:
        self._prefix = prefix
        self._raw = not sys.stdout.isatty() and not prefix
        self._rest = b""

    def put(self, data: bytes) -> None:
        if self._raw:
            sys.stdout.buffer.write(data)
            sys.stdout.buffer.flush()
            return
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            self._line(line)
        if len(self._rest) > _LINE_BYTES:
            self.finish()
        sys.stdout.flush()

    def finish(self) -> None:
        """What is left of a line that has not ended."""
        rest, self._rest = self._rest, b""
        if rest:
            self._line(rest)
            sys.stdout.flush()

    def _line(self, line: bytes) -> None:
        sys.stdout.write(f"{self._prefix}{printable(line.decode(errors='replace'))}\n")


def put_tail(path: Path, lines: int) -> int:
    """Prints the last `lines` lines; returns the offset behind them."""
    found = tail(path, lines, _TAIL_BYTES)
    if not sys.stdout.isatty():
        _copy(path, found.first_offset, found.size)
        return found.size
    if back := given_back(path):
        print(f"(the first {size(back)} were given back)", file=sys.stderr)
    for line in found.lines:
        print(printable(line))
    sys.stdout.flush()
    return found.size


def put_hits(path: Path, text: str, most: int) -> None:
    """Prints the newest `most` lines that hold `text`, the newest last."""
    for hit in reversed(search(path, text, most)):
        print(printable(hit.text))


def _copy(path: Path, offset: int, end: int) -> None:
    while offset < end:
        chunk = read_from(path, offset, min(1 << 16, end - offset))
        if not chunk.data and chunk.next_offset <= offset:
            break
        sys.stdout.buffer.write(chunk.data)
        offset = chunk.next_offset
    sys.stdout.buffer.flush()


@dataclass(frozen=True, slots=True)
class Told:
    """A task whose output is printed: from which attempt on, and from which byte of that."""

    id: str
    name: str
    attempt: int = 1
    offset: int = 0


class _Seen:
    """The latest that is known of the tasks, and who waits for news of them."""

    def __init__(self) -> None:
        self._rows: dict[str, tuple[int, bool]] = {}
        self._news = asyncio.Condition()

    async def note(self, rows: Sequence[Row]) -> None:
        async with self._news:
            for row in rows:
                self._rows[row.id] = (row.attempts, row.state.ended)
            self._news.notify_all()

    async def begun(self, task_id: str, attempt: int) -> bool:
        """Waits until `attempt` has begun, or the task has ended without it: False."""

        def decided() -> bool:
            begun, ended = self._rows.get(task_id, (0, False))
            return ended or begun >= attempt

        async with self._news:
            await self._news.wait_for(decided)
            return self._rows[task_id][0] >= attempt


async def follow_tasks(
    client: Client, state: StateDir, told: Sequence[Told], *, silent: bool = False
) -> list[Row]:
    """Prints the output of the tasks, one attempt after another, until all have ended; returns
    their last rows. `silent` only waits.

    Raises:
        BrokenPipeError: whoever read our output has seen enough.
        HeaptuiError: no supervisor answers any more.
    """
    seen = _Seen()
    several = len(told) > 1
    try:
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(client)
            shown = () if silent else told
            if shown:
                watch = await stack.enter_async_context(_watch(state, shown))
            group = await stack.enter_async_context(asyncio.TaskGroup())
            for one in shown:
                prefix = f"{clean(one.name)}| " if several else ""
                group.create_task(_tell(one, state, seen, Printer(prefix), watch))
            looking = group.create_task(_look(client, {one.id for one in told}, seen))
            last = await client.settled([one.id for one in told])
            looking.cancel()
            await seen.note(last)
    except BaseExceptionGroup as group_of:
        # one thing went wrong; what it ended with it is no news
        raise first_error(group_of) or group_of.exceptions[0] from None
    return last


def _watch(state: StateDir, told: Sequence[Told]) -> Watch:
    """Over the directories of all tasks, made here where the supervisor has not come to it."""
    directories = [state.task(one.id) for one in told]
    for directory in directories:
        directory.mkdir(mode=0o700, exist_ok=True)
    return Watch(directories)


async def _look(client: Client, ids: set[str], seen: _Seen) -> None:
    async for update in client.watch():
        if not isinstance(update, Down):
            await seen.note([row for row in update.rows if row.id in ids])


async def _tell(one: Told, state: StateDir, seen: _Seen, printer: Printer, watch: Watch) -> None:
    attempt, offset = one.attempt, one.offset
    while await seen.begun(one.id, attempt):
        over = asyncio.Event()
        next_begins = asyncio.create_task(seen.begun(one.id, attempt + 1))
        next_begins.add_done_callback(partial(_set, over))
        try:
            async for piece in follow(state.output(one.id, attempt), offset, over, watch):
                printer.put(piece)
        finally:
            next_begins.cancel()
        printer.finish()
        attempt, offset = attempt + 1, 0


def _set(event: asyncio.Event, _: asyncio.Task[bool]) -> None:
    event.set()


def exit_code(rows: Sequence[Row]) -> int:
    """The first task's code that is not 0; 128 + n where signal n ended it."""
    for row in rows:
        if row.signal is not None:
            return 128 + row.signal
        if row.exit_code:
            return row.exit_code
        if row.verdict is VerdictKind.BAD_LAUNCH:
            return _CANNOT_EXECUTE
        if row.state is not State.DONE:
            return 1
    return 0
