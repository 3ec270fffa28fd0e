"""What sampling a thousand processes costs, and how far a task gets beyond its cap.

Alone: python -m tests.bench.sampling
"""

from __future__ import annotations

import asyncio
import functools
import os
import select
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil

from heaptui.memory.cgroups import Group, Groups, probe
from heaptui.memory.descriptors import raise_fd_limit
from heaptui.memory.identity import identify, send
from heaptui.memory.sampler import Sampler
from heaptui.memory.watchdog import guard
from heaptui.model import Identity

WORKERS = 1000
PASSES = 15
MIB = 1 << 20
CAP = 300 * MIB

Row = tuple[str, str, str]

BURST = "import time; held = bytearray(1 << 30); time.sleep(60)"
GROWTH = """
import time
held, began = [], time.monotonic()
for step in range(2000):
    held.append(bytearray(1 << 20))
    time.sleep(max(0, began + (step + 1) / 50 - time.monotonic()))
"""
FOUR = """
import os, time
for _ in range(4):
    if os.fork() == 0:
        held = bytearray(250 << 20)
        time.sleep(60)
        os._exit(0)
time.sleep(60)
"""


def cpu_ms(action: Callable[[], object], passes: int = PASSES) -> tuple[float, float]:
    """Median and mean of the CPU time of one call, in milliseconds."""
    spent = []
    for _ in range(passes):
        began = time.process_time()
        action()
        spent.append((time.process_time() - began) * 1e3)
    return statistics.median(spent), statistics.fmean(spent)


def started(argv: list[str]) -> tuple[subprocess.Popen[bytes], Identity]:
    child = subprocess.Popen(argv, start_new_session=True)
    identity = identify(child.pid)
    assert identity is not None
    return child, identity


def ended(children: list[subprocess.Popen[bytes]]) -> None:
    for child in children:
        child.kill()
    for child in children:
        child.wait()


def costs() -> list[Row]:
    """CPU of one pass over a thousand workers, beside what a bare pass and psutil take."""
    raise_fd_limit()
    begun = [started(["sleep", "600"]) for _ in range(WORKERS)]
    children = [child for child, _ in begun]
    try:
        statm = [os.open(f"/proc/{child.pid}/statm", os.O_RDONLY) for child in children]
        bare, _ = cpu_ms(lambda: [int(os.pread(fd, 64, 0).split(None, 2)[1]) for fd in statm])
        for fd in statm:
            os.close(fd)
        asked = [psutil.Process(child.pid) for child in children]
        by_psutil, _ = cpu_ms(lambda: [process.memory_info().rss for process in asked])
        rows = [
            ("yardstick: 1,000 kept statm read", f"{bare:.1f} ms", ""),
            ("yardstick: 1,000 psutil memory_info", f"{by_psutil:.1f} ms", ""),
        ]
        sampler, before = Sampler(), psutil.Process().memory_info().rss
        for number, (_, identity) in enumerate(begun):
            sampler.track(f"t{number}", 1, identity, None)
        clock = iter(range(10_000))
        assert len(sampler.sample(float(next(clock)))) == WORKERS
        median, mean = cpu_ms(lambda: sampler.sample(float(next(clock))), 4 * PASSES)
        grown = psutil.Process().memory_info().rss - before
        looks, _ = cpu_ms(lambda: [sampler.quick(f"t{n}") for n in range(WORKERS)])
        everyone, _ = cpu_ms(lambda: sampler.members("t0"))
        rows += [
            ("sampler, 1,000 workers: a pass, mean", f"{mean:.1f} ms", "<= 30 ms"),
            ("sampler, 1,000 workers: a pass, median", f"{median:.1f} ms", ""),
            ("sampler, 1,000 workers: its memory", f"{grown / MIB:.1f} MB", ""),
            ("quick look at one task", f"{looks * 1e3 / WORKERS:.0f} us", "< 1000 us"),
            ("every member of one task", f"{everyone:.1f} ms", ""),
        ]
        sampler.close()
        return rows
    finally:
        ended(children)


