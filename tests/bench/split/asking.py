"""The preview of a large task, as an operator waits for it: the whole way to a supervisor and back.

python -m tests.bench.split.asking
"""

from __future__ import annotations

import asyncio
import random
import time
from pathlib import Path

from heaptui.client import Client
from heaptui.inputs import SplitPlan
from heaptui.splitting import listed
from heaptui.splitting.strategies import Wanted, divide
from tests.bench.harness import Row, median, served, state_dir
from tests.bench.split.jobs import By, Job, lay_out, processed, running, submitted

INPUTS = 10_000
BEGUN = 50
RUNS = 9


def _dividing_s(job: Job, root: Path, plan: SplitPlan) -> float:
    """The division alone, of items whose sizes are known."""
    found, _ = listed.measured(job.inputs.items, job.inputs.source, root)
    began = time.monotonic()
    divide(plan.strategy, found, job.inputs.source, Wanted(plan.budget_tokens), root)
    return time.monotonic() - began


async def _asked(client: Client, task_id: str) -> tuple[float, SplitPlan]:
    began = time.monotonic()
    plan = await client.plan_split(task_id)
    return time.monotonic() - began, plan


async def _both() -> tuple[list[float], list[float], SplitPlan]:
    with state_dir() as state:
        job = lay_out(state.root / "jobs", "large", By.PYTHON, random.Random(1), files=INPUTS)
        async with served(state) as (client, _):
            task_id = await submitted(client, job)
            await running(client, task_id)
            await processed(job, BEGUN)
            asked = [await _asked(client, task_id) for _ in range(RUNS)]
        plan = asked[-1][1]
        alone = [_dividing_s(job, Path(job.spec.cwd), plan) for _ in range(RUNS)]
    return [took for took, _ in asked], alone, plan


def run() -> list[Row]:
    """A few seconds."""
    asked, alone, plan = asyncio.run(_both())
    figure = (
        f"{1e3 * median(asked):.0f} ms, at most {1e3 * max(asked):.0f} (of {len(asked)}): "
        f"{len(plan.shares)} children of {plan.budget_tokens} tokens, {len(plan.done)} inputs "
        f"done; the division alone {1e3 * median(alone):.0f} ms"
    )
    return [(f"preview of {INPUTS:,} files of a task that runs", figure, "<= 500 ms")]


if __name__ == "__main__":
    for row in run():
        print(*row, sep=" | ")
