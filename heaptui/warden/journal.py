"""The file that outlives a warden: rows, appended one by one, now and then rewritten."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable

from heaptui.warden.log import log

TYPE_CHECKING = False  # the typing module would cost a megabyte
if TYPE_CHECKING:
    from typing import Any

Row = dict[str, "Any"]
Key = tuple[str, int]


def key_of(row: Row) -> Key:
    """(task, attempt)."""
    return row["task"], row["attempt"]


def encoded(row: Row) -> bytes:
    return json.dumps(row, separators=(",", ":")).encode() + b"\n"


def write_all(file: int, data: bytes) -> None:
    """All of it or an OSError: a short write shows its reason only to the next one."""
    while data:
        data = data[os.write(file, data) :]


class Journal:
    """Append-only rows, one JSON object a line; which of them still matter is not its to say.

    Not synced: a killed process loses nothing that it wrote, and after a power cut every row would
    be of an older boot anyway.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self.file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self.size = os.fstat(self.file).st_size
        self.rewritten = 0

    def rows(self) -> Iterable[Row]:
        """What can be read: a line torn by a crash is passed over."""
        with open(self.path, "rb") as file:
            for line in file:
                try:
                    yield json.loads(line)
                except (ValueError, RecursionError):
                    log(f"journal: passed over a torn row of {len(line)} bytes")

    def append(self, row: Row) -> None:
        """Whole or not at all: what was written of a row that does not fit is taken back."""
        data = encoded(row)
        try:
            write_all(self.file, data)
        except OSError:
            os.ftruncate(self.file, self.size)
            raise
        self.size += len(data)

    def rewrite(self, rows: Iterable[Row]) -> None:
        """Replaces the whole file at once."""
        data = b"".join(map(encoded, rows))
        beside = self.path + ".new"
        file = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND, 0o600)
        try:
            write_all(file, data)
            os.rename(beside, self.path)
        except OSError:
            os.close(file)
            os.unlink(beside)  # where the disk is full its room is needed
            raise
        os.close(self.file)
        self.file, self.size, self.rewritten = file, len(data), len(data)
