"""Grep in a log of 1 GB, beside rg itself over the same file in the same run.

python -m tests.bench.files.grep
"""

from __future__ import annotations

import asyncio
import os
import random
import resource
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from heaptui.tools.answers import Found
from heaptui.tools.searching import searchers
from heaptui.tools.searching.grep import grep
from heaptui.tools.workspace.root import Workspace
from tests.bench.harness import Row, median

SIZE = 1 << 30
RUNS = 7
NEEDLES = 100
"""Lines that match: fewer than a page has, so that the whole file is searched."""

QUESTIONS = (
    ("a text", "needle in the hay", False),
    ("one of four", "needle in|segfault|out of memory|no route to host", False),
    ("in any case", "NEEDLE IN THE HAY", True),
)


class Took(NamedTuple):
    """Seconds: of the clock, and of CPU with all children."""

    clock: float
    cpu: float


@contextmanager
def log(directory: Path) -> Iterator[Path]:
    """About 7 million lines."""
    draw = random.Random(7)
    lines = [
        f"2026-03-{draw.randrange(1, 29):02} {draw.randrange(24):02}:{draw.randrange(60):02} INFO "
        f"worker-{draw.randrange(1000):04} request={draw.getrandbits(48):012x} status=200 "
        f"took={draw.randrange(900)}ms bytes={draw.randrange(100_000)} the answer was sent\n"
        for _ in range(80_000)
    ]
    block = "".join(lines).encode()
    path = directory / "log"
    with path.open("wb") as file:
        for number in range(SIZE // len(block) + 1):
            file.write(block)
            if number < NEEDLES:
                file.write(b"ERROR: a needle in the hay %d\n" % number)
    yield path
    path.unlink()


def _cpu() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def _rg(pattern: str, path: Path, *, ignore_case: bool) -> tuple[Took, int]:
    """As one would call it oneself; the lines that it printed."""
    argv = [*searchers.best().argv, "--no-config", "--line-number", *["-i"] * ignore_case]
    clock, cpu = time.monotonic(), _cpu()
    done = subprocess.run([*argv, "-e", pattern, "--", path], stdout=subprocess.PIPE, check=True)
    return Took(time.monotonic() - clock, _cpu() - cpu), done.stdout.count(b"\n")


async def _grep(
    workspace: Workspace, pattern: str, *, ignore_case: bool = False, mode: str = "content"
) -> tuple[Took, Found]:
    clock, cpu = time.monotonic(), _cpu()
    found = await grep(workspace, pattern, "log", ignore_case=ignore_case, mode=mode)
    return Took(time.monotonic() - clock, _cpu() - cpu), found


async def _asked(workspace: Workspace, path: Path) -> list[Row]:
    rows: list[Row] = []
    for what, pattern, ignore_case in QUESTIONS:
        ours, theirs = [], []
        for _ in range(RUNS):
            took, printed = _rg(pattern, path, ignore_case=ignore_case)
            theirs.append(took)
            took, found = await _grep(workspace, pattern, ignore_case=ignore_case)
            ours.append(took)
            if len(found.matches) != printed:
                raise AssertionError(f"{what}: {len(found.matches)} lines, rg printed {printed}")
        cpu, rg_cpu = median([one.cpu for one in ours]), median([one.cpu for one in theirs])
        clock, rg_clock = median([one.clock for one in ours]), median([one.clock for one in theirs])
        figure = (
            f"{cpu:.3f} s CPU, rg alone {rg_cpu:.3f}: {cpu / rg_cpu:.2f} x; "
            f"{clock:.3f} s by the clock, rg {rg_clock:.3f} ({RUNS} runs)"
        )
        rows.append((f"grep for {what}, 1 GB log", figure, "<= 1.5 x rg"))
    took, found = await _grep(workspace, ".")
    figure = f"{1e3 * took.clock:.0f} ms: {len(found.matches)} lines, stopped by {found.stopped}"
    rows.append(("grep for every line of it", figure, "a page, at once"))
    return rows


def run() -> list[Row]:
    """Half a minute, most of it to write the log."""
    with tempfile.TemporaryDirectory(prefix="heaptui-bench-") as name:
        directory = Path(name)
        with log(directory) as path, Workspace.open(directory) as workspace:
            os.sync()
            return asyncio.run(_asked(workspace, path))


if __name__ == "__main__":
    for row in run():
        print(*row, sep="\n  ")
