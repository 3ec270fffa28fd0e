"""An engine without processes: what becomes of an attempt stands in its own command line, and a
test can make it say whatever an engine may say, in any order.

The words after the program's name: `exit N`, `signal N`, `run` (exits with 5 when it is asked to
end, with 0 when it is asked to drain), `stubborn` (does not listen), `bad` (cannot be executed),
`hold` (nothing happens to it but what the test says).
"""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any

from msgspec import to_builtins

from heaptui.engine.base import (
    EngineEvent,
    Exited,
    Known,
    LaunchSpec,
    Lost,
    Node,
    NodeUp,
    Sampled,
    Started,
)
from heaptui.engine.stream import EventStream
from heaptui.errors import NoSuchTask, Refused, UsageError
from heaptui.model import CapMeans, HostSample, Identity, TaskSample, Work

NODE = "stage"
Key = tuple[str, int]


@dataclass(slots=True)
class Played:
    """A live attempt. `identity` None: it was submitted and has not started."""

    script: tuple[str, ...]
    identity: Identity | None = None
    began: float = 0.0


@dataclass(slots=True)
class World:
    """What outlives an engine: who lives, and which ends nobody has acknowledged."""

    live: dict[Key, Played] = field(default_factory=dict)
    ended: dict[Key, Exited | Lost] = field(default_factory=dict)
    pids: itertools.count[int] = field(default_factory=lambda: itertools.count(100_000))


