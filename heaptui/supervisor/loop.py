"""The supervisor's loop: engine events in, the ledger changed, pictures out.

One event loop owns everything here. Four things run side by side in one task group: the engine's
stream, dispatch, commits (ends are acknowledged to the engine only once they are durable), and
housekeeping. Time-outs and back-offs are timers.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections.abc import Callable, Coroutine, Mapping
from pathlib import Path
from typing import Any

from msgspec.structs import replace

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
from heaptui.errors import HeaptuiError, StorageTrouble, UsageError
from heaptui.model import CapMeans, Finding, Host, HostSample, Kind, State, Verdict
from heaptui.paths import StateDir
from heaptui.store.store import Store
from heaptui.supervisor import verdicts
from heaptui.supervisor.activities import Activities
from heaptui.supervisor.admission import Admission
from heaptui.supervisor.alarms import Alarms
from heaptui.supervisor.caps import Caps
from heaptui.supervisor.counts import Counts
from heaptui.supervisor.dispatching import AGAIN_S, Dispatch, Dispatcher
from heaptui.supervisor.draining import drain
from heaptui.supervisor.ends import end_of
from heaptui.supervisor.environments import Environments
from heaptui.supervisor.header import header
from heaptui.supervisor.known import Known
from heaptui.supervisor.launching import Surroundings, remove_files
from heaptui.supervisor.ledger import Ledger
from heaptui.supervisor.looking_at_self import OwnFigures, sampling
from heaptui.supervisor.machine import Trigger, may
from heaptui.supervisor.metrics import Gauge
from heaptui.supervisor.phases import Phases
from heaptui.supervisor.pictures import Gallery
from heaptui.supervisor.policy.ladder import decide
from heaptui.supervisor.readings import Readings
from heaptui.supervisor.recovery import Action, Step, reconcile
from heaptui.supervisor.rooms import Rooms
from heaptui.supervisor.snapshots_begun import Notes
from heaptui.supervisor.task import Task, revived
from heaptui.supervisor.timers import Timers

RECENT_AT_START = 50
POLICY = "policy"
"""The key under which the store keeps the operator's choice: act or observe."""

