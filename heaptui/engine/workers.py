"""The hub of the workers: processes of our tasks that tell of their heaps and take commands. Who
saves its work is in work_half.py.

They speak heaptui/wire.py on a socket of the state directory. Each is believed only to be what
the kernel says it is: a process of our user, and of the attempt that it names. They reconnect by
themselves when another engine comes.
"""

from __future__ import annotations

import asyncio
import errno
import itertools
import socket
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

from heaptui.engine.allowance import Allowance
from heaptui.engine.refusals import FOR_S, Refusals
from heaptui.engine.run import Run
from heaptui.engine.work_half import WorkHalf
from heaptui.engine.worker import Answer, Asked, Gone, Worker
from heaptui.engine.worker_connection import WorkerConnection
from heaptui.engine.worker_figures import figures, introduced
from heaptui.engine.worker_peer import Peer, ours, peer_of
from heaptui.listening import bind_privately
from heaptui.memory.identity import alive
from heaptui.memory.table import Table
from heaptui.model import ProcessHeap
from heaptui.wire import Done, Every, Failed, FromWorker, Heap, Hello, Phase, Role, ToWorker

VERSION = 1
MOST = 4096
MOST_OF_A_TASK = 64
STRANGERS = 256
"""Connections that have not said who they are; more wait until those have, or were let go."""
HELLO_WITHIN_S = 5.0

_ASKED_AT_ONCE = 16
_ACCEPTS_PER_S, _ACCEPTS_AT_ONCE = 200.0, 2000.0
_BACKLOG = 1024
_TRY_AGAIN_S = 0.05
_NO_ROOM = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM, errno.ECONNABORTED)

_LEAST_MS, _CROWD, _MS_EACH = 1000, 200, 5
_NOTABLE = 0.2
_SLICE = 20


def pace_ms(workers: int) -> int:
    """How often each of so many reports: once a second, until that would be 200 reports a second
    together."""
    return max(_LEAST_MS, workers * _MS_EACH) if workers > _CROWD else _LEAST_MS


