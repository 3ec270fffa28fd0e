"""The operator's own command, run for each alert that begins or ends.

It is executed as it is configured, never by a shell, in a session of its own and in the root
directory. It inherits the environment of the process that supervises; the alert's JSON is on its
standard input. Of what it prints the last line is kept, for the history where it fails.
"""

from __future__ import annotations

import asyncio
import os
import signal
from asyncio.subprocess import Process
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress

from heaptui import pipes
from heaptui.supervisor.verdicts import signal_name
from heaptui.units import duration

AT_ONCE = 4
"""Of one alert never two: what ended does not overtake what began."""

WAITING_MOST = 200
WITHIN_S = 30.0
"""Seconds one run may take; then TERM, and soon after KILL, for its process group."""

_TERM_S = 2.0
_LEAVING_S = 1.0
"""What runs when the supervisor leaves has so long to end by itself."""


class Hook:
    """`tell` takes a line for the history: a hook that fails is told once, and once more when it
    works again."""

    def __init__(
        self, argv: Sequence[str], tell: Callable[[str], None], within_s: float = WITHIN_S
    ) -> None:
        self._argv = tuple(argv)
        self._tell = tell
        self._within_s = within_s
        self._waiting: deque[tuple[str, bytes]] = deque()
        self._running: set[str] = set()
        self._stirred = asyncio.Event()
        self._failures = 0
        self._dropped = 0

    def call(self, key: str, text: bytes) -> None:
        """Has it run with `text` on its standard input; those of one `key` one after another."""
        if len(self._waiting) >= WAITING_MOST:
            self._waiting.popleft()
            if not self._dropped:
                self._tell(f"the alert hook is slow: more than {WAITING_MOST} alerts wait for it")
            self._dropped += 1
        self._waiting.append((key, text))
        self._stirred.set()

    async def run(self) -> None:
        """Until cancelled; what has not begun then is dropped."""
        try:
            async with asyncio.TaskGroup() as group:
                while True:
                    await self._stirred.wait()
                    self._stirred.clear()
                    while len(self._running) < AT_ONCE and (call := self._next()) is not None:
                        self._running.add(call[0])
                        group.create_task(self._once(*call), name="alert hook run")
        finally:
            self._dropped += len(self._waiting)
            self._waiting.clear()
            self._tell_dropped()

    def _next(self) -> tuple[str, bytes] | None:
        for at, call in enumerate(self._waiting):
            if call[0] not in self._running:
                del self._waiting[at]
                return call
        return None

    async def _once(self, key: str, text: bytes) -> None:
        try:
            self._told(await execute(self._argv, text, self._within_s))
        finally:
            self._running.discard(key)
            self._stirred.set()
        if not self._waiting:
            self._tell_dropped()

    def _told(self, failure: str | None) -> None:
        if failure is None:
            if self._failures:
                self._tell(f"the alert hook works again, after {self._failures} failed runs")
            self._failures = 0
            return
        if not self._failures:
            self._tell(f"the alert hook failed: {failure}")
        self._failures += 1

    def _tell_dropped(self) -> None:
        if self._dropped:
            alerts = "1 alert was" if self._dropped == 1 else f"{self._dropped} alerts were"
            self._tell(f"{alerts} not given to the alert hook, the oldest first")
        self._dropped = 0


async def execute(argv: Sequence[str], text: bytes, within_s: float) -> str | None:
    """Runs `argv` with `text` on its standard input; why it failed, None where it did not.

    What it leaves behind in the background is none of ours: its end is its leader's.
    """
    loop = asyncio.get_running_loop()
    with _fed(loop, text) as words, pipes.tail(loop) as (said, saying):
        try:
            process = await asyncio.create_subprocess_exec(
                *argv, stdin=words, stdout=saying, stderr=saying, cwd="/", start_new_session=True
            )
        except (OSError, ValueError) as error:
            return f"{argv[0]} cannot be started: {error}"
        finally:
            os.close(words)
            os.close(saying)
        failure = await _seen_through(process, within_s)
    last = pipes.last_line(said)
    return f"{failure}: {last}" if failure and last else failure


async def _seen_through(process: Process, within_s: float) -> str | None:
    try:
        async with asyncio.timeout(within_s):
            code = await process.wait()
    except TimeoutError:
        await _end(process)
        return f"ended after {duration(within_s)}"
    except asyncio.CancelledError:
        with suppress(TimeoutError):
            async with asyncio.timeout(_LEAVING_S):
                await process.wait()
        await _end(process)
        raise
    if code < 0:
        return f"ended by {signal_name(-code)}"
    return f"exit code {code}" if code else None


async def _end(process: Process) -> None:
    for number in (signal.SIGTERM, signal.SIGKILL):
        if process.returncode is not None:
            return
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, number)
        with suppress(TimeoutError):
            async with asyncio.timeout(_TERM_S):
                await process.wait()


# as pipes.py reads: not by a pipe of asyncio's
@contextmanager
def _fed(loop: asyncio.AbstractEventLoop, text: bytes) -> Iterator[int]:
    """A descriptor to read `text` from, which the caller closes."""
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    rest = memoryview(text)

    def feed() -> None:
        nonlocal rest
        try:
            rest = rest[os.write(writing, rest) :]
        except BlockingIOError:
            return
        except OSError:
            # whoever does not want to read it need not
            rest = rest[:0]
        if not rest:
            done()

    def done() -> None:
        nonlocal writing
        if writing >= 0:
            loop.remove_writer(writing)
            os.close(writing)
            writing = -1

    loop.add_writer(writing, feed)
    try:
        yield reading
    finally:
        done()