_HANG_WITHIN_S = 0.1
_REMEMBERED_S = 7200.0
_HOUSEKEEPING_S = 3600.0


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
        own_presets: Path | None = None,
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
        known = Known(self.ledger, store)
        self.around = Surroundings(state, known, own_presets, config.heap.preload)
        self.host: HostSample | None = None
        self.order = 0
        self._unended_told = -1
        self._commit = asyncio.Event()
        self._to_acknowledge: list[tuple[str, int]] = []
        self._hanging: asyncio.TimerHandle | None = None
        self._unlaunched: list[Task] = []
        self._ended_unseen: list[tuple[Task, float, Verdict, Exited | None]] = []
        self._timers = Timers(clock)
        self._group: asyncio.TaskGroup | None = None
        self._sampled = asyncio.Event()
        self.activities = Activities(self.gallery, clock)
        self.phases = Phases()
        self.rooms = Rooms()
        self.begun = Notes(store)
        self.admission = Admission(config, store)
        self.caps = Caps(engine, self.ledger, self.begin, self.next_sample)
        self._dispatcher = Dispatcher(
            around=self.around,
            engine=engine,
            ledger=self.ledger,
            environments=self.environments,
            dispatch=self.dispatch,
            admission=self.admission,
            host=lambda: self.host,
            begin=self.begin,
            ended=lambda task, verdict: self._end(task, clock(), verdict, None),
            troubled=self._troubled,
        )
        self._readings = Readings(self.ledger, self.gallery, clock())
        self.own = OwnFigures()
        self.counts = Counts()
        proposed = frozenset(kind for kind in Kind if config.policy.of(kind).split != "off")
        self.alarms = Alarms(config.alerts, proposed)
        self.concluding: set[str] = set()
        """Tasks whose attempt has ended to be split, while it is looked up what is left."""
        self.hunts: dict[str, asyncio.Task[Finding]] = {}
        """Leak hunts under way, by task."""
        self.idle = asyncio.Event()
        """Set while nothing is left to watch and everything is stored."""

    @property
    def means(self) -> CapMeans:
        """What holds caps here."""
        return self._dispatcher.means

    # --- life ----------------------------------------------------------------------------------
    async def recover(self) -> None:
        """Takes over what an earlier supervisor left; call once, before `run`."""
        self.dispatch.paused = await self.store.get_meta("paused") == "1"
        chosen = await self.store.get_meta("concurrency")
        if chosen:
            self.dispatch.concurrency = int(chosen)
        policy = await self.store.get_meta(POLICY)
        if policy:
            self.set_policy(policy)
        self.order = await self.store.highest_order()
        await self.begun.recall()
        self._dispatcher.means = self.engine.nodes()[0].means
        for stored in reversed(await self.store.recent(RECENT_AT_START)):
            self.ledger.hold(revived(stored))
        for stored in await self.store.unended():
            self.ledger.hold(revived(stored))
        for task in self.ledger.tasks.values():
            if task.state.live:
                self._find_checkpoint(task)
                task.gauge = Gauge()
                for rollup in await self.store.rollups(task.id, self.clock() - _REMEMBERED_S):
                    if rollup.attempt == task.attempts:
                        task.gauge.restore(rollup.minute, rollup.low, rollup.high)
        # they ask of a supervisor what operators ask of it
        from heaptui.supervisor.splitting import families

        await families.gather(self)
        known = await self.engine.reattach()
        for action in reconcile(tuple(self.ledger.tasks.values()), known):
            await self._recover(action)
        self.dispatch.wake.set()
        await self.tell_unended()
        self.settle_soon()

    def _find_checkpoint(self, task: Task) -> None:
        """The one that stands may be newer than what was stored of it."""
        with contextlib.suppress(FileNotFoundError):
            found = self.state.checkpoint(task.id).stat()
            task.checkpoint_at, task.checkpoint_bytes = found.st_mtime, found.st_size

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
                left = max(0.0, (task.stop_by or 0) - self.clock())
                if task.stop_why == "drain":
                    await drain(self.engine, task, left)
                else:
                    await self.engine.cancel(task.id, left)
            case Step.GO_ON_DRAINING | Step.GO_ON_SPLITTING:
                await drain(self.engine, task, self.config.policy.of(task.spec.kind).drain_s)
            case Step.LOST:
                at = self.clock()
                text = "lost: it was running, and nothing on this machine knows how it ended"
                gone = Lost(
                    task_id=task.id, attempt=task.attempts, at=at, why="unwatched", text=text
                )
                # what follows may be work that goes on beside the rest
                self._ended_unseen.append((task, at, verdicts.lost(gone), None))
            case _:
                pass

    async def run(self) -> None:
        """Until cancelled. An error in any part ends them all."""
        # they ask of a supervisor what operators ask of it
        from heaptui.supervisor import alerting
        from heaptui.supervisor.policy import conversation, pressure
        from heaptui.supervisor.snapshot_shelf import take_over
        from heaptui.supervisor.splitting import families

        async with asyncio.TaskGroup() as group:
            self._group = group
            group.create_task(self._follow_engine(), name="engine events")
            group.create_task(self._dispatcher.run(self.settle_soon), name="dispatch")
            group.create_task(self._dispatcher.follow(self.next_sample), name="admission")
            group.create_task(self._committing(), name="commits")
            group.create_task(self._housekeeping(), name="housekeeping")
            group.create_task(sampling(self), name="own memory")
            group.create_task(take_over(self), name="snapshots left behind")
            group.create_task(conversation.hold(self), name="soft limits")
            group.create_task(pressure.relieve(self), name="pressure")
            group.create_task(alerting.follow(self), name="alerts")
            for task in self._unlaunched:
                self._dispatcher.launch(task)
            self._unlaunched.clear()
            for end in self._ended_unseen:
                self._end(*end)
            self._ended_unseen.clear()
            families.look_round(self)

    def begin(self, work: Coroutine[Any, Any, None], name: str) -> None:
        """Work of the supervisor's own beside the rest: an error in it ends everything. Outside
        `run` nothing is begun."""
        try:
            if self._group is None:
                work.close()
            else:
                self._group.create_task(work, name=name)
        except RuntimeError:
            # the group is being left: whoever takes over does what is to be done
            work.close()

    def set_policy(self, mode: str) -> None:
        """Whether the memory policy acts, or only tells what it would do.

        Raises:
            UsageError: neither.
        """
        if mode not in ("act", "observe"):
            raise UsageError(f"A policy of {mode[:40]!r} is not known.", "It is act or observe.")
        policy = replace(self.config.policy, mode=mode)
        self.config = replace(self.config, policy=policy)
        self.admission.observes = mode == "observe"

    async def next_sample(self) -> None:
        """Returns when the engine has measured once more."""
        await self._sampled.wait()

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

    # --- what the engine says ------------------------------------------------------------------
    async def _follow_engine(self) -> None:
        async for event in self.engine.events():
            match event:
                case Sampled():
                    self._measured(event)
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
            if isinstance(event, Exited | Lost):
                self.begin(self._book_older(event), f"older end of {event.task_id}")
            return
        match event:
            case Started():
                if not event.adopted and task.admitted_at is not None:
                    self.counts.begun(event.at - task.admitted_at)
                self.ledger.started(task, event)
                self._arm_timeout(task)
            case Exited():
                limit_s = task.spec.limits.timeout_s
                verdict = verdicts.judge(event, task.stop_why, limit_s, task.items)
                if self.rooms.written(task.id):
                    verdict = verdicts.in_mid_snapshot(verdict)
                self._end(task, event.at, verdict, event)
            case Lost():
                self._end(task, event.at, verdicts.lost(event), None)
            case Message():
                self.ledger.note(task, event.kind, event.text)
            case Queued():
                task.wait_reason = event.why or "waits in the engine"
                self.gallery.changed(task.id)
            case Working():
                self.phases.heard(event)
            case Placed():
                self.ledger.note(task, "placed", f"placed on {event.node}")
        self.settle_soon()

    def _end(self, task: Task, at: float, verdict: Verdict, exited: Exited | None) -> None:
        if task.state is not State.SPLITTING:
            self.ended(task, at, verdict, exited)
        elif task.id not in self.concluding:
            from heaptui.supervisor.splitting import dividing

            self.concluding.add(task.id)
            work = dividing.conclude(self, task, at, verdict, exited)
            self.begin(work, f"split of {task.id}")

    def ended(self, task: Task, at: float, verdict: Verdict, exited: Exited | None) -> None:
        """Books the end of its attempt, and what follows."""
        self._timers.disarm(task.id)
        attempt = task.attempts
        self._readings.roll_up_task(task)
        policy = self.config.policy.of(task.spec.kind)
        decision = decide(end_of(task, at, verdict, exited, self.host, policy), self.config, policy)
        self.ledger.end(task, at, verdict, exited, decision)
        self.counts.ended(task.spec.kind, verdict.kind)
        if decision.trigger is Trigger.RECYCLED:
            self.counts.recycled()
        if task.state is State.BACKOFF:
            self._back_off(task, self.clock() + decision.delay_s)
        elif task.state is State.QUEUED:
            self.ledger.enqueue(task)
        self.family_changed(task)
        self._to_acknowledge.append((task.id, attempt))
        self.dispatch.wake.set()
        self.settle_soon()

    def family_changed(self, task: Task) -> None:
        """After a change of state: what it means for the task it is a part of, and for those that
        build on it; and for itself, when the policy is to split it."""
        if task.parent or task.recovery.split_due:
            from heaptui.supervisor.splitting import by_policy, families

            families.changed(self, task)
            if task.recovery.split_due:
                self.begin(by_policy.split(self, task), f"split of {task.id} by the policy")

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
        self.settle_soon()

    def _measured(self, event: Sampled) -> None:
        self.host = event.host or self.host
        if self._readings.take_in(event):
            self.settle_soon()
        self._hang()
        waiting, self._sampled = self._sampled, asyncio.Event()
        waiting.set()

    def roll_up_now(self) -> None:
        """The minute that has not ended: for whoever leaves."""
        self._readings.roll_up()
        self.settle_soon()

    def _hang(self) -> None:
        """The header and the alerts as they are now."""
        if self._hanging is not None:
            self._hanging.cancel()
            self._hanging = None
        trouble = str(self.ledger.trouble) if self.ledger.trouble else None
        tasks = self.ledger.tasks.values()
        host = header(
            tasks,
            sample=self.host,
            dispatch=self.dispatch,
            means=self.means,
            keeper_pid=self.engine.keeper_pid(),
            trouble=trouble,
            admission=self.admission,
            policy=self.config.policy.mode,
        )
        self.gallery.hang(host, self.alarms.look(tasks, self.host, trouble, self.clock()))

    def _troubled(self, trouble: StorageTrouble) -> None:
        self.ledger.trouble = trouble
        self._hang()

    def _hang_soon(self) -> None:
        """After changes of state; a burst of them is one look."""
        if self._hanging is None and self.gallery.watched:
            self._hanging = asyncio.get_running_loop().call_later(_HANG_WITHIN_S, self._hang)

    def header_changed(self) -> None:
        """Something in the header is the operator's doing: show it without waiting."""
        self._hang()

    # --- timers --------------------------------------------------------------------------------
    def _back_off(self, task: Task, until: float) -> None:
        self.ledger.back_off(task, until)

        def due() -> None:
            if task.state is State.BACKOFF:
                self.ledger.due(task)
                self.dispatch.wake.set()

        self._timers.arm(task.id, until, due)

    def _arm_timeout(self, task: Task) -> None:
        limit, attempt = task.spec.limits.timeout_s, task.attempts
        if limit is None or task.started_at is None:
            return

        def expired() -> None:
            # it asks of a supervisor what operators ask of it
            from heaptui.supervisor import time_outs

            self.begin(time_outs.expired(self, task, attempt), f"time-out of {task.id}")

        # a recycle is no new beginning: what was recycled before counts
        left_s = max(0.0, limit - task.recovery.recycled_s)
        self._timers.arm(task.id, task.started_at + left_s, expired)

    # --- stopping ------------------------------------------------------------------------------
    async def stop(self, chosen: Mapping[Task, float], why: str) -> None:
        """Stops tasks, each with its seconds of grace; those that have ended are left as they are.

        The intention is stored first, so that it outlives us. A disk that is full stops nobody
        from stopping.
        """
        stopping = {task: grace for task, grace in chosen.items() if may(task.state, Trigger.STOP)}
        for task, grace_s in stopping.items():
            if not may(task.state, Trigger.STOP):
                # stopped a moment ago, for one that it builds on
                continue
            self._timers.disarm(task.id)
            self.ledger.stop(task, why, self.clock() + grace_s)
            self.family_changed(task)
            if not task.state.ended:
                what = "killing the tree" if grace_s == 0 else f"TERM, then kill in {grace_s:.0f} s"
                because = "time-out: " if why == "timeout" else ""
                self.ledger.note(task, "stop", f"{because}{what}")
        try:
            await self.ledger.commit()
        except HeaptuiError:
            self._hang_soon()
        for task, grace_s in stopping.items():
            # one that ended meanwhile may have been queued again
            if task.state is State.STOPPING:
                await self.engine.cancel(task.id, grace_s)
        self.settle_soon()

    # --- storing -------------------------------------------------------------------------------
    def settle_soon(self) -> None:
        """What was changed is stored without anybody waiting for it."""
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
                asyncio.get_running_loop().call_later(AGAIN_S, self._commit.set)
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
        head, why = self.admission.head, self._dispatcher.waiting_for()
        first = head.task if head is not None else None
        for task in self.ledger.tasks.values():
            if task.state is not State.QUEUED or task is first or task.wait_reason == why:
                continue
            if self.ledger.waits_for(task) is None:
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
