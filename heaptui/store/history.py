"""What can be asked of the store: reads on a connection of their own, beside the writer.

All of them raise StorageTrouble when the file cannot be read.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, TypeVar

import aiosqlite
import msgspec

from heaptui.errors import StorageTrouble
from heaptui.inputs import Division, Inputs
from heaptui.model import AttemptRecord, Event, Finding, Kind, Snapshot, VerdictKind
from heaptui.store import rows
from heaptui.store.records import Rollup, StoredTask
from heaptui.store.schema import HAS_ENDED, IS_UNENDED
from heaptui.store.trouble import damaged, storage_trouble
from heaptui.units import MIB

FIND_MAX: Final = 10
"""Candidates that `find` names."""

Peak = tuple[int, VerdictKind | None]
"""Bytes that an attempt reached, and how it ended."""

_T = TypeVar("_T")
_Parameters = Sequence[Any] | Mapping[str, Any]
_LAST = "\U0010ffff"

_TASKS = f"SELECT {', '.join(rows.TASK_COLUMNS)} FROM tasks"
_ATTEMPTS = f"SELECT {', '.join(rows.ATTEMPT_COLUMNS)} FROM worker_sessions"
_EVENTS = f"SELECT {', '.join(rows.EVENT_COLUMNS)} FROM events"
_ROLLUPS = f"SELECT {', '.join(rows.ROLLUP_COLUMNS)} FROM rollups"
_SNAPSHOTS = f"SELECT {', '.join(rows.SNAPSHOT_COLUMNS)} FROM snapshots"
_FINDINGS = f"SELECT {', '.join(rows.FINDING_COLUMNS)} FROM findings"
_OF_TASK = "(?1 IS NULL OR task_id = ?1)"


class History:
    """Owns a read-only connection."""

    def __init__(self, connection: aiosqlite.Connection, path: Path) -> None:
        self._connection = connection
        self._path = path

    async def close(self) -> None:
        await self._connection.close()

    async def fetch(self, sql: str, parameters: _Parameters = ()) -> list[tuple[Any, ...]]:
        """The rows of any SELECT."""
        try:
            return [tuple(row) for row in await self._connection.execute_fetchall(sql, parameters)]
        except sqlite3.Error as error:
            raise storage_trouble(error, self._path) from error
        except UnicodeEncodeError as error:
            raise rows.unstorable("What was asked for", error) from error
        except ValueError as error:
            raise StorageTrouble(
                f"The store {self._path} is closed.", "Start heaptui again."
            ) from error

    async def _records(
        self, of: Callable[[Sequence[Any]], _T], sql: str, parameters: _Parameters = ()
    ) -> list[_T]:
        found = await self.fetch(sql, parameters)
        try:
            return [of(row) for row in found]
        except (msgspec.MsgspecError, TypeError, ValueError) as error:
            raise damaged(self._path, f"a row does not read: {error}") from error

    async def _one(self, sql: str, task_id: str, kind: type[_T]) -> _T | None:
        """The JSON of the one row that is this task's."""
        found = await self._records(
            lambda row: msgspec.json.decode(row[0], type=kind), sql, (task_id,)
        )
        return found[0] if found else None

    async def unended(self) -> list[StoredTask]:
        """In the order in which they came."""
        return await self._records(
            rows.task_of, f"{_TASKS} WHERE {IS_UNENDED} ORDER BY sequence, id"
        )

    async def recent(self, limit: int) -> list[StoredTask]:
        """Ended tasks, the latest end first."""
        return await self._records(
            rows.task_of,
            f"{_TASKS} WHERE {HAS_ENDED} ORDER BY ended_at DESC, sequence DESC LIMIT ?",
            (_most(limit),),
        )

    async def all_tasks(self, limit: int) -> list[StoredTask]:
        """The latest that came first."""
        return await self._records(
            rows.task_of, f"{_TASKS} ORDER BY sequence DESC, id DESC LIMIT ?", (_most(limit),)
        )

    async def task(self, task_id: str) -> StoredTask | None:
        found = await self._records(rows.task_of, f"{_TASKS} WHERE id = ?", (task_id,))
        return found[0] if found else None

    async def children(self, task_id: str) -> list[StoredTask]:
        """Those that the task was split into, in their order; ended ones too."""
        sql = f"{_TASKS} WHERE parent = ? AND parent <> ''"
        found = await self._records(rows.task_of, sql, (task_id,))
        return sorted(found, key=lambda task: task.kin.part)

    async def inputs(self, task_id: str) -> Inputs | None:
        """What the task works through."""
        return await self._one("SELECT inputs FROM inputs WHERE task_id = ?", task_id, Inputs)

    async def division(self, task_id: str) -> Division | None:
        """How the task was split, or is being split."""
        sql = "SELECT division FROM divisions WHERE task_id = ?"
        return await self._one(sql, task_id, Division)

    async def find(self, text: str) -> list[StoredTask]:
        """The task of that id, else those whose id begins so, else those of exactly that name;
        the latest first, at most FIND_MAX."""
        if not text:
            return []
        newest = f"ORDER BY sequence DESC, id DESC LIMIT {FIND_MAX}"
        for where, parameters in (
            ("id = ?", (text,)),
            ("id >= ? AND id < ?", (text, text + _LAST)),
            ("name = ?", (text,)),
        ):
            found = await self._records(
                rows.task_of, f"{_TASKS} WHERE {where} {newest}", parameters
            )
            if found:
                return found
        return []

    async def attempts(self, task_id: str) -> list[AttemptRecord]:
        """First to last."""
        return await self._records(
            rows.attempt_of, f"{_ATTEMPTS} WHERE task_id = ? ORDER BY attempt", (task_id,)
        )

    async def events(self, task_id: str, limit: int) -> list[Event]:
        """The latest `limit`, oldest first."""
        latest = await self._records(
            rows.event_of,
            f"{_EVENTS} WHERE task_id = ? ORDER BY seq DESC LIMIT ?",
            (task_id, _most(limit)),
        )
        return latest[::-1]

    async def recent_events(self, limit: int, since_seq: int = 0) -> list[Event]:
        """The latest `limit` of all tasks and of the machine, behind that number, oldest first."""
        latest = await self._records(
            rows.event_of,
            f"{_EVENTS} WHERE seq > ? ORDER BY seq DESC LIMIT ?",
            (since_seq, _most(limit)),
        )
        return latest[::-1]

    async def history(self, limit: int, match: str = "") -> list[AttemptRecord]:
        """Ended attempts, the latest end first, whose name, task id or verdict holds `match` (as
        it is written, but for the case of ASCII letters)."""
        # instr and not LIKE: nothing in what the operator types is a pattern
        return await self._records(
            rows.attempt_of,
            f"{_ATTEMPTS} WHERE ended_at IS NOT NULL AND (:match = ''"
            " OR instr(lower(name), lower(:match)) OR instr(lower(task_id), lower(:match))"
            " OR instr(verdict, lower(:match)))"
            " ORDER BY ended_at DESC, id DESC LIMIT :limit",
            {"match": match, "limit": _most(limit)},
        )

    async def peaks(self, kind: Kind, name: str, n: int = 20) -> list[Peak]:
        """Of the last `n` ended attempts of this kind and base name, latest first."""
        found = await self.fetch(
            "SELECT memory_peak_mb, verdict FROM worker_sessions"
            " WHERE agent_type = ? AND base_name = ?"
            " AND ended_at IS NOT NULL AND memory_peak_mb IS NOT NULL"
            " ORDER BY ended_at DESC, id DESC LIMIT ?",
            (kind.value, rows.base_name(name), _most(n)),
        )
        return [
            (round(megabytes * MIB), None if verdict is None else VerdictKind(verdict))
            for megabytes, verdict in found
        ]

    async def rollups(self, task_id: str, since: float) -> list[Rollup]:
        """The minutes of all attempts from the one that holds the instant `since`, in order."""
        return await self._records(
            rows.rollup_of,
            f"{_ROLLUPS} WHERE task_id = ? AND minute >= ? ORDER BY minute, attempt",
            (task_id, int(since // 60)),
        )

    async def snapshots(self, task_id: str | None) -> list[Snapshot]:
        """Those whose files are there, the latest first."""
        return await self._records(
            rows.snapshot_of,
            f"{_SNAPSHOTS} WHERE NOT deleted AND {_OF_TASK} ORDER BY id DESC",
            (task_id,),
        )

    async def costs(self, runtime: str, limit: int = 200) -> list[Snapshot]:
        """The latest snapshots of a runtime whose costs are known, deleted ones too; the latest
        first."""
        return await self._records(
            rows.snapshot_of,
            f"{_SNAPSHOTS} WHERE runtime = ? AND heap_bytes > 0 AND extra_bytes IS NOT NULL"
            " ORDER BY id DESC LIMIT ?",
            (runtime, _most(limit)),
        )

    async def highest_number(self, table: str) -> int:
        """That a row of this numbered table ever had, 0 where there was none."""
        found = await self.fetch("SELECT seq FROM sqlite_sequence WHERE name = ?", (table,))
        return int(found[0][0]) if found else 0

    async def findings(self, task_id: str | None) -> list[Finding]:
        """The latest first."""
        return await self._records(
            rows.finding_of, f"{_FINDINGS} WHERE {_OF_TASK} ORDER BY id DESC", (task_id,)
        )

    async def meta(self, key: str) -> str | None:
        found = await self.fetch("SELECT value FROM meta WHERE key = ?", (key,))
        return found[0][0] if found else None

    async def environments(self) -> set[str]:
        return {row[0] for row in await self.fetch("SELECT DISTINCT environment FROM tasks")}

    async def highest_order(self) -> int:
        """0 where there is no task."""
        return int((await self.fetch("SELECT coalesce(max(sequence), 0) FROM tasks"))[0][0])

    async def weights(self, ids: Sequence[str]) -> dict[str, int]:
        """How many events and roll-ups hang on each of the ids that there is a task of."""
        found = await self.fetch(
            "SELECT id, (SELECT count(*) FROM events WHERE task_id = tasks.id)"
            " + (SELECT count(*) FROM rollups WHERE task_id = tasks.id)"
            f" FROM tasks WHERE id IN ({', '.join('?' * len(ids))})",
            ids,
        )
        return dict(found)


def _most(limit: int) -> int:
    # SQLite takes a negative limit for none at all, and no more than 64 bits
    return min(max(0, limit), 1 << 31)
