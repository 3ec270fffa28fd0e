"""One run of a program that reads a question and prints an answer: bounded in time and size, and
ended with all that is left of its process group."""

from __future__ import annotations

import asyncio
import os
import signal
import tempfile
from asyncio.subprocess import Process
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from heaptui import pipes
from heaptui.units import duration


class Failed(Exception):
    """Why there is no answer, as the rest of a sentence about the program."""


async def run(
    argv: Sequence[str],
    text: bytes,
    *,
    env: Mapping[str, str],
    cwd: Path,
    within_s: float,
    most: int,
) -> bytes:
    """What `argv` prints when it reads `text`, as soon as it has ended with code 0.

    It runs in a session of its own; whatever of its process group is left then, or runs when the
    time is over or too much was printed, is killed.

    Raises:
        Failed: it cannot be started, takes longer than `within_s`, prints more than `most` bytes,
            or ends with another code.
    """
    loop = asyncio.get_running_loop()
    flooded = asyncio.Event()
    words = await asyncio.to_thread(_as_file, text)
    with _collected(loop, most, flooded) as (said, out), pipes.tail(loop) as (complained, err):
        try:
            process = await asyncio.create_subprocess_exec(
                *argv,
                stdin=words,
                stdout=out,
                stderr=err,
                cwd=cwd,
                env=dict(env),
                start_new_session=True,
            )
        except (OSError, ValueError, TypeError) as error:
            raise Failed(f"cannot be started: {error}") from error
        finally:
            for descriptor in (words, out, err):
                os.close(descriptor)
        code = await _seen_through(process, within_s, flooded)
    if flooded.is_set():
        raise Failed(f"prints more than {most >> 10:,} kB")
    if code is None:
        raise Failed(f"gives no answer within {duration(within_s)}")
    if code:
        how = f"ended by signal {-code}" if code < 0 else f"exit code {code}"
        last = pipes.last_line(complained)
        raise Failed(f"fails: {how}: {last}" if last else f"fails: {how}")
    return bytes(said)


async def _seen_through(process: Process, within_s: float, flooded: asyncio.Event) -> int | None:
    """Its exit code; None when it had to be killed."""
    ended = asyncio.ensure_future(process.wait())
    full = asyncio.ensure_future(flooded.wait())
    try:
        done, _ = await asyncio.wait(
            (ended, full), timeout=within_s, return_when=asyncio.FIRST_COMPLETED
        )
        return ended.result() if ended in done else None
    finally:
        full.cancel()
        # also what it left behind in the background: the group lives as long as one of it does
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        await asyncio.shield(ended)


def _as_file(text: bytes) -> int:
    """A descriptor that reads `text` from its beginning."""
    with tempfile.TemporaryFile() as file:
        file.write(text)
        file.flush()
        descriptor = os.dup(file.fileno())
    os.lseek(descriptor, 0, os.SEEK_SET)
    return descriptor


@contextmanager
def _collected(
    loop: asyncio.AbstractEventLoop, most: int, flooded: asyncio.Event
) -> Iterator[tuple[bytearray, int]]:
    """What is written to a descriptor, which the caller closes; beyond `most` bytes that is said,
    and no more is taken."""
    said = bytearray()

    def take(data: bytes) -> bool:
        said.extend(data[: most + 1 - len(said)])
        if len(said) > most:
            flooded.set()
        return not flooded.is_set()

    with pipes.reading(loop, take) as descriptor:
        yield said, descriptor
