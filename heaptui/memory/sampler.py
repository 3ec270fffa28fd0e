"""Memory and CPU of every task's tree, from outside, once a second.

Each tick reads `stat` of every member through a kept descriptor and looks at the processes born
since the last tick; every few seconds all processes are looked at. What is costly goes round in
turns: PSS (walks page tables) and `memory.stat` of cgroups (flushes the kernel's counters).
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import islice

from heaptui.memory.certain import certain
from heaptui.memory.group import Group
from heaptui.memory.procfs import Shared
from heaptui.memory.table import Probe, Table, this_machine
from heaptui.memory.tree import Forest, Member, Tree
from heaptui.model import Identity, ProcessSample, TaskSample

SURVEY_EVERY_S = 4.0
IN_TURN = 20
"""How many processes have PSS, and how many groups `memory.stat`, read in one tick by turns."""

_PSS_COST_SHARE = 0.01
_ON_LOOP_S = 0.005
"""How long a sample may hold up the event loop with reading PSS."""

_NEWCOMERS_S = 0.25
_COSTLY_S = 0.02
_JUDGING_S = 1.0
"""How long processes are read off the event loop: before a sample, for the first time and again;
and for a judgement."""

_DRIFT_BYTES = 8 << 20
"""How far a group's usage and its processes' RSS may part before its page cache is read again."""


@dataclass(slots=True, eq=False)
class _Cache:
    """What a group's usage held of page cache, and the usage beyond RSS when that was read."""

    group: Group
    inactive: int = 0
    beyond_rss: int | None = None


