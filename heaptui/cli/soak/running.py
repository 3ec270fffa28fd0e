"""A whole soak: arrivals, chaos, watching and accounting side by side, and what came of them."""

from __future__ import annotations

import asyncio
import itertools
import shutil
import signal
import time
from collections.abc import Callable
from contextlib import suppress

from msgspec import Struct

from heaptui.cli.groups import first_error
from heaptui.cli.soak import workload
from heaptui.cli.soak.accounting import Finding, Wrong
from heaptui.cli.soak.chaos import Chaos, schedule
from heaptui.cli.soak.deeds import Deed
from heaptui.cli.soak.harvest import Harvest, Tally
from heaptui.cli.soak.place import (
    Place,
    end,
    end_survivors,
    leave,
    make,
    serve,
    words_of_defects,
)
from heaptui.cli.soak.simulated import Pace, Role
from heaptui.cli.soak.waiting import ended_within
from heaptui.cli.soak.watching import Look, Watched
from heaptui.client import Client
from heaptui.errors import HeaptuiError
from heaptui.model import Quantiles
from heaptui.units import MIB, duration

SETTLE_S = 120.0
"""Real seconds that work which has arrived may still take when nothing arrives any more."""

_STATUS_EVERY_S = 10.0


class Options(Struct, frozen=True, kw_only=True):
    """`seconds` real ones, at `rate` simulated ones each."""

    seconds: float
    rate: float
    seed: int
    chaos: bool = True
    keep: bool = False


class Outcome(Struct, frozen=True, kw_only=True):
    """Everything that was measured, as it was measured. `lasted_s` real seconds in which work
    arrived; `dispatch` as the last supervisor counts it, None where it could not be asked.
    `endless_whole`: nothing was wrong with the endless task.
    `interrupted`: the operator ended it early. `kept_at`: the directories, where they stay."""

    options: Options
    lasted_s: float
    tally: Tally
    deeds: tuple[Deed, ...]
    looks: tuple[Look, ...]
    dispatch: Quantiles | None
    endless_s: float
    endless_attempts: int
    endless_whole: bool
    interrupted: bool
    means: str
    node: bool
    no_disk: str | None
    kept_at: str | None


async def soak(options: Options, say: Callable[[str], None]) -> Outcome:
    """Runs it; `say` is given a line of status now and then.

    Raises:
        HeaptuiError: no supervisor could be started at all.
    """
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()

    def asked() -> None:
        say("ending: what runs is stopped; once more to leave at once")
        stop.set()
        # a second one ends this process as usual
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, asked)
    pace = Pace(options.rate)
    made = make(pace, small_disk=options.chaos)
    first = serve(made)
    try:
        async with made.client("soak") as client:
            await client.ping()
            run = _Run(made, client, options, pace)
            simulated = duration(pace.simulated_s(options.seconds))
            say(f"{simulated} simulated in {made.root}, seed {options.seed}; Ctrl-C ends it")
            await run.through(stop, say)
    except BaseException:
        await asyncio.shield(end(made, first))
        leave(made, keep=False)
        raise
    await end(made, first)
    run.look_behind()
    kept = options.keep or bool(run.tally.findings)
    leave(made, keep=kept)
    return run.outcome(interrupted=stop.is_set(), kept_at=str(made.root) if kept else None)


