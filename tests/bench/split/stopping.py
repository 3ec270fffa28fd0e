"""What a split adds to the stop of a worker: beside a drain of the same worker.

python -m tests.bench.split.stopping    HEAPTUI_BENCH_RUNS: how many of each (20)
"""

from __future__ import annotations

import asyncio
import os
import random
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import NamedTuple

from heaptui.client import Client
from tests.bench.harness import Row, median, served, state_dir
from tests.bench.split.jobs import FILES, By, lay_out, processed, running, submitted

RUNS = 20
BEGUN = 20
"""Files that are done when it is asked to end."""

INTO = 4


class Took(NamedTuple):
    """Seconds from the request: until the worker's process was gone, and until the answer."""

    exit_s: float
    answer_s: float


async def _measured(pid: int, ask: Callable[[], Awaitable[object]]) -> Took:
    loop = asyncio.get_running_loop()
    handle = os.pidfd_open(pid)
    gone: asyncio.Future[float] = loop.create_future()

    def ended() -> None:
        loop.remove_reader(handle)
        gone.set_result(time.monotonic())

    loop.add_reader(handle, ended)
    try:
        began = time.monotonic()
        await ask()
        answered = time.monotonic()
        return Took(await gone - began, answered - began)
    finally:
        loop.remove_reader(handle)
        os.close(handle)


async def _one(client: Client, root: Path, name: str, *, split: bool) -> Took:
    """Answered: by `split` when its children are queued, else when its end is stored."""
    job = lay_out(root, name, By.SHELL, random.Random(name))
    task_id = await submitted(client, job)
    pid = (await running(client, task_id)).pid
    assert pid is not None
    await processed(job, BEGUN)

    async def drain() -> None:
        await client.stop([task_id], drain=True)
        await client.settled([task_id])

    if not split:
        return await _measured(pid, drain)
    plan = await client.plan_split(task_id, into=INTO)
    took = await _measured(
        pid,
        lambda: client.split(task_id, plan.shares, attempt=plan.attempt, strategy=plan.strategy),
    )
    await client.stop([task_id], now=True)
    await client.settled([task_id])
    return took


async def _both(runs: int) -> tuple[list[Took], list[Took]]:
    splits: list[Took] = []
    drains: list[Took] = []
    with state_dir() as state:
        async with served(state) as (client, _):
            for number in range(runs):
                root = state.root / "jobs"
                drains.append(await _one(client, root, f"drain-{number}", split=False))
                splits.append(await _one(client, root, f"split-{number}", split=True))
    return splits, drains


def _words(found: list[Took]) -> str:
    exit_ms, answer_ms = (1e3 * median([one[n] for one in found]) for n in range(2))
    return f"worker gone after {exit_ms:.0f} ms, answered after {answer_ms:.0f} ms"


def run() -> list[Row]:
    """About half a minute."""
    splits, drains = asyncio.run(_both(int(os.environ.get("HEAPTUI_BENCH_RUNS", RUNS))))
    more = median([one.answer_s for one in splits]) - median([one.answer_s for one in drains])
    figure = (
        f"{1e3 * more:+.0f} ms: {_words(splits)}; `stop --drain` of the same: {_words(drains)} "
        f"(medians of {len(splits)})"
    )
    what = f"split of a worker with {FILES - BEGUN} files left into {INTO}, children queued"
    return [(what, figure, "<= +50 ms beside a drain")]


if __name__ == "__main__":
    for row in run():
        print(*row, sep=" | ")
