"""The supervisor's loop: engine events in, the ledger changed, pictures out.

One event loop owns everything here. Four things run side by side in one task group: the engine's
stream, dispatch, commits (ends are acknowledged to the engine only once they are durable), and
housekeeping. Time-outs and back-offs are timers.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from heaptui import __version__
from heaptui.config import Config
from heaptui.engine.base import (
    Engine,
    Exited,
    Lost,
    Message,
    NodeDown,
    NodeUp,
    Placed,
    Queued,
    Sampled,
    Started,
    Working,
)
from heaptui.errors import HeaptuiError, StorageTrouble
from heaptui.memory.own import own_rss, rss_of
from heaptui.model import CapMeans, Host, HostSample, State, Verdict, VerdictKind
from heaptui.paths import StateDir
from heaptui.store.records import Rollup
from heaptui.store.store import Store
from heaptui.supervisor import verdicts
from heaptui.supervisor.alerts import alerts
from heaptui.supervisor.backoff import delay
from heaptui.supervisor.environments import Environments
from heaptui.supervisor.last_words import last_words
from heaptui.supervisor.launching import launch_spec, remove_files
from heaptui.supervisor.ledger import Ledger
from heaptui.supervisor.machine import Trigger, may
from heaptui.supervisor.metrics import Gauge
from heaptui.supervisor.pictures import Gallery, visibly_moved
from heaptui.supervisor.queue import admissible, wait_reason
from heaptui.supervisor.recovery import Action, Step, reconcile
from heaptui.supervisor.task import Task, revived

RECENT_AT_START = 50
_COMMIT_AGAIN_S = 2.0
_HANG_WITHIN_S = 0.1
_PEAKS_EVERY_S = 10
"""How much of a peak a killed supervisor can forget."""

_REMEMBERED_S = 7200.0
_HOUSEKEEPING_S = 3600.0


@dataclass(slots=True)
class Dispatch:
    """The operator's say over the queue; kept in the store."""

    paused: bool = False
    concurrency: int = 1
    wake: asyncio.Event = field(default_factory=asyncio.Event)


