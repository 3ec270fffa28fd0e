"""A worker that said hello for the half that saves work, and what it may still say to operators."""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass, field

from heaptui.engine.allowance import Allowance
from heaptui.engine.run import Run
from heaptui.engine.worker_connection import WorkerConnection
from heaptui.engine.worker_peer import Peer
from heaptui.model import Work
from heaptui.wire import AskCheckpoint, Checkpoint, Drain, Drained, Progress, Result

ASKED_AT_ONCE = 16
LOGS_PER_S, LOGS_AT_ONCE = 1.0, 30.0
"""Lines of an attempt's history that its workers may write; for more there is its output."""
TROUBLES_PER_S, TROUBLES_AT_ONCE = 0.1, 5.0

HandedIn = Progress | Checkpoint | Result | Drained
Answer = Work | str
"""What stands, or why nothing does."""


@dataclass(slots=True, eq=False)
class Link:
    """A process that speaks this half. `asked`: questions for a checkpoint that it has not
    answered. `in_hand`: what it handed in and is not in its place yet, with the `keeper` that puts
    it there. `over`: the connection has ended; `ended`: its process was seen to have."""

    run: Run
    peer: Peer
    connection: WorkerConnection
    can: tuple[str, ...]
    asked: dict[int, asyncio.Future[Answer]] = field(default_factory=dict)
    in_hand: deque[HandedIn] = field(default_factory=deque)
    keeper: asyncio.Task[None] | None = None
    over: asyncio.Event = field(default_factory=asyncio.Event)
    ended: bool = False

    @property
    def pid(self) -> int:
        return self.peer.identity.pid

    def ask(self, number: int) -> asyncio.Future[Answer] | None:
        """For a checkpoint; None when too much waits for it already, or it has just gone."""
        if len(self.asked) >= ASKED_AT_ONCE or not self.connection.send(AskCheckpoint(number)):
            return None
        asked = self.asked[number] = asyncio.get_running_loop().create_future()
        return asked

    def answer(self, number: int, answer: Answer) -> None:
        """Whatever comes without a number (0) after a question answers it."""
        for one in [number] if number else list(self.asked):
            asked = self.asked.pop(one, None)
            if asked is not None and not asked.done():
                asked.set_result(answer)

    def gone(self) -> None:
        """Nothing more is to be expected of it."""
        self.answer(0, f"process {self.pid} closed its connection before it was made")

    def drain(self) -> None:
        """Tells it, if it listens to that, how long it has."""
        if "drain" in self.can:
            left_s = self.run.drain_until - asyncio.get_running_loop().time()
            self.connection.send(Drain(grace_ms=max(0, int(left_s * 1000))))


@dataclass(slots=True)
class Sayings:
    """Lines of an attempt's history that its workers cause: so many, and no more."""

    run: Run
    _logs: Allowance = field(default_factory=lambda: Allowance(LOGS_PER_S, LOGS_AT_ONCE))
    _troubles: Allowance = field(
        default_factory=lambda: Allowance(TROUBLES_PER_S, TROUBLES_AT_ONCE)
    )
    _left_out: int = 0

    def log(self, text: str) -> None:
        if not text:
            return
        if not self._logs.take():
            self._left_out += 1
            return
        left_out, self._left_out = self._left_out, 0
        more = f" ({left_out} before it left out)" if left_out else ""
        self.run.say(self.run, "log", text + more)

    def trouble(self, link: Link, text: str, kind: str = "checkpoint") -> None:
        if self._troubles.take():
            self.run.say(self.run, kind, f"process {link.pid}: {text}")