class Sampler:
    """Follows trees of processes. Not for several threads at once.

    `now` is in seconds of any clock that does not jump; CPU shares are taken over it.
    """

    def __init__(self, table: Table | None = None) -> None:
        self._table = this_machine() if table is None else table
        self._forest = Forest(self._table)
        self._caches: dict[str, _Cache] = {}
        self._pss_turns: deque[Member] = deque()
        self._group_turns: deque[str] = deque()
        self._last: float | None = None
        self._surveyed = float("-inf")

    def track(self, task_id: str, attempt: int, identity: Identity, group: Group | None) -> None:
        """Begins to follow an attempt; the group stays the caller's to close."""
        self.forget(task_id)
        self._forest.plant(task_id, attempt, identity)
        if group is not None:
            self._caches[task_id] = _Cache(group)
            self._group_turns.append(task_id)

    def forget(self, task_id: str) -> None:
        """Lets go of a task; unknown: nothing happens."""
        self._forest.fell(task_id)
        if self._caches.pop(task_id, None) is not None:
            self._group_turns.remove(task_id)

    def close(self) -> None:
        self._forest.close()
        self._caches.clear()

    async def read_ahead(self) -> None:
        """Reads, off the event loop, PSS that would hold up `sample`: of processes that are new,
        and of those that take long."""
        for tree in self._forest.trees():
            self._forest.refresh(tree)
        self._forest.discover()
        self._take_arrivals()
        turns = [member for member in self._pss_turns if not member.gone]
        await self._walk([one for one in turns if one.shared_cost_s is None], _NEWCOMERS_S)
        now = time.monotonic()
        await self._walk([one for one in turns if _costly(one, now)], _COSTLY_S)

    def sample(self, now: float) -> list[TaskSample]:
        """One reading of every task that has a living process."""
        forest = self._forest
        for tree in forest.trees():
            forest.refresh(tree)
        self._look_round(now)
        self._take_pss()
        turn = set(islice(self._group_turns, IN_TURN))
        self._group_turns.rotate(-IN_TURN)
        elapsed = None if self._last is None else now - self._last
        self._last = now
        return [
            self._sampled(tree, elapsed, in_turn=tree.task_id in turn)
            for tree in list(forest.trees())
            if tree.members
        ]

    def processes(self, task_id: str) -> list[ProcessSample]:
        """The tree as it is now, parents before their children; empty for an unknown task."""
        tree = self._gathered(task_id, self._forest.discover)
        if tree is None:
            return []
        return [self._process(member, depth) for member, depth in _in_order(tree)]

    def members(self, task_id: str) -> list[Identity]:
        """Everything that lives of the tree, leader first, after looking at every process there
        is: for ending it. Includes what left its session or was forked twice."""
        tree = self._gathered(task_id, self._forest.survey)
        if tree is None:
            return []
        stats = sorted(
            (member.stat for member in tree.members.values()),
            key=lambda stat: (stat.pid != tree.leader.pid, stat.start),
        )
        return [Identity(tree.leader.boot_id, stat.pid, stat.start) for stat in stats]

    def known(self, task_id: str) -> list[Identity]:
        """Who lived of the tree at the last look; without a new one."""
        tree = self._forest.get(task_id)
        if tree is None:
            return []
        boot = tree.leader.boot_id
        return [Identity(boot, pid, one.stat.start) for pid, one in tree.members.items()]

    def holds(self, task_id: str, identity: Identity) -> bool:
        """Whether the last look found it in the tree, alive."""
        tree = self._forest.get(task_id)
        member = None if tree is None else tree.members.get(identity.pid)
        return member is not None and member.stat.start == identity.start

    def belongs(self, task_id: str, identity: Identity) -> bool:
        """Whether it is in the tree, after a look at the newly born."""
        return self.holds(task_id, identity) or (
            self._gathered(task_id, self._forest.discover) is not None
            and self.holds(task_id, identity)
        )

    def quick(self, task_id: str, cap_bytes: int | None = None) -> int | None:
        """The figure that is judged against the cap, right now; None for an unknown task, 0 when
        nothing of it lives.

        With `cap_bytes` it is only as exact as is cheap: a figure beyond the cap may count shared
        pages again, and is for `judged` to settle.
        """
        cache = self._caches.get(task_id)
        if cache is not None and (charged := cache.group.charged()) is not None:
            if cap_bytes is not None and charged - cache.inactive > cap_bytes:
                cache.inactive = cache.group.inactive_file()
            return max(0, charged - cache.inactive)
        tree = self._gathered(task_id, self._forest.discover)
        if tree is None:
            return None
        rss = _rss(tree)
        if cap_bytes is None:
            return _from_processes(tree, rss)[0]
        if rss <= cap_bytes or len(tree.members) < 2:
            return rss
        now = time.monotonic()
        # pages that it shared when it was read may have become its own since, at the same RSS
        if any(member.shared_after <= now for member in tree.members.values()):
            return rss
        return min(rss, sum(map(_worth, tree.members.values())))

    def certain(self, task_id: str) -> int:
        """What it holds beyond doubt, right now: never more than `judged` would say, and cheap."""
        tree = self._gathered(task_id, self._forest.discover)
        return 0 if tree is None else certain(tree)

    async def judged(self, task_id: str) -> int | None:
        """The figure that is judged against the cap, with every process of a tree read afresh, off
        the event loop; None for an unknown task.

        What ended during the look counts no more. So nothing that is shared counts twice: whoever
        is counted shared with all others who are, whenever it was read.
        """
        tree = self._gathered(task_id, self._forest.discover)
        if tree is None:
            return None
        cache = self._caches.get(task_id)
        if len(tree.members) < 2 or (cache is not None and cache.group.charged() is not None):
            return self.quick(task_id)
        await self._walk(list(tree.members.values()), _JUDGING_S)
        self._forest.refresh(tree)
        if self._forest.get(task_id) is not tree:
            return None
        return _from_processes(tree, _rss(tree))[0]

    def _gathered(self, task_id: str, look: Callable[[], None]) -> Tree | None:
        tree = self._forest.get(task_id)
        if tree is None:
            return None
        self._forest.refresh(tree)
        look()
        cache = self._caches.get(task_id)
        if cache is not None:
            self._forest.admit(tree, cache.group.pids())
        return tree

    def _look_round(self, now: float) -> None:
        if now - self._surveyed >= SURVEY_EVERY_S:
            self._surveyed = now
            self._forest.survey()
        else:
            self._forest.discover()

    def _take_arrivals(self) -> None:
        # newcomers first: a child just forked shares nearly everything that its RSS counts again
        self._pss_turns.extendleft(reversed(self._forest.arrivals))
        self._forest.arrivals.clear()

    def _take_pss(self) -> None:
        self._take_arrivals()
        now = time.monotonic()
        taken, turns = 0, len(self._pss_turns)
        while taken < IN_TURN and turns and time.monotonic() < now + _ON_LOOP_S:
            turns -= 1
            member = self._pss_turns.popleft()
            if member.gone:
                continue
            if member.shared_after <= now and (member.shared_cost_s or 0.0) < _ON_LOOP_S:
                _note(member, *_timed(member.probe))
                taken += 1
            self._pss_turns.append(member)

    async def _walk(self, members: list[Member], within_s: float) -> None:
        """Reads those for whom there is time, at least one; who was not read for longest first."""
        members.sort(key=lambda member: member.shared_after)
        if not members:
            return
        probes = [member.probe for member in members]
        readings = await asyncio.to_thread(_read_within, probes, within_s)
        for member, (shared, cost_s) in zip(members, readings, strict=False):
            if not member.gone:
                _note(member, shared, cost_s)

    def _sampled(self, tree: Tree, elapsed: float | None, *, in_turn: bool) -> TaskSample:
        rss = _rss(tree)
        memory, source = self._from_group(tree, rss, in_turn=in_turn) or _from_processes(tree, rss)
        shares = [member.shared for member in tree.members.values()]
        known = [share for share in shares if share is not None]
        complete = len(known) == len(shares)
        pss = [share.pss_bytes for share in known if share.pss_bytes is not None]
        return TaskSample(
            task_id=tree.task_id,
            attempt=tree.attempt,
            memory_bytes=memory,
            memory_from=source,
            rss_bytes=rss,
            processes=len(shares),
            pss_bytes=sum(pss) if len(pss) == len(shares) else None,
            uss_bytes=sum(share.uss_bytes for share in known) if complete else None,
            cpu_percent=_cpu_percent(tree, elapsed),
        )

    def _from_group(self, tree: Tree, rss: int, *, in_turn: bool) -> tuple[int, str] | None:
        cache = self._caches.get(tree.task_id)
        if cache is None:
            return None
        if in_turn:
            self._forest.admit(tree, cache.group.pids())
        charged = cache.group.charged()
        if charged is None:
            return None
        beyond = charged - rss
        # page cache that came or went shows as usage moving apart from the processes' own memory
        drifted = cache.beyond_rss is None or abs(beyond - cache.beyond_rss) > _DRIFT_BYTES
        if in_turn or drifted:
            cache.inactive = cache.group.inactive_file()
            cache.beyond_rss = beyond
        return max(0, charged - cache.inactive), "cgroup"

    def _process(self, member: Member, depth: int) -> ProcessSample:
        stat = member.stat
        return ProcessSample(
            pid=stat.pid,
            ppid=stat.ppid,
            depth=depth,
            command=self._table.command(stat.pid),
            rss_bytes=stat.rss_bytes,
            cpu_percent=member.cpu_percent,
        )


