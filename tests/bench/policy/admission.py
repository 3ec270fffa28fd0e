"""Bursts that are larger than the machine: a budget is kept, and without one the machine is.

The second drill fills this machine's memory up to the reserve; it asks for peaks of three times
what is available.
"""

from __future__ import annotations

import asyncio
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from heaptui.client import Client
from heaptui.model import Row as TaskRow
from heaptui.model import State, TaskSpec
from heaptui.units import GIB, size
from tests.bench.harness import MIB, Row, rss, served, spec, state_dir

BUDGET = 4 * GIB
TASKS = 40
TASK_BYTES = 500 * MIB
INTERPRETER = 12 * MIB
CAP_OVER_PEAK = 1.05
SHARES = 8
"""Of what is available: the size of one task of the second drill."""

TIMES = 3
LOOK_EVERY_S = 0.05
HOLD_S = 2.0
WITHIN_S = 180.0
PATH = {"PATH": "/usr/local/bin:/usr/bin:/bin"}
HOLDS = """
import sys, time
held = bytearray(int(sys.argv[1]))
held[::4096] = b"x" * len(held[::4096])
time.sleep(float(sys.argv[2]))
"""


def _vm(name: str) -> int:
    for line in Path("/proc/vmstat").read_text().splitlines():
        key, _, value = line.partition(" ")
        if key == name:
            return int(value)
    return 0


def _meminfo(name: str) -> int:
    for line in Path("/proc/meminfo").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) << 10
    return 0


@contextmanager
def _configured(text: str) -> Iterator[None]:
    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory) / "config.toml"
        file.write_text(text)
        before = os.environ.get("HEAPTUI_CONFIG")
        os.environ["HEAPTUI_CONFIG"] = str(file)
        try:
            yield
        finally:
            if before is None:
                del os.environ["HEAPTUI_CONFIG"]
            else:
                os.environ["HEAPTUI_CONFIG"] = before


@dataclass
class Seen:
    """What was seen while a burst was worked off; bytes, seconds."""

    highest: int = 0
    at_once: int = 0
    least_available: int = 1 << 62
    reasons: set[str] = field(default_factory=set)
    rows: list[TaskRow] = field(default_factory=list)
    took_s: float = 0

    @property
    def done(self) -> int:
        return sum(row.state is State.DONE for row in self.rows)

    @property
    def ooms(self) -> int:
        return sum(row.verdict is not None and row.verdict.out_of_memory for row in self.rows)

    def busy(self, room_bytes: int) -> float:
        """The shortest time in which this work fits into `room_bytes`, over the time it took."""
        work = sum(
            ((row.ended_at or 0) - (row.started_at or 0)) * (row.peak_bytes or 0)
            for row in self.rows
        )
        return work / room_bytes / self.took_s


def _holding(count: int, size_bytes: int, name: str) -> list[TaskSpec]:
    argv = ("python3", "-S", "-c", HOLDS, str(size_bytes - INTERPRETER), str(HOLD_S))
    cap = int(size_bytes * CAP_OVER_PEAK) if size_bytes > GIB else size_bytes + INTERPRETER
    return [spec(*argv, name=f"{name}/{n}", cap=cap) for n in range(1, count + 1)]


async def _through(client: Client, specs: list[TaskSpec]) -> Seen:
    """Submits all at once, and looks every 50 ms until all have ended."""
    seen = Seen()
    before = time.monotonic()
    ids = await client.submit(specs, PATH)
    while True:
        rows = await client.tasks(ids=ids)
        held = [rss(row.pid) for row in rows if row.pid and row.state.live]
        seen.highest = max(seen.highest, sum(held))
        seen.at_once = max(seen.at_once, sum(one > INTERPRETER for one in held))
        seen.least_available = min(seen.least_available, _meminfo("MemAvailable"))
        seen.reasons |= {row.wait_reason for row in rows if row.wait_reason}
        if all(row.state.ended for row in rows):
            break
        if time.monotonic() - before > WITHIN_S:
            raise TimeoutError(f"{sum(row.state.ended for row in rows)} of {len(rows)} ended")
        await asyncio.sleep(LOOK_EVERY_S)
    seen.rows, seen.took_s = rows, time.monotonic() - before
    return seen


async def budget() -> Row:
    with state_dir() as state, _configured('[admission]\nbudget = "4G"\n'):
        async with served(state) as (client, _):
            seen = await _through(client, _holding(TASKS, TASK_BYTES, "half"))
    figure = (
        f"at most {size(seen.highest)} and {seen.at_once} at once, {seen.done} of {TASKS} done in "
        f"{seen.took_s:.0f} s, {seen.busy(BUDGET):.0%} of the budget used all the time"
    )
    return f"budget of 4G, {TASKS} tasks of 500M at once", figure, "<= 4.00G, all done"


async def machine() -> Row:
    available, total = _meminfo("MemAvailable"), _meminfo("MemTotal")
    reserve = total // 10
    each, count = available // SHARES, SHARES * TIMES
    kills, swapped = _vm("oom_kill"), _vm("pswpout")
    with state_dir() as state, _configured(""):
        async with served(state) as (client, _):
            seen = await _through(client, _holding(count, each, "large"))
    figure = (
        f"{count} tasks of {size(each)} with {size(available)} available: at most "
        f"{size(seen.highest)} and {seen.at_once} at once, {seen.done} done in {seen.took_s:.0f} s,"
        f" {seen.busy(available - reserve):.0%} of what is free used all the time; available never "
        f"below {size(seen.least_available)} (reserve {size(reserve)}), swapped out "
        f"{_vm('pswpout') - swapped} pages, OOM kills {seen.ooms} of these tasks (the kernel's "
        f"counter, which has other groups' caps in it: +{_vm('oom_kill') - kills})"
    )
    bar = f"no swap, no host OOM, all done, {size(reserve / 2)} left"
    return f"no budget, peaks of {TIMES}x MemAvailable", figure, bar


def run() -> list[Row]:
    return [asyncio.run(budget()), asyncio.run(machine())]


if __name__ == "__main__":
    for row in run():
        print(*row, sep=" | ")
