"""From the queue to the engine: which task is next, and how its attempt is launched."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any

from heaptui.engine.base import Engine
from heaptui.errors import HeaptuiError, StorageTrouble
from heaptui.model import CapMeans, State, Verdict, VerdictKind
from heaptui.supervisor.environments import Environments
from heaptui.supervisor.launching import Surroundings, launch_spec
from heaptui.supervisor.ledger import Ledger
from heaptui.supervisor.queue import admissible
from heaptui.supervisor.task import Task

AGAIN_S = 2.0
"""After a disk that was full."""


@dataclass(slots=True)
class Dispatch:
    """The operator's say over the queue; kept in the store."""

    paused: bool = False
    concurrency: int = 1
    wake: asyncio.Event = field(default_factory=asyncio.Event)


class Dispatcher:
    """Admits tasks while there is room, and hands each attempt to the engine.

    `begin` starts work of the supervisor's own, `ended` books an attempt that never ran, `troubled`
    hears of a disk that has no room. `around` is what all launches share,
    `means` what holds caps here.
    """

    def __init__(
        self,
        *,
        around: Surroundings,
        engine: Engine,
        ledger: Ledger,
        environments: Environments,
        dispatch: Dispatch,
        begin: Callable[[Coroutine[Any, Any, None], str], None],
        ended: Callable[[Task, Verdict], None],
        troubled: Callable[[StorageTrouble], None],
    ) -> None:
        self._around = around
        self._engine = engine
        self._ledger = ledger
        self._environments = environments
        self._dispatch = dispatch
        self._begin = begin
        self._ended = ended
        self._troubled = troubled
        self.means = CapMeans.WATCHDOG

    async def run(self, admitted: Callable[[], None]) -> None:
        """Until cancelled; `admitted` is called after each round."""
        while True:
            await self._dispatch.wake.wait()
            self._dispatch.wake.clear()
            while admissible(
                live=self._ledger.live,
                concurrency=self._dispatch.concurrency,
                paused=self._dispatch.paused,
            ):
                task = self._ledger.queue.take(self._ledger.get)
                if task is None:
                    break
                self._ledger.admit(task)
                self.launch(task)
            admitted()

    def launch(self, task: Task) -> None:
        """The attempt that was begun in the books."""
        self._begin(self._launch(task), f"launch {task.id}")

    async def _launch(self, task: Task) -> None:
        attempt = task.attempts
        if self._stopped_early(task):
            return
        try:
            environment = await self._environments.get(task.environment)
            spec, launch = await launch_spec(self._around, task, self.means, environment)
        except StorageTrouble as trouble:
            self._troubled(trouble)
            await asyncio.sleep(AGAIN_S)
            if task.attempts == attempt and task.state.live:
                self.launch(task)
            return
        except HeaptuiError as error:
            if task.attempts == attempt and task.state.live:
                verdict = Verdict(VerdictKind.BAD_LAUNCH, error.what, (error.remedy,))
                self._ended(task, verdict)
            return
        if self._stopped_early(task):
            return
        task.heap_limit_bytes, task.launch = launch.heap_limit_bytes, spec.argv
        for text in launch.notes:
            self._ledger.note(task, "launch", text)
        await self._engine.submit(spec, attempt)

    def _stopped_early(self, task: Task) -> bool:
        """Stopped before it was handed to the engine, where there is nothing to end."""
        if task.state is not State.STOPPING:
            return False
        self._ended(task, Verdict(VerdictKind.STOPPED, "stopped before it ran"))
        return True