class ScriptedEngine:
    """See heaptui/engine/base.py. What it was asked for is kept in the lists."""

    def __init__(self, world: World, clock: Callable[[], float] = time.time) -> None:
        self.world = world
        self.submitted: list[Key] = []
        self.cancelled: list[tuple[str, float]] = []
        self.acknowledged: list[Key] = []
        self.expected: list[int] = []
        self.keeping: dict[str, int] = {}
        """How many checkpoints the worker of each task has kept; of no other one can be had."""
        self.drained: list[tuple[str, float]] = []
        self._clock = clock
        self._stream = EventStream()
        self._deadlines: dict[str, asyncio.TimerHandle] = {}
        self._known: list[Known] = []

    # --- what a test may make it say
    def emit(self, event: EngineEvent) -> None:
        self._stream.put(event)

    def fail(self, error: Exception) -> None:
        self._stream.fail(error)

    def start(self, task_id: str, attempt: int = 1, *, adopted: bool = False) -> None:
        played = self.world.live[task_id, attempt]
        if played.identity is None:
            played.identity = Identity("scripted", next(self.world.pids), 1)
            played.began = self._clock()
        self.emit(
            Started(
                task_id=task_id,
                attempt=attempt,
                node=NODE,
                identity=played.identity,
                at=played.began,
                means=CapMeans.WATCHDOG,
                adopted=adopted,
            )
        )

    def end(self, task_id: str, attempt: int = 1, **outcome: Any) -> None:
        """It exits: `code`, `signal` or `error`, and what else an Exited holds."""
        exited = Exited(task_id=task_id, attempt=attempt, node=NODE, at=self._clock(), **outcome)
        self._over(exited)

    def lose(self, task_id: str, attempt: int = 1, why: str = "node") -> None:
        text = f"lost: the node {NODE} is gone"
        self._over(Lost(task_id=task_id, attempt=attempt, at=self._clock(), why=why, text=text))

    def sample(self, at: float | None = None, *tasks: TaskSample) -> None:
        now = self._clock() if at is None else at
        host = HostSample(at=now, name=NODE, mem_total_bytes=1 << 34, mem_available_bytes=1 << 33)
        self.emit(Sampled(node=NODE, at=now, host=host, tasks=list(tasks)))

    def _over(self, end: Exited | Lost) -> None:
        key = (end.task_id, end.attempt)
        self.world.live.pop(key, None)
        self.world.ended[key] = end
        deadline = self._deadlines.pop(end.task_id, None)
        if deadline is not None:
            deadline.cancel()
        self.emit(end)

    # --- the interface
    async def open(self) -> None:
        self.emit(NodeUp(node=NODE, at=self._clock()))
        self._known = [
            *(Known(task_id=key[0], attempt=key[1], live=True) for key in self.world.live),
            *(Known(task_id=key[0], attempt=key[1], live=False) for key in self.world.ended),
        ]
        for (task_id, attempt), played in self.world.live.items():
            if played.identity is not None:
                self.start(task_id, attempt, adopted=True)
        for end in self.world.ended.values():
            self.emit(end)

    async def close(self) -> None:
        for deadline in self._deadlines.values():
            deadline.cancel()
        self._stream.close()

    async def submit(self, spec: LaunchSpec, attempt: int) -> None:
        key = (spec.task_id, attempt)
        self.submitted.append(key)
        if key in self.world.live or key in self.world.ended:
            return
        script = spec.argv[1:]
        self.world.live[key] = Played(script)
        if script[0] == "bad":
            self.end(*key, error="no such program: 'nowhere'")
        if script[0] in ("bad", "hold"):
            return
        self.start(*key)
        self.sample(None, _measured(*key))
        match script:
            case ("exit", number):
                self.end(*key, code=int(number))
            case ("signal", number):
                self.end(*key, signal=int(number))

    async def cancel(self, task_id: str, grace_s: float) -> None:
        self.cancelled.append((task_id, grace_s))
        attempt, played = self._live(task_id)
        if played is None or played.script[0] == "hold":
            return
        if grace_s <= 0:
            self.end(task_id, attempt, signal=9, stopped=True)
        elif played.script[0] == "run":
            self.end(task_id, attempt, code=5, stopped=True)
        else:
            self._kill_in(task_id, attempt, grace_s)

    def _kill_in(self, task_id: str, attempt: int, grace_s: float) -> None:
        loop = asyncio.get_running_loop()
        held = self._deadlines.get(task_id)
        if held is not None and held.when() <= loop.time() + grace_s:
            return
        if held is not None:
            held.cancel()
        self._deadlines[task_id] = loop.call_later(
            grace_s, lambda: self.end(task_id, attempt, signal=9, stopped=True)
        )

    async def command(
        self, task_id: str, verb: str, args: dict[str, Any], timeout_s: float
    ) -> dict[str, Any]:
        _, played = self._live(task_id)
        if played is None:
            raise NoSuchTask(f"Task {task_id} does not run here.")
        match verb:
            case "processes":
                pid = played.identity.pid if played.identity else 0
                leader = {"pid": pid, "ppid": 1, "depth": 0, "command": "", "rss_bytes": 1}
                return {"processes": [leader]}
            case "output":
                return {"size": 0, "given_back": 0}
            case "checkpoint":
                return self._keep(task_id)
            case "drain":
                return self._drain(task_id, args["grace_s"])
            case _:
                raise UsageError(f"This engine does not know {verb!r}.")

    def work(self, task_id: str) -> Work:
        """What the worker of this task has told of its work."""
        kept = self.keeping[task_id]
        now = self._clock()
        stands: dict[str, Any] = {"checkpoint_at": now, "checkpoint_bytes": 1000} if kept else {}
        return Work(at=now, done=kept, checkpoints=kept, can=("checkpoint", "drain"), **stands)

    def _keep(self, task_id: str) -> dict[str, Any]:
        if task_id not in self.keeping:
            raise Refused("its worker keeps none")
        self.keeping[task_id] += 1
        answer: dict[str, Any] = to_builtins(self.work(task_id))
        return answer

    def _drain(self, task_id: str, grace_s: float) -> dict[str, Any]:
        self.drained.append((task_id, grace_s))
        attempt, played = self._live(task_id)
        if played is not None and played.script[0] == "run":
            self.end(task_id, attempt, code=0)
        elif played is not None and played.script[0] == "stubborn":
            self._kill_in(task_id, attempt, grace_s)
        return {}

    def events(self) -> AsyncIterator[EngineEvent]:
        return self._stream.read()

    def nodes(self) -> list[Node]:
        return [Node(name=NODE, mem_total_bytes=1 << 34, cpus=4, means=CapMeans.WATCHDOG)]

    async def reattach(self) -> list[Known]:
        return self._known

    async def acknowledge(self, task_id: str, attempt: int) -> None:
        self.acknowledged.append((task_id, attempt))
        self.world.ended.pop((task_id, attempt), None)

    def keeper_pid(self) -> int | None:
        return None

    async def expect(self, unended: int) -> None:
        self.expected.append(unended)

    def _live(self, task_id: str) -> tuple[int, Played | None]:
        for (held, attempt), played in self.world.live.items():
            if held == task_id:
                return attempt, played
        return 0, None


def _measured(task_id: str, attempt: int) -> TaskSample:
    return TaskSample(
        task_id=task_id,
        attempt=attempt,
        memory_bytes=1 << 20,
        memory_from="rss",
        rss_bytes=1 << 20,
        processes=1,
    )
