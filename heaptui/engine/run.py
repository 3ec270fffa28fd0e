"""One attempt on this host, from the warden's `started` to the end of its whole tree.

Order of a death: the leader ends by itself, or the cap or the operator ends the tree; what is left
of the tree is ended; only then is the attempt said to have exited.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import msgspec

from heaptui.engine import plan as plans
from heaptui.engine.done_file import DoneFile
from heaptui.engine.ending import ask, gone, kill
from heaptui.engine.holding import by_kernel, hold_cap
from heaptui.engine.plan import RunPlan, Writing
from heaptui.engine.warden_link import RunEnded
from heaptui.memory.cgroups import Group
from heaptui.memory.identity import alive, identify
from heaptui.memory.sampler import Sampler
from heaptui.model import Identity, Work

LEFTOVER_GRACE_S = 2.0
"""What outlives its leader is asked to end, and killed after this long."""

RETURNS_WITHIN_S = 5.0
"""Workers find another engine by then."""

_BEGINS_WITHIN_S = 2.0
"""An attempt that has not begun by then may hang before its command is executed."""

_LOOK_AGAIN_S = 0.025


@dataclass(slots=True, eq=False)
class Run:
    """An attempt this engine watches.

    `followed`: the sampler follows this attempt's tree. `begun`: its command was executed, or never
    will be. `wanted`: somebody wants it ended; `overdue`: asking is over, it is to be killed. `say`
    takes what belongs into its history: itself, a kind and the text. `capping` is held by whoever
    changes the cap, and `cap_decided` says that somebody did since this engine watches. `work` is
    the latest that its workers told. `draining`: it is to finish what it has in hand, until the
    loop's time `drain_until`, and stopped then, with `kill_s` seconds until it is killed.
    `keeping` is held by whoever puts a checkpoint or a result of it in its place. `listening` are
    the processes that hear of a drain by themselves, `came` is set when one of them has come;
    `adopted_at`: an engine before this one started it, and this one took it over at that loop's
    time. `done` are the items that are finished, None where it works through none that it names.
    """

    plan: RunPlan
    group: Group | None
    sampler: Sampler
    say: Callable[[Run, str, str], None]
    followed: bool = False
    identity: Identity | None = None
    stopped: bool = False
    asked: bool = False
    cap_decided: bool = False
    ended: RunEnded | None = None
    begun: asyncio.Event = field(default_factory=asyncio.Event)
    wanted: asyncio.Event = field(default_factory=asyncio.Event)
    overdue: asyncio.Event = field(default_factory=asyncio.Event)
    leader_gone: asyncio.Event = field(default_factory=asyncio.Event)
    capping: asyncio.Lock = field(default_factory=asyncio.Lock)
    work: Work | None = None
    draining: asyncio.Event = field(default_factory=asyncio.Event)
    drain_until: float = 0
    kill_s: float = 0
    keeping: asyncio.Lock = field(default_factory=asyncio.Lock)
    listening: set[Identity] = field(default_factory=set)
    came: asyncio.Event = field(default_factory=asyncio.Event)
    adopted_at: float | None = None
    done: DoneFile | None = field(init=False)
    _timer: asyncio.TimerHandle | None = None
    _drain_timer: asyncio.TimerHandle | None = None

    def __post_init__(self) -> None:
        self.done = DoneFile(self.plan.done) if self.plan.done else None

    @property
    def key(self) -> tuple[str, int]:
        return self.plan.task_id, self.plan.attempt

    @property
    def cap_hit(self) -> str | None:
        return self.plan.cap_hit

    def follow(self, identity: Identity) -> None:
        """Begins to measure the tree of this leader, living or not."""
        self.sampler.track(self.plan.task_id, self.plan.attempt, identity, self.group)
        self.followed = True

    def living(self) -> list[Identity]:
        """Everything that lives of the tree now, its leader first."""
        if self.followed:
            return self.sampler.members(self.plan.task_id)
        # an attempt before the one that the sampler follows: only its group tells its processes
        pids = self.group.pids() if self.group is not None else []
        return [identity for pid in pids if (identity := identify(pid)) is not None]

    def stop(self, grace_s: float) -> None:
        """TERM to the whole tree, then kill after `grace_s`; a later, shorter grace counts."""
        self.stopped = self.stopped or not self.leader_gone.is_set()
        self.wanted.set()
        self.hurry(grace_s)

    def drain(self, grace_s: float, kill_s: float) -> None:
        """Lets it finish what it has in hand; after `grace_s` it is stopped, and killed after
        `kill_s` more. Said again, what ends sooner counts."""
        self.stopped = self.stopped or not self.leader_gone.is_set()
        if self.wanted.is_set():
            return
        until = asyncio.get_running_loop().time() + max(0.0, grace_s)
        if self.draining.is_set():
            until, kill_s = min(until, self.drain_until), min(kill_s, self.kill_s)
        self.drain_until, self.kill_s = until, kill_s
        self._arm_drain()
        self.draining.set()

    def hurry(self, within_s: float) -> None:
        """Asking is over in `within_s` at the latest."""
        loop = asyncio.get_running_loop()
        at = loop.time() + within_s
        if within_s <= 0:
            self.overdue.set()
        elif self._timer is None or at < self._timer.when():
            self._disarm()
            self._timer = loop.call_at(at, self.overdue.set)

    def listens(self, identity: Identity) -> None:
        """This process hears of drains by itself."""
        self.listening.add(identity)
        self.came.set()
        known = self.plan.listeners or ()
        if identity not in known:
            listeners = (*filter(alive, known), identity)
            self.plan = msgspec.structs.replace(self.plan, listeners=listeners)
            if self.ended is None:
                self.note_plan()

    def ask(self) -> None:
        """TERM to the tree, once: a second one makes many programs drop what they have in hand."""
        if not self.asked:
            self.asked = True
            ask(one for one in self.living() if not self._was_asked(one))

    def ask_leader(self) -> None:
        """TERM to the leader alone, once."""
        if self.identity is not None and not self.plan.leader_asked and not self.asked:
            self.plan = msgspec.structs.replace(self.plan, leader_asked=True)
            self.note_plan()
            ask([self.identity])

    async def kill(self) -> None:
        left = await kill(self.living, self.group)
        if left:
            noun = "process" if len(left) == 1 else "processes"
            pids = ", ".join(str(identity.pid) for identity in left)
            self.say(self, "refused", f"{len(left)} {noun} may not be ended by this user: {pids}")

    def hit_its_cap(self, evidence: str) -> None:
        """Notes why it is about to be ended."""
        self.plan = msgspec.structs.replace(self.plan, cap_hit=evidence)
        self.note_plan()

    def writes(self, *writings: Writing) -> None:
        """These snapshots, and no others, are being written by its processes."""
        self.plan = msgspec.structs.replace(self.plan, writing=writings)
        if self.ended is None:
            self.note_plan()

    def note_plan(self) -> None:
        with suppress(OSError):  # a full disk: known as long as this engine lives
            plans.keep(self.plan)

    def let_go(self) -> None:
        """Gives back what it holds of this process; the tree is left alone."""
        self._disarm()
        if self.group is not None:
            self.group.close()

    def _was_asked(self, one: Identity) -> bool:
        return self.plan.leader_asked and one == self.identity

    def _arm_drain(self) -> None:
        if self._drain_timer is not None:
            self._drain_timer.cancel()
        loop = asyncio.get_running_loop()
        self._drain_timer = loop.call_at(self.drain_until, lambda: self.stop(self.kill_s))

    def _disarm(self) -> None:
        if self._drain_timer is not None:
            self._drain_timer.cancel()
            self._drain_timer = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


async def see_through(run: Run, *beside: Coroutine[Any, Any, None]) -> int:
    """Guards the cap, obeys stops and does what is to be done `beside` until the leader has ended,
    then ends what is left of its tree; how many processes it left behind."""
    async with asyncio.TaskGroup() as parts:
        work = (_obey(run), _drain(run), hold_cap(run), *beside)
        watching = [parts.create_task(one) for one in work]
        await run.leader_gone.wait()
        await _finished(run)
        for part in watching:
            part.cancel()
    if run.cap_hit is None and run.group is not None and run.group.killed_at_cap():
        run.hit_its_cap(by_kernel(run))
    return await _clear(run)


async def _obey(run: Run) -> None:
    """TERM once somebody wants it ended, SIGKILL once its grace is over."""
    await run.wanted.wait()
    await _within_reach(run)
    if not run.overdue.is_set():
        run.ask()
    await run.overdue.wait()
    await run.kill()


async def _drain(run: Run) -> None:
    """TERM to the leader alone, which may have children in the middle of an item; not where it
    hears of the drain by itself: not every program outlives a TERM."""
    await run.draining.wait()
    await _within_reach(run)
    if run.adopted_at is not None:
        with suppress(TimeoutError):
            async with asyncio.timeout_at(run.adopted_at + RETURNS_WITHIN_S):
                while not _returned(run):
                    run.came.clear()
                    await run.came.wait()
    if run.identity not in run.listening:
        run.ask_leader()


def _returned(run: Run) -> bool:
    """Whether everybody is back who heard of drains before this engine took it over."""
    expected = run.plan.listeners
    if expected is None:
        return run.identity in run.listening
    return all(one in run.listening or not alive(one) for one in expected)


async def _finished(run: Run) -> None:
    """In a drain, those that hear of it finish what they have in hand, though their leader, a
    shell perhaps, knew nothing better than to end."""
    if run.draining.is_set() and run.listening and run.followed:
        await _gone_or(run.wanted, [one for one in run.living() if one in run.listening])


async def _within_reach(run: Run) -> None:
    """Returns when its command was executed; or when it was not in good time, and the group knows
    the process that hangs before that."""
    patience = _BEGINS_WITHIN_S
    while not run.begun.is_set():
        with suppress(TimeoutError):
            async with asyncio.timeout(patience):
                await run.begun.wait()
        if run.living():
            return
        patience = _LOOK_AGAIN_S


async def _clear(run: Run) -> int:
    """What outlived the leader: it is asked, given a moment, then killed."""
    # where the kernel keeps the members, a glance at them spares the look at every process
    if run.group is not None and not run.group.pids():
        return 0
    left = run.living()
    if not left:
        return 0
    if run.cap_hit is None and not run.overdue.is_set():
        run.ask()
        if not run.stopped:
            run.hurry(LEFTOVER_GRACE_S)
        await _gone_or(run.overdue, left)
    await run.kill()
    return len(left)


async def _gone_or(event: asyncio.Event, left: list[Identity]) -> None:
    ways = {asyncio.ensure_future(gone(left)), asyncio.ensure_future(event.wait())}
    try:
        await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for way in ways:
            way.cancel()
        await asyncio.gather(*ways, return_exceptions=True)
