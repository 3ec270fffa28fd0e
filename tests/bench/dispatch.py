"""From a request on a connected socket to the exec of its command, over the bare spawn of it."""

from __future__ import annotations

import asyncio
import subprocess
import tempfile
import time
from pathlib import Path

from heaptui.client import Client
from tests.bench.harness import (
    HEAPTUI,
    Row,
    Screen,
    connected,
    end_everything,
    quantile,
    served,
    spec,
    state_dir,
)

TASKS = 200
CHANGING = 200
STAMP = ("date", "+%s.%N")
BREATHES = """
import random, sys, time
random.seed(int(sys.argv[1]))
while True:
    held = bytearray(random.randrange(256, 1024) << 10)
    time.sleep(1)
"""


def bare() -> list[float]:
    """Seconds from Popen to the command's own clock, the command's start included."""
    found = []
    for _ in range(TASKS):
        with tempfile.TemporaryFile() as output:
            before = time.time()
            subprocess.Popen(STAMP, stdout=output).wait()
            output.seek(0)
            found.append(float(output.read()) - before)
    return found


async def through(client: Client, state_root: Path) -> list[float]:
    """The same by request, one after another."""
    found = []
    for _ in range(TASKS):
        before = time.time()
        (task_id,) = await client.submit([spec(*STAMP)], {"PATH": "/usr/bin:/bin"})
        await client.settled([task_id])
        output = state_root / "tasks" / task_id / "1.log"
        found.append(float(output.read_text()) - before)
    return found


def _row(what: str, ours: list[float], yardstick: list[float]) -> Row:
    p50 = (quantile(ours, 0.5) - quantile(yardstick, 0.5)) * 1e3
    p99 = (quantile(ours, 0.99) - quantile(yardstick, 0.5)) * 1e3
    figure = (
        f"p50 +{p50:.1f} ms, p99 +{p99:.1f} ms over the bare spawn "
        f"(its p50 {quantile(yardstick, 0.5) * 1e3:.1f}, p99 {quantile(yardstick, 0.99) * 1e3:.1f})"
    )
    return what, figure, "p50 <= 5 ms, p99 <= 25 ms"


async def idle() -> Row:
    with state_dir() as state:
        async with served(state) as (client, _):
            await through(client, state.root)
            yardstick = bare()
            return _row("dispatch, idle", await through(client, state.root), yardstick)


async def painting() -> Row:
    """While the app, with the supervisor inside, repaints 200 changing rows."""
    with state_dir() as state:
        screen = Screen([*HEAPTUI, "--state", str(state.root)])
        try:
            screen.wait_for(b"heaptui")
            client = await connected(state)
            await client.dispatch(concurrency=10_000)
            breathing = [
                spec("python3", "-S", "-c", BREATHES, str(number), name=f"row-{number}")
                for number in range(CHANGING)
            ]
            await client.submit(breathing, {"PATH": "/usr/local/bin:/usr/bin:/bin"})
            deadline = time.monotonic() + 60
            while sum(row.memory_bytes is not None for row in await client.tasks()) < CHANGING:
                if time.monotonic() > deadline:
                    raise TimeoutError("the rows did not come to life")
                await asyncio.sleep(0.5)
            painted = screen.bytes
            yardstick = bare()
            ours = await through(client, state.root)
            what, figure, bar = _row(f"dispatch, app painting {CHANGING} rows", ours, yardstick)
            await client.close()
            await end_everything(state)
            return what, f"{figure}; {(screen.bytes - painted) >> 10} kB painted", bar
        finally:
            screen.end()


def run() -> list[Row]:
    return [asyncio.run(idle()), asyncio.run(painting())]


if __name__ == "__main__":
    for row in run():
        print(*row, sep=" | ")
