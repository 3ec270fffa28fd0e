"""Salvaging a damaged database: what can be read goes into a new one, the old one is kept.

Offline: no supervisor may have the database open. Damage is met page by page. A row lives in a
leaf of its table's tree, so a scan by row id that fails goes on behind the leaf that failed. When
the first page is gone, and with it the list of tables, that of a new database of version 1 stands
in: the same statements place the same tables on the same pages. Tables of later versions are then
lost: where they lie depends on when the database was brought forward.
"""

from __future__ import annotations

import asyncio
import re
import shutil
import sqlite3
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec

from heaptui.errors import Refused, StorageTrouble
from heaptui.inputs import Division, Inputs
from heaptui.store import rows
from heaptui.store.opening import OPENED_IN, close_database, make_private, open_database, uri
from heaptui.store.schema import APPLICATION_ID, DIVIDED_TASKS, STEPS, VERSION, WIDER_TASKS
from heaptui.store.trouble import BUSY_S, is_damage, storage_trouble

PAGE: Final = 4096
"""Bytes of a page, SQLite's default since 3.12, which we never change."""

_PAGE_COUNT: Final = slice(28, 32)
"""Where the first page tells how many there are; with 0 SQLite goes by the file's length
(sqlite.org/fileformat2.html, 1.3.8)."""

_COMMENT: Final = re.compile(r"\s*--[^\n]*")
_KEY_MAX: Final = 1 << 40
_BESIDE: Final = ("", "-wal", "-shm")

_SESSION_COLUMNS: Final = (*rows.ATTEMPT_COLUMNS, "supervisor_id", "base_name")


