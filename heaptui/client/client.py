"""An operator's client: calls that wait through a hand-over, and a stream that reconnects."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator, Callable, Sequence
from types import TracebackType
from typing import Any

import msgspec

from heaptui import protocol
from heaptui.client.connection import Connection
from heaptui.client.environment import sendable
from heaptui.client.operator import Down, Update
from heaptui.errors import HeaptuiError, Refused, Unreachable
from heaptui.inputs import Inputs, Share, SplitPlan, SplitReport
from heaptui.model import (
    AttemptRecord,
    Collection,
    Detail,
    Event,
    Finding,
    Host,
    Measures,
    ResultFile,
    Row,
    SelfReport,
    Series,
    Snapshot,
    SnapshotPlan,
    TaskSpec,
)
from heaptui.paths import StateDir
from heaptui.peer import peer_uid
from heaptui.protocol import Pong

HAND_OVER_S = 3.0
"""Seconds within which another supervisor takes over from one that went."""

_RETRY_S = 0.05
_HELLO_WITHIN_S = 10.0


class Client:
    """An `Operator` over the socket of a state directory: `async with Client(state, "ps")`.

    A call that finds no supervisor waits for one for up to `patience_s` seconds. `revive` is called
    meanwhile, on a thread: it brings one up where nobody else will, or raises a HeaptuiError that
    says why it cannot.
    """

    def __init__(
        self,
        state: StateDir,
        name: str,
        patience_s: float = HAND_OVER_S,
        revive: Callable[[], None] | None = None,
    ) -> None:
        self._path = state.socket("supervisor")
        self._name = name
        self._patience_s = patience_s
        self._revive = revive
        self._wire: Connection | None = None
        self._connecting = asyncio.Lock()

    async def __aenter__(self) -> Client:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        wire, self._wire = self._wire, None
        if wire is not None:
            await wire.close()

    async def _open(self) -> Connection:
        reader, writer = await asyncio.open_unix_connection(os.fspath(self._path))
        uid = peer_uid(writer.get_extra_info("socket"))
        if uid not in (None, os.getuid()):
            writer.close()
            raise Refused(
                f"The socket {self._path} is served by another user (uid {uid}).",
                "Name a state directory of your own with --state DIR or HEAPTUI_STATE.",
            )
        wire = Connection(reader, writer)
        try:
            async with asyncio.timeout(_HELLO_WITHIN_S):
                await wire.call(protocol.Hello(self._name))
        except BaseException:
            await wire.close()
            raise
        return wire

    async def _connected(self, deadline: float) -> Connection:
        async with self._connecting:
            while self._wire is None or self._wire.closed:
                try:
                    self._wire = await self._open()
                except OSError as error:
                    if time.monotonic() >= deadline:
                        raise Unreachable(
                            f"No supervisor answers at {self._path}.",
                            "Start one: `heaptui` opens the screen, `heaptui serve` runs without.",
                        ) from error
                    await self._pause()
            return self._wire

    async def _pause(self) -> None:
        """Before the next look for a supervisor."""
        if self._revive is not None:
            await asyncio.to_thread(self._revive)
        await asyncio.sleep(_RETRY_S)

    async def _call(self, request: Any) -> Any:
        """Sends it again when the supervisor was replaced meanwhile, where that does no harm: a
        submission carries its own ids, and a retry the attempts that it is meant for. To leave was
        meant for the one that went.

        Raises:
            Unreachable: none took over, or a retry without attempts was cut off.
        """
        deadline = time.monotonic() + self._patience_s
        while True:
            wire = await self._connected(deadline)
            sent = time.monotonic()
            try:
                return await wire.call(request)
            except ConnectionError as error:
                match request:
                    case protocol.Leave():
                        return None
                    case protocol.TakeSnapshot() | protocol.Hunt():
                        raise Unreachable(
                            f"The supervisor went away before it answered: {error}.",
                            "The snapshot may be written all the same: look with "
                            "`heaptui snapshots`.",
                        ) from error
                    case protocol.Retry(attempts=None):
                        raise Unreachable(
                            f"The supervisor went away before it answered: {error}.",
                            "It may have queued them: look with `heaptui ps`, and retry what is "
                            "not there.",
                        ) from error
                now = time.monotonic()
                if now - sent > self._patience_s:
                    # it was in good hands until now: this is another hand-over
                    deadline = now + self._patience_s
                elif now >= deadline:
                    raise Unreachable(
                        f"The supervisor went away and none took over: {error}.",
                        "Run `heaptui doctor`, then the command again.",
                    ) from error
                await asyncio.sleep(_RETRY_S)
                if isinstance(request, protocol.Submit):
                    request = msgspec.structs.replace(request, again=True)

    async def submit(
        self,
        specs: list[TaskSpec],
        environment: dict[str, str],
        inputs: Sequence[Inputs | None] = (),
    ) -> list[str]:
        ids = protocol.new_ids(len(specs))
        kept, _ = sendable(environment)
        request = protocol.Submit(ids=ids, specs=specs, environment=kept, inputs=list(inputs))
        answer: list[str] = await self._call(request)
        return answer

    async def tasks(self, *, all: bool = False, ids: Sequence[str] = ()) -> list[Row]:
        answer: list[Row] = await self._call(protocol.ListTasks(all, list(ids)))
        return answer

    async def show(self, task: str, events: int = 200) -> Detail:
        answer: Detail = await self._call(protocol.Show(task, events))
        return answer

    async def history(self, limit: int = 100, match: str = "") -> list[AttemptRecord]:
        answer: list[AttemptRecord] = await self._call(protocol.History(limit, match))
        return answer

    async def events(
        self, limit: int = 100, *, task: str | None = None, since: int = 0
    ) -> list[Event]:
        answer: list[Event] = await self._call(protocol.RecentEvents(limit, task, since))
        return answer

    async def series(self, task: str, span_s: float = 1800) -> Series:
        answer: Series = await self._call(protocol.GetSeries(task, span_s))
        return answer

    async def stop(
        self,
        tasks: Sequence[str],
        *,
        attempts: Sequence[int] | None = None,
        now: bool = False,
        drain: bool = False,
        grace_s: float | None = None,
    ) -> list[Row]:
        request = protocol.Stop(
            tasks=list(tasks),
            attempts=None if attempts is None else list(attempts),
            now=now,
            drain=drain,
            grace_s=grace_s,
        )
        answer: list[Row] = await self._call(request)
        return answer

    async def retry(
        self, tasks: Sequence[str], *, attempts: Sequence[int] | None = None
    ) -> list[Row]:
        meant = None if attempts is None else list(attempts)
        answer: list[Row] = await self._call(protocol.Retry(list(tasks), meant))
        return answer

    async def forget(self, tasks: Sequence[str]) -> int:
        answer: int = await self._call(protocol.Forget(list(tasks)))
        return answer

    async def dispatch(
        self,
        *,
        paused: bool | None = None,
        concurrency: int | None = None,
        policy: str | None = None,
    ) -> Host:
        answer: Host = await self._call(protocol.Dispatch(paused, concurrency, policy))
        return answer

    async def settled(self, tasks: Sequence[str]) -> list[Row]:
        answer: list[Row] = await self._call(protocol.Settled(list(tasks)))
        return answer

    async def collect(
        self, tasks: Sequence[str], *, attempts: Sequence[int] | None = None, pid: int | None = None
    ) -> list[Collection]:
        meant = None if attempts is None else list(attempts)
        request = protocol.Collect(tasks=list(tasks), attempts=meant, pid=pid)
        answer: list[Collection] = await self._call(request)
        return answer

    async def plan_snapshot(
        self, task: str, *, pid: int | None = None, path: str | None = None
    ) -> SnapshotPlan:
        request = protocol.PlanSnapshot(task=task, pid=pid, path=path)
        answer: SnapshotPlan = await self._call(request)
        return answer

    async def take_snapshot(
        self,
        task: str,
        *,
        attempt: int | None = None,
        pid: int | None = None,
        path: str | None = None,
        raise_cap: bool = False,
        insist: bool = False,
    ) -> Snapshot:
        request = protocol.TakeSnapshot(
            task=task, attempt=attempt, pid=pid, path=path, raise_cap=raise_cap, insist=insist
        )
        answer: Snapshot = await self._call(request)
        return answer

    async def snapshots(self, task: str | None = None) -> list[Snapshot]:
        answer: list[Snapshot] = await self._call(protocol.ListSnapshots(task))
        return answer

    async def delete_snapshots(self, ids: Sequence[int]) -> int:
        answer: int = await self._call(protocol.DeleteSnapshots(list(ids)))
        return answer

    async def hunt(
        self,
        task: str,
        *,
        attempt: int | None = None,
        pid: int | None = None,
        seconds: float = 120.0,
        requests: int | None = None,
        raise_cap: bool = False,
    ) -> Finding:
        request = protocol.Hunt(
            task=task,
            attempt=attempt,
            pid=pid,
            seconds=seconds,
            requests=requests,
            raise_cap=raise_cap,
        )
        answer: Finding = await self._call(request)
        return answer

    async def findings(self, task: str | None = None) -> list[Finding]:
        answer: list[Finding] = await self._call(protocol.ListFindings(task))
        return answer

    async def cancel_activity(self, id: str) -> bool:
        answer: bool = await self._call(protocol.CancelActivity(id))
        return answer

    async def raise_limits(
        self,
        tasks: Sequence[str],
        *,
        attempts: Sequence[int] | None = None,
        cap_bytes: int | None = None,
        heap_bytes: int | None = None,
    ) -> list[Row]:
        request = protocol.Raise(
            tasks=list(tasks),
            attempts=None if attempts is None else list(attempts),
            cap_bytes=cap_bytes,
            heap_bytes=heap_bytes,
        )
        answer: list[Row] = await self._call(request)
        return answer

    async def recycle(
        self,
        tasks: Sequence[str],
        *,
        attempts: Sequence[int] | None = None,
        insist: bool = False,
    ) -> list[Row]:
        meant = None if attempts is None else list(attempts)
        request = protocol.Recycle(tasks=list(tasks), attempts=meant, insist=insist)
        answer: list[Row] = await self._call(request)
        return answer

    async def plan_split(
        self,
        task: str,
        *,
        strategy: str = "",
        into: int | None = None,
        budget_tokens: int | None = None,
        planner: Sequence[str] = (),
    ) -> SplitPlan:
        request = protocol.PlanSplit(
            task=task,
            strategy=strategy,
            into=into,
            budget_tokens=budget_tokens,
            planner=tuple(planner),
        )
        answer: SplitPlan = await self._call(request)
        return answer

    async def split(
        self,
        task: str,
        shares: Sequence[Share],
        *,
        attempt: int | None = None,
        strategy: str = "",
        timeout_s: float | None = None,
        left_out: Sequence[str] = (),
        reduce: Sequence[str] = (),
        insist: bool = False,
    ) -> SplitReport:
        request = protocol.Split(
            task=task,
            shares=list(shares),
            attempt=attempt,
            strategy=strategy,
            timeout_s=timeout_s,
            left_out=list(left_out),
            reduce=tuple(reduce),
            insist=insist,
            key=protocol.new_ids(1)[0],
        )
        answer: SplitReport = await self._call(request)
        return answer

    async def result(self, task: str) -> ResultFile:
        answer: ResultFile = await self._call(protocol.GetResult(task))
        return answer

    async def measures(self, records: int = 200) -> Measures:
        answer: Measures = await self._call(protocol.GetMeasures(records))
        return answer

    async def metrics(self) -> str:
        answer: str = await self._call(protocol.GetMetrics())
        return answer

    async def look_at_self(self) -> SelfReport:
        answer: SelfReport = await self._call(protocol.LookAtSelf())
        return answer

    async def leave(self) -> None:
        await self._call(protocol.Leave())

    async def ping(self) -> Pong:
        answer: Pong = await self._call(protocol.Ping())
        return answer

    async def watch(self) -> AsyncIterator[Update]:
        """Pictures and changes for ever, on a connection of its own."""
        while True:
            try:
                wire = await self._open()
            except OSError:
                yield Down("no supervisor answers")
                await asyncio.sleep(_RETRY_S * 4)
                try:
                    await self._pause()
                except HeaptuiError as error:
                    yield Down(error.what)
                continue
            try:
                await wire.call(protocol.Watch())
                while not (wire.closed and wire.stream.empty()):
                    message = await wire.stream.get()
                    if message is None:
                        break
                    yield message
                yield Down(wire.why)
            except ConnectionError as error:
                yield Down(str(error))
            finally:
                await wire.close()
            await asyncio.sleep(_RETRY_S)
