"""SQLite's errors in the operator's words: what happened, what it means, what to do."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from heaptui.errors import StorageTrouble

BUSY_S = 5.0
"""Seconds that a statement waits for another process's lock."""

MEND = (
    "Run `heaptui doctor --mend-store`: it keeps the damaged file beside a new one and copies "
    "every readable row. Nothing was deleted."
)
_DAMAGED = ("SQLITE_CORRUPT", "SQLITE_NOTADB")


def is_damage(error: sqlite3.Error) -> bool:
    """The file itself is not what SQLite wrote."""
    # the Python module raises the second by itself, without a code
    return _name(error).startswith(_DAMAGED) or "Could not decode to UTF-8" in str(error)


def _name(error: sqlite3.Error) -> str:
    # errors that the Python module raises by itself carry no code
    return getattr(error, "sqlite_errorname", "")


def storage_trouble(error: sqlite3.Error, path: Path) -> StorageTrouble:
    """The error of the family for one of SQLite's (codes: sqlite.org/rescode.html)."""
    name = _name(error)
    if is_damage(error):
        return damaged(path, str(error))
    if name == "SQLITE_FULL":
        return StorageTrouble(
            f"The disk that holds {path} is full: what was to be stored was not.",
            "Free space there; heaptui goes on by itself as soon as there is room.",
        )
    if name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
        return StorageTrouble(
            f"Another program has kept {path} locked for {BUSY_S:g} s.",
            "End its transaction (an open sqlite3 shell?); heaptui goes on by itself.",
        )
    if name.startswith(("SQLITE_READONLY", "SQLITE_CANTOPEN", "SQLITE_PERM", "SQLITE_AUTH")):
        return StorageTrouble(
            f"{path} cannot be opened for writing ({error}).",
            "Mend the permissions of it and its directory, or name another state directory "
            "with --state DIR.",
        )
    if name.startswith("SQLITE_IOERR"):
        return StorageTrouble(
            f"Reading or writing {path} failed ({error}, {name}).",
            "Look at the disk's room, its quota and the system's log; heaptui goes on by itself "
            "once the disk answers.",
        )
    return StorageTrouble(f"{path} cannot be used ({error}).", "Look at `heaptui doctor`.")


def damaged(path: Path, how: str) -> StorageTrouble:
    """`how` is one line of evidence."""
    return StorageTrouble(f"The database {path} is damaged ({how}).", MEND)
