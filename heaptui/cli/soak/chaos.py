"""Trouble, at random by the seed, to this soak's own processes and no others."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import NamedTuple

from heaptui.cli.soak.deeds import Deed, DeedKind
from heaptui.cli.soak.place import Place
from heaptui.cli.soak.simulated import Role
from heaptui.cli.soak.waiting import ended_within
from heaptui.client import Client
from heaptui.errors import HeaptuiError
from heaptui.memory.identity import alive, identify, send
from heaptui.model import Identity, Row, State

KILLS_OF_ONE = 2
"""A task that is killed more often within PERIOD_S is quarantined for a crash loop, rightly."""
PERIOD_S = 600.0

_WEIGHTS: dict[DeedKind, int] = {
    DeedKind.KILL_WORKER: 6,
    DeedKind.KILL_SUPERVISOR: 3,
    DeedKind.KILL_WARDEN: 2,
    DeedKind.STOP_WORKER: 3,
    DeedKind.STOP_SUPERVISOR: 2,
    DeedKind.FULL_DISK: 1,
    DeedKind.HANGING_CLIENTS: 2,
    DeedKind.FLOOD: 1,
}
_REPLACING = frozenset((DeedKind.KILL_SUPERVISOR, DeedKind.KILL_WARDEN))
REPLACING_SHARE = 1 / 3
"""Supervisor and warden are killed in this first part of a soak alone: the rest of it shows how the
memory of one process moves that lives long."""

_GAP_LEAST_S, _GAP_MOST_S, _DEEDS = 2.5, 12.0, 15
_BACK_WITHIN_S = 30.0
_DONE_WITHIN_S = 90.0
_LOOK_EVERY_S = 0.05
_CLIENTS = 12

_SPARED = frozenset((Role.FAILING, Role.OUTGROWING, Role.TOO_LARGE))
"""How they end is what they are there for."""


class Appointment(NamedTuple):
    """What is done `at_s` seconds after the beginning, for `seconds` where it lasts."""

    at_s: float
    kind: DeedKind
    seconds: float


def schedule(seed: int, seconds: float) -> list[Appointment]:
    """All trouble of a soak that takes so many real seconds."""
    chance = random.Random(f"chaos {seed}")
    gap = min(_GAP_MOST_S, max(_GAP_LEAST_S, seconds / _DEEDS))
    kinds, weights = list(_WEIGHTS), list(_WEIGHTS.values())
    found: list[Appointment] = []
    at = gap * chance.uniform(0.5, 1.0)
    while at < seconds:
        kind = chance.choices(kinds, weights)[0]
        late = at > seconds * REPLACING_SHARE
        if kind in _REPLACING and late:
            kind = DeedKind.KILL_WORKER
        found.append(Appointment(at, kind, chance.uniform(1.0, 4.0)))
        at += gap * chance.uniform(0.5, 1.5)
    return found


class Chaos:
    """`roles` are those of the tasks that were submitted, by id; `flood` submits a task that prints
    without measure. `deeds` is the record."""

    def __init__(
        self,
        place: Place,
        client: Client,
        seed: int,
        roles: dict[str, Role],
        flood: Callable[[], Awaitable[str]],
    ) -> None:
        self._place = place
        self._client = client
        self._chance = random.Random(f"targets {seed}")
        self._roles = roles
        self._flood = flood
        self._kills: list[tuple[float, str]] = []
        self._stopped: set[Identity] = set()
        self.deeds: list[Deed] = []
        self.busy_since: float | None = None
        """When the deed began that is under way, and not on record yet."""
        self.unanswered: list[str] = []
        """What heaptui owed chaos and did not give: another supervisor, an answer."""

    async def keep(
        self, appointments: list[Appointment], began: float, stop: asyncio.Event
    ) -> None:
        """Every appointment, one after the other, until `stop` is set; `began` is the soak's
        monotonic beginning."""
        try:
            for at_s, kind, seconds in appointments:
                if await ended_within(stop, began + at_s - time.monotonic()):
                    return
                await self._do(kind, seconds)
        finally:
            # nothing stays stopped, whatever ends this
            for identity in self._stopped:
                send(identity, signal.SIGCONT)
            if self._place.disk is not None:
                self._place.disk.free()

    async def _do(self, kind: DeedKind, seconds: float) -> None:
        at = self.busy_since = time.time()
        try:
            async with asyncio.timeout(_DONE_WITHIN_S):
                deed = await self._deed_of(kind, at, seconds)
        except HeaptuiError as error:
            deed = _deed(kind, at, "", skipped=error.what)
        except TimeoutError:
            deed = _deed(kind, at, "", skipped=f"no answer within {_DONE_WITHIN_S:.0f} s")
            self.unanswered.append(f"{kind}: no answer within {_DONE_WITHIN_S:.0f} s")
        self.deeds.append(deed)
        self.busy_since = None

    async def _deed_of(self, kind: DeedKind, at: float, seconds: float) -> Deed:
        match kind:
            case DeedKind.KILL_WORKER:
                return await self._kill_worker(at)
            case DeedKind.STOP_WORKER:
                return await self._stop_worker(at, seconds)
            case DeedKind.KILL_SUPERVISOR | DeedKind.KILL_WARDEN:
                return await self._replace(kind, at)
            case DeedKind.STOP_SUPERVISOR:
                return await self._stop_supervisor(at, seconds)
            case DeedKind.FULL_DISK:
                return await self._fill_disk(at, seconds)
            case DeedKind.HANGING_CLIENTS:
                return await self._hang(at, seconds)
            case DeedKind.FLOOD:
                return _deed(kind, at, f"task {await self._flood()} submitted")

    # --- workers -----------------------------------------------------------------------------
    async def _worker(self) -> tuple[Row, int, Identity] | None:
        """One that runs and may be troubled, with the attempt that its process belongs to."""
        since = time.time() - PERIOD_S
        kills = Counter(task for at, task in self._kills if at > since)
        rows = [
            row
            for row in await self._client.tasks()
            if row.state is State.RUNNING
            and row.pid is not None
            and kills[row.id] < KILLS_OF_ONE
            and self._roles.get(row.id) not in (None, *_SPARED)
        ]
        self._chance.shuffle(rows)
        for row in rows:
            identity = identify(row.pid or 0)
            attempt = _attempt_of(row.pid or 0, row.id)
            if identity is not None and attempt is not None and alive(identity):
                return row, attempt, identity
        return None

    async def _kill_worker(self, at: float) -> Deed:
        found = await self._worker()
        if found is None:
            return _deed(DeedKind.KILL_WORKER, at, "", skipped="none ran that may be troubled")
        row, attempt, identity = found
        if not send(identity, signal.SIGKILL):
            return _deed(DeedKind.KILL_WORKER, at, "", skipped="it had just ended")
        self._kills.append((at, row.id))
        return _deed(
            DeedKind.KILL_WORKER,
            at,
            f"{row.name} {row.id}, attempt {attempt}, pid {identity.pid}",
            task_id=row.id,
            attempt=attempt,
        )

    async def _stop_worker(self, at: float, seconds: float) -> Deed:
        found = await self._worker()
        if found is None:
            return _deed(DeedKind.STOP_WORKER, at, "", skipped="none ran that may be troubled")
        row, attempt, identity = found
        await self._hold(identity, seconds)
        return _deed(
            DeedKind.STOP_WORKER,
            at,
            f"{row.name} {row.id}, attempt {attempt}, pid {identity.pid}, {seconds:.1f} s",
            task_id=row.id,
            attempt=attempt,
        )

    async def _hold(self, identity: Identity, seconds: float) -> None:
        """Stopped for so long."""
        self._stopped.add(identity)
        try:
            send(identity, signal.SIGSTOP)
            await asyncio.sleep(seconds)
        finally:
            send(identity, signal.SIGCONT)
            self._stopped.discard(identity)

    # --- supervisor and warden ---------------------------------------------------------------
    async def _replace(self, kind: DeedKind, at: float) -> Deed:
        """Kills it, and waits for another."""
        pong = await self._client.ping()
        pid = pong.pid if kind is DeedKind.KILL_SUPERVISOR else pong.warden_pid
        identity = identify(pid or 0)
        if identity is None or identity.pid == os.getpid() or not send(identity, signal.SIGKILL):
            return _deed(kind, at, "", skipped="there was none")
        began = time.monotonic()
        while time.monotonic() - began < _BACK_WITHIN_S:
            with suppress(HeaptuiError):
                pong = await self._client.ping()
                now = pong.pid if kind is DeedKind.KILL_SUPERVISOR else pong.warden_pid
                if now is not None and now != identity.pid:
                    back = time.monotonic() - began
                    return _deed(
                        kind, at, f"pid {identity.pid}; another in {back:.2f} s: pid {now}"
                    )
            await asyncio.sleep(_LOOK_EVERY_S)
        text = f"pid {identity.pid}; none came within {_BACK_WITHIN_S:.0f} s"
        self.unanswered.append(f"{kind}: {text}")
        return _deed(kind, at, text)

    async def _stop_supervisor(self, at: float, seconds: float) -> Deed:
        identity = identify((await self._client.ping()).pid)
        if identity is None:
            return _deed(DeedKind.STOP_SUPERVISOR, at, "", skipped="there was none")
        await self._hold(identity, seconds)
        return _deed(DeedKind.STOP_SUPERVISOR, at, f"pid {identity.pid}, {seconds:.1f} s")

    # --- surroundings ------------------------------------------------------------------------
    async def _fill_disk(self, at: float, seconds: float) -> Deed:
        disk = self._place.disk
        if disk is None:
            return _deed(DeedKind.FULL_DISK, at, "", skipped=self._place.no_disk)
        taken = await asyncio.to_thread(disk.fill)
        try:
            await asyncio.sleep(seconds)
        finally:
            disk.free()
        return _deed(DeedKind.FULL_DISK, at, f"{taken >> 20} MB taken for {seconds:.1f} s")

    async def _hang(self, at: float, seconds: float) -> Deed:
        """Connections that say nothing, half a line, or ask to watch and never read."""
        path = os.fspath(self._place.state.socket("supervisor"))
        says = (
            b"",
            b'{"seq":1,"call":{"type":"hel',
            b'{"seq":1,"call":{"type":"hello","client":"hangs"}}\n{"seq":2,"call":{"type":"watch"}}\n',
        )
        writers = []
        try:
            for number in range(_CLIENTS):
                with suppress(OSError):
                    _, writer = await asyncio.open_unix_connection(path, limit=1)
                    writer.write(says[number % len(says)])
                    writers.append(writer)
            await asyncio.sleep(seconds)
        finally:
            for writer in writers:
                writer.transport.abort()
        return _deed(DeedKind.HANGING_CLIENTS, at, f"{len(writers)} for {seconds:.1f} s")


def _deed(
    kind: DeedKind,
    at: float,
    text: str,
    *,
    task_id: str | None = None,
    attempt: int | None = None,
    skipped: str | None = None,
) -> Deed:
    return Deed(
        kind=kind,
        at=at,
        over_at=time.time(),
        text=text,
        task_id=task_id,
        attempt=attempt,
        skipped=skipped,
    )


def _attempt_of(pid: int, task_id: str) -> int | None:
    """Which attempt of the task the process carries the mark of; None: of none."""
    import psutil

    try:
        mark = psutil.Process(pid).environ().get("HEAPTUI_TASK", "")
    except (psutil.Error, OSError):
        return None
    task, _, attempt = mark.rpartition(".")
    return int(attempt) if task == task_id and attempt.isdecimal() else None
