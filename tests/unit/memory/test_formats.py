"""What the kernel's files say, from their text."""

from pathlib import Path

import pytest

from heaptui.memory.cgroup_files import parse_table
from heaptui.memory.cgroup_mounts import Hierarchy, parse_membership, parse_mountinfo
from heaptui.memory.host import Room, parse_meminfo, parse_pressure, within
from heaptui.memory.procfs import (
    PAGE,
    TICKS_PER_S,
    Shared,
    parse_anonymous,
    parse_smaps_rollup,
    parse_stat,
)

STAT = (
    b"4242 (a) b (c) %s 17 4242 4100 34816 4242 4194304 250 0 3 0 150 50 0 0 20 0 %d 0 987654"
    b" 9000000 321 18446744073709551615 1 1 0 0 0 0 0 4096 65536 0 0 0 %d 1 0 0 0 0 0 0 0 0 0 0 0\n"
)


def test_stat_of_a_command_with_brackets_and_spaces() -> None:
    stat = parse_stat(4242, STAT % (b"S", 1, 17))
    assert stat is not None
    assert (stat.ppid, stat.session, stat.start) == (17, 4100, 987654)
    assert stat.rss_bytes == 321 * PAGE
    assert stat.cpu_s == 200 / TICKS_PER_S


def test_whether_a_process_has_executed_anything_since_its_fork() -> None:
    executed = STAT % (b"S", 1, 17)
    forked = executed.replace(b" 4194304 ", b" 4194368 ")
    told = [parse_stat(4242, raw) for raw in (executed, forked)]
    assert [stat is not None and stat.executed for stat in told] == [True, False]


def test_anonymous_memory_counts_what_is_swapped_out() -> None:
    status = b"RssAnon:\t   1000 kB\nRssFile:\t  7 kB\nVmSwap:\t   24 kB\n"
    assert parse_anonymous(status) == 1024 << 10
    assert parse_anonymous(b"VmRSS:\t 10 kB\n") is None


@pytest.mark.parametrize(
    ("state", "threads", "exit_signal", "lives"),
    [
        (b"R", 1, 17, True),
        (b"D", 8, 17, True),
        (b"Z", 1, 17, False),
        (b"X", 1, 17, False),
        (b"Z", 3, 17, True),  # the leader ended, its threads go on
        (b"S", 8, -1, False),  # a thread, looked up by its own id
    ],
)
def test_what_counts_as_a_living_process(
    state: bytes, threads: int, exit_signal: int, lives: bool
) -> None:
    assert (parse_stat(4242, STAT % (state, threads, exit_signal)) is not None) is lives


def test_smaps_rollup() -> None:
    raw = (
        b"55d0-7ffe ---p 00000000 00:00 0    [rollup]\nRss:    1000 kB\nPss:   400 kB\n"
        b"Pss_Anon: 1 kB\nPrivate_Clean:  10 kB\nPrivate_Dirty:  90 kB\n"
    )
    assert parse_smaps_rollup(raw) == Shared(400 << 10, 100 << 10, 1000 << 10)
    assert parse_smaps_rollup(b"") is None


MOUNTS = """\
22 27 0:21 / /proc rw,nosuid shared:12 - proc proc rw
35 31 0:32 / /sys/fs/cgroup/memory rw,relatime shared:7 - cgroup cgroup rw,memory
36 31 0:33 / /sys/fs/cgroup/cpu rw,relatime - cgroup cgroup rw,cpu,cpuacct
41 31 0:38 /docker/ab\\040c /sys/fs/cgroup/uni\\040fied rw,relatime - cgroup2 cgroup2 rw
"""


def test_hybrid_mounts_are_told_apart() -> None:
    seen = parse_mountinfo(MOUNTS)
    assert seen.memory == Hierarchy(Path("/sys/fs/cgroup/memory"), "/", 1)
    assert seen.unified == Hierarchy(Path("/sys/fs/cgroup/uni fied"), "/docker/ab c", 2)


def test_a_group_within_what_is_mounted() -> None:
    hierarchy = Hierarchy(Path("/mnt"), "/docker/abc", 2)
    assert hierarchy.directory("/docker/abc") == Path("/mnt")
    assert hierarchy.directory("/docker/abc/x/y") == Path("/mnt/x/y")
    assert hierarchy.directory("/docker/other") is None


def test_membership_by_controller() -> None:
    groups = parse_membership("4:memory:/a/b:c\n3:cpu,cpuacct:/d\n0::/e/f (deleted)\n")
    assert groups == {"memory": "/a/b:c", "cpu": "/d", "cpuacct": "/d", "": "/e/f"}


def test_flat_keyed_files() -> None:
    assert parse_table(b"low 0\nhigh 12\noom_kill 3\nmax max\n") == {
        "low": 0,
        "high": 12,
        "oom_kill": 3,
    }


def test_meminfo_and_pressure() -> None:
    figures = parse_meminfo(b"MemTotal:       1000 kB\nHugePages_Total:       2\n\n")
    assert figures[b"MemTotal"] == 1000 << 10
    raw = b"some avg10=1.50 avg60=0.00 avg300=0.00 total=9\nfull avg10=0.25 avg60=0.00\n"
    assert parse_pressure(raw) == (1.5, 0.25)
    assert parse_pressure(b"") == (None, None)


def test_the_tightest_limit_counts() -> None:
    assert within(1000, 800, []) == (1000, 800)
    assert within(1000, 800, [Room(500, 100)]) == (500, 400)
    assert within(1000, 300, [Room(500, 100)]) == (500, 300)
    assert within(1000, 800, [Room(500, 100), Room(700, 690)]) == (500, 10)
    assert within(1000, 800, [Room(500, 900)]) == (500, 0)
    assert within(1000, 800, [Room(5000, 0)]) == (1000, 800)
