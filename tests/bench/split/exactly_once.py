"""A task split while it runs, at a random moment: every file is processed once.

python -m tests.bench.split.exactly_once    HEAPTUI_BENCH_RUNS: how many tasks (100)
"""

from __future__ import annotations

import asyncio
import itertools
import os
import random
import time
from dataclasses import dataclass
from pathlib import Path

from heaptui.client import Client
from heaptui.errors import HeaptuiError
from heaptui.inputs import SplitReport
from heaptui.model import State
from tests.bench.harness import Row, median, served, state_dir
from tests.bench.split.jobs import FILES, By, Job, Tally, lay_out, processed, running, submitted
from tests.bench.split.jobs import tally as counted

RUNS = 100
AT_ONCE = 5
INTO = (2, 8)
AROUND = 0.06
"""Of the moments fall before the first file and as many after the last."""

LAST_LOOK, LOOKS_FOR = 0.97, 0.2
"""Of the files: by when there must be a plan, and how many are processed at most until it is
confirmed."""

_ENDS_WITHIN_S = 120.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one task. `report` None: it was not divided, for the reason in `refused`."""

    name: str
    state: State
    tally: Tally
    report: SplitReport | None
    refused: str = ""

    @property
    def right(self) -> bool:
        return self.tally.right and self.state is State.DONE

    @property
    def words(self) -> str:
        """What is wrong with it."""
        return f"{self.name}: {self.state}, {self.tally}"


async def _come(job: Job, share: float, chance: random.Random) -> None:
    """Returns when so much of the files is processed; at once for a share below 0."""
    if share > 0:
        await processed(job, min(FILES, 1 + int(share * FILES)))
        await asyncio.sleep(chance.uniform(0, 0.01))


async def _one(client: Client, root: Path, number: int) -> Outcome:
    chance = random.Random(f"split {number}")
    by = list(By)[number % len(By)]
    job = lay_out(root, f"{by}-{number}", by, chance)
    task_id = await submitted(client, job)
    share = chance.uniform(-AROUND, 1 + AROUND)
    await running(client, task_id)
    # the operator takes a look, and confirms it later: the worker goes on meanwhile
    await _come(job, min(share, LAST_LOOK) - chance.uniform(0, LOOKS_FOR), chance)
    report, refused = None, ""
    try:
        plan = await client.plan_split(task_id, into=chance.randint(*INTO))
        await _come(job, share, chance)
        report = await client.split(
            task_id, plan.shares, attempt=plan.attempt, strategy=plan.strategy
        )
    except HeaptuiError as why:
        refused = why.what
    async with asyncio.timeout(_ENDS_WITHIN_S):
        (row,) = await client.settled([task_id])
    return Outcome(job.spec.name, row.state, counted(job), report, refused)


async def _all(runs: int) -> list[Outcome]:
    """So many that were asked to end while they ran, and those that had ended before they were."""
    outcomes: list[Outcome] = []
    numbers = itertools.count()
    wanted = runs

    async def lane(client: Client, root: Path) -> None:
        nonlocal wanted
        while wanted:
            wanted -= 1
            outcomes.append(await _one(client, root, next(numbers)))
            wanted += outcomes[-1].report is None

    with state_dir() as state:
        async with served(state) as (client, _):
            await asyncio.gather(*(lane(client, state.root / "jobs") for _ in range(AT_ONCE)))
    return outcomes


def _row(outcomes: list[Outcome], took_s: float) -> Row:
    split = [one for one in outcomes if one.report is not None]
    reports = [one.report for one in split if one.report is not None]
    divided = [one for one in reports if one.children]
    done = sorted(len(one.done) for one in divided) or [0]
    right = sum(one.right for one in split)
    figure = (
        f"{right} of {len(split)}: {sum(one.tally.twice for one in split)} of "
        f"{len(split) * FILES:,} files twice, {sum(one.tally.never for one in split)} never; "
        f"{len(divided)} were divided, with {done[0]} to {done[-1]} files done (half of them below "
        f"{median(done):.0f}), into {sum(len(one.children) for one in divided)} children; "
        f"{sum(not one.done for one in divided)} before their first file, "
        f"{len(reports) - len(divided)} had nothing left by their end; "
        f"{len(outcomes) - len(split)} more had ended, or one file left, before they were asked; "
        f"{took_s:.0f} s"
    )
    wrong = "".join(f"; {one.words}" for one in outcomes if not one.right)
    what = f"a {FILES}-file task split at a random moment of its run"
    return what, figure + wrong, "each file once, in all"


def run() -> list[Row]:
    """A minute or two."""
    runs = int(os.environ.get("HEAPTUI_BENCH_RUNS", RUNS))
    began = time.monotonic()
    outcomes = asyncio.run(_all(runs))
    return [_row(outcomes, time.monotonic() - began)]


if __name__ == "__main__":
    for row in run():
        print(*row, sep=" | ")
