"""The operators' socket: calls answered by the supervisor, and one stream for each who watches;
and the metrics, when a scraper asks in its own protocol.

Mode 0600, and the peer's uid is checked besides. A client that breaks the protocol is told so and
let go; nothing a client does, or stops doing, holds up the supervisor.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import traceback
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager, suppress
from typing import Any

import msgspec

from heaptui import __version__, protocol, scraping
from heaptui.errors import HeaptuiError
from heaptui.listening import bind_privately
from heaptui.paths import StateDir
from heaptui.peer import TooLong, lines, peer_uid
from heaptui.protocol import Bye, Call, Pong, Reply, encode
from heaptui.supervisor import operations, submitting
from heaptui.supervisor.loop import Supervisor

_BUFFER_BYTES = 1 << 20
_CALLS_AT_ONCE = 32
"""Of one client; more wait in its socket."""
_LEAST_BETWEEN_CHANGES_S = 0.05
"""Changes are gathered this long, so that a burst of ends is one message."""


def take_lock(state: StateDir) -> int | None:
    """The right to serve this state directory, as a held descriptor; None when it is taken."""
    handle = os.open(state.supervisor_lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(handle)
        return None
    os.ftruncate(handle, 0)
    os.write(handle, f"{os.getpid()}\n".encode())
    return handle


class Server:
    """Answers on the state directory's socket while `serving`."""

    def __init__(self, supervisor: Supervisor, *, embedded: bool) -> None:
        self._supervisor = supervisor
        self._embedded = embedded
        self._connections: set[asyncio.Task[None]] = set()
        self._writers: set[asyncio.StreamWriter] = set()
        self.metrics = scraping.Page(self._metrics)
        self.leave = asyncio.Event()
        self.quiet = asyncio.Event()
        self.quiet.set()

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[None]:
        """Listens for the length of the block; the caller holds the lock.

        Raises:
            Refused: the socket belongs to somebody else.
            StorageTrouble: it cannot be made.
        """
        path = self._supervisor.state.socket("supervisor")
        bound = bind_privately(path)
        listener = await asyncio.start_unix_server(self._accepted, sock=bound)
        try:
            yield
        finally:
            listener.close()
            for writer in tuple(self._writers):
                with suppress(OSError):
                    _put(writer, Bye("the supervisor leaves"))
                    writer.close()
            for connection in tuple(self._connections):
                connection.cancel()
            await asyncio.gather(*self._connections, return_exceptions=True)
            with suppress(FileNotFoundError):
                path.unlink()

    async def _accepted(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        self._writers.add(writer)
        self.quiet.clear()
        try:
            if peer_uid(writer.get_extra_info("socket")) in (None, os.getuid()):
                writer.transport.set_write_buffer_limits(high=_BUFFER_BYTES)
                # ended as this supervisor leaves; asyncio before 3.12 takes that for a defect
                with suppress(asyncio.CancelledError):
                    await self._converse(reader, writer)
        except* ConnectionError:
            # the client is gone: its calls end with it, the tasks do not
            pass
        finally:
            self._connections.discard(task)
            self._writers.discard(writer)
            if not self._connections:
                self.quiet.set()
            with suppress(OSError):
                writer.close()

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        turns = asyncio.Semaphore(_CALLS_AT_ONCE)
        async with asyncio.TaskGroup() as group:
            try:
                async with aclosing(lines(reader, protocol.LINE_MAX)) as arriving:
                    async for line in arriving:
                        if scraping.is_request(line):
                            await self._scraped(line, arriving, writer)
                            break
                        # who asks without reading the answers is not listened to any further
                        await turns.acquire()
                        await writer.drain()
                        try:
                            call = protocol.decode_call(line)
                        except msgspec.DecodeError as error:
                            turns.release()
                            _put(writer, _not_understood(line, error))
                            continue
                        answer = group.create_task(self._answer(call, writer, group))
                        answer.add_done_callback(lambda _: turns.release())
            except TooLong as error:
                _put(writer, Reply(seq=0, fault=protocol.Fault("usage", str(error))))
            # what it still waits for has nobody to hear it
            raise ConnectionResetError("the client closed its side")

    async def _scraped(
        self, request: bytes, rest: AsyncIterator[bytes], writer: asyncio.StreamWriter
    ) -> None:
        """A scraper instead of an operator: one answer over HTTP."""
        answer = await scraping.answered(request, rest, self.metrics, own_names_only=False)
        writer.write(answer.encoded())
        await writer.drain()

    async def _metrics(self) -> str:
        from heaptui.supervisor import openmetrics  # when the first one asks

        return await openmetrics.text(self._supervisor)

    async def _answer(
        self, call: Call, writer: asyncio.StreamWriter, group: asyncio.TaskGroup
    ) -> None:
        try:
            answer = await self._do(call.call)
        except HeaptuiError as error:
            fault = protocol.Fault(error.kind, error.what, error.remedy)
            _put(writer, Reply(seq=call.seq, fault=fault))
        except Exception as error:  # noqa: BLE001 (a defect of ours: told to the caller, and kept)
            traceback.print_exc()
            what = f"heaptui has a defect here: {type(error).__name__}: {error}"
            remedy = f"Its trace is in {self._supervisor.state.supervisor_log}; please report it."
            _put(writer, Reply(seq=call.seq, fault=protocol.Fault("failed", what, remedy)))
        else:
            with suppress(ConnectionError):
                await writer.drain()
            _put(writer, Reply(seq=call.seq, answer=msgspec.Raw(encode(answer))))
            if isinstance(call.call, protocol.Watch):
                group.create_task(self._stream(writer))
        with suppress(ConnectionError):
            await writer.drain()
        if isinstance(call.call, protocol.Leave):
            self.leave.set()

    async def _do(self, call: protocol.AnyCall) -> Any:
        supervisor = self._supervisor
        match call:
            case protocol.Hello() | protocol.Ping():
                return self._pong()
            case protocol.Submit():
                return await submitting.submit(supervisor, call)
            case protocol.ListTasks():
                return await operations.tasks(supervisor, call)
            case protocol.Show(task, events):
                return await operations.show(supervisor, task, events)
            case protocol.History(limit, match):
                return await operations.history(supervisor, limit, match)
            case protocol.GetSeries(task, span_s):
                return await operations.series(supervisor, task, span_s)
            case protocol.Stop():
                return await operations.stop(supervisor, call)
            case protocol.Retry():
                return await operations.retry(supervisor, call)
            case protocol.Forget(tasks):
                return await operations.forget(supervisor, tasks)
            case protocol.Dispatch():
                return await operations.dispatch(supervisor, call)
            case protocol.Settled(tasks):
                return await operations.settled(supervisor, tasks)
            case protocol.Watch() | protocol.Leave():
                return None
            case _:
                return await self._look_closer(call)

    async def _look_closer(self, call: protocol.AnyCall) -> Any:
        """The calls about heaps, about what was done and needed so far, and about heaptui itself:
        no screen needs them to begin."""
        # what only these need is imported when the first one comes
        from heaptui.supervisor import (
            collecting,
            happenings,
            hunting,
            looking_at_self,
            measures,
            raising,
            recycling,
            results,
            snapshot_shelf,
            snapshots,
        )
        from heaptui.supervisor.splitting import dividing, planning

        supervisor = self._supervisor
        match call:
            case protocol.Collect():
                return await collecting.collect(supervisor, call)
            case protocol.PlanSnapshot():
                return await snapshots.plan(supervisor, call)
            case protocol.TakeSnapshot():
                return await snapshots.take(supervisor, call)
            case protocol.ListSnapshots(task):
                return await snapshot_shelf.listed(supervisor, task)
            case protocol.DeleteSnapshots(ids):
                return await snapshot_shelf.delete(supervisor, ids)
            case protocol.Hunt():
                return await hunting.hunt(supervisor, call)
            case protocol.ListFindings():
                return await hunting.findings(supervisor, call)
            case protocol.CancelActivity(activity):
                return supervisor.activities.cancel(activity)
            case protocol.Raise():
                return await raising.raise_limits(supervisor, call)
            case protocol.Recycle():
                return await recycling.recycle(supervisor, call)
            case protocol.PlanSplit():
                return await planning.plan(supervisor, call)
            case protocol.Split():
                return await dividing.split(supervisor, call)
            case protocol.RecentEvents():
                return await happenings.events(supervisor, call)
            case protocol.GetResult(task):
                return await results.result(supervisor, task)
            case protocol.GetMeasures(records):
                return await measures.measures(supervisor, records)
            case protocol.GetMetrics():
                return await self._metrics()
            case protocol.LookAtSelf():
                return looking_at_self.look(supervisor)

    def _pong(self) -> Pong:
        supervisor = self._supervisor
        return Pong(
            version=supervisor.version,
            pid=os.getpid(),
            warden_pid=supervisor.engine.keeper_pid(),
            supervisor_id=supervisor.id,
            embedded=self._embedded,
            since=supervisor.since,
        )

    async def _stream(self, writer: asyncio.StreamWriter) -> None:
        supervisor = self._supervisor
        gallery, ledger = supervisor.gallery, supervisor.ledger
        watcher = gallery.enter()
        row: Callable[[str], Any] = lambda task_id: (  # noqa: E731
            task.row() if (task := ledger.get(task_id)) is not None else None
        )
        try:
            supervisor.header_changed()
            picture = gallery.picture(supervisor.clock(), ledger.tasks.values())
            _put(writer, picture)
            while True:
                await writer.drain()
                change = await watcher.next(supervisor.clock, row, gallery)
                if change is None:
                    tasks = ledger.tasks.values()
                    writer.write(encode(gallery.picture(supervisor.clock(), tasks)) + b"\n")
                    continue
                _put(writer, change)
                await asyncio.sleep(_LEAST_BETWEEN_CHANGES_S)
        except ConnectionError:
            # the connection's own reader ends the conversation
            pass
        finally:
            gallery.leave(watcher)


def _put(writer: asyncio.StreamWriter, message: protocol.Downstream) -> None:
    writer.write(encode(message) + b"\n")


def _not_understood(line: bytes, error: msgspec.DecodeError) -> Reply:
    """For a caller of another version, perhaps: with the number of its call where it has one."""
    try:
        seq = msgspec.json.decode(line, type=_Numbered).seq
    except msgspec.DecodeError:
        seq = 0
    fault = protocol.Fault(
        "usage",
        f"The supervisor (heaptui {__version__}) does not understand this call: {error}.",
        "Of another version? Live tasks outlive it: kill it, and the next command brings up yours.",
    )
    return Reply(seq=seq, fault=fault)


class _Numbered(msgspec.Struct):
    seq: int