def _rss(tree: Tree) -> int:
    return sum(member.stat.rss_bytes for member in tree.members.values())


def _from_processes(tree: Tree, rss: int) -> tuple[int, str]:
    """What a tree uses, and by which figure. Never the sum of RSS where PSS is known of some."""
    members = tree.members.values()
    known = [one for one in members if one.shared is not None and one.shared.pss_bytes is not None]
    unread = any(member.shared_cost_s is None for member in members)
    if len(members) < 2 or not (known or unread):
        return rss, "rss"
    total = sum(map(_worth, members))
    if unread:  # the whole tree uses no less than its largest process
        total = max(total, *(member.stat.rss_bytes for member in members))
    return total, "pss" if known else "rss"


def _worth(member: Member) -> int:
    """Its share of the tree's memory: PSS, and what it grew since that was read taken as its own.
    Nothing before it is read, for it may all be shared; where PSS cannot be known, RSS."""
    rss = member.stat.rss_bytes
    if member.shared_cost_s is None:
        return 0
    if member.shared is None or member.shared.pss_bytes is None:
        return rss
    return max(0, member.shared.pss_bytes + rss - member.shared.rss_bytes)


def _costly(member: Member, now: float) -> bool:
    cost = member.shared_cost_s
    return member.shared_after <= now and cost is not None and cost >= _ON_LOOP_S


def _read_within(probes: list[Probe], within_s: float) -> list[tuple[Shared | None, float]]:
    readings: list[tuple[Shared | None, float]] = []
    until = time.monotonic() + within_s
    for probe in probes:
        readings.append(_timed(probe))
        if time.monotonic() > until:
            break
    return readings


def _timed(probe: Probe) -> tuple[Shared | None, float]:
    """What it shares, and how many seconds it took to learn it."""
    began = time.perf_counter()
    shared = probe.shared()
    return shared, time.perf_counter() - began


def _note(member: Member, shared: Shared | None, cost_s: float) -> None:
    member.shared = shared
    member.shared_cost_s = cost_s
    # a process of many gigabytes takes long to walk, and is locked meanwhile: at most 1 % of a core
    member.shared_after = time.monotonic() + cost_s / _PSS_COST_SHARE


def _cpu_percent(tree: Tree, elapsed: float | None) -> float | None:
    """Percent of one core over the tree since the last sample; None at its first."""
    total, known = 0.0, False
    for member in tree.members.values():
        used, base = member.stat.cpu_s, member.cpu_base_s
        member.cpu_base_s = used
        if elapsed is None or elapsed <= 0:
            continue
        # one born since then used all of it since then; one found late cannot spike
        spent = min(used, elapsed) if base is None else used - base
        known = known or base is not None
        member.cpu_percent = None if base is None else 100 * spent / elapsed
        total += spent
    return 100 * total / elapsed if known and elapsed else None


def _in_order(tree: Tree) -> Iterable[tuple[Member, int]]:
    """Members with their depth, parents first; what lost its parent stands below the leader."""
    children: dict[int, list[Member]] = {}
    for member in tree.members.values():
        stat = member.stat
        if stat.pid == tree.leader.pid:
            children.setdefault(0, []).insert(0, member)
            continue
        parent = stat.ppid if stat.ppid in tree.members else 0
        children.setdefault(parent, []).append(member)
    leading = tree.leader.pid in tree.members
    stack: list[tuple[Member, int]] = [
        (member, 0 if member.stat.pid == tree.leader.pid or not leading else 1)
        for member in reversed(children.get(0, ()))
    ]
    while stack:
        member, depth = stack.pop()
        yield member, depth
        stack += [(child, depth + 1) for child in reversed(children.get(member.stat.pid, ()))]
