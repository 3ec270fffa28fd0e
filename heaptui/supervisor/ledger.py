"""The one place where tasks change. Every change is noted for the store and for the watchers.

Changes are made at once in memory and gathered; `commit` returns when they are durable. Commits
follow one another: one that begins while another is under way waits for it. One that fails (the
disk is full) keeps what it could not write and tries it again with the next; one whose caller hangs
up is finished all the same.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Protocol

from msgspec.structs import replace

from heaptui.engine.base import Exited, Started
from heaptui.errors import HeaptuiError
from heaptui.inputs import Division, Inputs
from heaptui.model import ENDED_BADLY, AttemptRecord, Event, Limits, State, TaskSpec, Verdict, Work
from heaptui.store.records import Batch, Kin, Recovery, Rollup
from heaptui.supervisor.machine import Trigger, step
from heaptui.supervisor.metrics import Gauge
from heaptui.supervisor.policy.ladder import DIVIDED, Decision
from heaptui.supervisor.policy.larger import raised
from heaptui.supervisor.queue import Queue
from heaptui.supervisor.task import Task

_ROLLUPS_KEPT = 100_000
ENDED_KEPT = 200
"""Ended tasks of either kind that stay in memory for the table; older ones are in the store."""


class Writer(Protocol):
    """What the ledger needs of the store."""

    async def write(self, batch: Batch) -> None: ...


class Watchers(Protocol):
    """Who is told that something changed."""

    def changed(self, task_id: str) -> None: ...
    def gone(self, task_id: str) -> None: ...
    def happened(self, event: Event) -> None: ...


class Ledger:
    """All tasks that are not ended, and the latest that are."""

    def __init__(self, store: Writer, watchers: Watchers, clock: Callable[[], float]) -> None:
        self._store = store
        self._watchers = watchers
        self._clock = clock
        self._dirty: set[str] = set()
        self._dirty_attempts: dict[tuple[str, int], AttemptRecord] = {}
        self._writing = asyncio.Lock()
        self._events: list[Event] = []
        self._rollups: list[Rollup] = []
        self._inputs: dict[str, Inputs] = {}
        self._inputs_written: dict[str, Inputs] = {}
        """Those that are being stored now."""
        self._divisions: dict[str, Division] = {}
        self._ended: deque[str] = deque()
        self._ended_badly: deque[str] = deque()
        self.tasks: dict[str, Task] = {}
        self.queue = Queue()
        self.live = 0
        self.unended = 0
        self.trouble: HeaptuiError | None = None

    @property
    def unwritten(self) -> int:
        """Lines of history that are not stored yet."""
        return len(self._events)

    def get(self, task_id: str) -> Task | None:
        return self.tasks.get(task_id)

    def hold(self, task: Task) -> None:
        """Takes in a task that was stored before."""
        self.tasks[task.id] = task
        self._count(task.state, +1)
        if task.state.ended:
            self._shelf(task).append(task.id)

    def enqueue(self, task: Task) -> None:
        """Offers it for dispatch: only what is stored may run, and what others come before waits
        for them."""
        waits_for = self.waits_for(task)
        if waits_for is None:
            self.queue.put(task)
            return
        task.wait_reason = f"waits for {waits_for.name}"
        self.changed(task)

    def waits_for(self, task: Task) -> Task | None:
        """The first of those that it builds on which is not done."""
        before = (self.tasks.get(task_id) for task_id in task.kin.after)
        return next((one for one in before if one and one.state is not State.DONE), None)

    def add(
        self,
        task_id: str,
        spec: TaskSpec,
        order: int,
        cap_bytes: int,
        cap_source: str,
        environment: str,
        inputs: Inputs | None = None,
    ) -> Task:
        """A new task, waiting, and what it works through; `enqueue` it once it is stored."""
        task = Task(
            id=task_id,
            spec=spec,
            created_at=self._clock(),
            order=order,
            cap_bytes=cap_bytes,
            cap_source=cap_source,
            environment=environment,
        )
        self._give(task, inputs)
        self.hold(task)
        self.note(task, "queued", "queued")
        self._touch(task)
        return task

    def add_child(
        self,
        parent: Task,
        task_id: str,
        spec: TaskSpec,
        order: int,
        kin: Kin,
        inputs: Inputs | None,
    ) -> Task:
        """A task for a part of what `parent` had to do, with its cap and environment, waiting;
        `enqueue` it once it is stored."""
        child = Task(
            id=task_id,
            spec=spec,
            created_at=self._clock(),
            order=order,
            cap_bytes=parent.cap_bytes,
            cap_source=parent.cap_source,
            environment=parent.environment,
            parent=parent.id,
            kin=kin,
        )
        self._give(child, inputs)
        self.hold(child)
        parent.children.append(child)
        parent.kin = replace(parent.kin, children=len(parent.children))
        self.note(child, "queued", f"a part of {parent.name}: {kin.title}")
        self._touch(child)
        self._touch(parent)
        return child

    def _give(self, task: Task, inputs: Inputs | None) -> None:
        if inputs is not None:
            task.items, task.items_done = len(inputs.items), 0
            self._inputs[task.id] = inputs

    def inputs_unstored(self, task_id: str) -> Inputs | None:
        """What it works through, while that is on its way to the store."""
        return self._inputs.get(task_id) or self._inputs_written.get(task_id)

    def drop(self, task: Task) -> None:
        """Forgets a task that was never stored, or whose record was deleted."""
        self._count(task.state, -1)
        self.tasks.pop(task.id, None)
        self._dirty.discard(task.id)
        self._inputs.pop(task.id, None)
        self._divisions.pop(task.id, None)
        self._events = [event for event in self._events if event.task_id != task.id]
        self._watchers.gone(task.id)

    def note(self, task: Task, kind: str, text: str) -> None:
        """One line for the task's history."""
        self.tell(kind, text, task)

    def tell(self, kind: str, text: str, task: Task | None = None, at: float | None = None) -> None:
        """One line of history: of a task, or of the machine; now, or at the instant `at`."""
        event = Event(
            at=self._clock() if at is None else at,
            task_id=task.id if task is not None else "",
            attempt=task.attempts if task is not None else 0,
            kind=kind,
            text=text,
        )
        self._events.append(event)
        self._watchers.happened(event)

    def admit(self, task: Task) -> None:
        task.begin_attempt()
        task.admitted_at = self._clock()
        self._move(task, Trigger.ADMIT)
        self.changed(task)

    def catch_up(self, task: Task, attempt: int) -> None:
        """An attempt that was begun, and whose beginning was never stored; nor need the end be of
        the one before."""
        if task.state is State.BACKOFF:
            self._move(task, Trigger.DUE)
        elif task.state is State.RECYCLING:
            # else what follows a recycle would be taken for what is being recycled
            self._move(task, Trigger.RECYCLED)
        stop_why, stop_by = task.stop_why, task.stop_by
        task.begin_attempt()
        task.attempts = attempt
        if task.state is State.QUEUED:
            self._move(task, Trigger.ADMIT)
        else:
            task.stop_why, task.stop_by = stop_why, stop_by
        self._touch(task)

    def started(self, task: Task, event: Started) -> None:
        task.pid, task.cap_means = event.identity.pid, event.means
        # adopted again by a second warden: it began when it began
        task.started_at = task.started_at or event.at
        if task.gauge is None:
            task.gauge = Gauge()
        if task.state is not State.RUNNING:
            self._move(task, Trigger.STARTED)
        means = f", cap by {event.means}" if event.means else ""
        text = "found running, adopted" if event.adopted else "started"
        self.note(task, "started", f"{text}: pid {event.identity.pid}{means}")
        self._touch(task, attempt=True)

    def stop(self, task: Task, why: str, stop_by: float | None) -> None:
        """Stops a task that waits, or marks a live one as being stopped."""
        self._move(task, Trigger.STOP)
        if task.state is State.STOPPED:
            task.ended_at, task.next_try_at = self._clock(), None
            task.reason = "stopped before it ran"
            self.note(task, "stopped", task.reason)
            self._retire(task)
        else:
            task.stop_why, task.stop_by = why, stop_by
        self._touch(task)

    def worked(self, task: Task, work: Work) -> None:
        """What its worker told of its work; a checkpoint and a result are stored."""
        known = (task.checkpoint_at, task.result_bytes)
        task.worked(work)
        if (task.checkpoint_at, task.result_bytes) != known:
            self._dirty.add(task.id)
        self.changed(task)

    def divide(self, task: Task, division: Division) -> None:
        """How it is to be split, or was; a task that runs is asked to end for it."""
        task.division = self._divisions[task.id] = division
        if task.state is State.RUNNING:
            self._move(task, Trigger.DIVIDE)
            task.stop_why = "split"
        self._touch(task)

    def split(self, task: Task, text: str) -> None:
        """It waits for its children from now on, without an attempt that ends for it."""
        if task.state.ended:
            self._unshelve(task.id)
        self._move(task, Trigger.SPLIT)
        task.ended_at = task.verdict = task.reason = task.next_try_at = task.stop_why = None
        task.recovery = replace(task.recovery, split_due=False)
        self.note(task, Trigger.SPLIT.value, text)
        self._touch(task)

    def undivided(self, task: Task, text: str, because: str = "") -> None:
        """The policy was to split it, and does not: its reason says so no more, but what is
        `because` of that."""
        task.recovery = replace(task.recovery, split_due=False)
        task.reason = (task.reason or "").replace(DIVIDED, "") + because
        self.note(task, Trigger.SPLIT.value, text)
        self._touch(task)

    def settle(self, task: Task, trigger: Trigger, reason: str) -> None:
        """Its children have ended, and so has it."""
        self._move(task, trigger)
        task.ended_at, task.reason = self._clock(), reason
        # that of its own last attempt says nothing of what became of the rest
        task.verdict = None
        self.note(task, trigger.value, reason)
        self._retire(task)
        for child in task.children:
            # held until now, it may leave with the others
            self._unshelve(child.id)
            self._shelf(child).append(child.id)
        self._touch(task)

    def recycling(self, task: Task) -> None:
        """It has what it needs to go on from, and is asked to end."""
        self._move(task, Trigger.RECYCLE)
        task.stop_why = "recycle"
        self._touch(task)

    def end(
        self, task: Task, at: float, verdict: Verdict, exited: Exited | None, decision: Decision
    ) -> None:
        """The attempt is over, and this is what it means for the task; one that shall run again at
        once is offered for dispatch by `enqueue`."""
        task.end_attempt(at, verdict, exited)
        task.recovery = decision.recovery
        task.failures += decision.used_retry
        self._move(task, decision.trigger)
        in_order = decision.trigger in (Trigger.RECYCLED, Trigger.SPLIT)
        status = State.STOPPED if in_order else State.FAILED
        if task.state.ended:
            status = task.state
        self._dirty_attempts[task.id, task.attempts] = task.attempt_record(status)
        self.note(task, verdict.kind.value, verdict.text)
        if decision.text and decision.text != verdict.text:
            self.note(task, decision.trigger.value, decision.text)
        if task.state is State.QUARANTINED and decision.reason is not None:
            task.reason = decision.reason
        if (limits := decision.limits) is not None and (limits.cap_bytes or limits.heap_bytes):
            self.relimit(task, raised(task.spec.limits, limits, task.cap_bytes))
            task.cap_source = "grown"
        if task.state.ended:
            self._retire(task)
        else:
            task.gauge = task.stop_why = None
            if task.state is State.SPLIT:
                # the attempt is over, the task is not
                task.ended_at = None
        self._touch(task)

    def peaked(self, task: Task) -> None:
        """Has its peak stored when it is worth it: a killed supervisor takes the rest along."""
        peaks = (task.peak_bytes or 0, task.heap_peak_bytes or 0)
        if any(peak > stored * 1.02 for peak, stored in zip(peaks, task.stored_peaks, strict=True)):
            task.stored_peaks = peaks
            self._dirty.add(task.id)
            self._dirty_attempts[task.id, task.attempts] = task.attempt_record(task.state)

    def shown(self, task: Task) -> None:
        """Something changed that rows show and nobody stores."""
        self.changed(task)

    def changed(self, task: Task) -> None:
        """Tells the watchers; what a child holds and has done is its parents' as well."""
        self._watchers.changed(task.id)
        if task.parent and (parent := self.tasks.get(task.parent)) is not None:
            self.changed(parent)

    def back_off(self, task: Task, until: float) -> None:
        task.next_try_at = until
        self._touch(task)

    def due(self, task: Task) -> None:
        self._move(task, Trigger.DUE)
        task.next_try_at = None
        self.enqueue(task)
        self._touch(task)

    def again(self, task: Task, order: int) -> Task:
        """The operator wants another attempt of an ended task; the task as the ledger holds it."""
        held = self.tasks.get(task.id)
        if held is not None and held is not task:
            return held
        if held is not None:
            self._unshelve(task.id)
            self._move(task, Trigger.RETRY)
        else:
            task.state = step(task.state, Trigger.RETRY)
            self.tasks[task.id] = task
            self._count(task.state, +1)
        task.ended_at = task.started_at = task.exit_code = task.signal = None
        task.verdict = task.reason = task.stop_why = task.pid = None
        task.failures, task.order, task.recovery = 0, order, Recovery()
        self.note(task, "queued", "queued again by the operator")
        self._touch(task)
        return task

    def held(self, task: Task) -> Task:
        """The task as the ledger holds it: from now on, where it was known from the store alone."""
        known = self.tasks.get(task.id)
        if known is None:
            self.hold(task)
        return known or task

    def relimit(self, task: Task, limits: Limits) -> Task:
        """Other limits for the next attempt; the task as the ledger holds it. An attempt that runs
        keeps its own."""
        task = self.held(task)
        task.spec = replace(task.spec, limits=limits)
        if not task.state.live:
            task.take_limits()
        self._touch(task)
        return task

    def forgotten(self, task_id: str) -> None:
        """Its record was deleted from the store."""
        task = self.tasks.get(task_id)
        if task is not None:
            self._unshelve(task_id)
            self.drop(task)

    def book(self, record: AttemptRecord) -> None:
        """An attempt that is not the task's current one."""
        self._dirty_attempts[record.task_id, record.attempt] = record

    def rolled(self, rollup: Rollup) -> None:
        self._rollups.append(rollup)

    async def commit(self) -> None:
        """Returns when every change made so far is durable.

        Raises:
            StorageTrouble: it could not be written; it is kept and goes with the next commit.
        """
        await asyncio.shield(asyncio.ensure_future(self._commit()))

    async def _commit(self) -> None:
        async with self._writing:
            if not (self._dirty or self._dirty_attempts or self._events or self._rollups):
                return
            inputs, self._inputs = self._inputs, {}
            self._inputs_written = inputs
            divisions, self._divisions = self._divisions, {}
            dirty, self._dirty = self._dirty, set()
            attempts, self._dirty_attempts = self._dirty_attempts, {}
            events, self._events = self._events, []
            rollups, self._rollups = self._rollups, []
            batch = Batch(
                tasks=[task.stored() for task in map(self.tasks.get, dirty) if task is not None],
                attempts=list(attempts.values()),
                events=events,
                rollups=rollups,
                inputs=inputs,
                divisions=divisions,
            )
            try:
                await self._store.write(batch)
            except HeaptuiError as trouble:
                self.trouble = trouble
                self._dirty |= dirty
                self._inputs = inputs | self._inputs
                self._divisions = divisions | self._divisions
                self._dirty_attempts = attempts | self._dirty_attempts
                self._events = events + self._events
                self._rollups = (rollups + self._rollups)[-_ROLLUPS_KEPT:]
                raise
            finally:
                self._inputs_written = {}
            self.trouble = None
            self._shed()

    def _move(self, task: Task, trigger: Trigger) -> None:
        before = task.state
        task.state = step(before, trigger)
        self._count(before, -1)
        self._count(task.state, +1)

    def _count(self, state: State, n: int) -> None:
        self.live += n if state.live else 0
        self.unended += n if not state.ended else 0

    def _touch(self, task: Task, *, attempt: bool = False) -> None:
        self._dirty.add(task.id)
        if attempt:
            self._dirty_attempts[task.id, task.attempts] = task.attempt_record(task.state)
        self.changed(task)

    def _retire(self, task: Task) -> None:
        if task.gauge is not None and task.gauge.last is None:
            task.gauge = None
        self._shelf(task).append(task.id)

    def _shelf(self, task: Task) -> deque[str]:
        """Bad ends have a shelf of their own: a burst of good ones does not push them out."""
        badly = task.state in ENDED_BADLY
        return self._ended_badly if badly else self._ended

    def _is_waited_for(self, task: Task) -> bool:
        """A child goes when its parent does."""
        parent = self.tasks.get(task.parent)
        return parent is not None and not parent.state.ended

    def _unshelve(self, task_id: str) -> None:
        for shelf in (self._ended, self._ended_badly):
            if task_id in shelf:
                shelf.remove(task_id)

    def _shed(self) -> None:
        """Lets go of the oldest ended tasks; only what is stored may leave."""
        for shelf in (self._ended, self._ended_badly):
            while len(shelf) > ENDED_KEPT and shelf[0] not in self._dirty:
                task_id = shelf.popleft()
                task = self.tasks.get(task_id)
                if task is not None and task.state.ended and not self._is_waited_for(task):
                    del self.tasks[task_id]
                    self._watchers.gone(task_id)
                    if (parent := self.tasks.get(task.parent)) and task in parent.children:
                        parent.children.remove(task)
