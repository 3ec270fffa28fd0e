"""What lives, what ended and was not acknowledged, and how much is unended: known to this process,
and by the journal to the next."""

from __future__ import annotations

import time
from collections.abc import Iterable

from heaptui.warden.journal import Journal, Key, Row, key_of
from heaptui.warden.log import log

JOURNAL_BYTES, JOURNAL_IDLE_BYTES = 1 << 20, 16 << 10
JOURNAL_RETRY_S = 1.0


class Attempt:
    """A live process: a child of ours, or an adopted one. `row` is its row in the journal.

    `outcome` is the descriptor that tells whether the exec worked, None once that is known;
    `error`: why it did not.
    """

    __slots__ = ("error", "outcome", "row")

    def __init__(self, row: Row, outcome: int | None = None) -> None:
        self.row = row
        self.outcome = outcome
        self.error: str | None = None

    def facts(self) -> Row:
        return {name: self.row[name] for name in ("task", "attempt", "pid", "start", "at")}


class Records:
    """Changed first here, then in the journal: what could not be written is written whole later."""

    def __init__(self, path: str) -> None:
        self.journal = Journal(path)
        self.live: dict[Key, Attempt] = {}
        self.ended: dict[Key, Row] = {}
        self.unended = 0
        self.retry_at: float | None = None
        for row in self.journal.rows():
            self.replay(row)

    def replay(self, row: Row) -> None:
        match row:
            case {"j": "unended", "n": int(number)}:
                self.unended = number
            case {
                "j": "start", "task": str(), "attempt": int(), "pid": int(), "start": int(),
                "at": float(), "boot": str(),
            }:  # fmt: skip
                self.live[key_of(row)] = Attempt(row)
            case {"j": "end", "ev": "ended", "task": str(), "attempt": int()}:
                self.live.pop(key_of(row), None)
                self.ended[key_of(row)] = {k: row[k] for k in row if k != "j"}
            case {"j": "ack", "task": str(), "attempt": int()}:
                self.ended.pop(key_of(row), None)
            case _:
                log("journal: passed over a row that makes no sense")

    def started(self, attempt: Attempt) -> str | None:
        """Why its start cannot be written down, if it cannot."""
        self.live[key_of(attempt.row)] = attempt
        return self.record(attempt.row)

    def over(self, event: Row) -> None:
        """It ended, or never began."""
        self.live.pop(key_of(event), None)
        self.ended[key_of(event)] = event
        self.record({"j": "end", **event})

    def acknowledged(self, key: Key) -> None:
        if self.ended.pop(key, None):
            self.record({"j": "ack", "task": key[0], "attempt": key[1]})
            if not self.live and not self.ended and self.journal.size > JOURNAL_IDLE_BYTES:
                self.compact()

    def expect(self, unended: int) -> None:
        if unended != self.unended:
            self.unended = unended
            self.record({"j": "unended", "n": unended})

    def work(self) -> bool:
        """Whether a supervisor is needed."""
        return bool(self.live or self.ended or self.unended)

    def record(self, row: Row) -> str | None:
        """Writes the row, or says why it cannot; then all of them are written later."""
        try:
            if self.retry_at is not None:
                self.journal.rewrite(self.rows())
                self.retry_at = None
            self.journal.append(row)
        except OSError as error:
            if self.retry_at is None:
                log(f"journal: cannot be written: {error.strerror}")
            self.retry_at = time.monotonic() + JOURNAL_RETRY_S
            return error.strerror
        if self.journal.size > max(JOURNAL_BYTES, 2 * self.journal.rewritten):
            self.compact()
        return None

    def compact(self) -> None:
        """Leaves in the journal what still matters."""
        try:
            self.journal.rewrite(self.rows())
            self.retry_at = None
        except OSError:
            self.retry_at = time.monotonic() + JOURNAL_RETRY_S

    def rows(self) -> Iterable[Row]:
        yield {"j": "unended", "n": self.unended}
        yield from (attempt.row for attempt in self.live.values())
        yield from ({"j": "end", **event} for event in self.ended.values())

    def due(self, now: float) -> float | None:
        """Writes what is owed once it is time; when to come again, None: nothing is owed."""
        if self.retry_at is not None and now >= self.retry_at:
            self.compact()
        return self.retry_at
