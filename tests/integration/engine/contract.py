"""What every engine must do, whatever it is: the rules of heaptui/engine/base.py as tests.

To put an engine beside the others: a class of tests that inherits `EngineContract`, and a fixture
`stage` that yields a `Stage` with an engine that is open. How an attempt behaves is named by a
`Part`; the stage knows what its engine must be told to execute for it.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Iterator
from contextlib import suppress
from enum import StrEnum
from typing import Protocol, TypeVar

import msgspec
import pytest

from heaptui.engine.base import (
    Engine,
    EngineEvent,
    Exited,
    Known,
    LaunchSpec,
    Lost,
    Message,
    NodeUp,
    Sampled,
    Started,
    processes_of,
)
from heaptui.errors import NoSuchTask, UsageError

DEADLINE_S = 30.0
A, B = (f"{letter}{secrets.token_hex(4)}" for letter in "ab")
"""Task ids of this run: processes are known by them, and another run may be at work beside it."""

Event = TypeVar("Event", bound=EngineEvent)


class Part(StrEnum):
    """How an attempt behaves."""

    EXITS_3 = "exits with 3"
    ENDED_BY_SIGNAL_10 = "ends itself with signal 10"
    RUNS = "runs until it is told to end, then exits with 5"
    IGNORES_TERM = "runs, and does not listen when it is asked to end"
    CANNOT_BE_EXECUTED = "there is no such program"


async def eventually(holds: Callable[[], object], what: str) -> None:
    """Waits for a state, not for a time."""
    try:
        async with asyncio.timeout(DEADLINE_S):
            while not holds():
                await asyncio.sleep(0.005)
    except TimeoutError:
        pytest.fail(f"in vain waited for: {what}")


class Listener:
    """The one reader of an engine's stream; everything that it said stays in `events`."""

    def __init__(self, engine: Engine) -> None:
        self.events: list[EngineEvent] = []
        self._news = asyncio.Event()
        self._reading = asyncio.create_task(self._read(engine))

    async def _read(self, engine: Engine) -> None:
        try:
            async for event in engine.events():
                self.events.append(event)
                self._news.set()
        finally:
            self._news.set()

    async def find(self, fits: Callable[[EngineEvent], bool], what: str) -> EngineEvent:
        """The first that fits, of those that came or will come."""
        seen = 0
        try:
            async with asyncio.timeout(DEADLINE_S):
                while True:
                    while seen < len(self.events):
                        seen += 1
                        if fits(self.events[seen - 1]):
                            return self.events[seen - 1]
                    if self._reading.done():
                        await self._reading
                        pytest.fail(f"the stream ended before {what}")
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError:
            pytest.fail(f"in vain waited for {what}; came: {self.events[-8:]}")

    async def first(self, kind: type[Event], task_id: str, attempt: int = 1) -> Event:
        found = await self.find(
            lambda event: isinstance(event, kind) and _whose(event) == (task_id, attempt),
            f"{kind.__name__} of {task_id}.{attempt}",
        )
        assert isinstance(found, kind)
        return found

    async def end(self, task_id: str, attempt: int = 1) -> Exited | Lost:
        found = await self.find(
            lambda event: isinstance(event, Exited | Lost) and _whose(event) == (task_id, attempt),
            f"the end of {task_id}.{attempt}",
        )
        assert isinstance(found, Exited | Lost)
        return found

    def of(self, task_id: str, attempt: int = 1) -> list[str]:
        """Which events came for an attempt, by name; samples and messages apart."""
        return [
            type(event).__name__
            for event in self.events
            if not isinstance(event, Sampled | Message) and _whose(event) == (task_id, attempt)
        ]

    async def stop(self) -> None:
        self._reading.cancel()
        with suppress(asyncio.CancelledError):
            await self._reading


def _whose(event: EngineEvent) -> tuple[str, int] | None:
    task_id = getattr(event, "task_id", None)
    return None if task_id is None else (task_id, getattr(event, "attempt", 0))


class Stage(Protocol):
    """An engine that is open, who listens to it, and the means to start over."""

    engine: Engine
    listener: Listener

    def spec(self, task_id: str, part: Part, attempt: int = 1) -> LaunchSpec: ...

    async def ready(self, task_id: str, attempt: int) -> None:
        """Returns when a part that runs does what it is said to do: a program that was executed
        has yet to begin."""

    async def leave(self) -> None:
        """Closes the engine in order; what runs goes on."""

    async def enter(self) -> None:
        """Opens a new engine on the same place."""


async def begin(stage: Stage, task_id: str, part: Part, attempt: int = 1) -> None:
    await stage.engine.submit(stage.spec(task_id, part, attempt), attempt)


async def begun(stage: Stage, task_id: str, part: Part, attempt: int = 1) -> Started:
    """For the parts that run."""
    await begin(stage, task_id, part, attempt)
    started = await stage.listener.first(Started, task_id, attempt)
    await stage.ready(task_id, attempt)
    return started


def outcome(event: Exited) -> Iterator[object]:
    return (one for one in (event.code, event.signal, event.error) if one is not None)


