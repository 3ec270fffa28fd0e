"""What is known of tasks, whether it is stored already or on its way to the store."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from heaptui.inputs import Division, Inputs
from heaptui.model import AttemptRecord
from heaptui.store.records import StoredTask
from heaptui.supervisor.ledger import Ledger
from heaptui.supervisor.task import Task, revived


class Reads(Protocol):
    """What is needed of the store."""

    async def task(self, task_id: str) -> StoredTask | None: ...
    async def children(self, task_id: str) -> list[StoredTask]: ...
    async def inputs(self, task_id: str) -> Inputs | None: ...
    async def division(self, task_id: str) -> Division | None: ...
    async def attempts(self, task_id: str) -> list[AttemptRecord]: ...


@dataclass(frozen=True, slots=True)
class Known:
    """The ledger, and behind it the store. Each raises StorageTrouble when that cannot be read."""

    ledger: Ledger
    store: Reads

    async def task(self, task_id: str) -> Task | None:
        held = self.ledger.get(task_id)
        if held is not None:
            return held
        stored = await self.store.task(task_id)
        return None if stored is None else revived(stored)

    async def inputs(self, task_id: str) -> Inputs | None:
        return self.ledger.inputs_unstored(task_id) or await self.store.inputs(task_id)

    async def division(self, task: Task) -> Division | None:
        return task.division or await self.store.division(task.id)

    async def children(self, task: Task) -> Sequence[Task]:
        """In their order."""
        if len(task.children) == task.kin.children:
            return tuple(task.children)
        stored = await self.store.children(task.id)
        return tuple(self.ledger.get(one.id) or revived(one) for one in stored)

    async def attempts(self, task_id: str) -> list[AttemptRecord]:
        """First to last; the latest end may not be among them yet."""
        return await self.store.attempts(task_id)