def grouped_costs(groups: Groups) -> list[Row]:
    """The same pass where each worker has a memory cgroup."""
    if groups.means is None:
        return [("sampler, 1,000 workers in cgroups", "not measured: no memory cgroup", "")]
    made: list[Group] = []
    children: list[subprocess.Popen[bytes]] = []
    try:
        sampler = Sampler()
        for number in range(WORKERS):
            group = groups.create(f"b{number}", 1, 64 * MIB)
            assert group is not None
            made.append(group)
            child, identity = started(["sleep", "600"])
            children.append(child)
            for path in group.join:
                Path(path).write_text(str(child.pid))
            sampler.track(f"b{number}", 1, identity, group)
        clock = iter(range(10_000))
        sampler.sample(float(next(clock)))
        median, mean = cpu_ms(lambda: sampler.sample(float(next(clock))), 4 * PASSES)
        sampler.close()
        return [
            ("sampler, 1,000 workers in cgroups: a pass, mean", f"{mean:.1f} ms", "<= 30 ms"),
            ("sampler, 1,000 workers in cgroups: a pass, median", f"{median:.1f} ms", ""),
        ]
    finally:
        ended(children)
        for group in made:
            group.close()
            group.remove()


def overshoot(groups: Groups, what: str, program: str, *, capped: bool) -> tuple[int, int]:
    """Bytes above (or below) the cap at the worst moment, as the kernel counted them, and how
    many looks it took. `capped`: by the kernel, else by the watchdog alone."""
    group = groups.create(f"{what}-{'cap' if capped else 'watch'}", 1, CAP if capped else None)
    assert group is not None
    child = subprocess.Popen(
        ["sh", "-c", 'read go; exec "$@"', "sh", sys.executable, "-c", program],
        stdin=subprocess.PIPE,
        start_new_session=True,
    )
    looks = 0
    try:
        for path in group.join:
            Path(path).write_text(str(child.pid))
        identity = identify(child.pid)
        assert identity is not None
        assert child.stdin is not None
        if capped:
            hit = group.oom_fd()
            assert hit is not None
            child.stdin.write(b"go\n")
            child.stdin.flush()
            assert select.select([hit], [], [], 60)[0], "the kernel never met the cap"
            group.kill()
        else:
            sampler = Sampler()
            sampler.track(what, 1, identity, None)
            sampler.sample(time.monotonic())

            def look() -> int | None:
                nonlocal looks
                looks += 1
                return sampler.quick(what, CAP)

            async def end(_: int) -> None:
                for member in sampler.members(what):
                    send(member, signal.SIGKILL)

            child.stdin.write(b"go\n")
            child.stdin.flush()
            judge = functools.partial(sampler.judged, what)
            proof = functools.partial(sampler.certain, what)
            asyncio.run(asyncio.wait_for(guard(look, proof, judge, lambda: CAP, end), 60))
            sampler.close()
        return peak_of(group) - CAP, looks
    finally:
        group.kill()
        if child.stdin is not None and not child.stdin.closed:
            child.stdin.close()
        child.wait()
        deadline = time.monotonic() + 10
        while not group.remove() and time.monotonic() < deadline:
            os.sched_yield()
        group.close()


def peak_of(group: Group) -> int:
    """The most that was ever charged, page cache included, by the file that this kernel keeps."""
    homes = [Path(path).parent for path in group.join]
    names = ("memory.peak", "memory.max_usage_in_bytes")
    kept = [home / name for home in homes for name in names if (home / name).exists()]
    return int(kept[0].read_text())


def overshoots(groups: Groups) -> list[Row]:
    """How far three programs get beyond a cap of 300 MB."""
    if groups.means is None:
        return [("overshoot of a cap", "not measured: no memory cgroup to measure with", "")]
    rows = []
    for what, name, program in (
        ("burst", "1 GB at once", BURST),
        ("growth", "50 MB/s", GROWTH),
        ("four", "4 children of 250 MB", FOUR),
    ):
        beyond, _ = overshoot(groups, what, program, capped=True)
        rows.append((f"{name} at 300 MB, by cgroup", f"{beyond / MIB:+.0f} MB", "<= +20 MB"))
        figures = [overshoot(groups, what, program, capped=False) for _ in range(3)]
        beyond = max(figure for figure, _ in figures)
        looks = statistics.median(count for _, count in figures)
        bar = "" if what == "burst" else "<= +60 MB"
        rows.append(
            (
                f"{name} at 300 MB, by watchdog alone, worst of 3 ({looks:.0f} looks)",
                f"{beyond / MIB:+.0f} MB",
                bar,
            )
        )
    return rows


def run() -> list[Row]:
    groups = probe(f"bench-{os.getpid()}")
    try:
        return [*costs(), *grouped_costs(groups), *overshoots(groups)]
    finally:
        groups.sweep(set())
        groups.close()


if __name__ == "__main__":
    for what, figure, bar in run():
        print(f"{what:<70} {figure:>14}  {bar}")
