"""What the kernel killed for lack of memory, as it counts and as it logs it.

Formats: /proc/vmstat; /dev/kmsg as in Documentation/ABI/testing/dev-kmsg of the kernel, and in it
the record of oom_kill (mm/oom_kill.c, dump_oom_summary; since Linux 4.20)::

    6,33280,23979203681,-;oom-kill:constraint=CONSTRAINT_NONE,…,task_memcg=/a,task=python3,pid=1,uid=0
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

from msgspec import Struct

_COUNTER = re.compile(rb"^oom_kill (\d+)$", re.MULTILINE)
_RECORD = re.compile(
    rb"(?P<priority>\d+),\d+,(?P<us>\d+),[^;]*;oom-kill:constraint=(?P<constraint>\w+)"
    rb".*?(?:,oom_memcg=(?P<limited>/.*?))?(?:,global_oom)?,task_memcg=(?P<group>/.*?)"
    rb",task=.*,pid=(?P<pid>\d+),uid=\d+$"
)
_KERNEL = 0
"""The facility of what the kernel itself says: a program that writes into the log has another."""

_RECORD_BYTES = 8192
_RECORDS_MAX = 1 << 17
_INITIAL_PID_NAMESPACE = "pid:[4026531836]"
"""PROC_PID_INIT_INO of include/linux/proc_ns.h: only there are our pids those of the log."""


class Kill(Struct, frozen=True):
    """One process that the kernel killed. `at` in seconds since boot (monotonic clock), `group` its
    memory cgroup, `limited` the one whose limit was reached (None: the machine's memory)."""

    at: float
    pid: int
    group: str
    limited: str | None


def counted(vmstat: bytes) -> int | None:
    """How many processes the kernel has killed for memory since boot, for the machine's or for any
    group's; None before Linux 4.13."""
    match = _COUNTER.search(vmstat)
    return int(match[1]) if match else None


def parse_record(record: bytes) -> Kill | None:
    """A record of /dev/kmsg that says who was killed; None for any other."""
    match = _RECORD.match(record.split(b"\n", 1)[0])
    if match is None or int(match["priority"]) >> 3 != _KERNEL:
        return None
    limited = match["limited"] if match["constraint"] == b"CONSTRAINT_MEMCG" else None
    return Kill(
        at=int(match["us"]) / 1e6,
        pid=int(match["pid"]),
        group=os.fsdecode(match["group"]),
        limited=None if limited is None else os.fsdecode(limited),
    )


def logged(since: float) -> list[Kill]:
    """The kills in the kernel's log from `since` on (seconds since boot), oldest first; empty where
    the log may not be read, or speaks of other pids than ours (a container's). Takes some
    milliseconds."""
    try:
        if os.readlink("/proc/self/ns/pid") != _INITIAL_PID_NAMESPACE:  # noqa: PTH115
            return []
        log = os.open("/dev/kmsg", os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return []
    try:
        found = (parse_record(record) for record in _records(log))
        return [kill for kill in found if kill is not None and kill.at >= since]
    finally:
        os.close(log)


def _records(log: int) -> Iterator[bytes]:
    for _ in range(_RECORDS_MAX):
        try:
            yield os.read(log, _RECORD_BYTES)
        except BrokenPipeError:  # it was overwritten before it was read: the next one is
            continue
        except OSError:  # EAGAIN: that was the last
            return


def count_now() -> int | None:
    """`counted` of this machine; None where it does not count."""
    try:
        return counted(Path("/proc/vmstat").read_bytes())
    except OSError:
        return None
