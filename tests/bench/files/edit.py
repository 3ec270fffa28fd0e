"""One replacement in a log of a gigabyte, beside `cp` of the same file in the same run.

python -m tests.bench.files.edit    HEAPTUI_BENCH_BYTES: how large the log is (1.08e9),
                                    HEAPTUI_BENCH_RUNS: rounds (5)
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.bench.files.reading import BYTES, write_log
from tests.bench.harness import MIB, Row, median

RUNS = 5
PLACES = (0.5, 0.99)

_EDIT = """
import json, sys, time

def peak():
    return next(int(line.split()[1]) for line in open("/proc/self/status") if "VmHWM" in line)

bare = peak()
from pathlib import Path
from heaptui.tools.replacing.edit import edit
from heaptui.tools.workspace.root import Workspace

with Workspace.open(Path(sys.argv[1]), writable=True) as workspace:
    cpu, wall = time.process_time(), time.perf_counter()
    done = edit(workspace, "log", sys.argv[2], sys.argv[3])
    took = time.process_time() - cpu, time.perf_counter() - wall
assert done.replaced == 1 and done.verified, done
print(json.dumps({"cpu": took[0], "wall": took[1], "kib": peak() - bare}))
"""


def _marked(path: Path, place: float) -> tuple[str, str]:
    """Makes a text there that is nowhere else; what it is, and what comes instead of it."""
    with path.open("rb+") as file:
        file.seek(int(path.stat().st_size * place))
        file.readline()
        here = file.tell()
        line = file.readline()
        mark = b"2026-11-23 the only one of its kind"
        file.seek(here)
        file.write(mark + line[len(mark) :])
    return mark.decode(), "2026-11-23 another one, and a longer one, of its kind"


def _cp(path: Path) -> float:
    """CPU seconds of `cp`."""
    copy = path.with_name("copy")
    os.sync()
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(["cp", path, copy], check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    copy.unlink()
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def _edit(path: Path, old: str, new: str) -> dict[str, float]:
    os.sync()
    ran = subprocess.run(
        [sys.executable, "-c", _EDIT, path.parent, old, new],
        check=True,
        capture_output=True,
        timeout=300,
    )
    measured: dict[str, float] = json.loads(ran.stdout)
    return measured


def run() -> list[Row]:
    rounds = int(os.environ.get("HEAPTUI_BENCH_RUNS", RUNS))
    rows: list[Row] = []
    peaks = []
    with tempfile.TemporaryDirectory() as name:
        path = Path(name, "log")
        write_log(path, int(float(os.environ.get("HEAPTUI_BENCH_BYTES", BYTES))))
        for place in PLACES:
            old, new = _marked(path, place)
            copied, edits = [], []
            for _ in range(rounds):
                copied.append(_cp(path))
                edits.append(_edit(path, old, new))
                old, new = new, old
            _edit(path, old, "done")
            cpu, yardstick = median([each["cpu"] for each in edits]), median(copied)
            wall = median([each["wall"] for each in edits])
            peaks += [each["kib"] * 1024 for each in edits]
            figure = f"{cpu:.2f} CPU s ({wall:.1f} s), cp {yardstick:.2f}: {cpu / yardstick:.1f}x"
            rows.append((f"Edit of one place at {place:.0%} of 1 GB", figure, "3.5x"))
    return [*rows, ("peak over the bare interpreter", f"{max(peaks) / MIB:.1f} MiB", "25 MB")]


if __name__ == "__main__":
    for row in run():
        print(*row, sep=" | ")
