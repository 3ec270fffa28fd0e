"""Whether the leak hunt finds a planted leak: an array in a closure in a module that grows by 1 MB
a second, beside 200 MB of a cache whose entries are replaced all the time."""

from __future__ import annotations

import asyncio
import os
import statistics
import sys
from pathlib import Path

import msgspec

from heaptui.client import Client
from heaptui.model import Finding, Kind, State
from tests.bench.harness import MIB, Row, served, spec, state_dir

AGENT = Path(__file__).with_name("leaking") / "agent.cjs"
HOLDER, FILE = "history", "memory.cjs"
RUNS = 10
AT_ONCE = 2
WAIT_S = 8.0
_READY_S = 60


async def _ready(client: Client, task_id: str) -> None:
    """The cache is full: its heap is above 200 MB and reported."""
    async with asyncio.timeout(_READY_S):
        while True:
            (row,) = await client.tasks(ids=[task_id])
            if row.state is State.RUNNING and (row.heap_used_bytes or 0) > 200 * MIB:
                return
            await asyncio.sleep(0.2)


async def _hunted(client: Client, number: int) -> Finding:
    task = spec("node", str(AGENT), name=f"leak-{number}", cap=4 << 30, kind=Kind.NODE)
    environment = {"PATH": os.environ["PATH"]}
    (task_id,) = await client.submit([task], environment)
    await _ready(client, task_id)
    finding = await client.hunt(task_id, seconds=WAIT_S, raise_cap=True)
    await client.stop([task_id], now=True)
    snapshots = await client.snapshots(task_id)
    await client.delete_snapshots([one.id for one in snapshots])
    print(f"  {number}: {finding.text}", file=sys.stderr)
    return finding


def named(finding: Finding) -> bool:
    """The holding variable and its file, and nothing else."""
    in_file = finding.file is not None and finding.file.endswith(FILE)
    return in_file and finding.holder is not None and HOLDER in finding.holder


async def _all() -> list[Finding]:
    with state_dir() as state:
        async with served(state) as (client, _):
            turns = asyncio.Semaphore(AT_ONCE)

            async def one(number: int) -> Finding:
                async with turns:
                    return await _hunted(client, number)

            return await asyncio.gather(*(one(number) for number in range(RUNS)))


def run() -> list[Row]:
    found = asyncio.run(_all())
    right = [finding for finding in found if named(finding)]
    pace = [sum(grower.bytes_per_min for grower in one.growers) / 60 / MIB for one in right]
    took = statistics.median(finding.seconds for finding in found)
    said = f", growing by {statistics.median(pace):.2f} MB/s" if pace else ""
    wrong = [msgspec.json.encode(one.text).decode()[:200] for one in found if one not in right]
    figure = f"{len(right)} of {RUNS}{said}; {took:.0f} s each, {WAIT_S:.0f} s of it waiting"
    return [
        (
            "leak hunt: holding variable and file named (1 MB/s beside 200 MB of cache)",
            "\n".join([figure, *wrong]),
            f"{RUNS} of {RUNS}",
        )
    ]
