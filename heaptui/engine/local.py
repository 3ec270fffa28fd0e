"""This host as an engine: the warden starts and reaps, cgroups or a watchdog hold the caps, the
sampler measures, and everything that happens becomes one stream of events."""

from __future__ import annotations

import asyncio
import hashlib
import os
import socket
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any

from heaptui.engine import done_file, reports
from heaptui.engine import plan as plans
from heaptui.engine.base import EngineEvent, Known, LaunchSpec, Node, NodeUp, Sampled, Started
from heaptui.engine.capping import put_back
from heaptui.engine.commands import Surroundings, obey
from heaptui.engine.evidence import Witness
from heaptui.engine.heapless import Heapless
from heaptui.engine.outputs import Length, bound, bound_all
from heaptui.engine.plan import RunPlan
from heaptui.engine.run import Run, see_through
from heaptui.engine.stream import EventStream
from heaptui.engine.warden_link import (
    LiveRun,
    RunEnded,
    RunStarted,
    WardenLink,
    WardenState,
    spawn_order,
)
from heaptui.engine.workers import Workers
from heaptui.errors import HeaptuiError, NoSuchTask, Refused
from heaptui.memory.cgroups import Group, Groups, delegated_scope_argv, probe
from heaptui.memory.descriptors import raise_fd_limit
from heaptui.memory.host import HostMeter
from heaptui.memory.identity import boot_id
from heaptui.memory.own import rss_of
from heaptui.memory.sampler import Sampler
from heaptui.memory.table import this_machine
from heaptui.model import CapMeans, Identity
from heaptui.paths import StateDir

OOM_SCORE_ADJ = 500
"""The kernel takes workers before it takes the operator's shell, or us."""

_RECONNECT_S = 0.5
_BOUND_EVERY_S, _BOUND_BUSY_S = 1.0, 0.1

FindGroups = Callable[[str, int | None], Groups]
"""What is possible with cgroups for a state key, below the group of a process (None: this one)."""


