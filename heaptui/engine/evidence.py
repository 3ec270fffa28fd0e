"""What an attempt's death left to be seen, gathered when it has ended.

Who watches in time is the `Witness`: it keeps the last samples and the kernel's counter of kills,
which say nothing any more once the processes are gone. The rest is read when it is needed, off the
event loop: reports of runtimes, the end of the output, the kernel's log.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from msgspec import Struct

from heaptui.engine.base import Traces
from heaptui.engine.last_words import LastWords, last_words
from heaptui.engine.node_reports import Found, strip, take_in
from heaptui.engine.plan import data_limit
from heaptui.engine.run import Run
from heaptui.engine.warden_link import RunEnded
from heaptui.memory import kills
from heaptui.memory.kills import Kill
from heaptui.model import HostSample, TaskSample
from heaptui.paths import StateDir
from heaptui.units import size

FRESH_S = 10.0
"""A report this long before the end, or less, tells of the end; an older one of something that the
attempt outlived, and is only told in its history."""

STRIP_EVERY_S = 15.0
"""A report of a child that died holds what it gives away no longer than that."""

_SAMPLES = 6
_PIDS_MAX = 4096
_COUNTED_BEFORE_S = 1.5
"""A kill takes its time: the counter of a moment before the end may have it already."""

_SKEW_S = 5.0
_KILL_SIGNAL = 9
_SHELLS_KILL = 128 + _KILL_SIGNAL


class Seen(Struct, frozen=True):
    """One sample of an attempt, and the machine's MemAvailable with it."""

    at: float
    memory_bytes: int
    available_bytes: int | None


@dataclass(slots=True)
class _Watched:
    """`pids` are those of its tree, where only the kernel's log could name one of them; `counted`
    is the kernel's counter when it was first seen."""

    attempt: int
    since: float
    counted: int | None
    samples: deque[Seen] = field(default_factory=lambda: deque(maxlen=_SAMPLES))
    pids: set[int] = field(default_factory=set)


class Witness:
    """Watches every attempt of an engine while it lives."""

    def __init__(self, state: StateDir) -> None:
        self._state = state
        self._watched: dict[str, _Watched] = {}
        self._counts: deque[tuple[float, int]] = deque(maxlen=16)
        self._stripping: tuple[tuple[str, int], asyncio.Task[None]] | None = None

    async def keep_stripped(self, runs: Mapping[str, Run]) -> None:
        """What children of attempts that go on reported about their death, see node_reports.py."""
        while True:
            await asyncio.sleep(STRIP_EVERY_S)
            for run in list(runs.values()):
                if run.ended is None:
                    reports = self._state.reports(*run.key)
                    one = asyncio.create_task(asyncio.to_thread(strip, reports))
                    self._stripping = run.key, one
                    await one

    def sampled(
        self, now: float, host: HostSample | None, tasks: Iterable[TaskSample], runs: dict[str, Run]
    ) -> None:
        """Keeps what the sample at `now` (seconds since the epoch) says."""
        count = kills.count_now()
        if count is not None:
            self._counts.append((now, count))
        available = None if host is None else host.mem_available_bytes
        for sample in tasks:
            watched = self._watched.get(sample.task_id)
            if watched is None or watched.attempt != sample.attempt:
                watched = _Watched(sample.attempt, now, count)
                self._watched[sample.task_id] = watched
            watched.samples.append(Seen(now, sample.memory_bytes, available))
            run = runs.get(sample.task_id)
            if run is not None and not _counts_kills(run) and len(watched.pids) < _PIDS_MAX:
                watched.pids.update(one.pid for one in run.sampler.known(sample.task_id))

    async def traces(self, run: Run, ended: RunEnded) -> Traces:
        """What is left of an attempt that is over; its group is still there. Says in its history
        what is worth a line."""
        task_id, attempt = run.key
        watched = self._watched.get(task_id)
        if watched is not None and watched.attempt == attempt:
            del self._watched[task_id]
        else:
            watched = None
        samples = () if watched is None else tuple(watched.samples)
        seen, growth = before(samples, ended.at)
        group = run.group
        oom_kills = 0 if group is None else group.oom_kills()
        limit_reached = None if group is None else group.limit_reached()
        host = self._host(run, ended, watched, oom_kills, limit_reached)
        if self._stripping is not None and self._stripping[0] == run.key:
            await asyncio.wait([self._stripping[1]])
        found, words, host_oom, named = await asyncio.to_thread(
            _read, self._state.reports(task_id, attempt), Path(run.plan.output), ended, host
        )
        for one in found:
            run.say(run, "report", _told(one))
        return Traces(
            oom_kills=oom_kills,
            limit_reached=limit_reached,
            host_oom=host_oom,
            host_oom_named=named,
            words=words.words,
            last_line=words.last_line,
            reports=tuple(one.report for one in found if one.at >= ended.at - FRESH_S),
            data_limit_bytes=data_limit(run.plan, run.plan.cap_bytes),
            memory_bytes=None if seen is None else seen.memory_bytes,
            age_s=None if seen is None else max(0.0, ended.at - seen.at),
            growth_bytes_per_s=growth,
            available_bytes=None if seen is None else seen.available_bytes,
        )

    def _host(
        self,
        run: Run,
        ended: RunEnded,
        watched: _Watched | None,
        oom_kills: int,
        limit_reached: bool | None,
    ) -> _Asked | None:
        """What to ask the kernel's log for; None where the machine's memory is not the reason."""
        if run.cap_hit is not None or ended.error is not None:
            return None
        now = time.monotonic()
        began = ended.at if watched is None else watched.since
        since = now - max(0.0, time.time() - began) - _SKEW_S
        if _counts_kills(run):
            # its own counter is exact
            named = oom_kills > 0 and limit_reached is False
            return _Asked(since, frozenset(), _name_of(run), None) if named else None
        if ended.code == 0:
            return None
        count = kills.count_now()
        if count is None:
            return None
        first = None if watched is None else watched.counted
        if first is not None and count <= first:
            return None
        pids = frozenset((ended.pid or 0, *(watched.pids if watched else ())))
        rise = count - self._count_before(ended.at, count)
        return _Asked(since, pids, None, rise or None)

    def _count_before(self, at: float, now: int) -> int:
        """The counter just before this instant; as it is `now` when nobody looked then."""
        earlier = [count for seen, count in self._counts if seen <= at - _COUNTED_BEFORE_S]
        return earlier[-1] if earlier else now


