"""A child that searches: what it may open, how much memory and time it may take, and its end.

It runs in a session of its own and is killed with its whole group as soon as its answer is
complete, the time is over or nobody wants it any more. Where the kernel can (`confinement`), it is
started by a thread that has given up everything else, so that nothing outside of what it is to
search can be opened, whatever becomes of the names meanwhile. Memory and CPU time are limited
where prlimit is (Linux); elsewhere the clock alone bounds it.
"""

from __future__ import annotations

import os
import resource
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from typing import NamedTuple

from heaptui.tools.answers import Stopped
from heaptui.tools.searching import confinement

MEMORY_BYTES = 512 << 20
_READ_BYTES = 1 << 16
_PARTING_S = 1.0
_SAID_BYTES = 1 << 15
"""What is kept of what it says on its standard error."""


class Confined(NamedTuple):
    """What a child may read (descriptors of files or directories) and execute (paths)."""

    programs: Sequence[str]
    beneath: Sequence[int] = ()


class Ended(NamedTuple):
    """How a search ended. `stopped` is why it was killed (None: it ended by itself, or had said
    enough), `code` its exit code, negative for a signal, and `said` its words."""

    stopped: Stopped | None
    code: int
    said: str


def started(
    argv: Sequence[str],
    *,
    cwd: str,
    env: Mapping[str, str],
    keep: Sequence[int] = (),
    confined: Confined | None = None,
) -> subprocess.Popen[bytes]:
    """A process with nothing to read and two pipes to write to.

    Raises:
        OSError: it cannot be started, or not be confined.
    """

    def start() -> subprocess.Popen[bytes]:
        if confined is not None:
            with ExitStack() as opened:
                programs = [_opened(path, opened) for path in confined.programs]
                confinement.confine(confined.beneath, programs)
        return subprocess.Popen(
            list(argv),
            stdin=nothing,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=cwd,
            env=dict(env),
            pass_fds=tuple(keep),
            start_new_session=True,
            bufsize=0,
        )

    with ExitStack() as own:
        nothing = _opened(os.devnull, own)
        if confined is None:
            return start()
        if not confinement.possible():
            raise OSError("this kernel confines nothing")
        # a thread of its own: what it gives up, it cannot get back
        with ThreadPoolExecutor(max_workers=1) as thread:
            return thread.submit(start).result()


def _opened(path: str, closing: ExitStack) -> int:
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    closing.callback(os.close, fd)
    return fd


def followed(
    process: subprocess.Popen[bytes],
    take: Callable[[bytes], bool],
    *,
    within_s: float,
    unwanted: int,
) -> Ended:
    """Gives `take` what the process prints until it answers that it has enough; the process has
    ended when this returns, however it does. `unwanted` is a descriptor that becomes readable when
    nobody waits for the answer any more."""
    assert process.stdout is not None and process.stderr is not None
    until = time.monotonic() + within_s
    said = bytearray()
    stopped: Stopped | None = None
    enough = False
    with process.stdout as out, process.stderr as err, selectors.DefaultSelector() as waiting:
        try:
            _limited(process.pid, within_s)
            for fd in (out.fileno(), err.fileno(), unwanted):
                waiting.register(fd, selectors.EVENT_READ)
            while len(waiting.get_map()) > 1 and not enough and stopped is None:
                left = until - time.monotonic()
                ready = waiting.select(left) if left > 0 else []
                if not ready:
                    stopped = Stopped.TIME
                for key, _ in ready:
                    if key.fd == unwanted:
                        stopped = Stopped.CANCELLED
                        break
                    data = os.read(key.fd, _READ_BYTES)
                    if not data:
                        waiting.unregister(key.fd)
                    elif key.fd == err.fileno():
                        said += data[: _SAID_BYTES - len(said)]
                    elif not enough:
                        enough = not take(data)
            if stopped is None and not enough:
                stopped = _over(process, until)
        finally:
            # not yet waited for, so that the number is still its own
            if process.returncode is None:
                with suppress(ProcessLookupError, PermissionError):
                    os.killpg(process.pid, signal.SIGKILL)
                process.wait()
    return Ended(stopped, process.returncode, said.decode("utf-8", "replace"))


def _over(process: subprocess.Popen[bytes], until: float) -> Stopped | None:
    """Waits for the end of a process that has closed both pipes, and so has only to end."""
    try:
        process.wait(min(_PARTING_S, max(0.0, until - time.monotonic())))
    except subprocess.TimeoutExpired:
        return Stopped.TIME
    return None


def _limited(pid: int, within_s: float) -> None:
    if sys.platform != "linux":
        return
    seconds = int(within_s) + 2
    limits = (
        (resource.RLIMIT_DATA, MEMORY_BYTES),
        # in case that nobody is left who looks at the clock; by two threads at most
        (resource.RLIMIT_CPU, 2 * seconds),
        (resource.RLIMIT_CORE, 0),
    )
    with suppress(ProcessLookupError):
        for limit, value in limits:
            _, most = resource.prlimit(pid, limit)
            allowed = value if most == resource.RLIM_INFINITY else min(value, most)
            resource.prlimit(pid, limit, (allowed, allowed))