class EngineContract:
    """Inherit beside a fixture `stage`."""

    async def test_an_attempt_starts_then_exits_with_its_code(self, stage: Stage) -> None:
        await begin(stage, A, Part.EXITS_3)
        exited = await stage.listener.first(Exited, A)
        assert (exited.code, exited.signal, exited.error) == (3, None, None)
        assert exited.cap_hit is None
        assert not exited.stopped
        assert stage.listener.of(A) == ["Started", "Exited"]

    async def test_an_end_by_signal_names_the_signal(self, stage: Stage) -> None:
        await begin(stage, A, Part.ENDED_BY_SIGNAL_10)
        exited = await stage.listener.first(Exited, A)
        assert (exited.code, exited.signal, exited.error) == (None, 10, None)

    async def test_what_cannot_be_executed_ends_with_the_reason_and_never_starts(
        self, stage: Stage
    ) -> None:
        await begin(stage, A, Part.CANNOT_BE_EXECUTED)
        exited = await stage.listener.first(Exited, A)
        assert exited.error
        assert (exited.code, exited.signal) == (None, None)
        assert stage.listener.of(A) == ["Exited"]

    async def test_every_attempt_has_exactly_one_end_with_one_outcome(self, stage: Stage) -> None:
        parts = (Part.EXITS_3, Part.ENDED_BY_SIGNAL_10, Part.CANNOT_BE_EXECUTED)
        for n in range(12):
            await begin(stage, f"{A}-{n}", parts[n % 3])
        for n in range(12):
            exited = await stage.listener.first(Exited, f"{A}-{n}")
            assert len(list(outcome(exited))) == 1
        for n in range(12):
            assert stage.listener.of(f"{A}-{n}").count("Exited") == 1

    async def test_submitting_again_starts_nothing_while_it_runs(self, stage: Stage) -> None:
        await begun(stage, A, Part.RUNS)
        await begin(stage, A, Part.RUNS)
        await begin(stage, B, Part.EXITS_3)
        await stage.listener.end(B)
        assert stage.listener.of(A) == ["Started"]

    async def test_submitting_again_starts_nothing_before_the_end_is_acknowledged(
        self, stage: Stage
    ) -> None:
        await begin(stage, A, Part.EXITS_3)
        await stage.listener.end(A)
        await begin(stage, A, Part.EXITS_3)
        await begin(stage, B, Part.EXITS_3)
        await stage.listener.end(B)
        assert stage.listener.of(A) == ["Started", "Exited"]

    async def test_a_second_attempt_follows_the_end_of_the_first(self, stage: Stage) -> None:
        for attempt in (1, 2):
            await begin(stage, A, Part.EXITS_3, attempt)
            await stage.listener.end(A, attempt)
            await stage.engine.acknowledge(A, attempt)
        assert stage.listener.of(A, 1) == stage.listener.of(A, 2) == ["Started", "Exited"]

    async def test_a_cancelled_attempt_is_asked_first(self, stage: Stage) -> None:
        await begun(stage, A, Part.RUNS)
        await stage.engine.cancel(A, 30)
        exited = await stage.listener.first(Exited, A)
        assert (exited.code, exited.stopped) == (5, True)

    async def test_who_does_not_listen_is_killed_after_the_grace(self, stage: Stage) -> None:
        await begun(stage, A, Part.IGNORES_TERM)
        await stage.engine.cancel(A, 0.2)
        exited = await stage.listener.first(Exited, A)
        assert (exited.signal, exited.stopped) == (9, True)

    async def test_without_grace_it_is_killed_at_once(self, stage: Stage) -> None:
        await begun(stage, A, Part.RUNS)
        await stage.engine.cancel(A, 0)
        exited = await stage.listener.first(Exited, A)
        assert (exited.signal, exited.stopped) == (9, True)

    async def test_a_second_cancel_shortens_the_grace_of_the_first(self, stage: Stage) -> None:
        await begun(stage, A, Part.IGNORES_TERM)
        await stage.engine.cancel(A, 3600)
        await stage.engine.cancel(A, 0)
        exited = await stage.listener.first(Exited, A)
        assert (exited.signal, exited.stopped) == (9, True)

    async def test_a_second_cancel_never_lengthens_the_grace(self, stage: Stage) -> None:
        await begun(stage, A, Part.IGNORES_TERM)
        await stage.engine.cancel(A, 0.2)
        await stage.engine.cancel(A, 3600)
        exited = await stage.listener.first(Exited, A)
        assert exited.signal == 9

    async def test_cancelled_before_it_started_it_ends_all_the_same(self, stage: Stage) -> None:
        await begin(stage, A, Part.IGNORES_TERM)
        await stage.engine.cancel(A, 0)
        exited = await stage.listener.first(Exited, A)
        assert exited.stopped

    async def test_cancelling_the_unknown_or_the_ended_changes_nothing(self, stage: Stage) -> None:
        await stage.engine.cancel("nobody", 0)
        await begin(stage, A, Part.EXITS_3)
        await stage.listener.end(A)
        await stage.engine.cancel(A, 0)
        await begin(stage, B, Part.EXITS_3)
        exited = await stage.listener.first(Exited, B)
        assert exited.code == 3
        assert stage.listener.of(A) == ["Started", "Exited"]

    async def test_processes_of_a_task_can_be_asked_for(self, stage: Stage) -> None:
        started = await begun(stage, A, Part.RUNS)
        answer = await stage.engine.command(A, "processes", {}, 10)
        leader = processes_of(answer)[0]
        assert (leader.pid, leader.depth) == (started.identity.pid, 0)

    async def test_the_length_of_an_output_can_be_asked_for(self, stage: Stage) -> None:
        await begun(stage, A, Part.RUNS)
        answer = await stage.engine.command(A, "output", {}, 10)
        assert set(answer) == {"size", "given_back"}
        assert answer["size"] >= answer["given_back"] >= 0

    async def test_an_unknown_verb_or_task_is_refused(self, stage: Stage) -> None:
        await begun(stage, A, Part.RUNS)
        with pytest.raises(UsageError, match="dance"):
            await stage.engine.command(A, "dance", {}, 10)
        with pytest.raises(NoSuchTask, match="nobody"):
            await stage.engine.command("nobody", "processes", {}, 10)

    async def test_a_live_task_is_measured(self, stage: Stage) -> None:
        await begun(stage, A, Part.RUNS)
        found = await stage.listener.find(
            lambda event: isinstance(event, Sampled) and any(t.task_id == A for t in event.tasks),
            "a sample of a",
        )
        assert isinstance(found, Sampled)
        sample = next(sample for sample in found.tasks if sample.task_id == A)
        assert sample.attempt == 1
        assert sample.memory_bytes > 0
        assert found.node in [node.name for node in stage.engine.nodes()]

    async def test_a_node_that_can_run_things_is_up_before_anything_runs(
        self, stage: Stage
    ) -> None:
        await begun(stage, A, Part.RUNS)
        names = [type(event).__name__ for event in stage.listener.events]
        assert names.index("NodeUp") < names.index("Started")
        assert all(node.mem_total_bytes > 0 and node.cpus > 0 for node in stage.engine.nodes())

    async def test_every_event_is_plain_data(self, stage: Stage) -> None:
        await begun(stage, A, Part.RUNS)
        await begin(stage, B, Part.EXITS_3)
        await stage.listener.end(B)
        await stage.listener.find(lambda event: isinstance(event, Sampled), "a sample")
        for event in stage.listener.events:
            assert msgspec.json.decode(msgspec.json.encode(event), type=EngineEvent) == event
        kinds = {type(event) for event in stage.listener.events}
        assert {NodeUp, Started, Exited, Sampled} <= kinds

    async def test_a_live_attempt_is_found_by_the_next_engine(self, stage: Stage) -> None:
        before = await begun(stage, A, Part.RUNS)
        await stage.leave()
        await stage.enter()
        assert await stage.engine.reattach() == [Known(task_id=A, attempt=1, live=True)]
        found = await stage.listener.first(Started, A)
        assert found.adopted
        assert found.identity == before.identity
        await begin(stage, A, Part.RUNS)
        await stage.engine.cancel(A, 30)
        exited = await stage.listener.first(Exited, A)
        assert exited.code == 5
        assert stage.listener.of(A) == ["Started", "Exited"]

    async def test_an_end_is_told_again_until_it_is_acknowledged(self, stage: Stage) -> None:
        await begin(stage, A, Part.EXITS_3)
        await stage.listener.end(A)
        for _ in range(2):
            await stage.leave()
            await stage.enter()
            assert await stage.engine.reattach() == [Known(task_id=A, attempt=1, live=False)]
            exited = await stage.listener.first(Exited, A)
            assert exited.code == 3
        await stage.engine.acknowledge(A, 1)
        await begin(stage, B, Part.RUNS)
        await stage.listener.first(Started, B)
        await stage.leave()
        await stage.enter()
        assert await stage.engine.reattach() == [Known(task_id=B, attempt=1, live=True)]

    async def test_an_end_while_no_engine_is_there_is_told_to_the_next(self, stage: Stage) -> None:
        await stage.engine.expect(1)
        await begun(stage, A, Part.RUNS)
        await stage.engine.cancel(A, 30)
        await stage.leave()
        await stage.enter()
        end = await stage.listener.end(A)
        assert isinstance(end, Exited)
        assert end.code == 5

    async def test_acknowledging_the_unknown_changes_nothing(self, stage: Stage) -> None:
        await stage.engine.acknowledge("nobody", 7)
        await begin(stage, A, Part.EXITS_3)
        exited = await stage.listener.first(Exited, A)
        assert exited.code == 3

    async def test_a_closed_engine_ends_its_stream(self, stage: Stage) -> None:
        listener = stage.listener
        await stage.engine.close()
        async with asyncio.timeout(DEADLINE_S):
            await listener._reading
        await stage.leave()
        await stage.enter()
