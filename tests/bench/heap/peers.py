"""Reading a heap snapshot, beside its peers: whole processes, from the file to the figures."""

from __future__ import annotations

import collections
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.bench.harness import MIB, Row, environment, median
from tests.bench.heap import install

_HERE = Path(__file__).parent
LARGE = 200 * MIB
COUNT = 100_000
"""Of each part of the program's heap; a snapshot of about 245M."""
SMALL_COUNT = 4_000
PROGRAMS = ("conversation", "classes", "closures", "buffers", "caches")
RUNS = 3
ONCE_ABOVE_S = 20.0
"""A peer that takes longer is not run again."""
HEAP = "--max-old-space-size=8192"


@dataclass(frozen=True, slots=True)
class Measured:
    """Of whole processes: seconds, and the most that one had resident."""

    seconds: float
    peak: int
    runs: int
    trouble: str = ""

    def shown(self) -> str:
        if self.trouble:
            return f"did not read it: {self.trouble}"
        once = "" if self.runs == RUNS else ", run once"
        return f"{self.seconds:.2f} s / {self.peak / MIB:,.0f} MB{once}"


def run() -> list[Row]:
    try:
        modules, nodes = install.peers(), install.nodes()
    except (install.NotInstalled, subprocess.TimeoutExpired) as error:
        return [("reading a heap snapshot, beside its peers", f"not measured: {error}", "")]
    with tempfile.TemporaryDirectory(prefix="heaptui-bench-") as place:
        return [*_speed(Path(place), modules, nodes), *_equality(Path(place), modules, nodes)]


def _speed(place: Path, modules: Path, nodes: dict[str, Path]) -> list[Row]:
    node = next(iter(nodes.values()))
    file = _large(place, node)
    python = [sys.executable, "-m"]
    subprocess.run([*python, "heaptui.heap.analysis.warm"], check=True)
    ours = _measured([*python, "tests.bench.heap.summary", str(file)])
    peers = {
        name: _measured([str(node), HEAP, str(_HERE / script), str(modules), str(file)])
        for name, script in (
            ("@vscode/v8-heap-parser", "vscode.cjs"),
            ("heap-snapshot-toolkit", "toolkit.mjs"),
            ("@memlab/heap-analysis", "memlab.cjs"),
        )
    }
    read = [one for one in peers.values() if not one.trouble]
    shown = "\n".join(
        [f"heaptui {ours.shown()}", *(f"{name} {one.shown()}" for name, one in peers.items())]
    )
    what = f"class summary with retained sizes, a snapshot of {file.stat().st_size / MIB:,.0f} MB"
    file.unlink()
    if ours.trouble or not read:
        return [(what, shown, ">= 3x as fast as the fastest, below the leanest")]
    faster = min(one.seconds for one in read) / ours.seconds
    leaner = ours.peak / min(one.peak for one in read)
    return [
        (
            f"{what}: seconds / peak memory",
            f"{shown}\n{faster:.1f}x as fast as the fastest, {leaner:.2f} of the leanest's memory",
            ">= 3x as fast as the fastest peer, less memory than the leanest",
        )
    ]


def _large(place: Path, node: Path) -> Path:
    """A snapshot of 200 MB or more."""
    file, count = place / "large.heapsnapshot", COUNT
    while True:
        _snapshot(node, "mixed", count, file)
        if file.stat().st_size >= LARGE:
            return file
        count = int(count * LARGE / file.stat().st_size * 1.1)
        file.unlink()


def _snapshot(node: Path, kind: str, count: int, file: Path) -> None:
    subprocess.run([node, HEAP, _HERE / "program.cjs", kind, str(count), file], check=True)


def _measured(argv: Sequence[str]) -> Measured:
    seconds: list[float] = []
    peaks: list[int] = []
    for _ in range(RUNS):
        began = time.perf_counter()
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as errors:
            pid = subprocess.Popen(argv, stdout=out, stderr=errors, env=environment()).pid
            _, status, usage = os.wait4(pid, 0)
            seconds.append(time.perf_counter() - began)
            out.seek(0)
            errors.seek(0)
            trouble = _trouble(status, out.read(), errors.read())
        if trouble:
            return Measured(0, 0, 0, trouble)
        peaks.append(usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024))
        if seconds[-1] > ONCE_ABOVE_S:
            break
    return Measured(median(seconds), int(median(peaks)), len(seconds))


def _trouble(status: int, out: bytes, errors: bytes) -> str:
    """Why there are no figures; empty: there are."""
    if status:
        said = errors.decode(errors="replace").strip().splitlines()
        return f"exit {os.waitstatus_to_exitcode(status)}: {said[-1] if said else 'nothing said'}"
    try:
        rows = json.loads(out.strip().rpartition(b"\n")[2])
    except ValueError:
        return "it printed no figures"
    return "" if rows else "it printed no figures"


def _equality(place: Path, modules: Path, nodes: dict[str, Path]) -> list[Row]:
    from tests.bench.heap.equality import differences

    found: collections.Counter[str] = collections.Counter()
    for name, node in nodes.items():
        for program in PROGRAMS:
            file = place / f"{program}-{name.split()[0]}.heapsnapshot"
            _snapshot(node, program, SMALL_COUNT, file)
            found.update(differences(next(iter(nodes.values())), modules, file))
    shown = ", ".join(f"{count} {what}" for what, count in found.items())
    return [
        (
            f"differences from DevTools' code, {len(PROGRAMS)} programs on each of "
            f"Node {', '.join(nodes)}",
            shown,
            "0, but for its splitting of Object",
        )
    ]