class Workers:
    """Everybody who is connected. One event loop owns it.

    `runs` are the attempts that this engine watches, by task id. `work` has those that speak the
    other half: one process may be connected for both.
    """

    def __init__(
        self, path: Path, runs: Mapping[str, Run], table: Table, clock: Callable[[], float]
    ) -> None:
        self._path = path
        self._runs = runs
        self._table = table
        self._clock = clock
        self._listener: socket.socket | None = None
        self._strangers: dict[WorkerConnection, asyncio.TimerHandle] = {}
        self._room = asyncio.Event()
        self._known: dict[WorkerConnection, Worker] = {}
        self._of: dict[str, dict[int, Worker]] = {}
        self._touched: set[str] = set()
        self.work = WorkHalf(runs, clock, self._broken)
        self._refusals = {role: Refusals() for role in Role}
        self._ids = itertools.count(1)
        self._told_ms = _LEAST_MS
        self._crowd = asyncio.Event()
        self._defect: Exception | None = None

    def open(self) -> None:
        """Takes the place at the socket.

        Raises:
            Refused: something of somebody else stands there.
            StorageTrouble: it cannot be made.
        """
        self._listener = bind_privately(self._path)
        self._listener.setblocking(False)

    async def close(self) -> None:
        """Lets everybody go; they come again when another engine listens."""
        for connection in (*self._strangers, *self._known):
            connection.let_go()
        await self.work.close()
        if self._listener is not None:
            self._listener.close()
            self._listener = None
            self._path.unlink(missing_ok=True)

    # --- parts of the engine: they run until they are cancelled
    async def listen(self) -> None:
        listener = self._listener
        assert listener is not None
        listener.listen(_BACKLOG)
        loop = asyncio.get_running_loop()
        allowance = Allowance(_ACCEPTS_PER_S, _ACCEPTS_AT_ONCE)
        while True:
            while len(self._strangers) >= STRANGERS:
                self._room.clear()
                await self._room.wait()
            await asyncio.sleep(allowance.due_s())
            allowance.take()
            try:
                connection, _ = await loop.sock_accept(listener)
            except OSError as error:
                if error.errno not in _NO_ROOM:
                    raise
                await asyncio.sleep(_TRY_AGAIN_S)
                continue
            if len(self._known) + len(self.work) >= MOST or not ours(connection):
                connection.close()
                continue
            with suppress(OSError):  # it is gone already
                await loop.connect_accepted_socket(self._stranger, connection)

    async def keep_pace(self) -> None:
        """Tells everybody how often to report when that has changed notably; one after the other,
        so that they do not report all at once from then on."""
        while True:
            await self._crowd.wait()
            self._crowd.clear()
            if self._defect is not None:
                raise self._defect
            wanted = pace_ms(len(self._known))
            if abs(wanted - self._told_ms) <= _NOTABLE * self._told_ms:
                continue
            self._told_ms = wanted
            told = list(self._known)
            for begin in range(0, len(told), _SLICE):
                for connection in told[begin : begin + _SLICE]:
                    connection.send(Every(wanted))
                await asyncio.sleep(wanted / 1000 * _SLICE / len(told))

    # --- what is known
    def of(self, task_id: str) -> list[Worker]:
        return list(self._of.get(task_id, {}).values())

    def find(self, task_id: str, pid: int) -> Worker | None:
        return self._of.get(task_id, {}).get(pid)

    def heaps(self, task_id: str) -> tuple[ProcessHeap, ...]:
        """Of those of its processes that have told any figures."""
        return tuple(worker.heap for worker in self.of(task_id) if worker.heap is not None)

    def reporting(self) -> set[str]:
        """The tasks that have a heap."""
        return {
            task_id
            for task_id, crowd in self._of.items()
            if any(worker.heap is not None for worker in crowd.values())
        }

    def news(self) -> dict[str, tuple[ProcessHeap, ...]]:
        """The heaps of every task of which somebody reported or left since this was asked last."""
        touched, self._touched = self._touched, set()
        for task_id in touched:
            for worker in self.of(task_id):
                self._check(worker)
        return {task_id: self.heaps(task_id) for task_id in touched if task_id in self._runs}

    def forget(self, run: Run) -> None:
        """The attempt is over."""
        for worker in self.of(run.plan.task_id):
            if worker.run is run:
                worker.connection.let_go()
                self._leave(worker)

    def ask(
        self,
        worker: Worker,
        command: Callable[[int], ToWorker],
        then: Callable[[Answer], None] | None = None,
    ) -> Asked | None:
        """Tells a worker to do something, `command` with its id; None when too much waits for it
        already, or it has just gone."""
        if len(worker.asked) >= _ASKED_AT_ONCE:
            return None
        number = next(self._ids)
        if not worker.connection.send(command(number)):
            return None
        asked = worker.asked[number] = Asked(then=then)
        return asked

    # --- connections
    def _stranger(self) -> WorkerConnection:
        made = WorkerConnection(self._heard, self._over)
        loop = asyncio.get_running_loop()
        self._strangers[made] = loop.call_later(HELLO_WITHIN_S, made.let_go)
        return made

    def _introduced(self, connection: WorkerConnection) -> None:
        deadline = self._strangers.pop(connection, None)
        if deadline is not None:
            deadline.cancel()
            self._room.set()

    def _heard(self, connection: WorkerConnection, message: FromWorker) -> None:
        try:
            self._take(connection, message)
        except Exception as error:  # noqa: BLE001 (a defect of ours: raised where it is heard of)
            self._broken(error)
            connection.let_go()

    def _broken(self, defect: Exception) -> None:
        self._defect = defect
        self._crowd.set()

    def _take(self, connection: WorkerConnection, message: FromWorker) -> None:
        if connection in self.work:
            self.work.heard(connection, message)
            return
        worker = self._known.get(connection)
        match message:
            case Hello() if worker is None:
                self._greet(connection, message)
            case Heap() if worker is not None:
                self._measure(worker, message)
            case Done() | Failed() if worker is not None:
                self._answer(worker, message.id, message)
            case Phase() if worker is not None:
                asked = worker.asked.get(message.id)
                if asked is not None:
                    asked.phase = message.name
                    asked.moved.set()
            case _:
                connection.let_go("nonsense", "does not keep to the order of a conversation")

    def _greet(self, connection: WorkerConnection, hello: Hello) -> None:
        self._introduced(connection)
        task_id, _, attempt = hello.task.rpartition(".")
        run = self._runs.get(task_id)
        if hello.v != VERSION or run is None or str(run.plan.attempt) != attempt:
            connection.let_go()
            return
        peer = peer_of(connection.socket, self._table, hello.pid)
        if peer is None or not self._welcome(run, peer, hello):
            connection.let_go()
            return
        if hello.role is Role.WORK:
            self.work.greet(run, peer, connection, hello)
            return
        crowd = self._of.setdefault(task_id, {})
        before = crowd.pop(peer.identity.pid, None)
        if before is not None:
            before.connection.let_go()
            self._leave(before)
        elif len(crowd) >= MOST_OF_A_TASK:
            connection.let_go()
            return
        known = introduced(hello, peer, self._clock())
        worker = Worker(run, peer, connection, known)
        self._of.setdefault(task_id, {})[peer.identity.pid] = self._known[connection] = worker
        self._crowd.set()
        connection.send(Every(self._told_ms))

    def _welcome(self, run: Run, peer: Peer, hello: Hello) -> bool:
        """Whether it is the process that it says it is, of the task that it names."""
        task_id, now = run.plan.task_id, asyncio.get_running_loop().time()
        refusals = self._refusals[hello.role]
        if hello.pid not in peer.names or refusals.holds(task_id, peer.identity, now):
            return False
        # one that has only just begun is in no list yet: what it was executed with tells
        if self._table.marker(peer.identity.pid) == hello.task:
            return True
        return run.followed and run.sampler.belongs(task_id, peer.identity)

    def _measure(self, worker: Worker, heap: Heap) -> None:
        found = figures(worker.known, heap, self._clock())
        if found is None:
            worker.connection.let_go("nonsense", "tells figures that cannot be true")
            return
        worker.heap = found
        self._touched.add(worker.run.plan.task_id)
        if heap.id:
            self._answer(worker, heap.id, heap)

    def _answer(self, worker: Worker, number: int, answer: Answer) -> None:
        asked = worker.asked.pop(number, None)
        if asked is not None:
            asked.take(answer)

    def _check(self, worker: Worker) -> None:
        """A socket may live on in another process than the one that connected."""
        held = worker.run.followed and worker.run.sampler.holds(
            worker.run.plan.task_id, worker.identity
        )
        if not held and not alive(worker.identity):
            worker.connection.let_go()
            self._leave(worker)

    def _over(self, connection: WorkerConnection, kind: str | None, why: str | None) -> None:
        self._introduced(connection)
        worker = self._known.get(connection)
        if worker is not None:
            self._leave(worker)
        link = self.work.leave(connection)
        if kind is not None and (known := worker or link) is not None:
            role = Role.HEAP if link is None else Role.WORK
            self._refuse(
                role, known.run, known.peer, kind, f"process {known.peer.identity.pid} {why}"
            )

    def _leave(self, worker: Worker) -> None:
        if self._known.pop(worker.connection, None) is None:
            return
        self._crowd.set()
        task_id, pid = worker.run.plan.task_id, worker.identity.pid
        self._touched.add(task_id)
        crowd = self._of.get(task_id, {})
        if crowd.get(pid) is worker:
            del crowd[pid]
        if not crowd:
            self._of.pop(task_id, None)
        for number in list(worker.asked):
            self._answer(worker, number, Gone())

    def _refuse(self, role: Role, run: Run, peer: Peer, kind: str, text: str) -> None:
        now = asyncio.get_running_loop().time()
        whole = self._refusals[role].add(run.plan.task_id, peer.identity, now)
        who = "its whole task is" if whole else "it is"
        run.say(run, kind, f"{text}: {who} not listened to for {FOR_S:.0f} s")
