"""Following an output as it is written, by the kernel's notification."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path

from heaptui.output.reading import Chunk, read_from

CHUNK = 1 << 16
_STEP_MS, _GATHER_MS = 20, 100


async def follow(path: Path, from_offset: int, ended: asyncio.Event) -> AsyncIterator[bytes]:
    """What is written to `path` from `from_offset` on, in pieces of at most 64 KiB; it finishes
    once `ended` is set and everything was yielded. A file that is not there yet is waited for, and
    bytes that were given back meanwhile are passed over.

    Raises:
        OSError: its directory does not exist or cannot be watched, or the file cannot be read.
    """
    wake = asyncio.Event()
    stop = asyncio.Event()
    watching = asyncio.create_task(_wake_on_change(path.parent, wake, stop))
    ending = asyncio.create_task(_wake_on(ended, wake))
    try:
        # the watch is established in the task's first step: nothing written after it is missed
        await asyncio.sleep(0)
        offset = from_offset
        while True:
            over = ended.is_set()
            while (chunk := await _read(path, offset)).data:
                offset = chunk.next_offset
                yield chunk.data
            offset = chunk.next_offset
            if over:
                return
            if watching.done():
                watching.result()
            await wake.wait()
            wake.clear()
    finally:
        stop.set()
        ending.cancel()
        watching.cancel()
        await asyncio.gather(watching, ending, return_exceptions=True)


async def _read(path: Path, offset: int) -> Chunk:
    try:
        return await asyncio.to_thread(read_from, path, offset, CHUNK)
    except FileNotFoundError:
        return Chunk(data=b"", next_offset=offset, skipped=0)


async def _wake_on_change(directory: Path, wake: asyncio.Event, stop: asyncio.Event) -> None:
    import watchfiles

    changes = watchfiles.awatch(
        directory,
        watch_filter=None,
        debounce=_GATHER_MS,
        step=_STEP_MS,
        stop_event=stop,
        force_polling=False,
        recursive=False,
    )
    try:
        async with aclosing(changes):
            async for _ in changes:
                wake.set()
    finally:
        wake.set()  # whoever waits for changes learns that none will come


async def _wake_on(event: asyncio.Event, wake: asyncio.Event) -> None:
    await event.wait()
    wake.set()
