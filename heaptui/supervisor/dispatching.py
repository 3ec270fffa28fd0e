"""From the queue to the engine: which task is next, and how its attempt is launched."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any

from heaptui.engine.base import Engine
from heaptui.errors import HeaptuiError, StorageTrouble
from heaptui.model import CapMeans, HostSample, State, Verdict, VerdictKind
from heaptui.supervisor.admission import Admission
from heaptui.supervisor.environments import Environments
from heaptui.supervisor.expected import Name, name_of
from heaptui.supervisor.launching import NothingLeft, Surroundings, launch_spec
from heaptui.supervisor.ledger import Ledger
from heaptui.supervisor.queue import admissible, wait_reason
from heaptui.supervisor.task import Task

AGAIN_S = 2.0
"""After a disk that was full."""

LOOKED_AT = 16
"""So far from the front of the queue a task is found that fits where the first one does not."""


@dataclass(slots=True)
class Dispatch:
    """The operator's say over the queue; kept in the store."""

    paused: bool = False
    concurrency: int = 1
    wake: asyncio.Event = field(default_factory=asyncio.Event)


class Dispatcher:
    """Admits tasks while there are places and memory, and hands each attempt to the engine.

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
        admission: Admission,
        host: Callable[[], HostSample | None],
        begin: Callable[[Coroutine[Any, Any, None], str], None],
        ended: Callable[[Task, Verdict], None],
        troubled: Callable[[StorageTrouble], None],
    ) -> None:
        self._around = around
        self._engine = engine
        self._ledger = ledger
        self._environments = environments
        self._dispatch = dispatch
        self._admission = admission
        self._host = host
        self._begin = begin
        self._ended = ended
        self._troubled = troubled
        self.means = CapMeans.WATCHDOG

    async def run(self, admitted: Callable[[], None]) -> None:
        """Until cancelled; `admitted` is called after each round that changed what is waited
        for."""
        running = [task for task in self._ledger.tasks.values() if task.state.live]
        self._survey()
        self._admission.inherit(running)
        for task in running:
            self._learn(task)
        told = ""
        while True:
            await self._dispatch.wake.wait()
            self._dispatch.wake.clear()
            begun = self._round()
            why, told = told, self.waiting_for()
            if begun or why != told:
                admitted()

    async def follow(self, next_sample: Callable[[], Awaitable[None]]) -> None:
        """Looks again with every sample while somebody waits for memory; until cancelled."""
        while True:
            await next_sample()
            if self._admission.head is not None:
                self._dispatch.wake.set()

    def waiting_for(self) -> str:
        """What a task waits for that is not the first in the queue."""
        head = self._admission.head
        return wait_reason(
            paused=self._dispatch.paused,
            concurrency=self._dispatch.concurrency,
            behind=head.task.name if head is not None else None,
        )

    def _round(self) -> bool:
        """Admits what may start; whether anything did."""
        admission, ledger = self._admission, self._ledger
        self._survey()
        begun = False
        while self._has_place():
            task = ledger.queue.take(ledger.get)
            if task is None:
                break
            why = self._judge(task)
            if why is not None and not admission.observes:
                ledger.queue.put(task)
                if admission.hold(task, why):
                    ledger.note(task, "held", why)
                ledger.shown(task)
                return self._let_pass() or begun
            self._admit(task)
            if why is not None:
                ledger.note(task, "observe", f"the policy would let it wait: {why}")
            begun = True
        admission.release()
        return begun

    def _let_pass(self) -> bool:
        """Starts what fits beside the one that is held; whether anything did."""
        begun = False
        for task in self._ledger.queue.first(self._ledger.get, LOOKED_AT)[1:]:
            if not self._has_place():
                break
            if self._admission.may_pass(task):
                self._admit(task)
                begun = True
            else:
                self._learn(task)
        return begun

    def _has_place(self) -> bool:
        return admissible(
            live=self._ledger.live,
            concurrency=self._dispatch.concurrency,
            paused=self._dispatch.paused,
        )

    def _survey(self) -> None:
        self._admission.survey(
            live=self._ledger.live,
            places=self._dispatch.concurrency,
            total_bytes=self._engine.nodes()[0].mem_total_bytes,
            host=self._host(),
        )

    def _judge(self, task: Task) -> str | None:
        # what is not known yet is learned beside: a cap that fits needs no history
        why = self._admission.judge(task)
        self._learn(task)
        return why

    def _admit(self, task: Task) -> None:
        self._ledger.admit(task)
        self._admission.admitted(task)
        self.launch(task)

    def _learn(self, task: Task) -> None:
        name = name_of(task)
        if self._admission.expected.unread(name):
            self._begin(self._read(name), f"peaks of {name[1]}")

    async def _read(self, name: Name) -> None:
        try:
            await self._admission.expected.learn(name)
        except StorageTrouble as trouble:
            self._troubled(trouble)
            return
        self._admission.learned(name)
        if self._admission.head is not None:
            self._dispatch.wake.set()

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
        except NothingLeft:
            if task.attempts == attempt and task.state.live:
                text = "all that it works through was done before: not started again"
                self._ended(task, Verdict(VerdictKind.FINISHED, text))
            return
        except HeaptuiError as error:
            if task.attempts == attempt and task.state.live:
                verdict = Verdict(VerdictKind.BAD_LAUNCH, error.what, (error.remedy,))
                self._ended(task, verdict)
            return
        if self._stopped_early(task):
            return
        task.heap_limit_bytes, task.launch = launch.heap_limit_bytes, launch.argv
        for text in launch.notes:
            self._ledger.note(task, "launch", text)
        await self._engine.submit(spec, attempt)

    def _stopped_early(self, task: Task) -> bool:
        """Stopped before it was handed to the engine, where there is nothing to end."""
        if task.state is not State.STOPPING:
            return False
        self._ended(task, Verdict(VerdictKind.STOPPED, "stopped before it ran"))
        return True
