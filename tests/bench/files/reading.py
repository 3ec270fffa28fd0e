"""Read at 99 % of a log of a gigabyte, beside `wc -l` of the same file in the same run.

python -m tests.bench.files.reading    HEAPTUI_BENCH_BYTES: how large the log is (1.08e9)
"""

from __future__ import annotations

import json
import os
import random
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.bench.harness import MIB, Row, median

BYTES = 1_080_000_000
RUNS = 3

_READ = """
import json, sys, time

def peak():
    return next(int(line.split()[1]) for line in open("/proc/self/status") if "VmHWM" in line)

bare = peak()
from pathlib import Path
from heaptui.tools.reading.index import Indexes
from heaptui.tools.reading.read import read
from heaptui.tools.workspace.root import Workspace

directory, line = Path(sys.argv[1]), int(sys.argv[2])
took = []
with Workspace.open(directory) as workspace:
    index = Indexes(directory / "index")
    for index in (index, index, Indexes(directory / "index")):
        cpu, wall = time.process_time(), time.perf_counter()
        answer = read(
            workspace, "log", offset=line, max_bytes=4 << 20, max_tokens=1 << 20, index=index
        )
        took.append((time.process_time() - cpu, time.perf_counter() - wall))
        assert answer.last - answer.first == 1999, answer
print(json.dumps({"took": took, "kib": peak() - bare}))
"""


def write_log(path: Path, size: int) -> int:
    """Lines of about 126 bytes, at least `size` bytes of them; returns how many."""
    chance = random.Random(1)
    block = "".join(
        f"2026-11-23T07:{chance.randrange(60):02}:{chance.randrange(60):02}."
        f"{chance.randrange(1000):03}Z level={chance.choice(['info', 'warn', 'debug'])} "
        f'worker={chance.randrange(99999):05} msg="request {chance.getrandbits(64):016x} '
        f'finished in {chance.randrange(9999)} ms" path=/api/v1/'
        f"{chance.choice(['users', 'tasks'])}/{chance.randrange(10**6)}\n"
        for _ in range(20_000)
    ).encode()
    blocks = -(-size // len(block))
    with path.open("wb") as file:
        for _ in range(blocks):
            file.write(block)
    return 20_000 * blocks


def _wc(path: Path) -> float:
    """CPU seconds of `wc -l`."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(["wc", "-l", path], check=True, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def _both(took: list[tuple[float, float]]) -> str:
    cpu, wall = (median(values) * 1e3 for values in zip(*took, strict=True))
    return f"{wall:.1f} ms ({cpu:.1f} of CPU)"


def run() -> list[Row]:
    first, peaks, counted = [], [], []
    second: list[tuple[float, float]] = []
    stored: list[tuple[float, float]] = []
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        lines = write_log(
            directory / "log", int(float(os.environ.get("HEAPTUI_BENCH_BYTES", BYTES)))
        )
        for _ in range(RUNS + 1):
            for each in (directory / "index").glob("*"):
                each.unlink()
            counted.append(_wc(directory / "log"))
            ran = subprocess.run(
                [sys.executable, "-c", _READ, directory, str(lines * 99 // 100)],
                check=True,
                capture_output=True,
                timeout=300,
            )
            measured = json.loads(ran.stdout)
            first.append(measured["took"][0][0])
            second.append(measured["took"][1])
            stored.append(measured["took"][2])
            peaks.append(measured["kib"] * 1024)
    # the first round warms the page cache
    cpu, yardstick = median(first[1:]), median(counted[1:])
    return [
        (
            "Read of 2,000 lines at 99 % of 1 GB, first",
            f"{cpu:.2f} CPU s, wc -l {yardstick:.2f}: {cpu / yardstick:.1f}x",
            "4x",
        ),
        (
            "the second, by the index in memory and on disk",
            f"{_both(second)}; {_both(stored)}",
            "10 ms",
        ),
        ("peak over the bare interpreter", f"{max(peaks) / MIB:.1f} MiB", "20 MB"),
    ]


if __name__ == "__main__":
    for row in run():
        print(*row, sep=" | ")
