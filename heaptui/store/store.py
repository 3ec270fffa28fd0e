"""The store of one state directory: one writer, and reads that never wait for it."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Iterable
from pathlib import Path

import aiosqlite

from heaptui.inputs import Division, Inputs
from heaptui.model import AttemptRecord, Event, Finding, Kind, Snapshot
from heaptui.store import profiles, retention, rows
from heaptui.store.history import History, Peak
from heaptui.store.opening import close_database, connect, open_database
from heaptui.store.records import Batch, Rollup, StoredTask
from heaptui.store.rows import PUT_META, statements_of
from heaptui.store.trouble import storage_trouble
from heaptui.store.writer import Writer


class Store:
    """Tasks, attempts, events and roll-ups on disk. All methods belong to one event loop.

    Reads see everything that was acknowledged, and raise StorageTrouble when the file cannot be
    read. Writes raise StorageTrouble (the disk, the file; later ones may succeed) or UsageError
    (the values), and then nothing of them was stored.
    """

    def __init__(
        self, path: Path, supervisor_id: str, connection: aiosqlite.Connection, history: History
    ) -> None:
        self.path = path
        self._supervisor_id = supervisor_id
        self._connection = connection
        self._writer = Writer(connection, path)
        self._history = history
        self._closed = False
        self._numbering = asyncio.Lock()

    @classmethod
    async def open(cls, path: Path, supervisor_id: str) -> Store:
        """Opens the database, which is made where there is none and migrated where it is older.

        `supervisor_id` is noted in the attempts that are begun through this store.

        Raises:
            Refused: made by a newer heaptui, or by another program; nothing was changed.
            StorageTrouble: it cannot be made, read or written, or is damaged; nothing was deleted.
        """
        connection = await open_database(path)
        try:
            reader = await connect(path, read_only=True)
        except BaseException as error:
            await connection.close()
            if isinstance(error, sqlite3.Error):
                raise storage_trouble(error, path) from error
            raise
        return cls(path, supervisor_id, connection, History(reader, path))

    async def close(self) -> None:
        """Writes what waits, then closes. Closing twice is closing once."""
        if self._closed:
            return
        self._closed = True
        try:
            await self._writer.close()
        finally:
            await self._history.close()
            # last, so that it is the one that folds the log into the file
            await close_database(self._connection)

    @property
    def commits(self) -> int:
        """Transactions since it was opened."""
        return self._writer.commits

    async def write(self, batch: Batch) -> None:
        """Returns when the batch is committed, all of it or nothing."""
        statements = statements_of(batch, self._supervisor_id)
        if statements:
            await self._writer.write(statements)

    async def set_meta(self, key: str, value: str | None) -> None:
        await self._writer.write([(PUT_META, [(key, value)])])

    async def get_meta(self, key: str) -> str | None:
        return await self._history.meta(key)

    async def unended(self) -> list[StoredTask]:
        """In the order in which they came."""
        return await self._history.unended()

    async def recent(self, limit: int) -> list[StoredTask]:
        """Ended tasks, the latest end first."""
        return await self._history.recent(limit)

    async def all_tasks(self, limit: int) -> list[StoredTask]:
        """The latest that came first."""
        return await self._history.all_tasks(limit)

    async def task(self, task_id: str) -> StoredTask | None:
        return await self._history.task(task_id)

    async def children(self, task_id: str) -> list[StoredTask]:
        """Those that the task was split into, in their order; ended ones too."""
        return await self._history.children(task_id)

    async def inputs(self, task_id: str) -> Inputs | None:
        """What the task works through; None where it names nothing."""
        return await self._history.inputs(task_id)

    async def division(self, task_id: str) -> Division | None:
        """How the task was split, or is being split; None where nobody wants that."""
        return await self._history.division(task_id)

    async def find(self, text: str) -> list[StoredTask]:
        """The task of that id, else those whose id begins so, else those of exactly that name;
        the latest first, at most ten."""
        return await self._history.find(text)

    async def attempts(self, task_id: str) -> list[AttemptRecord]:
        """First to last."""
        return await self._history.attempts(task_id)

    async def events(self, task_id: str, limit: int) -> list[Event]:
        """The latest `limit`, oldest first."""
        return await self._history.events(task_id, limit)

    async def recent_events(self, limit: int, since_seq: int = 0) -> list[Event]:
        """The latest `limit` of all tasks and of the machine, behind that number, oldest first."""
        return await self._history.recent_events(limit, since_seq)

    async def history(self, limit: int, match: str = "") -> list[AttemptRecord]:
        """Ended attempts, the latest end first, whose name, task id or verdict holds `match`."""
        return await self._history.history(limit, match)

    async def peaks(self, kind: Kind, name: str, n: int = 20) -> list[Peak]:
        """Peak bytes and verdicts of the last `n` ended attempts of this kind and name (copies
        `name/1`, `name/2` count as one name), the latest first."""
        return await self._history.peaks(kind, name, n)

    async def profiles(self, ends: int) -> list[profiles.Profile]:
        """How the attempts of each kind and name (copies count as one) ended: those with the latest
        ends first, with at most `ends` of each."""
        return await profiles.profiles(self._history, self.path, ends)

    async def rollups(self, task_id: str, since: float) -> list[Rollup]:
        """The minutes of all attempts from the one that holds the instant `since`, in order."""
        return await self._history.rollups(task_id, since)

    async def environments(self) -> set[str]:
        """The keys of all that a task still needs."""
        return await self._history.environments()

    async def highest_order(self) -> int:
        """0 where there is no task."""
        return await self._history.highest_order()

    async def add_snapshot(self, snapshot: Snapshot) -> int:
        """Keeps it under a new number, which is returned; its own `id` is not looked at."""
        return await self._add(
            "snapshots", rows.ADD_SNAPSHOT, lambda number: rows.snapshot_row(snapshot, number)
        )

    async def snapshots(self, task_id: str | None = None) -> list[Snapshot]:
        """Of one task or of all, the latest first."""
        return await self._history.snapshots(task_id)

    async def delete_snapshots(self, ids: Iterable[int]) -> None:
        """They are no longer listed; what they cost stays known."""
        gone: list[rows.Row] = [(number,) for number in ids]
        if gone:
            await self._writer.write([("UPDATE snapshots SET deleted = 1 WHERE id = ?", gone)])

    async def costs(self, runtime: str) -> list[Snapshot]:
        """What earlier snapshots of a runtime took, deleted ones too, the latest first."""
        return await self._history.costs(runtime)

    async def add_finding(self, finding: Finding) -> int:
        """Keeps it under a new number, which is returned; its own `id` is not looked at."""
        return await self._add(
            "findings", rows.ADD_FINDING, lambda number: rows.finding_row(finding, number)
        )

    async def findings(self, task_id: str | None = None) -> list[Finding]:
        """Of one task or of all, the latest first."""
        return await self._history.findings(task_id)

    async def _add(self, table: str, sql: str, row: Callable[[int], rows.Row]) -> int:
        async with self._numbering:
            number = await self._history.highest_number(table) + 1
            await self._writer.write([(sql, [row(number)])])
            return number

    async def forget(self, ids: Iterable[str]) -> int:
        """Deletes ended tasks with everything of theirs; how many. Others are left alone."""
        return len(await retention.forget(self._history, self._writer, ids))

    async def prune(self, now: float, keep_days: float, keep_tasks: int) -> list[str]:
        """Deletes ended tasks by age and number (see retention.py); their ids. Between its
        portions other writes go on."""
        return await retention.prune(self._history, self._writer, now, keep_days, keep_tasks)

    async def size(self) -> int:
        """Bytes of the database and its log."""
        files = (self.path, self.path.with_name(self.path.name + "-wal"))
        return sum(file.stat().st_size for file in files if file.exists())