class _Asked(Struct, frozen=True):
    """Kills since then of these processes, or in the memory group whose path ends so. `rise` is how
    many the kernel killed on this machine around the end, where nobody else would know of them."""

    since: float
    pids: frozenset[int]
    group: str | None
    rise: int | None


def before(samples: Sequence[Seen], at: float) -> tuple[Seen | None, float | None]:
    """The last sample of a life that ended at this instant, and the growth up to it in bytes per
    second."""
    # it may have died while this was read: then there was nothing left to see
    lived = [seen for seen in samples if seen.at <= at and seen.memory_bytes]
    if not lived:
        return None, None
    first, last = lived[0], lived[-1]
    if last.at <= first.at:
        return last, None
    return last, (last.memory_bytes - first.memory_bytes) / (last.at - first.at)


def host_word(logged: Sequence[Kill], pids: frozenset[int], group: str | None) -> str | None:
    """What the kernel's log says about one of these processes, or about this group when it was not
    for the group's own limit."""
    for kill in reversed(logged):
        if group is None:
            if kill.pid not in pids:
                continue
        elif not kill.group.endswith(group) or (kill.limited or "").endswith(group):
            continue
        whose = "the machine" if kill.limited is None else f"the group {kill.limited}"
        return f"the kernel's log: {whose} was out of memory, it killed {kill.pid}"
    return None


def _read(
    reports: Path, output: Path, ended: RunEnded, host: _Asked | None
) -> tuple[list[Found], LastWords, str | None, bool]:
    found = take_in(reports)
    words = LastWords() if ended.code == 0 or ended.error is not None else last_words(output)
    if host is None:
        return found, words, None, False
    said = host_word(kills.logged(host.since), host.pids, host.group)
    if said is not None:
        return found, words, said, True
    if host.rise is not None and _killed(ended):
        noun = "process" if host.rise == 1 else "processes"
        counted = f"the kernel killed {host.rise} {noun} for memory on this machine then"
        return found, words, counted, False
    return found, words, None, False


def _counts_kills(run: Run) -> bool:
    """Whether its group counts them, so that nothing else need be asked."""
    return run.group is not None and run.group.means is not None and not run.group.vanished


def _name_of(run: Run) -> str | None:
    """The end of its group's path, as no other group's ends."""
    if run.group is None or not run.group.join:
        return None
    return "/" + "/".join(Path(run.group.join[-1]).parent.parts[-2:])


def _killed(ended: RunEnded) -> bool:
    return ended.signal == _KILL_SIGNAL or ended.code == _SHELLS_KILL


def _told(one: Found) -> str:
    report = one.report
    heap = ""
    if report.heap_used_bytes is not None and report.heap_limit_bytes is not None:
        heap = f": heap {size(report.heap_used_bytes)} of {size(report.heap_limit_bytes)}"
    where = f"; {report.path}" if report.path else ""
    return f"Node {report.pid}: {report.trigger}, {report.message}{heap}{where}"