class Mended(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a database. `kept` is the damaged file, None where nothing was wrong;
    `unreadable` counts places where rows were lost (a row, or a page of some)."""

    kept: Path | None = None
    tasks: int = 0
    attempts: int = 0
    events: int = 0
    rollups: int = 0
    snapshots: int = 0
    findings: int = 0
    inputs: int = 0
    divisions: int = 0
    unreadable: int = 0


async def mend(path: Path) -> Mended:
    """Moves a damaged database to `PATH.damaged-TIMESTAMP` and copies every readable row into a
    new one at `path`. A whole database is left as it is.

    Raises:
        Refused: made by a newer heaptui, or by another program.
        StorageTrouble: there is none, or the new one cannot be written; the old one
            is then still at `path`.
    """
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S.%fZ")
    kept = path.with_name(f"{path.name}.damaged-{stamp}")
    try:
        with tempfile.TemporaryDirectory(prefix=".mend-", dir=path.parent) as scratch:
            copy, fresh = Path(scratch) / "copy.db", Path(scratch) / "fresh.db"
            await asyncio.to_thread(_copy_files, path, copy)
            if await asyncio.to_thread(_is_whole, copy, path):
                return Mended()
            await close_database(await open_database(fresh))
            mended = await asyncio.to_thread(_salvage, copy, fresh)
            _replace(path, fresh, kept)
    except sqlite3.Error as error:
        raise storage_trouble(error, path) from error
    except OSError as error:
        raise StorageTrouble(
            f"{path} cannot be mended ({error.strerror}).",
            "Check that it is there, mend the permissions of its directory, and free as much "
            "space there as it takes, twice.",
        ) from error
    return msgspec.structs.replace(mended, kept=kept)


def _copy_files(path: Path, copy: Path) -> None:
    # what is read is a copy: opening a database already folds its log into it
    for end in _BESIDE[:2]:
        source = path.with_name(path.name + end)
        if end == "" or source.exists():
            target = copy.with_name(copy.name + end)
            make_private(target)
            shutil.copyfile(source, target)


def _is_whole(copy: Path, path: Path) -> bool:
    """Of the copy of what is at `path`, every page and every row."""
    try:
        with closing(_connect(copy)) as connection:
            (application,) = connection.execute("PRAGMA application_id").fetchone()
            (version,) = connection.execute("PRAGMA user_version").fetchone()
            ours = application == APPLICATION_ID
            if ours and version > VERSION:
                raise _not_ours(path, f"its schema is {version}, this heaptui knows {VERSION}")
            if connection.execute("PRAGMA integrity_check(1)").fetchone() != ("ok",):
                return False
            if not ours:
                raise _not_ours(path, f"its application id is {application:#x}")
            for table in _TABLES:
                if table.since > version:
                    continue
                names = _selected(connection, table)
                for row in connection.execute(f"SELECT {names} FROM {table.name}"):
                    table.of(row)
            return True
    except sqlite3.Error as error:
        # the plain code: a table or a column that should be there is not
        if is_damage(error) or error.sqlite_errorcode == sqlite3.SQLITE_ERROR:
            return False
        raise
    except (msgspec.MsgspecError, TypeError, ValueError):
        return False


def _not_ours(path: Path, why: str) -> Refused:
    return Refused(
        f"{path} is not for this heaptui to mend: {why}.",
        "Upgrade heaptui, or name another state directory with --state DIR; nothing was changed.",
    )


def _replace(path: Path, fresh: Path, kept: Path) -> None:
    """At each instant one of the two is at `path`; a log of the old one never meets the new."""
    kept.hardlink_to(path)
    for end in _BESIDE[1:]:
        old = path.with_name(path.name + end)
        if old.exists():
            old.rename(kept.with_name(kept.name + end))
    fresh.replace(path)


def _connect(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(uri(path, "rw"), uri=True, isolation_level=None, timeout=BUSY_S)


def _salvage(copy: Path, fresh: Path) -> Mended:
    """Fills `fresh` from `copy`."""
    if not _lists_tables(copy):
        first = bytearray(_first_page(fresh.with_name("first.db")))
        first[_PAGE_COUNT] = bytes(4)
        with copy.open("r+b") as damaged:
            damaged.write(first)
    with closing(_connect(copy)) as old, closing(_connect(fresh)) as new_database:
        new_database.execute("BEGIN IMMEDIATE")
        counts: dict[str, int] = {}
        lost, held = 0, _listed(old)
        for table in _TABLES:
            if table.name not in held and table.since > 1:
                # of a version that had none
                continue
            counts[table.counted], missing = _copy(old, new_database, table)
            lost += missing
        with suppress(sqlite3.DatabaseError):
            new_database.executemany(
                rows.PUT_META,
                old.execute("SELECT key, value FROM meta WHERE key <> ?", (OPENED_IN,)).fetchall(),
            )
        new_database.execute("COMMIT")
    return msgspec.convert({**counts, "unreadable": lost}, Mended)


def _first_page(path: Path) -> bytes:
    """Of a new database with the tables of version 1 as they are now, made at `path`: their list
    fits on that page, without what explains it."""
    with closing(sqlite3.connect(path)) as database:
        database.execute("PRAGMA journal_mode = WAL")
        for statement in (*STEPS[0], *WIDER_TASKS, *DIVIDED_TASKS):
            database.execute(_COMMENT.sub("", statement))
        database.commit()
    return path.read_bytes()[:PAGE]


def _lists_tables(path: Path) -> bool:
    with closing(_connect(path)) as connection:
        first = {table.name for table in _TABLES if table.since == 1}
        return first <= _listed(connection)


def _listed(connection: sqlite3.Connection) -> set[str]:
    """The tables, none where the list cannot be read."""
    try:
        return {row[0] for row in connection.execute("SELECT name FROM sqlite_master")}
    except sqlite3.Error:
        return set()


def _copy(old: sqlite3.Connection, new: sqlite3.Connection, table: _Table) -> tuple[int, int]:
    """Rows copied, and places where some were lost."""
    columns, names = table.columns, _selected(old, table)
    values = ", ".join("?" * len(columns))
    insert = f"INSERT OR IGNORE INTO {table.name} ({', '.join(columns)}) VALUES ({values})"
    copied = lost = 0
    scan = _by_row_id if table.name != "rollups" else _from_both_ends
    for row in scan(old, table.name, names):
        try:
            if row is None:
                raise TypeError
            table.of(row)
        except (msgspec.MsgspecError, TypeError, ValueError):
            lost += 1
            continue
        copied += new.execute(insert, row).rowcount
    return copied, lost


def _selected(connection: sqlite3.Connection, table: _Table) -> str:
    """What is selected for its columns: a version that had not one of them meant its default."""
    try:
        held = {row[1] for row in connection.execute(f"PRAGMA table_info({table.name})")}
    except sqlite3.DatabaseError:
        held = set()
    return ", ".join(
        name if name in held or not held else f"{_DEFAULTS.get(name, 'NULL')} AS {name}"
        for name in table.columns
    )


def _by_row_id(old: sqlite3.Connection, table: str, names: str) -> Iterator[Any]:
    """The rows in the order of their ids, None for each gap."""
    sql = f"SELECT rowid, {names} FROM {table} NOT INDEXED WHERE rowid >= ? ORDER BY rowid"
    start: int | None = 0
    while start is not None:
        try:
            for key, *row in old.execute(sql, (start,)):
                start = max(start, key + 1)
                yield row
            return
        except (sqlite3.DatabaseError, UnicodeDecodeError):
            yield None
        start = _behind_the_gap(lambda key: _reads(old, sql, key), start)


def _behind_the_gap(reads: Callable[[int], bool], start: int) -> int | None:
    """The least key above `start` from which a row can be read: doubling steps, then bisection.
    None: there is none."""
    step = 1
    while not reads(start + step):
        step *= 2
        if step > _KEY_MAX:
            return None
    fails, succeeds = start + step // 2, start + step
    while succeeds - fails > 1:
        middle = (fails + succeeds) // 2
        if reads(middle):
            succeeds = middle
        else:
            fails = middle
    return succeeds


def _reads(old: sqlite3.Connection, sql: str, key: int) -> bool:
    try:
        old.execute(sql, (key,)).fetchone()
    except (sqlite3.DatabaseError, UnicodeDecodeError):
        return False
    return True


def _from_both_ends(old: sqlite3.Connection, table: str, names: str) -> Iterator[Any]:
    """The rows before the first damage and behind the last, None between: roll-ups have a key
    that cannot be stepped through."""
    for order in ("ASC", "DESC"):
        direction = f"task_id {order}, attempt {order}, minute {order}"
        try:
            yield from old.execute(f"SELECT {names} FROM {table} ORDER BY {direction}")
            return
        except (sqlite3.DatabaseError, UnicodeDecodeError):
            if order == "ASC":
                yield None


_DEFAULTS: Final = {"recovery": "'{}'", "parent": "''", "kin": "'{}'"}


def _inputs_of(row: Sequence[Any]) -> Inputs:
    return msgspec.json.decode(row[1], type=Inputs)


def _division_of(row: Sequence[Any]) -> Division:
    return msgspec.json.decode(row[1], type=Division)


class _Table(NamedTuple):
    """What is salvaged of one, and since which version there is one. `of` refuses a row that
    heaptui did not write; `counted` is where `Mended` tells how many there were."""

    name: str
    columns: tuple[str, ...]
    of: Callable[[Sequence[Any]], object]
    counted: str
    since: int


_TABLES: Final = (
    _Table("tasks", rows.TASK_COLUMNS, rows.task_of, "tasks", 1),
    _Table(
        "worker_sessions",
        _SESSION_COLUMNS,
        lambda row: rows.attempt_of(row[: len(rows.ATTEMPT_COLUMNS)]),
        "attempts",
        1,
    ),
    _Table("events", rows.EVENT_COLUMNS, rows.event_of, "events", 1),
    _Table("rollups", rows.ROLLUP_COLUMNS, rows.rollup_of, "rollups", 1),
    _Table(
        "snapshots",
        (*rows.SNAPSHOT_COLUMNS, "base_name", "deleted"),
        lambda row: rows.snapshot_of(row[: len(rows.SNAPSHOT_COLUMNS)]),
        "snapshots",
        2,
    ),
    _Table("findings", rows.FINDING_COLUMNS, rows.finding_of, "findings", 2),
    _Table("inputs", ("task_id", "inputs"), _inputs_of, "inputs", 4),
    _Table("divisions", ("task_id", "division"), _division_of, "divisions", 4),
)
