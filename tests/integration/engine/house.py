"""A supervisor at work over a scripted engine and a real store."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from heaptui.config import Config, RetryConfig
from heaptui.engine.base import Exited
from heaptui.errors import StorageTrouble
from heaptui.model import Event, Limits, State, TaskSpec
from heaptui.paths import StateDir
from heaptui.protocol import Submit, new_ids
from heaptui.store.records import Batch, StoredTask
from heaptui.store.store import Store
from heaptui.supervisor import submitting
from heaptui.supervisor.loop import Supervisor
from heaptui.supervisor.task import Task
from tests.integration.engine.contract import eventually
from tests.integration.engine.scripted import ScriptedEngine, World

QUICK = Config(retry=RetryConfig(backoff="0.01s", backoff_max="0.05s"))
ENVIRONMENT = {"PATH": "/usr/bin:/bin"}


class House:
    """One state directory; supervisors follow each other in it."""

    store: Store
    engine: ScriptedEngine
    supervisor: Supervisor

    def __init__(self, root: Path, config: Config = QUICK) -> None:
        self.state = StateDir(root).prepare()
        self.world = World()
        self._config = config
        self._work: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """A supervisor that has taken over, and does nothing yet."""
        self.store = await Store.open(self.state.database, "s")
        self.engine = ScriptedEngine(self.world)
        await self.engine.open()
        self.supervisor = Supervisor(
            state=self.state,
            store=self.store,
            engine=self.engine,
            config=self._config,
            supervisor_id="s",
        )
        await self.supervisor.recover()

    async def enter(self) -> None:
        await self.open()
        self._work = asyncio.create_task(self.supervisor.run())

    async def vanish(self) -> None:
        """As with kill -9: nothing more is written."""
        if self._work is not None:
            self._work.cancel()
            await asyncio.gather(self._work, return_exceptions=True)
            self._work = None
        await self.engine.close()
        await self.store.close()

    async def outcome(self) -> BaseException | None:
        """How the supervisor's work ended."""
        assert self._work is not None
        work, self._work = self._work, None
        return (await asyncio.gather(work, return_exceptions=True))[0]

    async def submit(self, *script: str, task_id: str | None = None, **fields: Any) -> Task:
        """A task with this script; what it returns is the ledger's own."""
        limits = Limits(
            cap_bytes=1 << 30,
            timeout_s=fields.pop("timeout_s", None),
            grace_s=fields.pop("grace_s", 10.0),
        )
        spec = TaskSpec(argv=("true", *script), cwd="/", name=script[0], limits=limits, **fields)
        wanted = task_id or new_ids(1)[0]
        again = self.supervisor.ledger.get(wanted) is not None
        request = Submit(ids=[wanted], specs=[spec], environment=ENVIRONMENT, again=again)
        (found,) = await submitting.submit(self.supervisor, request)
        return self.task(found)

    def task(self, task_id: str) -> Task:
        task = self.supervisor.ledger.get(task_id)
        assert task is not None
        return task

    async def until(self, task: Task, state: State) -> None:
        await eventually(lambda: task.state is state, f"{task.id} is {state}, not {task.state}")

    async def submitted(self, task: Task, attempt: int = 1) -> None:
        await eventually(
            lambda: (task.id, attempt) in self.engine.submitted, f"{task.id}.{attempt} is submitted"
        )

    async def acknowledged(self, task: Task, attempt: int = 1) -> None:
        await eventually(
            lambda: (task.id, attempt) in self.engine.acknowledged, f"{task.id} is acknowledged"
        )

    async def settled(self) -> None:
        """Everything that was emitted is taken in and stored."""
        mark = Exited(task_id="mark", attempt=len(self.engine.acknowledged), node="", at=0, code=0)
        self.engine.emit(mark)
        await eventually(
            lambda: ("mark", mark.attempt) in self.engine.acknowledged, "all is taken in"
        )

    async def stored(self, task: Task) -> StoredTask:
        found = await self.store.task(task.id)
        assert found is not None
        return found

    async def history(self, task: Task) -> list[str]:
        return [event.kind for event in await self.store.events(task.id, 100)]

    async def fill_disk(self) -> None:
        """SQLite itself finds no room any more, not for a single line."""
        connection = self.store._connection
        async with connection.execute("PRAGMA page_count") as cursor:
            row = await cursor.fetchone()
        assert row is not None
        await connection.execute(f"PRAGMA max_page_count = {row[0]}")
        for size in (2000, 10):
            try:
                for _ in range(5000):
                    text = "x" * size
                    event = Event(at=0, task_id="ballast", attempt=1, kind="k", text=text)
                    await self.store.write(Batch(events=[event]))
            except StorageTrouble:
                continue
            raise AssertionError("it never got full")

    async def free_disk(self) -> None:
        await self.store._connection.execute("PRAGMA max_page_count = 1000000")
