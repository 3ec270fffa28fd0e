"""Tasks, events and doubles for the tests of what the supervisor thinks."""

from __future__ import annotations

from typing import Any

from heaptui.config import Config
from heaptui.engine.base import Exited, Lost, Started
from heaptui.model import (
    CapMeans,
    Event,
    Identity,
    Kind,
    Limits,
    State,
    TaskSample,
    TaskSpec,
    Verdict,
)
from heaptui.store.records import Batch
from heaptui.supervisor.ledger import Ledger
from heaptui.supervisor.policy.ladder import Decision, End, decide
from heaptui.supervisor.policy.larger import Larger
from heaptui.supervisor.task import Task

MIB = 1 << 20
GIB = 1 << 30


def spec(name: str = "work", **fields: Any) -> TaskSpec:
    return TaskSpec(
        argv=("work",),
        cwd="/",
        name=name,
        kind=Kind.COMMAND,
        limits=Limits(timeout_s=fields.pop("timeout_s", None)),
        **fields,
    )


def task(task_id: str = "a", state: State = State.QUEUED, **fields: Any) -> Task:
    given = {"spec": spec(task_id), "created_at": 1000.0, "order": 1, "cap_bytes": GIB}
    return Task(id=task_id, state=state, **(given | fields))


def sample(task_id: str = "a", memory: int = 100 * MIB, **fields: Any) -> TaskSample:
    given: dict[str, Any] = {
        "attempt": 1,
        "memory_from": "rss",
        "rss_bytes": memory,
        "processes": 1,
        **fields,
    }
    return TaskSample(task_id=task_id, memory_bytes=memory, **given)


def started(task_id: str = "a", attempt: int = 1, pid: int = 77, at: float = 1001.0) -> Started:
    return Started(
        task_id=task_id,
        attempt=attempt,
        node="n",
        identity=Identity("boot", pid, 5),
        at=at,
        means=CapMeans.CGROUP2,
    )


def exited(task_id: str = "a", attempt: int = 1, **outcome: Any) -> Exited:
    return Exited(task_id=task_id, attempt=attempt, node="n", at=1002.0, **outcome)


def lost(task_id: str = "a", why: str = "reboot") -> Lost:
    return Lost(task_id=task_id, attempt=1, at=1002.0, why=why, text="lost: it is gone")


def decision(task: Task, verdict: Verdict, at: float = 1002.0, **fields: Any) -> Decision:
    """What the usual configuration makes of this end of the task's attempt."""
    config = Config()
    given: dict[str, Any] = {
        "state": task.state,
        "verdict": verdict,
        "stopping": task.stop_why not in (None, "recycle", "split"),
        "resulted": False,
        "checkpointed": False,
        "retry_lost": False,
        "at": at,
        "ran_s": 1.0,
        "retries_left": task.spec.retries - task.failures,
        "recovery": task.recovery,
        "larger": Larger(now_bytes=task.cap_bytes, cap_bytes=task.cap_bytes),
    }
    return decide(End(**given | fields), config, config.policy.of(task.spec.kind))


def ends(books: Ledger, task: Task, verdict: Verdict, end: Exited) -> Decision:
    """The attempt is over in the books."""
    made = decision(task, verdict)
    books.end(task, 1002.0, verdict, end, made)
    return made


class Clock:
    def __init__(self, now: float = 1000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


class Paper:
    """A store that keeps every batch; with `trouble` it keeps nothing and says why."""

    def __init__(self) -> None:
        self.batches: list[Batch] = []
        self.trouble: Exception | None = None

    async def write(self, batch: Batch) -> None:
        if self.trouble is not None:
            raise self.trouble
        self.batches.append(batch)

    @property
    def tasks(self) -> dict[str, Any]:
        """As they stand after all batches."""
        return {one.id: one for batch in self.batches for one in batch.tasks}

    @property
    def attempts(self) -> dict[tuple[str, int], Any]:
        return {(one.task_id, one.attempt): one for batch in self.batches for one in batch.attempts}

    @property
    def events(self) -> list[tuple[str, str]]:
        return [(one.task_id, one.kind) for batch in self.batches for one in batch.events]


class Onlooker:
    """Who is told of changes."""

    def __init__(self) -> None:
        self.seen: list[str] = []
        self.left: list[str] = []
        self.events: list[Event] = []

    def changed(self, task_id: str) -> None:
        self.seen.append(task_id)

    def gone(self, task_id: str) -> None:
        self.left.append(task_id)

    def happened(self, event: Event) -> None:
        self.events.append(event)


def ledger() -> tuple[Ledger, Paper, Onlooker]:
    paper, onlooker = Paper(), Onlooker()
    return Ledger(paper, onlooker, Clock()), paper, onlooker


def added(books: Ledger, task_id: str = "a", **fields: Any) -> Task:
    return books.add(
        task_id,
        spec(task_id, **fields),
        order=len(books.tasks) + 1,
        cap_bytes=GIB,
        cap_source="given",
        environment="e",
    )


def running(books: Ledger, task_id: str = "a", **fields: Any) -> Task:
    made = added(books, task_id, **fields)
    books.admit(made)
    books.started(made, started(task_id))
    return made
