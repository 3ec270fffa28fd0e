"""A worker that said hello, and what it was asked."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from heaptui.engine.run import Run
from heaptui.engine.worker_connection import WorkerConnection
from heaptui.engine.worker_peer import Peer
from heaptui.model import Identity, ProcessHeap
from heaptui.wire import Done, Failed, Heap


@dataclass(frozen=True, slots=True)
class Gone:
    """The connection ended before the answer."""


Answer = Done | Heap | Failed | Gone


@dataclass(slots=True, eq=False)
class Asked:
    """A command that a worker has not answered yet. `moved` is set with every news of it."""

    answer: Answer | None = None
    phase: str = ""
    moved: asyncio.Event = field(default_factory=asyncio.Event)
    then: Callable[[Answer], None] | None = None
    """Called with the answer, whether or not anybody still waits for it."""

    def take(self, answer: Answer) -> None:
        self.answer = answer
        if self.then is not None:
            self.then(answer)
        self.moved.set()


@dataclass(slots=True, eq=False)
class Worker:
    """A process that said hello. `heap` None: it has told no figures yet."""

    run: Run
    peer: Peer
    connection: WorkerConnection
    known: ProcessHeap
    heap: ProcessHeap | None = None
    asked: dict[int, Asked] = field(default_factory=dict)

    @property
    def identity(self) -> Identity:
        return self.peer.identity
