"""A family's home: a real ledger over a store in memory, and what of a supervisor it needs."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from heaptui.config import Config
from heaptui.inputs import Division
from heaptui.model import State, Verdict, VerdictKind
from heaptui.paths import StateDir
from heaptui.protocol import Retry, Stop
from heaptui.store.records import Batch, Kin, Recovery, StoredTask
from heaptui.supervisor import operations
from heaptui.supervisor.ledger import Ledger
from heaptui.supervisor.loop import Supervisor
from heaptui.supervisor.machine import Trigger
from heaptui.supervisor.policy.ladder import Decision
from heaptui.supervisor.splitting import families, retrying
from heaptui.supervisor.task import Task, revived
from tests.unit.supervisor.tasks import Clock, Onlooker, added, spec, started

VERDICTS = {
    Trigger.FINISHED: VerdictKind.FINISHED,
    Trigger.FAILED: VerdictKind.FAILED,
    Trigger.LOST: VerdictKind.LOST,
    Trigger.QUARANTINE: VerdictKind.NATIVE_OOM,
    Trigger.STOPPED: VerdictKind.STOPPED,
}


class Archive:
    """What is stored, by id."""

    def __init__(self) -> None:
        self.tasks: dict[str, StoredTask] = {}
        self.divisions: dict[str, Division] = {}

    async def write(self, batch: Batch) -> None:
        self.tasks |= {task.id: task for task in batch.tasks}
        self.divisions |= batch.divisions

    async def task(self, task_id: str) -> StoredTask | None:
        return self.tasks.get(task_id)

    async def find(self, text: str) -> list[StoredTask]:
        return [task for task in self.tasks.values() if task.id == text]

    async def children(self, task_id: str) -> list[StoredTask]:
        found = [task for task in self.tasks.values() if task.parent == task_id]
        return sorted(found, key=lambda task: task.kin.part)

    async def division(self, task_id: str) -> Division | None:
        return self.divisions.get(task_id)

    async def forget(self, ids: list[str]) -> int:
        """As the real one: a part does not go while what it is a part of is there."""
        gone = 0
        for task_id in ids:
            task = self.tasks[task_id]
            if task.state.ended and task.parent not in self.tasks:
                del self.tasks[task_id]
                gone += 1
        return gone


class Home:
    """What it begins waits until `rest`: until then anything else may happen."""

    stop = Supervisor.stop

    def __init__(self, root: Path, archive: Archive | None = None) -> None:
        self.state = StateDir(root).prepare()
        self.store = archive or Archive()
        self.clock = Clock()
        self.ledger = Ledger(self.store, Onlooker(), self.clock)
        self.config = Config()
        self.order = len(self.store.tasks)
        self.dispatch = SimpleNamespace(wake=asyncio.Event())
        self.environments = SimpleNamespace(get=_nothing)
        self.engine = SimpleNamespace(cancel=_nothing, command=_nothing)
        self._timers = SimpleNamespace(disarm=lambda task_id: None)
        self.begun: list[Coroutine[Any, Any, None]] = []

    # --- what is asked of a supervisor
    def begin(self, work: Coroutine[Any, Any, None], name: str) -> None:
        if name.startswith("split of"):
            work.close()  # a test does that itself
        else:
            self.begun.append(work)

    def family_changed(self, task: Task) -> None:
        if task.parent or task.recovery.split_due:
            families.changed(self, task)

    def settle_soon(self) -> None:
        pass

    async def tell_unended(self) -> None:
        pass

    async def clear_environments(self) -> None:
        pass

    # --- what happens to it
    async def rest(self) -> None:
        """All that was begun, and what that begins."""
        while self.begun:
            begun, self.begun = self.begun, []
            await asyncio.gather(*begun)

    def vanish(self) -> Home:
        """As with kill -9: the next one, which knows what was stored."""
        for work in self.begun:
            work.close()
        return Home(self.state.root, self.store)

    async def take_over(self) -> None:
        for stored in sorted(self.store.tasks.values(), key=lambda one: one.order):
            if not stored.state.ended:
                self.ledger.hold(revived(stored))
        await families.gather(self)
        for task in tuple(self.ledger.tasks.values()):
            if task.state is State.QUEUED:
                self.ledger.enqueue(task)
        families.look_round(self)

    def task(self, task_id: str) -> Task:
        """As it is held, else as it was stored."""
        return self.ledger.get(task_id) or revived(self.store.tasks[task_id])

    async def submit(self, task_id: str) -> Task:
        task = added(self.ledger, task_id)
        await self.ledger.commit()
        self.ledger.enqueue(task)
        return task

    async def divide(
        self,
        parent: Task,
        after: list[set[int]],
        division: Division | None = None,
        *,
        reduces: bool = False,
    ) -> list[Task]:
        """Into one child for each of `after`, which are places of those that it builds on."""
        ids = [f"{parent.id}{number + 1}" for number in range(len(after))]
        parent = retrying.take_in(self.ledger, parent, await retrying.look_up(self, parent))
        self.ledger.split(parent, "split")
        retrying.reopen_above(self, parent)
        if division is not None:
            self.ledger.divide(parent, division)
        for place, before in enumerate(after):
            self.order += 1
            kin = Kin(
                part=place + 1,
                depth=parent.kin.depth + 1,
                title=f"part {place + 1}",
                after=tuple(ids[one] for one in sorted(before)),
                reduces=reduces and place == len(after) - 1,
            )
            named = spec(f"{parent.name}:{place + 1}")
            self.ledger.add_child(parent, ids[place], named, self.order, kin, None)
        await self.ledger.commit()
        for child in parent.children:
            self.ledger.enqueue(child)
        families.changed(self, parent)
        return list(parent.children)

    def dispatched(self) -> Task | None:
        """The next one runs."""
        task = self.ledger.queue.take(self.ledger.get)
        if task is not None:
            self.ledger.admit(task)
            self.ledger.started(task, started(task.id, task.attempts))
        return task

    def end(self, task: Task, trigger: Trigger, *, split_due: bool = False) -> None:
        """Its attempt ends so."""
        verdict = Verdict(VERDICTS[trigger], f"it {trigger}")
        decision = Decision(trigger=trigger, recovery=Recovery(split_due=split_due))
        self.ledger.end(task, self.clock(), verdict, None, decision)
        self.family_changed(task)

    def run(self, *endings: tuple[Task, Trigger]) -> None:
        """These are dispatched, in this order, and end so."""
        for task, trigger in endings:
            assert self.dispatched() is task
            self.end(task, trigger)

    async def stopped(self, *ids: str, **how: Any) -> list[State]:
        rows = await operations.stop(self, Stop(tasks=list(ids), **how))
        return [row.state for row in rows]

    async def retried(self, *ids: str) -> list[State]:
        rows = await operations.retry(self, Retry(tasks=list(ids)))
        return [row.state for row in rows]


async def _nothing(*_: Any) -> dict[str, Any]:
    return {}
