"""What heaptui itself takes after much work, and with a thousand workers beside it."""

from __future__ import annotations

import asyncio
import statistics
import time

from heaptui.model import Limits, State, TaskSpec
from tests.bench.harness import (
    HEAPTUI,
    MIB,
    Row,
    Screen,
    connected,
    cpu_s,
    end_everything,
    rss,
    served,
    spec,
    state_dir,
)

BATCH = 500
WORKERS = 1000


async def after_tasks(total: int) -> Row:
    """`heaptui serve` and its warden after `total` real tasks."""
    with state_dir() as state:
        async with served(state, concurrency=16) as (client, pid):
            at_quarter = 0
            began = time.monotonic()
            for done in range(0, total, BATCH):
                specs = [spec("true", name=f"t/{number}") for number in range(BATCH)]
                ids = await client.submit(specs, {"PATH": "/usr/bin:/bin"})
                rows = await client.settled(ids)
                wrong = sum(row.state is not State.DONE for row in rows)
                if wrong:
                    raise AssertionError(f"{wrong} of {BATCH} did not finish")
                if done + BATCH == total // 4:
                    at_quarter = _both(pid, (await client.ping()).warden_pid)
            took = time.monotonic() - began
            await asyncio.sleep(3)
            at_end = _both(pid, (await client.ping()).warden_pid)
    return (
        f"serve and warden after {total:,} real tasks",
        f"RSS {at_end / MIB:.1f} MB; growth {(at_end - at_quarter) / MIB:+.2f} MB over the last "
        f"{total - total // 4:,} ({total / took:.0f} tasks a second)",
        "RSS <= 60 MB, growth <= 1 MB",
    )


def _both(pid: int, warden: int | None) -> int:
    return rss(pid) + rss(warden or 0)


async def beside_workers(seconds: float) -> Row:
    """The app with the supervisor inside, 1,000 live workers, 10 % of them changing."""
    with state_dir() as state:
        screen = Screen([*HEAPTUI, "--state", str(state.root)])
        try:
            screen.wait_for(b"heaptui")
            client = await connected(state)
            await client.dispatch(concurrency=10_000)
            await client.submit(_workers(), {"PATH": "/usr/local/bin:/usr/bin:/bin"})
            deadline = time.monotonic() + 120
            while sum(row.state is State.RUNNING for row in await client.tasks()) < WORKERS:
                if time.monotonic() > deadline:
                    raise TimeoutError("not all workers came to life")
                await asyncio.sleep(1)
            await client.close()
            await asyncio.sleep(20)
            base_cpu, base_bytes, began = cpu_s(screen.pid), screen.bytes, time.monotonic()
            sizes = []
            while time.monotonic() - began < seconds:
                await asyncio.sleep(min(5.0, seconds))
                sizes.append(rss(screen.pid))
            elapsed = time.monotonic() - began
            core = (cpu_s(screen.pid) - base_cpu) / elapsed * 100
            painted = (screen.bytes - base_bytes) / elapsed
            await end_everything(state)
        finally:
            screen.end()
    return (
        f"app and supervisor beside {WORKERS:,} workers, {elapsed / 60:.0f} min",
        f"RSS median {statistics.median(sizes) / MIB:.0f} MB, last {sizes[-1] / MIB:.0f} MB; "
        f"{core:.1f} % of a core in all (sampling, supervision and screen); "
        f"{painted:.0f} bytes a second painted",
        "RSS <= 100 MB; <= 2 KB a tick",
    )


_CHANGES = """
import time
while True:
    held = bytearray(2 << 20)
    time.sleep(1)
    del held
    time.sleep(1)
"""


def _workers() -> list[TaskSpec]:
    changing = [
        TaskSpec(
            name=f"agent-{number}",
            argv=("python3", "-S", "-c", _CHANGES),
            cwd="/",
            limits=Limits(cap_bytes=24 * MIB),
        )
        for number in range(WORKERS // 10)
    ]
    # together their caps fit into the machine: admission reckons with them
    still = [
        spec("sleep", "7200", name=f"idle-{n}", cap=8 * MIB) for n in range(WORKERS - len(changing))
    ]
    return [*changing, *still]


def run() -> list[Row]:
    """The short form: the same figures after 4,000 tasks and two minutes."""
    return [asyncio.run(after_tasks(4_000)), asyncio.run(beside_workers(120))]


def soak() -> list[Row]:
    """The bars' own lengths: 20,000 tasks, 30 minutes."""
    return [asyncio.run(after_tasks(20_000)), asyncio.run(beside_workers(1800))]


if __name__ == "__main__":
    for row in run():
        print(*row, sep=" | ")
