"""The one writer: what waits is committed together.

While a transaction is being committed, further writes gather; the next transaction takes all of
them (group commit). Nothing is delayed to make groups: a lone write is committed at once.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections import deque
from dataclasses import dataclass
from pathlib import Path

import aiosqlite

from heaptui.errors import HeaptuiError, StorageTrouble
from heaptui.store.rows import Row, Statement, unstorable
from heaptui.store.trouble import storage_trouble

WAITING_MAX = 1024
"""Writes that may wait at once; whoever comes then waits for room first."""

GROUP_ROWS = 5000
"""Rows after which a transaction takes no further write (about 50 ms)."""

# the fault of what is stored, not of where
_OF_THE_VALUES = (
    sqlite3.IntegrityError,
    sqlite3.DataError,
    sqlite3.InterfaceError,
    sqlite3.ProgrammingError,
    OverflowError,
    ValueError,
)


@dataclass(slots=True, eq=False)
class _Job:
    statements: list[Statement]
    done: asyncio.Future[None]
    alone: bool

    @property
    def rows(self) -> int:
        return sum(len(rows) for _, rows in self.statements)


class Writer:
    """Owns a connection that was opened with isolation level IMMEDIATE, and writes to it.

    `commits` counts the transactions since it was made.
    """

    def __init__(self, connection: aiosqlite.Connection, path: Path) -> None:
        self.commits = 0
        self._connection = connection
        self._path = path
        self._jobs: deque[_Job] = deque()
        self._room = asyncio.Semaphore(WAITING_MAX)
        self._wake = asyncio.Event()
        self._closing = False
        self._task = asyncio.create_task(self._run(), name="store writer")

    async def write(self, statements: list[Statement], *, alone: bool = False) -> None:
        """Returns when the statements are committed, all or none.

        Writes of one group are merged by their SQL text, in the order in which they came; what
        depends on the order of different statements must be `alone` in its transaction. Who is
        cancelled while waiting does not know whether it was stored.

        Raises:
            StorageTrouble: nothing of it was stored, for a reason of the disk or the file; a
                later write may succeed.
            UsageError: nothing of it was stored, for a reason that lies in it.
        """
        async with self._room:
            if self._closing:
                raise self._closed()
            job = _Job(statements, asyncio.get_running_loop().create_future(), alone)
            self._jobs.append(job)
            self._wake.set()
            await job.done

    async def close(self) -> None:
        """Writes what waits, then ends. The connection stays open."""
        self._closing = True
        self._wake.set()
        await self._task

    def _closed(self) -> StorageTrouble:
        return StorageTrouble(
            f"The store {self._path} was closed before this was written.",
            "Start heaptui again; what was acknowledged before is stored.",
        )

    async def _run(self) -> None:
        group: list[_Job] = []
        try:
            while self._jobs or not self._closing:
                if self._jobs:
                    group = self._take()
                    await self._settle(group)
                else:
                    self._wake.clear()
                    await self._wake.wait()
        finally:
            # also when the loop is torn down: nobody waits for an answer that cannot come
            self._closing = True
            for job in (*group, *self._jobs):
                _answer(job, self._closed())

    def _take(self) -> list[_Job]:
        group = [self._jobs.popleft()]
        rows = group[0].rows
        while self._jobs and not (group[0].alone or self._jobs[0].alone) and rows < GROUP_ROWS:
            group.append(self._jobs.popleft())
            rows += group[-1].rows
        return group

    async def _settle(self, group: list[_Job]) -> None:
        error = await self._commit(group)
        if len(group) > 1 and isinstance(error, _OF_THE_VALUES):
            # one of them cannot be stored anywhere: the others must not fail with it
            for job in group:
                await self._settle([job])
            return
        for job in group:
            _answer(job, self._explained(error))

    def _explained(self, error: Exception | None) -> HeaptuiError | None:
        # one instance for each waiter: a raised exception carries its own traceback
        if error is None:
            return None
        if isinstance(error, _OF_THE_VALUES):
            return unstorable("A record", error)
        assert isinstance(error, sqlite3.Error)
        return storage_trouble(error, self._path)

    async def _commit(self, group: list[_Job]) -> Exception | None:
        merged: dict[str, list[Row]] = {}
        for job in group:
            for sql, rows in job.statements:
                merged.setdefault(sql, []).extend(rows)
        try:
            await self._clear()
            for sql, rows in merged.items():
                await self._connection.executemany(sql, rows)
            await self._connection.commit()
        except (sqlite3.Error, OverflowError, ValueError) as error:
            try:
                await self._clear()
            except sqlite3.Error as worse:
                # the transaction is still there; `_clear` tries again before the next one
                return worse
            return error
        self.commits += 1
        return None

    async def _clear(self) -> None:
        if self._connection.in_transaction:
            await self._connection.rollback()


def _answer(job: _Job, error: Exception | None) -> None:
    if job.done.done():
        return
    if error is None:
        job.done.set_result(None)
    else:
        job.done.set_exception(error)
