"""Every task from its submission to the account of its end."""

from __future__ import annotations

import asyncio
import os
import time
from collections import Counter, deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from heaptui.cli.soak import notes
from heaptui.cli.soak.accounting import Case, Finding, Wrong, findings, killed_by_memory_for_good
from heaptui.cli.soak.deeds import HOLDING_UP, Deed
from heaptui.cli.soak.place import CONCURRENCY, Place
from heaptui.cli.soak.programs.evidence import BEGIN
from heaptui.cli.soak.simulated import Role
from heaptui.cli.soak.workload import Planned
from heaptui.client import Client
from heaptui.errors import HeaptuiError, NoSuchTask, StorageTrouble
from heaptui.model import AttemptRecord, Row, State
from heaptui.protocol import Change, Picture

_JUDGED_KEPT = 1500
"""Tasks that are accounted for stay so long, so that late rows and late lines are seen; then the
soak forgets them, as an operator would."""

_AGAIN_S = 1.0
_LOOK_EVERY_S = 1.0
_WAITS_KEPT = 20_000


@dataclass(slots=True)
class Tally:
    """What was counted so far. `waits` are seconds from the submission of a task to the start of
    its command, where a place was free and no chaos held it up."""

    submitted: Counter[Role] = field(default_factory=Counter)
    ended: Counter[State] = field(default_factory=Counter)
    verdicts: Counter[str] = field(default_factory=Counter)
    attempts: int = 0
    recycles: int = 0
    memory_deaths: int = 0
    memory_deaths_that_cost: int = 0
    waits: deque[float] = field(default_factory=lambda: deque(maxlen=_WAITS_KEPT))
    findings: list[Finding] = field(default_factory=list)

    def count(self, wrong: Wrong) -> int:
        return sum(one.wrong is wrong for one in self.findings)


@dataclass(frozen=True, slots=True)
class _Second:
    """For the second look: how much there was when it was accounted for."""

    planned: Planned
    note_bytes: int
    attempts: int