class LocalEngine:
    """See engine/base.py. One event loop owns it.

    `serve_argv` is how the warden brings up a supervisor when this one vanishes; `find_groups`
    finds what holds the caps here.
    """

    def __init__(
        self,
        state: StateDir,
        supervisor_id: str,
        serve_argv: Sequence[str],
        *,
        clock: Callable[[], float] = time.time,
        find_groups: FindGroups = probe,
    ) -> None:
        self._state = state
        self._clock = clock
        self._find_groups = find_groups
        self._node = socket.gethostname() or "localhost"
        self._link = WardenLink(state, supervisor_id, serve_argv)
        self._stream = EventStream()
        self._table = this_machine()
        self._sampler = Sampler(self._table)
        self._meter = HostMeter()
        self._groups: Groups
        self._nodes: list[Node] = []
        self._known: list[Known] = []
        self._runs: dict[str, Run] = {}
        self._workers = Workers(state.socket("worker"), self._runs, self._table, clock)
        self._heapless = Heapless(self._table, state.runtimes)
        self._witness = Witness(state)
        self._lives: dict[Run, asyncio.Task[None]] = {}
        self._spawns: dict[tuple[str, int], bytes] = {}
        self._unacknowledged: set[tuple[str, int]] = set()
        self._lengths: dict[str, Length] = {}
        self._parts: list[asyncio.Task[None]] = []
        self._unended: int | None = None
        self._warden_pid: int | None = None
        self._warden_rss = 0

    # --- the interface
    async def open(self) -> None:
        raise_fd_limit()
        key = hashlib.sha256(os.fsencode(self._state.root)).hexdigest()[:12]
        self._groups = await asyncio.to_thread(self._find_groups, key, None)
        if self._groups.means is None:
            scope = await asyncio.to_thread(delegated_scope_argv)
            if scope is not None:
                self._link.wrap = scope
        state = await self._link.connect()
        if self._link.wrap:
            self._groups = await asyncio.to_thread(self._find_groups, key, state.warden)
        self._workers.open()
        self._nodes = [self._describe()]
        self._known = [
            *(Known(task_id=one.task, attempt=one.attempt, live=True) for one in state.live),
            *(Known(task_id=one.task, attempt=one.attempt, live=False) for one in state.ended),
        ]
        self._stream.put(NodeUp(node=self._node, at=self._clock()))
        self._meet(state)
        for name, part in (
            ("warden", self._keep_listening()),
            ("outputs", self._bounding()),
            ("sampling", self._sampling()),
            ("workers", self._workers.listen()),
            ("workers' pace", self._workers.keep_pace()),
            ("reports", self._witness.keep_stripped(self._runs)),
        ):
            self._parts.append(self._begin(part, name))

    async def close(self) -> None:
        work = [*self._parts, *self._lives.values()]
        for task in work:
            task.cancel()
        await asyncio.gather(*work, return_exceptions=True)
        await self._workers.close()
        await self._heapless.close()
        for run in self._lives:
            run.let_go()
        self._lives.clear()
        self._runs.clear()
        self._link.close()
        self._sampler.close()
        self._meter.close()
        self._groups.close()
        self._stream.close()

    async def submit(self, spec: LaunchSpec, attempt: int) -> None:
        key = (spec.task_id, attempt)
        held = self._runs.get(spec.task_id)
        if key in self._unacknowledged or (held is not None and held.key == key):
            return
        group: Group | None = None
        try:
            group = self._groups.create(spec.task_id, attempt, spec.cap_bytes)
            if spec.done:
                done_file.prepare(Path(spec.done))
            plan = plans.plan_of(spec, attempt, group)
            order = spawn_order(spec, plan, group.join if group is not None else (), OOM_SCORE_ADJ)
            plans.keep(plan)
        except (ValueError, OSError, Refused) as error:
            if group is not None:
                group.remove()
                group.close()
            self._refuse(plans.plan_of(spec, attempt, None), f"it cannot be launched: {error}")
            return
        self._spawns[key] = order
        self._watch(self._run(plan, group))
        self._link.send(order)

    async def cancel(self, task_id: str, grace_s: float) -> None:
        run = self._runs.get(task_id)
        if run is not None:
            run.stop(grace_s)

    async def command(
        self, task_id: str, verb: str, args: dict[str, Any], timeout_s: float
    ) -> dict[str, Any]:
        run = self._runs.get(task_id)
        if run is None:
            raise NoSuchTask(f"Task {task_id} does not run here.")
        around = Surroundings(run, self._workers, self._stream.put, self._heapless.reason)
        return await obey(around, verb, args, timeout_s)

    def events(self) -> AsyncIterator[EngineEvent]:
        return self._stream.read()

    def nodes(self) -> list[Node]:
        return self._nodes

    async def reattach(self) -> list[Known]:
        self._groups.sweep({(one.task_id, one.attempt) for one in self._known})
        return self._known

    async def acknowledge(self, task_id: str, attempt: int) -> None:
        self._unacknowledged.discard((task_id, attempt))
        self._link.post({"op": "ack", "task": task_id, "attempt": attempt})

    def keeper_pid(self) -> int | None:
        return self._warden_pid

    async def expect(self, unended: int) -> None:
        self._unended = unended
        self._link.post({"op": "unended", "n": unended})

    # --- the warden
    async def _keep_listening(self) -> None:
        while True:
            async for message in self._link.messages():
                match message:
                    case RunStarted():
                        self._started(message, adopted=False)
                    case RunEnded():
                        self._leader_ended(message)
            state = await self._reconnected()
            self._meet(state)
            self._miss(state)

    async def _reconnected(self) -> WardenState:
        while True:
            try:
                return await self._link.connect()
            except HeaptuiError:  # it tried for seconds; workers live on meanwhile, and are capped
                await asyncio.sleep(_RECONNECT_S)

    def _meet(self, state: WardenState) -> None:
        """Takes over what a warden holds, and says again what it may not have heard."""
        self._warden_pid = state.warden
        self._warden_rss = rss_of(state.warden) or 0
        for one in state.live:
            self._adopt(one)
        for ended in state.ended:
            self._leader_ended(ended)
        if self._unended is not None:
            self._link.post({"op": "unended", "n": self._unended})
        for order in self._spawns.values():
            self._link.send(order)

    def _miss(self, state: WardenState) -> None:
        """Attempts that a new warden knows nothing about: nobody can tell how they ended."""
        held = {(one.task, one.attempt) for one in state.live}
        held |= {(one.task, one.attempt) for one in state.ended}
        for run in tuple(self._runs.values()):
            if run.key not in held and run.key not in self._spawns and run.ended is None:
                task_id, attempt = run.key
                at = self._clock()
                gone = RunEnded(task=task_id, attempt=attempt, at=at, how="unseen", why="unwatched")
                self._leader_ended(gone)

    def _adopt(self, one: LiveRun) -> None:
        held = self._runs.get(one.task)
        if held is None or held.plan.attempt != one.attempt:
            group = self._groups.reopen(one.task, one.attempt, one.pid)
            path = self._state.output(one.task, one.attempt)
            plan = plans.read(path)
            guessed = plans.guessed(one.task, one.attempt, self._state, group)
            run = self._run(plan or guessed, group)
            run.adopted_at = asyncio.get_running_loop().time()
            self._watch(run)
            if plan is None:
                self._say(run, "unguarded", plans.without(run.plan.means))
        self._started(RunStarted(one.task, one.attempt, one.pid, one.start, one.at), adopted=True)

    def _started(self, message: RunStarted, *, adopted: bool) -> None:
        key = (message.task, message.attempt)
        self._spawns.pop(key, None)
        run = self._runs.get(message.task)
        if run is None or run.key != key or run.identity is not None:
            return
        run.identity = Identity(boot_id(), message.pid, message.start)
        run.follow(run.identity)
        run.begun.set()
        self._stream.put(
            Started(
                task_id=message.task,
                attempt=message.attempt,
                node=self._node,
                identity=run.identity,
                at=message.at,
                means=run.plan.means,
                adopted=adopted,
            )
        )

    def _leader_ended(self, message: RunEnded) -> None:
        key = (message.task, message.attempt)
        self._spawns.pop(key, None)
        if key in self._unacknowledged:
            return
        self._unacknowledged.add(key)
        run = self._runs.get(message.task)
        if run is None or run.key != key:
            run = self._ended_unwatched(message)
        run.ended = message
        run.begun.set()
        run.leader_gone.set()

    def _ended_unwatched(self, message: RunEnded) -> Run:
        """It ended while no engine was there: what it left behind is still to be ended."""
        key = (message.task, message.attempt)
        path = self._state.output(*key)
        plan = plans.read(path) or plans.guessed(*key, self._state, None)
        run = self._run(plan, self._groups.reopen(*key))
        if message.task in self._runs:
            # a later attempt runs already, so this one's tree was seen off before that began
            self._live(run)
            return run
        self._watch(run)
        if message.pid is not None:
            run.follow(Identity(boot_id(), message.pid, message.start or 0))
        return run

    # --- one attempt's life
    def _run(self, plan: RunPlan, group: Group | None) -> Run:
        return Run(plan, group, self._sampler, self._say)

    def _watch(self, run: Run) -> None:
        self._runs[run.plan.task_id] = run
        self._live(run)

    def _live(self, run: Run) -> None:
        self._lives[run] = self._begin(self._life(run), f"run {run.plan.task_id}")

    async def _life(self, run: Run) -> None:
        # only one that an earlier engine left behind is raised before its life is watched
        inherited = [put_back(run)] if run.plan.raised_from is not None else []
        if run.adopted_at is not None:
            inherited.append(self._workers.work.take_over(run))
        left = await see_through(run, *inherited)
        ended = run.ended
        assert ended is not None  # whoever says that the leader is gone says how
        task_id = run.plan.task_id
        await self._workers.work.finish(run)
        self._workers.forget(run)
        if self._runs.get(task_id) is run:
            del self._runs[task_id]
            self._sampler.forget(task_id)
        await asyncio.to_thread(bound, run.plan)
        if left and not run.stopped and run.cap_hit is None:
            noun = "process" if left == 1 else "processes"
            self._say(run, "leftovers", f"ended {left} {noun} that it left behind")
        traces = await self._witness.traces(run, ended)
        self._stream.put(reports.ending(run, ended, self._node, self._warden_rss, traces))
        if run.group is not None:
            run.group.remove()
        run.let_go()
        del self._lives[run]

    def _refuse(self, plan: RunPlan, error: str) -> None:
        self._unacknowledged.add((plan.task_id, plan.attempt))
        ended = RunEnded(task=plan.task_id, attempt=plan.attempt, at=self._clock(), error=error)
        run = self._run(plan, None)
        self._stream.put(reports.exited(run, ended, self._node, self._warden_rss))

    def _say(self, run: Run, kind: str, text: str) -> None:
        self._stream.put(reports.message(run, kind, text, self._clock()))

    # --- measuring
    async def _sampling(self) -> None:
        """Once a second, in the middle of each: a reading that comes a little early or late is
        still of its second. One that is later than that is left out, never caught up with."""
        while True:
            await self._sampler.read_ahead()
            await self._workers.work.items.count()
            now = self._clock()
            tasks = self._sampler.sample(now)
            host = self._meter.sample(now)
            self._witness.sampled(now, host, tasks, self._runs)
            sampled = Sampled(
                node=self._node,
                at=now,
                host=host,
                tasks=tasks,
                output_bytes={task_id: one.written for task_id, one in self._lengths.items()},
                heaps=self._workers.news(),
                work=self._workers.work.news(),
                heapless=self._heapless.changed(
                    self._runs.values(), self._workers.reporting(), time.monotonic()
                ),
            )
            self._stream.put(sampled)
            await asyncio.sleep(1.5 - self._clock() % 1)

    async def _bounding(self) -> None:
        """Keeps outputs within their limits: more often while one of them outgrows its own."""
        while True:
            watched = [run.plan for run in self._runs.values()]
            self._lengths = await asyncio.to_thread(bound_all, watched)
            busy = any(length.bounded for length in self._lengths.values())
            await asyncio.sleep(_BOUND_BUSY_S if busy else _BOUND_EVERY_S)

    def _describe(self) -> Node:
        host = self._meter.sample(self._clock())
        return Node(
            name=self._node,
            mem_total_bytes=host.mem_total_bytes,
            cpus=os.cpu_count() or 1,
            means=self._groups.means or CapMeans.RLIMIT,
            detail=self._groups.detail,
        )

    def _begin(self, work: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
        """An error in any part reaches whoever reads the events."""
        task = asyncio.create_task(work, name=name)
        task.add_done_callback(self._part_ended)
        return task

    def _part_ended(self, part: asyncio.Task[None]) -> None:
        error = None if part.cancelled() else part.exception()
        if error is not None:
            self._stream.fail(error)
