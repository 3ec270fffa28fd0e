"""Snapshots that were begun, noted in the store until they are recorded or given up: a worker goes
on writing while one supervisor follows another."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import msgspec
from msgspec import Struct

from heaptui.errors import HeaptuiError
from heaptui.store.store import Store

KEY = "snapshots.begun"


class Begun(Struct, frozen=True, kw_only=True):
    """What is known of a snapshot before it is written; as in model.Snapshot."""

    task_id: str
    attempt: int
    name: str
    pid: int
    runtime: str
    version: str
    at: float
    path: str
    heap_bytes: int | None = None
    rss_bytes: int | None = None


class Notes:
    """Those of this supervisor; `left` are those that the one before had begun, which stay noted
    until they are `over`."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._begun: list[Begun] = []
        self._writing = asyncio.Lock()
        self.left: list[Begun] = []

    async def recall(self) -> None:
        """Reads what was left; before anything is noted."""
        text = await self._store.get_meta(KEY)
        if text:
            with suppress(msgspec.MsgspecError):
                self.left = msgspec.json.decode(text, type=list[Begun])
        self._begun = list(self.left)

    @asynccontextmanager
    async def noted(self, begun: Begun) -> AsyncIterator[None]:
        """For the length of the block; it stays noted when the block is cancelled, for then the
        worker writes on."""
        self._begun.append(begun)
        await self._write()
        try:
            yield
        except HeaptuiError:
            await self.over(begun)
            raise
        await self.over(begun)

    async def over(self, begun: Begun) -> None:
        self._begun = [one for one in self._begun if one is not begun]
        await self._write()

    async def _write(self) -> None:
        """A disk that is full keeps nobody from a snapshot elsewhere."""
        async with self._writing:
            text = msgspec.json.encode(self._begun).decode() if self._begun else None
            with suppress(HeaptuiError):
                await self._store.set_meta(KEY, text)
