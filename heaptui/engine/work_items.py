"""What is finished of what tasks work through, and what their workers have in hand."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence

from heaptui.engine.done_file import refusal
from heaptui.engine.run import Run
from heaptui.engine.work import holding, itemized
from heaptui.engine.worker_figures import clean
from heaptui.errors import Refused
from heaptui.model import Work

_HANDS = 64
"""Processes of one attempt whose hands are known."""


class Items:
    """One event loop owns it. `runs` as in Workers; `note` hears of every change."""

    def __init__(
        self,
        runs: Mapping[str, Run],
        clock: Callable[[], float],
        note: Callable[[Run, Work], None],
    ) -> None:
        self._runs = runs
        self._clock = clock
        self._note = note
        self._hands: dict[Run, dict[int, tuple[str, ...]]] = {}

    async def count(self) -> None:
        """Looks what has been finished, told or not, since this was called last."""
        counted = [run for run in self._runs.values() if run.done is not None]
        if counted:
            for run in await asyncio.to_thread(_moved, counted):
                self.changed(run)

    async def finished(self, run: Run, items: Sequence[str], at_once: asyncio.Semaphore) -> str:
        """Notes them as done, `at_once` with so many others; what went wrong, or nothing."""
        if run.done is None or not items:
            return ""
        good = [item for item in items if refusal(item) is None]
        bad = next(filter(None, map(refusal, items)), None)
        trouble = "" if bad is None else f"what it says of items is not believed: {bad}"
        try:
            async with at_once:
                await asyncio.to_thread(run.done.add, good)
        except (Refused, OSError) as error:
            words = error.what if isinstance(error, Refused) else error.strerror or str(error)
            trouble = f"what it has finished is not noted, and may be done again: {clean(words)}"
        self.changed(run)
        return trouble

    def hold(self, run: Run, pid: int, hand: Sequence[str]) -> None:
        """What was in the hand of a process that has ended stays there: nobody finished it."""
        hands = self._hands.setdefault(run, {})
        hands.pop(pid, None)
        if held := holding(hand):
            hands[pid] = held
            if len(hands) > _HANDS:
                del hands[next(iter(hands))]
        self.changed(run)

    def changed(self, run: Run) -> None:
        if run.done is None:
            return
        work = itemized(run.work, run.done, self._hands.get(run, {}).values(), self._clock())
        if work is not run.work:
            self._note(run, work)

    def forget(self, run: Run) -> None:
        self._hands.pop(run, None)


def _moved(runs: Sequence[Run]) -> list[Run]:
    """Those of which more is done, or of which nobody has told how much."""
    return [
        run
        for run in runs
        if run.done is not None
        and (run.done.look() or run.work is None or run.work.items_done is None)
    ]