class Supervisor:
    """Sees every task through. `operations.py` is what operators may ask of it."""

    def __init__(
        self,
        *,
        state: StateDir,
        store: Store,
        engine: Engine,
        config: Config,
        supervisor_id: str,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.state = state
        self.store = store
        self.engine = engine
        self.config = config
        self.id = supervisor_id
        self.version = __version__
        self.clock = clock
        self.since = clock()
        self.dispatch = Dispatch(concurrency=config.queue.slots())
        self.environments = Environments(state.environments)
        self.gallery = Gallery(Host(sample=None))
        self.ledger = Ledger(store, self.gallery, clock)
        self.means = CapMeans.WATCHDOG
        self.host: HostSample | None = None
        self.order = 0
        self._unended_told = -1
        self._commit = asyncio.Event()
        self._to_acknowledge: list[tuple[str, int]] = []
        self._hanging: asyncio.TimerHandle | None = None
        self._unlaunched: list[Task] = []
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._launches: asyncio.TaskGroup | None = None
        self._minute = int(clock()) // 60
        self.idle = asyncio.Event()
        """Set while nothing is left to watch and everything is stored."""

    # --- life ----------------------------------------------------------------------------------
    async def recover(self) -> None:
        """Takes over what an earlier supervisor left; call once, before `run`."""
        self.dispatch.paused = await self.store.get_meta("paused") == "1"
        chosen = await self.store.get_meta("concurrency")
        if chosen:
            self.dispatch.concurrency = int(chosen)
        self.order = await self.store.highest_order()
        self.means = self.engine.nodes()[0].means
        for stored in reversed(await self.store.recent(RECENT_AT_START)):
            self.ledger.hold(revived(stored))
        for stored in await self.store.unended():
            self.ledger.hold(revived(stored))
        for task in self.ledger.tasks.values():
            if task.state.live:
                task.gauge = Gauge()
                for rollup in await self.store.rollups(task.id, self.clock() - _REMEMBERED_S):
                    if rollup.attempt == task.attempts:
                        task.gauge.restore(rollup.minute, rollup.low, rollup.high)
        known = await self.engine.reattach()
        for action in reconcile(tuple(self.ledger.tasks.values()), known):
            await self._recover(action)
        self.dispatch.wake.set()
        await self.tell_unended()
        self._settle_soon()

    async def _recover(self, action: Action) -> None:
        task = self.ledger.get(action.task_id)
        if task is None or action.step is Step.END_STRAY:
            await self.engine.cancel(action.task_id, 0)
            return
        match action.step:
            case Step.ENQUEUE:
                self.ledger.enqueue(task)
            case Step.WAIT:
                self._back_off(task, task.next_try_at or self.clock())
            case Step.CATCH_UP:
                self.ledger.catch_up(task, action.attempt)
                if task.state is State.STOPPING:
                    await self.engine.cancel(task.id, 0)
            case Step.SUBMIT:
                self._unlaunched.append(task)
            case Step.GO_ON_STOPPING:
                left = (task.stop_by or 0) - self.clock()
                await self.engine.cancel(task.id, max(0.0, left))
            case Step.LOST:
                at = self.clock()
                text = "lost: it was running, and nothing on this machine knows how it ended"
                gone = Lost(
                    task_id=task.id, attempt=task.attempts, at=at, why="unwatched", text=text
                )
                self._ended(task, at, verdicts.lost(gone), None)
            case _:
                pass

    async def run(self) -> None:
        """Until cancelled. An error in any part ends them all."""
        async with asyncio.TaskGroup() as group:
            self._launches = group
            group.create_task(self._follow_engine(), name="engine events")
            group.create_task(self._dispatching(), name="dispatch")
            group.create_task(self._committing(), name="commits")
            group.create_task(self._housekeeping(), name="housekeeping")
            for task in self._unlaunched:
                self._launch_soon(task)
            self._unlaunched.clear()

    async def clear_environments(self) -> None:
        """Deletes those that no task needs any more."""
        wanted = {task.environment for task in self.ledger.tasks.values()}
        wanted |= await self.store.environments()
        # whoever submits at this moment has stored its own before it awaited anything
        wanted |= {task.environment for task in self.ledger.tasks.values()}
        self.environments.keep_only(wanted)

    async def _clear_outputs(self) -> None:
        """Deletes those whose records are gone: we were killed between the two."""
        root = self.state.task("")
        for name in await asyncio.to_thread(os.listdir, root):
            if self.ledger.get(name) is None and await self.store.task(name) is None:
                await asyncio.to_thread(remove_files, self.state, name)

    # --- dispatch ------------------------------------------------------------------------------
    async def _dispatching(self) -> None:
        while True:
            await self.dispatch.wake.wait()
            self.dispatch.wake.clear()
            while admissible(
                live=self.ledger.live,
                concurrency=self.dispatch.concurrency,
                paused=self.dispatch.paused,
            ):
                task = self.ledger.queue.take(self.ledger.get)
                if task is None:
                    break
                self.ledger.admit(task)
                self._launch_soon(task)
            self._settle_soon()

    def _launch_soon(self, task: Task) -> None:
        if self._launches is not None:
            self._launches.create_task(self._launch(task), name=f"launch {task.id}")

    async def _launch(self, task: Task) -> None:
        attempt = task.attempts
        if self._stopped_early(task):
            return
        try:
            environment = await self.environments.get(task.environment)
            spec, launch = await launch_spec(self.state, task, self.means, environment)
        except StorageTrouble as trouble:
            self.ledger.trouble = trouble
            self._hang()
            await asyncio.sleep(_COMMIT_AGAIN_S)
            if task.attempts == attempt and task.state.live:
                self._launch_soon(task)
            return
        except HeaptuiError as error:
            if task.attempts == attempt and task.state.live:
                verdict = Verdict(VerdictKind.BAD_LAUNCH, error.what, (error.remedy,))
                self._ended(task, self.clock(), verdict, None)
            return
        if self._stopped_early(task):
            return
        task.heap_limit_bytes, task.launch = launch.heap_limit_bytes, spec.argv
        for text in launch.notes:
            self.ledger.note(task, "launch", text)
        await self.engine.submit(spec, attempt)

    def _stopped_early(self, task: Task) -> bool:
        """Stopped before it was handed to the engine, where there is nothing to end."""
        if task.state is not State.STOPPING:
            return False
        verdict = Verdict(VerdictKind.STOPPED, "stopped before it ran")
        self._ended(task, self.clock(), verdict, None)
        return True

    # --- what the engine says ------------------------------------------------------------------
    async def _follow_engine(self) -> None:
        async for event in self.engine.events():
            match event:
                case Sampled():
                    self._sampled(event)
                case NodeUp() | NodeDown():
                    self._hang()
                case _:
                    self._about_task(event)

    def _about_task(
        self, event: Queued | Placed | Started | Working | Message | Exited | Lost
    ) -> None:
        task = self.ledger.get(event.task_id)
        if task is None or task.attempts != event.attempt or not task.state.live:
            # an older attempt, or an end that is stored already: nothing here depends on it
            if isinstance(event, Exited | Lost) and self._launches is not None:
                self._launches.create_task(self._book_older(event))
            return
        match event:
            case Started():
                self.ledger.started(task, event)
                self._arm_timeout(task)
            case Exited():
                words = last_words(self.state.output(task.id, task.attempts), event.signal)
                verdict = verdicts.judge(event, task.stop_why, task.spec.limits.timeout_s, words)
                self._ended(task, event.at, verdict, event)
            case Lost():
                self._ended(task, event.at, verdicts.lost(event), None)
            case Message():
                self.ledger.note(task, event.kind, event.text)
            case Queued():
                task.wait_reason = event.why or "waits in the engine"
                self.gallery.changed(task.id)
            case Placed():
                self.ledger.note(task, "placed", f"placed on {event.node}")
        self._settle_soon()

    def _ended(self, task: Task, at: float, verdict: Verdict, exited: Exited | None) -> None:
        self._disarm(task.id)
        attempt = task.attempts
        self._roll_up_task(task, self._minute)
        if self.ledger.end(task, at, verdict, exited) is Trigger.TRY_AGAIN:
            self._back_off(task, self.clock() + delay(self.config.retry, task.failures))
        self._to_acknowledge.append((task.id, attempt))
        self.dispatch.wake.set()
        self._settle_soon()

    async def _book_older(self, event: Exited | Lost) -> None:
        """An end that comes again, or that the disk had no room for when it came."""
        try:
            records = await self.store.attempts(event.task_id)
        except StorageTrouble as trouble:
            # not acknowledged: it is told again
            self.ledger.trouble = trouble
            return
        for record in records:
            if record.attempt == event.attempt and record.ended_at is None:
                self.ledger.book(verdicts.closed(record, event))
        self._to_acknowledge.append((event.task_id, event.attempt))
        self._settle_soon()

    def _sampled(self, event: Sampled) -> None:
        self.host = event.host or self.host
        for sample in event.tasks:
            task = self.ledger.get(sample.task_id)
            if task is None or task.attempts != sample.attempt or not task.state.live:
                continue
            task.measured(sample, event.at)
            written = event.output_bytes.get(task.id, task.output_bytes)
            grown, task.output_bytes = written != task.output_bytes, written
            if task.gauge is not None and (not task.spark or int(event.at) % 5 == 0):
                task.spark = task.gauge.spark()
            if visibly_moved(task) or grown:
                self.gallery.changed(task.id)
            if int(event.at) % _PEAKS_EVERY_S == 0:
                self.ledger.peaked(task)
        minute = int(event.at) // 60
        if minute != self._minute:
            self._roll_up(self._minute)
            self._minute = minute
        if int(event.at) % _PEAKS_EVERY_S == 0:
            self._settle_soon()
        self._hang()

    def _roll_up(self, minute: int) -> None:
        for task in self.ledger.tasks.values():
            if task.state.live:
                self._roll_up_task(task, minute)
        self._settle_soon()

    def _roll_up_task(self, task: Task, minute: int) -> None:
        figures = task.gauge.minute(minute) if task.gauge else None
        if figures is not None:
            low, high, last = figures
            rollup = Rollup(
                task_id=task.id, attempt=task.attempts, minute=minute, low=low, high=high, last=last
            )
            self.ledger.rolled(rollup)

    def roll_up_now(self) -> None:
        """The minute that has not ended: for whoever leaves."""
        self._roll_up(self._minute)

    def _hang(self) -> None:
        """The header and the alerts as they are now."""
        if self._hanging is not None:
            self._hanging.cancel()
            self._hanging = None
        running = waiting = failed = caps = 0
        for task in self.ledger.tasks.values():
            if task.state.live:
                running += 1
                caps += task.cap_bytes or 0
            elif not task.state.ended:
                waiting += 1
            elif task.state in (State.FAILED, State.LOST):
                failed += 1
        trouble = str(self.ledger.trouble) if self.ledger.trouble else None
        host = Host(
            sample=self.host,
            caps_bytes=caps,
            self_bytes=own_rss(),
            warden_bytes=rss_of(keeper) if (keeper := self.engine.keeper_pid()) else None,
            running=running,
            waiting=waiting,
            failed=failed,
            paused=self.dispatch.paused,
            concurrency=self.dispatch.concurrency,
            means=self.means,
            store_trouble=trouble,
        )
        self.gallery.hang(
            host, alerts(self.ledger.tasks.values(), self.host, trouble, self.clock())
        )

    def _hang_soon(self) -> None:
        """After changes of state; a burst of them is one look."""
        if self._hanging is None and self.gallery.watched:
            self._hanging = asyncio.get_running_loop().call_later(_HANG_WITHIN_S, self._hang)

    def header_changed(self) -> None:
        """Something in the header is the operator's doing: show it without waiting."""
        self._hang()

    # --- timers --------------------------------------------------------------------------------
    def _arm(self, task_id: str, at: float, what: Callable[[], None]) -> None:
        self._disarm(task_id)
        left_s = max(0.0, at - self.clock())
        self._timers[task_id] = asyncio.get_running_loop().call_later(left_s, what)

    def _disarm(self, task_id: str) -> None:
        handle = self._timers.pop(task_id, None)
        if handle is not None:
            handle.cancel()

    def _back_off(self, task: Task, until: float) -> None:
        self.ledger.back_off(task, until)

        def due() -> None:
            if task.state is State.BACKOFF:
                self.ledger.due(task)
                self.dispatch.wake.set()

        self._arm(task.id, until, due)

    def _arm_timeout(self, task: Task) -> None:
        limit, attempt = task.spec.limits.timeout_s, task.attempts
        if limit is None or task.started_at is None:
            return

        def expired() -> None:
            if task.state is State.RUNNING and task.attempts == attempt and self._launches:
                grace_s = task.spec.limits.grace_s
                self._launches.create_task(self.stop({task: grace_s}, "timeout"))

        self._arm(task.id, task.started_at + limit, expired)

    # --- stopping ------------------------------------------------------------------------------
    async def stop(self, chosen: Mapping[Task, float], why: str) -> None:
        """Stops tasks, each with its seconds of grace; those that have ended are left as they are.

        The intention is stored first, so that it outlives us. A disk that is full stops nobody
        from stopping.
        """
        stopping = {task: grace for task, grace in chosen.items() if may(task.state, Trigger.STOP)}
        for task, grace_s in stopping.items():
            self._disarm(task.id)
            self.ledger.stop(task, why, self.clock() + grace_s)
            if not task.state.ended:
                what = "killing the tree" if grace_s == 0 else f"TERM, then kill in {grace_s:.0f} s"
                because = "time-out: " if why == "timeout" else ""
                self.ledger.note(task, "stop", f"{because}{what}")
        try:
            await self.ledger.commit()
        except HeaptuiError:
            self._hang_soon()
        for task, grace_s in stopping.items():
            if not task.state.ended:
                await self.engine.cancel(task.id, grace_s)
        self._settle_soon()

    # --- storing -------------------------------------------------------------------------------
    def _settle_soon(self) -> None:
        self._commit.set()

    async def tell_unended(self) -> None:
        """How much is left, for whoever starts the next supervisor."""
        if self._unended_told != self.ledger.unended:
            self._unended_told = self.ledger.unended
            if self.ledger.unended:
                self.idle.clear()
            await self.engine.expect(self.ledger.unended)

    async def _committing(self) -> None:
        while True:
            await self._commit.wait()
            self._commit.clear()
            ready, self._to_acknowledge = self._to_acknowledge, []
            try:
                await self.ledger.commit()
            except HeaptuiError:
                # shown in the header by `trouble`; nothing is acknowledged that is not stored
                self._hang()
                self._to_acknowledge = ready + self._to_acknowledge
                asyncio.get_running_loop().call_later(_COMMIT_AGAIN_S, self._commit.set)
                continue
            for task_id, attempt in ready:
                await self.engine.acknowledge(task_id, attempt)
            await self.tell_unended()
            if self.ledger.unended == 0 and not self._to_acknowledge:
                self.idle.set()
            self._explain_waiting()
            self._hang_soon()

    def _explain_waiting(self) -> None:
        if not self.gallery.watched:
            return
        why = wait_reason(paused=self.dispatch.paused, concurrency=self.dispatch.concurrency)
        for task in self.ledger.tasks.values():
            if task.state is State.QUEUED and task.wait_reason != why:
                task.wait_reason = why
                self.gallery.changed(task.id)

    async def _housekeeping(self) -> None:
        keep = self.config.history
        while True:
            try:
                gone = await self.store.prune(self.clock(), keep.keep_days, keep.keep_tasks)
                for task_id in gone:
                    self.ledger.forgotten(task_id)
                    await asyncio.to_thread(remove_files, self.state, task_id)
                await self._clear_outputs()
                await self.clear_environments()
            except StorageTrouble as trouble:
                self.ledger.trouble = trouble
            except OSError as error:
                self.ledger.trouble = StorageTrouble(
                    f"What is no longer needed cannot be deleted: {error}.",
                    f"Look at {self.state.root}.",
                )
            await asyncio.sleep(_HOUSEKEEPING_S)