class _Run:
    def __init__(self, made: Place, client: Client, options: Options, pace: Pace) -> None:
        self._made = made
        self._client = client
        self._options = options
        self._pace = pace
        self._node = shutil.which("node") is not None
        self._work = workload.plan(
            seed=options.seed,
            pace=pace,
            seconds=options.seconds,
            evidence=made.evidence,
            node=self._node,
        )
        self._floods = itertools.count()
        roles: dict[str, Role] = {}
        self._chaos = Chaos(made, client, options.seed, roles, self._flood)
        self._harvest = Harvest(
            made, client, self._chaos.deeds, roles, lambda: self._chaos.busy_since
        )
        self._watched = Watched(made)
        self._began = time.monotonic()
        self._lasted_s = 0.0
        self._dispatch: Quantiles | None = None
        self._means = "unknown"
        self._endless = (0.0, 0)

    @property
    def tally(self) -> Tally:
        return self._harvest.tally

    async def through(self, stop: asyncio.Event, say: Callable[[str], None]) -> None:
        """All of it. What heaptui cannot recover from ends it early, and is a finding."""
        self._began = time.monotonic()
        try:
            async with asyncio.TaskGroup() as group:
                beside = [
                    group.create_task(self._watched.keep(self._began, self._options.seconds)),
                    group.create_task(self._harvest.listen()),
                    group.create_task(self._harvest.keep()),
                    group.create_task(self._tell(say)),
                ]
                chaos = group.create_task(self._trouble(stop))
                await self._arrive(stop)
                await chaos
                if not stop.is_set():
                    await self._settle(stop)
                for one in beside:
                    one.cancel()
            await self._finish(cut_short=stop.is_set())
        except (HeaptuiError, BaseExceptionGroup) as error:
            if (first := first_error(error)) is None:
                raise
            self._wrong(f"the soak could not go on: {first}")

    async def _arrive(self, stop: asyncio.Event) -> None:
        """Everything at its time, until all has come, or the operator has seen enough."""
        await self._harvest.submit(self._work.endless)
        for planned in self._work.tasks:
            if await ended_within(stop, self._began + planned.arrives_s - time.monotonic()):
                break
            await self._harvest.submit(planned)
        await ended_within(stop, self._began + self._options.seconds - time.monotonic())
        self._lasted_s = time.monotonic() - self._began

    async def _settle(self, stop: asyncio.Event) -> None:
        """The endless task is told that it was enough; the rest comes to its end by itself."""
        self._work.enough.touch()
        settling = asyncio.create_task(self._harvest.settle(SETTLE_S))
        asked = asyncio.create_task(stop.wait())
        await asyncio.wait((settling, asked), return_when=asyncio.FIRST_COMPLETED)
        for one in (settling, asked):
            one.cancel()
        await asyncio.gather(settling, asked, return_exceptions=True)

    async def _finish(self, *, cut_short: bool) -> None:
        await self._harvest.finish(cut_short=cut_short)
        self._endless = self._harvest.endless_run(self._work.endless)
        host = await self._client.dispatch()
        self._means = str(host.means or "nothing")
        with suppress(HeaptuiError):
            self._dispatch = (await self._client.measures(0)).dispatch

    async def _trouble(self, stop: asyncio.Event) -> None:
        if self._options.chaos:
            appointments = schedule(self._options.seed, self._options.seconds)
            await self._chaos.keep(appointments, self._began, stop)

    async def _flood(self) -> str:
        return await self._harvest.submit(
            workload.flood(next(self._floods), self._pace, self._made.evidence)
        )

    async def _tell(self, say: Callable[[str], None]) -> None:
        while True:
            await asyncio.sleep(_STATUS_EVERY_S)
            say(self.status())

    def status(self) -> str:
        """Where it is, in a line."""
        tally = self.tally
        real = min(time.monotonic() - self._began, self._options.seconds)
        settling = ", nothing arrives any more" if self._lasted_s else ""
        last = self._watched.looks[-1] if self._watched.looks else None
        held = last.supervisor_bytes if last is not None else None
        return (
            f"{duration(real)} of {duration(self._options.seconds)} "
            f"({self._pace.simulated_s(real) / 3600:.1f} simulated hours{settling}) · "
            f"{tally.submitted.total()} tasks, {len(self._harvest.unended)} under way · "
            f"{tally.recycles} recycles · {len(self._chaos.deeds)} deeds of chaos · "
            f"supervisor {held / MIB if held else 0:.1f} MB · "
            + ", ".join(f"{wrong} {tally.count(wrong)}" for wrong in Wrong)
        )

    def look_behind(self) -> None:
        """What is left, and what was written, once everything has ended."""
        for text in self._chaos.unanswered:
            self._wrong(text)
        for text in words_of_defects(self._made):
            self._wrong(f"a defect of heaptui: {text}")
        for text in end_survivors(self._harvest.ids):
            self._wrong(f"{text} outlived everything")

    def _wrong(self, text: str) -> None:
        self.tally.findings.append(Finding(wrong=Wrong.UNEXPLAINED, text=text))

    def outcome(self, *, interrupted: bool, kept_at: str | None) -> Outcome:
        endless_s, endless_attempts = self._endless
        lasted_s = self._lasted_s or time.monotonic() - self._began
        return Outcome(
            options=self._options,
            lasted_s=lasted_s,
            tally=self.tally,
            deeds=tuple(self._chaos.deeds),
            looks=tuple(look for look in self._watched.looks if look.at_s <= lasted_s),
            dispatch=self._dispatch,
            endless_s=endless_s,
            endless_attempts=endless_attempts,
            endless_whole=all(one.task != self._work.endless.key for one in self.tally.findings),
            interrupted=interrupted,
            means=self._means,
            node=self._node,
            no_disk=self._made.no_disk or None,
            kept_at=kept_at,
        )
