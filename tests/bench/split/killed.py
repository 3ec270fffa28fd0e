"""The supervisor killed by kill -9 in the middle of a split; the warden brings the next one.

python -m tests.bench.split.killed    HEAPTUI_BENCH_RUNS: how many kills (20)
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
import sqlite3
import time
from collections import Counter
from dataclasses import dataclass
from enum import StrEnum

from heaptui.client import Client
from heaptui.errors import HeaptuiError
from heaptui.inputs import SplitReport
from heaptui.memory.identity import alive, identify
from heaptui.model import Identity, State
from heaptui.paths import StateDir
from tests.bench.harness import Row, connected, served, state_dir
from tests.bench.split.jobs import FILES, By, Tally, lay_out, processed, running, submitted
from tests.bench.split.jobs import tally as counted

RUNS = 20
INTO = (2, 8)
_ENDS_WITHIN_S = 120.0
_LOOK_EVERY_S = 0.0005


class Point(StrEnum):
    """After what in the split the supervisor is killed; _AFTER_S says how long after, at most."""

    ASKED = "asked"
    """The request was sent."""
    ENDED = "worker gone"
    """The worker's process has ended, and what is left is being looked up and given to children."""
    CHILDREN = "children"
    """They were told to be queued, and run."""


_AFTER_S = {Point.ASKED: 0.03, Point.ENDED: 0.006, Point.CHILDREN: 0.2}
"""Each child lives longer than that."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one task. `found` is its state as the killed supervisor had stored it, `said`
    what the operator was told, `back_s` how long it took until another supervisor answered."""

    name: str
    point: Point
    found: str
    state: State
    children: int
    tally: Tally
    back_s: float
    said: str

    @property
    def right(self) -> bool:
        return self.tally.right and self.state is State.DONE

    @property
    def words(self) -> str:
        """What is wrong with it."""
        return f"{self.name}, killed at {self.point} ({self.found}): {self.state}, {self.tally}"


async def _gone(identity: Identity | None) -> None:
    while identity is not None and alive(identity):
        await asyncio.sleep(_LOOK_EVERY_S)


async def _killed_at(
    client: Client, point: Point, worker: Identity | None, asked: asyncio.Task[SplitReport]
) -> None:
    """Returns when that point has come, or the split is over, whichever is first."""
    match point:
        case Point.ENDED:
            gone = asyncio.create_task(_gone(worker))
            await asyncio.wait((gone, asked), return_when=asyncio.FIRST_COMPLETED)
            gone.cancel()
        case Point.CHILDREN:
            await asyncio.wait((asked,))
        case Point.ASKED:
            pass


def _stored_state(state: StateDir, task_id: str) -> str:
    with sqlite3.connect(f"{state.database.as_uri()}?mode=ro", uri=True) as database:
        ((found,),) = database.execute("SELECT state FROM tasks WHERE id = ?", (task_id,))
    database.close()
    return str(found)


async def _one(client: Client, state: StateDir, number: int) -> Outcome:
    chance = random.Random(f"killed {number}")
    by = list(By)[number // len(Point) % len(By)]
    point = list(Point)[number % len(Point)]
    job = lay_out(state.root / "jobs", f"{by}-{number}", by, chance)
    task_id = await submitted(client, job)
    worker = identify((await running(client, task_id)).pid or 0)
    await processed(job, chance.randint(1, FILES * 3 // 4))
    plan = await client.plan_split(task_id, into=chance.randint(*INTO))
    supervisor = (await client.ping()).pid
    asked = asyncio.create_task(
        client.split(task_id, plan.shares, attempt=plan.attempt, strategy=plan.strategy)
    )
    await asyncio.sleep(0)
    await _killed_at(client, point, worker, asked)
    await asyncio.sleep(chance.uniform(0, _AFTER_S[point]))
    os.kill(supervisor, signal.SIGKILL)
    killed = time.monotonic()
    found = _stored_state(state, task_id)
    async with await connected(state) as another:
        back_s = time.monotonic() - killed
        try:
            said = (await asked).text
        except HeaptuiError as why:
            said = why.what
        async with asyncio.timeout(_ENDS_WITHIN_S):
            (row,) = await another.settled([task_id])
    return Outcome(job.spec.name, point, found, row.state, row.children, counted(job), back_s, said)


async def _alone(number: int) -> Outcome:
    """With a supervisor and a warden of its own: one whose supervisors die again and again waits
    longer each time before it brings up another."""
    with state_dir() as state:
        async with served(state) as (client, _):
            return await _one(client, state, number)


def _row(outcomes: list[Outcome], took_s: float) -> Row:
    right = sum(one.right for one in outcomes)
    found = ", ".join(f"{n} {what}" for what, n in Counter(o.found for o in outcomes).most_common())
    figure = (
        f"{right} of {len(outcomes)}: {sum(one.tally.twice for one in outcomes)} of "
        f"{len(outcomes) * FILES:,} files twice, {sum(one.tally.never for one in outcomes)} never; "
        f"on disk at the kill: {found}; another supervisor after at most "
        f"{max(one.back_s for one in outcomes):.1f} s; {took_s:.0f} s"
    )
    wrong = "".join(f"; {one.words}" for one in outcomes if not one.right)
    return (
        "the same, kill -9 of the supervisor in mid-split",
        figure + wrong,
        "each file once, in all",
    )


def run() -> list[Row]:
    """Two or three minutes."""
    runs = int(os.environ.get("HEAPTUI_BENCH_RUNS", RUNS))
    began = time.monotonic()
    outcomes = [asyncio.run(_alone(number)) for number in range(runs)]
    if os.environ.get("HEAPTUI_BENCH_TELLS"):
        for one in outcomes:
            print(one)
    return [_row(outcomes, time.monotonic() - began)]


if __name__ == "__main__":
    for row in run():
        print(*row, sep=" | ")
