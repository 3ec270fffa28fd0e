"""Following an output as it is written, by the kernel's notification."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import AsyncExitStack, aclosing
from pathlib import Path
from types import TracebackType

from heaptui.output.reading import Chunk, read_from

CHUNK = 1 << 16
_STEP_MS, _GATHER_MS = 20, 100


class Watch:
    """One watch of the kernel's over several directories, whose files may all be followed: a watch
    costs a thread, of which there are few, and an inotify instance, of which a user has 128.

    Raises, when it is entered or by `check`:
        OSError: a directory does not exist or cannot be watched.
    """

    def __init__(self, directories: Sequence[Path]) -> None:
        self._wakes = {os.fspath(directory): asyncio.Event() for directory in directories}
        self._stop = asyncio.Event()

    async def __aenter__(self) -> Watch:
        self._watching = asyncio.create_task(self._wake_on_change())
        # the watch is established in the task's first step: nothing written after it is missed
        await asyncio.sleep(0)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop.set()
        self._watching.cancel()
        await asyncio.gather(self._watching, return_exceptions=True)

    def wake(self, directory: Path) -> asyncio.Event:
        """Set at each change in one of the directories; for one who waits at a time."""
        return self._wakes[os.fspath(directory)]

    def check(self) -> None:
        """Raises why there will be no more news."""
        if self._watching.done():
            self._watching.result()

    async def _wake_on_change(self) -> None:
        import watchfiles

        changes = watchfiles.awatch(
            *self._wakes,
            watch_filter=None,
            debounce=_GATHER_MS,
            step=_STEP_MS,
            stop_event=self._stop,
            force_polling=False,
            recursive=False,
        )
        try:
            async with aclosing(changes):
                async for found in changes:
                    self._wake({os.fspath(Path(path).parent) for _, path in found})
        finally:
            self._wake(self._wakes)  # whoever waits for changes learns that none will come

    def _wake(self, directories: Iterable[str]) -> None:
        for directory in directories:
            # by another name than it was given, macOS may call it: then it may be any of them
            wake = self._wakes.get(directory)
            for one in self._wakes.values() if wake is None else (wake,):
                one.set()


async def follow(
    path: Path, from_offset: int, ended: asyncio.Event, watch: Watch | None = None
) -> AsyncIterator[bytes]:
    """What is written to `path` from `from_offset` on, in pieces of at most 64 KiB; it finishes
    once `ended` is set and everything was yielded. A file that is not there yet is waited for, and
    bytes that were given back meanwhile are passed over. Without a `watch` of its directory it has
    one of its own.

    Raises:
        OSError: its directory does not exist or cannot be watched, or the file cannot be read.
    """
    async with AsyncExitStack() as stack:
        if watch is None:
            watch = await stack.enter_async_context(Watch([path.parent]))
        wake = watch.wake(path.parent)
        ending = asyncio.create_task(_wake_on(ended, wake))
        stack.callback(ending.cancel)
        offset = from_offset
        while True:
            over = ended.is_set()
            while (chunk := await _read(path, offset)).data:
                offset = chunk.next_offset
                yield chunk.data
            offset = chunk.next_offset
            if over:
                return
            watch.check()
            await wake.wait()
            wake.clear()


async def _read(path: Path, offset: int) -> Chunk:
    try:
        return await asyncio.to_thread(read_from, path, offset, CHUNK)
    except FileNotFoundError:
        return Chunk(data=b"", next_offset=offset, skipped=0)


async def _wake_on(event: asyncio.Event, wake: asyncio.Event) -> None:
    await event.wait()
    wake.set()
