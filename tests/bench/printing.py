"""A child that prints 300 MB: what the supervisor grows by, and what is kept."""

from __future__ import annotations

import asyncio
import os

from heaptui.model import Limits, TaskSpec
from tests.bench.harness import MIB, Row, rss, served, state_dir

PRINTED = 300 * MIB
KEPT = 16 * MIB


async def _print() -> list[Row]:
    with state_dir() as state:
        async with served(state) as (client, pid):
            # the first task brings in what every task needs
            (warm,) = await client.submit([_printer(MIB)], {"PATH": "/usr/bin:/bin"})
            await client.settled([warm])
            warden = (await client.ping()).warden_pid or 0
            before, most = rss(pid) + rss(warden), 0
            (task_id,) = await client.submit([_printer(PRINTED)], {"PATH": "/usr/bin:/bin"})
            ended = asyncio.create_task(client.settled([task_id]))
            while not ended.done():
                most = max(most, rss(pid) + rss(warden))
                await asyncio.sleep(0.02)
            most = max(most, rss(pid) + rss(warden))
            output = os.stat(state.output(task_id, 1))
            size, held = output.st_size, output.st_blocks * 512
    grown = (most - before) / MIB
    return [
        (
            "a child printing 300 MB in one line",
            f"supervisor and warden grow {grown:.1f} MB; {size / MIB:.0f} MB written, "
            f"{held / MIB:.0f} MB kept on disk (limit {KEPT / MIB:.0f})",
            "<= 2 MB",
        )
    ]


def _printer(size: int) -> TaskSpec:
    return TaskSpec(
        name="printer",
        argv=("sh", "-c", f"head -c {size} /dev/zero | tr '\\0' x"),
        cwd="/",
        limits=Limits(cap_bytes=1 << 30, output_bytes=KEPT),
    )


def run() -> list[Row]:
    return asyncio.run(_print())


if __name__ == "__main__":
    for row in run():
        print(*row, sep=" | ")
