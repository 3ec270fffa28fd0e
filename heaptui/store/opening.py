"""Opening the database: private, ours, of a version we know, whole, and in WAL mode.

Durability. The journal is a write-ahead log and `synchronous` is NORMAL: a commit is a write into
the log, which the kernel holds. When heaptui is killed (kill -9, out of memory, a lost line) no
acknowledged row is lost. When the machine loses power, the last commits since a checkpoint may be
missing, but the file is whole; and every process that these rows spoke of died at the same
moment, which the next start finds by the boot id. FULL would add one fsync (2-3 ms) to each
dispatch to save rows that have lost their subject.
"""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path
from typing import Any

import aiosqlite

from heaptui.errors import StorageTrouble
from heaptui.store import schema
from heaptui.store.rows import PUT_META
from heaptui.store.trouble import BUSY_S, damaged, storage_trouble

OPENED_IN = "store.opened-in"
"""The meta key that holds the boot in which the database was opened, NULL once it was closed."""

CHEAP_BYTES = 16 << 20
"""A database up to this size is checked at each opening (quick_check: 1.8 ms a megabyte)."""

_PRAGMAS = (
    "PRAGMA synchronous = NORMAL",
    # variables given with a task may be secrets: what is deleted is overwritten
    "PRAGMA secure_delete = ON",
    # a log that one large transaction blew up is cut down again
    f"PRAGMA journal_size_limit = {16 << 20}",
    # the default of 2 MB a connection fills as the file grows, and a supervisor's memory is flat
    "PRAGMA cache_size = -512",
)


def uri(path: Path, mode: str) -> str:
    """What SQLite opens: `ro`, or `rw`, which makes no file."""
    return f"{path.absolute().as_uri()}?mode={mode}"


async def connect(path: Path, *, read_only: bool = False) -> aiosqlite.Connection:
    """A connection to an existing database.

    Raises:
        sqlite3.Error: it cannot be opened.
    """
    connection = aiosqlite.connect(
        uri(path, "ro" if read_only else "rw"),
        uri=True,
        timeout=BUSY_S,
        isolation_level="IMMEDIATE",
    )
    # its thread is no daemon, so a supervisor that dies of an error would hang at exit, waiting
    # for a thread that waits for orders (up to aiosqlite 0.21 the connection is the thread)
    thread: Any = getattr(connection, "_thread", connection)
    thread.daemon = True
    return await connection


async def open_database(path: Path) -> aiosqlite.Connection:
    """The writing connection, made, checked and migrated as needed; the file is 0600.

    Raises:
        Refused: made by a newer heaptui, or by another program.
        StorageTrouble: it cannot be made, read or written, or it is damaged.
    """
    try:
        make_private(path)
    except OSError as error:
        raise StorageTrouble(
            f"The database {path} cannot be made or opened ({error.strerror}).",
            "Mend the permissions of its directory or free space there, or name another state "
            "directory with --state DIR.",
        ) from error
    try:
        connection = await connect(path)
        try:
            await _prepare(connection, path)
        except BaseException:
            await connection.close()
            raise
    except sqlite3.Error as error:
        raise storage_trouble(error, path) from error
    return connection


def make_private(path: Path) -> None:
    """Makes the file where there is none; the log beside it inherits its mode from SQLite.

    Raises:
        OSError: it cannot be made, or is somebody else's.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        if os.fstat(descriptor).st_mode & 0o077:
            os.fchmod(descriptor, 0o600)
    finally:
        os.close(descriptor)


async def _prepare(connection: aiosqlite.Connection, path: Path) -> None:
    # the version is looked at before anything is changed
    if await schema.version_of(connection) <= schema.VERSION:
        await _use_wal(connection, path)
        for pragma in _PRAGMAS:
            await connection.execute(pragma)
    await schema.migrate(connection)
    opened_in = await connection.execute_fetchall(
        "SELECT value FROM meta WHERE key = ?", (OPENED_IN,)
    )
    boot = boot_id()
    # a process that dies tears no page; a machine that dies may, on a disk that lies about fsync
    machine_died = any(row[0] not in (None, boot) for row in opened_in)
    if machine_died or await _bytes(connection) <= CHEAP_BYTES:
        await _check(connection, path)
    try:
        await mark(connection, boot)
    except sqlite3.OperationalError:
        # a full disk: adopting what runs needs no room; without the mark a check is left out
        if connection.in_transaction:
            await connection.rollback()


async def _use_wal(connection: aiosqlite.Connection, path: Path) -> None:
    rows = await connection.execute_fetchall("PRAGMA journal_mode = WAL")
    mode = next(iter(rows))[0]
    if mode != "wal":
        raise StorageTrouble(
            f"{path} cannot have a write-ahead log here (journal mode {mode}).",
            "Name a state directory on a local file system with --state DIR.",
        )


async def _bytes(connection: aiosqlite.Connection) -> int:
    rows = await connection.execute_fetchall(
        "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size"
    )
    return int(next(iter(rows))[0])


async def _check(connection: aiosqlite.Connection, path: Path) -> None:
    rows = await connection.execute_fetchall("PRAGMA quick_check(1)")
    answer = str(next(iter(rows))[0])
    if answer != "ok":
        raise damaged(path, answer.replace("\n", " "))


async def mark(connection: aiosqlite.Connection, boot: str | None) -> None:
    """Notes the boot in which the database is open; None: it is closed.

    Raises:
        sqlite3.Error: it cannot be written.
    """
    await connection.execute(PUT_META, (OPENED_IN, boot))
    await connection.commit()


def boot_id() -> str:
    """Changes with each start of the machine."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        import psutil

        # moves by a second when the clock is set: then a check too many is made
        return str(int(psutil.boot_time()))


async def close_database(connection: aiosqlite.Connection) -> None:
    """Marks it as closed and closes it; the last one to close folds the log into the file.

    A mark or a fold that cannot be written costs a check at the next opening, no data.
    """
    try:
        await mark(connection, None)
    except sqlite3.Error:
        if connection.in_transaction:
            await connection.rollback()
    finally:
        await connection.close()