class Harvest:
    """`deeds` is chaos's record, `undecided` the instant before which it is complete (None: now);
    `roles` of submitted tasks, by id, is kept for chaos."""

    def __init__(
        self,
        place: Place,
        client: Client,
        deeds: Sequence[Deed],
        roles: dict[str, Role],
        undecided: Callable[[], float | None],
    ) -> None:
        self._place = place
        self._client = client
        self._deeds = deeds
        self._undecided = undecided
        self._submitted: dict[str, tuple[Planned, float, bool]] = {}
        self._ended: dict[str, float] = {}
        self._judged: dict[str, _Second] = {}
        self._roles = roles
        self.ids: set[str] = set()
        self.tally = Tally()

    @property
    def unended(self) -> list[str]:
        """Ids of tasks of which no end was heard."""
        return [task_id for task_id in self._submitted if task_id not in self._ended]

    async def submit(self, planned: Planned) -> str:
        """Until it is taken: a disk that is full is no reason to forget work."""
        free = len(self.unended) < CONCURRENCY
        while True:
            at = time.time()
            try:
                (task_id,) = await self._client.submit([planned.spec], dict(os.environ))
            except StorageTrouble:
                await asyncio.sleep(_AGAIN_S)
                continue
            break
        self._submitted[task_id] = (planned, at, free)
        self._roles[task_id] = planned.role
        self.ids.add(task_id)
        self.tally.submitted[planned.role] += 1
        return task_id

    async def listen(self) -> None:
        """Hears of ends, until cancelled."""
        async with self._place.client("soak: listening") as client:
            async for update in client.watch():
                if isinstance(update, Picture | Change):
                    self._hear(update.rows)

    def _hear(self, rows: Sequence[Row]) -> None:
        for row in rows:
            if row.state.ended and row.id in self._submitted:
                self._ended.setdefault(row.id, time.time())

    async def keep(self) -> None:
        """Accounts for what has ended, until cancelled."""
        while True:
            await asyncio.sleep(_LOOK_EVERY_S)
            until = (self._undecided() or time.time()) - _LOOK_EVERY_S
            for task_id in [one for one, at in self._ended.items() if at < until]:
                await self._account(task_id)
            while len(self._judged) > _JUDGED_KEPT:
                await self._forget(next(iter(self._judged)))

    async def settle(self, within_s: float) -> None:
        """Waits for everything to end, so long at most."""
        left = self.unended
        if not left:
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                self._hear(await self._client.settled(left))

    async def finish(self, *, cut_short: bool) -> None:
        """Accounts for all that is left, ended or not, and looks at everything once more.
        `cut_short`: what has not ended is ended now, and nobody is to blame."""
        left = self.unended if cut_short else []
        if left:
            await self._client.stop(left, now=True)
            self._hear(await self._client.settled(left))
        for task_id in list(self._submitted):
            await self._account(task_id, cut_short=task_id in left)
        for task_id in list(self._judged):
            await self._look_again(task_id)

    # --- the account -------------------------------------------------------------------------
    async def _account(self, task_id: str, *, cut_short: bool = False) -> None:
        planned, submitted_at, free = self._submitted[task_id]
        row, attempts = await self._told(task_id)
        path = self._place.evidence / f"{planned.key}.jsonl"
        # the size first: what is written after it was read is late
        note_bytes = _bytes(path)
        case = Case(
            planned=planned,
            task_id=task_id,
            row=row,
            attempts=attempts,
            lines=notes.read(path),
            result=await self._result(row),
            deeds=tuple(self._deeds),
            cut_short=cut_short,
        )
        # only now: whoever is cancelled before has accounted for nothing
        del self._submitted[task_id]
        self._ended.pop(task_id, None)
        self._judged[task_id] = _Second(planned, note_bytes, len(attempts))
        self._count(case, submitted_at, free)

    def _count(self, case: Case, submitted_at: float, free: bool) -> None:
        tally = self.tally
        tally.findings += findings(case)
        tally.attempts += len(case.attempts)
        tally.verdicts.update(str(one.verdict) for one in case.attempts)
        tally.memory_deaths += sum(
            one.verdict is not None and one.verdict.out_of_memory for one in case.attempts
        )
        tally.memory_deaths_that_cost += killed_by_memory_for_good(case)
        if case.row is not None:
            tally.ended[case.row.state] += 1
            tally.recycles += case.row.recycles
        first = next((one.started_at for one in case.attempts if one.attempt == 1), None)
        if free and first is not None and not _held_up(submitted_at, first, case.deeds):
            tally.waits.append(max(0.0, first - submitted_at))

    async def _told(self, task_id: str) -> tuple[Row | None, tuple[AttemptRecord, ...]]:
        try:
            detail = await self._client.show(task_id, 0)
        except NoSuchTask:
            return None, ()
        return detail.row, detail.attempts

    async def _result(self, row: Row | None) -> bytes | None:
        if row is None or not row.state.ended or row.result_bytes is None:
            return None
        try:
            file = await self._client.result(row.id)
            return await asyncio.to_thread(Path(file.path).read_bytes)
        except (HeaptuiError, OSError):
            return None

    async def _look_again(self, task_id: str) -> None:
        """Whether anything came after the task was accounted for."""
        second = self._judged[task_id]
        path = self._place.evidence / f"{second.planned.key}.jsonl"
        if (now := _bytes(path)) != second.note_bytes:
            self._found(
                second,
                task_id,
                f"its worker went on after its end: {now} bytes of notes, not {second.note_bytes}",
            )
        _, attempts = await self._told(task_id)
        if len(attempts) != second.attempts:
            self._found(
                second, task_id, f"{len(attempts)} attempts after its end, not {second.attempts}"
            )

    def _found(self, second: _Second, task_id: str, text: str) -> None:
        self.tally.findings.append(
            Finding(wrong=Wrong.DUPLICATED, text=text, task=second.planned.key, task_id=task_id)
        )

    async def _forget(self, task_id: str) -> None:
        await self._look_again(task_id)
        second = self._judged.pop(task_id)
        self._roles.pop(task_id, None)
        if not any(one.task_id == task_id for one in self.tally.findings):
            with suppress(NoSuchTask):
                await self._client.forget([task_id])
            (self._place.evidence / f"{second.planned.key}.jsonl").unlink(missing_ok=True)

    def endless_run(self, endless: Planned) -> tuple[float, int]:
        """Real seconds from its first beginning to its latest line, and how many attempts."""
        lines = notes.read(self._place.evidence / f"{endless.key}.jsonl")
        begun = [line for line in lines if line.what == BEGIN]
        return (lines[-1].at - begun[0].at, len(begun)) if begun else (0.0, 0)


def _bytes(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _held_up(since: float, until: float, deeds: Sequence[Deed]) -> bool:
    """Whether chaos stood in the way meanwhile."""
    return any(
        deed.kind in HOLDING_UP and deed.at <= until and deed.over_at >= since for deed in deeds
    )
