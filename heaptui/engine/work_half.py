"""The half of the hub that saves work: what workers do, keep, and are asked to keep.

One that says hello for it may checkpoint, hand in a result, and be asked for either (wire.py).
What it hands in is put in its place by one after the other, in the order in which it came; while
something of a worker is in hand, nothing more is read from it.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

from msgspec.structs import replace

from heaptui.engine import keeping
from heaptui.engine.keeping import Stood
from heaptui.engine.long_lines import LongLines
from heaptui.engine.run import Run
from heaptui.engine.work import (
    COMMANDS,
    Standing,
    begun,
    checkpointed,
    filled,
    looked_up,
    progressed,
    resulted,
    standing,
)
from heaptui.engine.work_items import Items
from heaptui.engine.work_link import Answer, HandedIn, Link, Sayings
from heaptui.engine.worker_connection import WorkerConnection
from heaptui.engine.worker_figures import clean
from heaptui.engine.worker_peer import Peer
from heaptui.errors import Refused
from heaptui.memory.identity import alive
from heaptui.model import Work
from heaptui.units import size
from heaptui.wire import (
    DATA_MAX,
    Checkpoint,
    Context,
    Drained,
    Failed,
    FromWorker,
    Hello,
    Kept,
    Log,
    Progress,
    Result,
)

MOST_OF_A_TASK = 64

_AT_ONCE = 4
_LAST_WORDS_S = 1.0
"""Who has ended has closed its connection: a moment for what waits in it."""


class WorkHalf:
    """One event loop owns it. `runs` as in Workers; `failed` hears of a defect of ours."""

    def __init__(
        self,
        runs: Mapping[str, Run],
        clock: Callable[[], float],
        failed: Callable[[Exception], None],
    ) -> None:
        self._runs = runs
        self._clock = clock
        self._failed = failed
        self._links: dict[WorkerConnection, Link] = {}
        self._of: dict[Run, dict[int, Link]] = {}
        self._sayings: dict[Run, Sayings] = {}
        self._touched: set[Run] = set()
        self._ids = itertools.count(1)
        self.items = Items(runs, clock, self._note)
        self._room = LongLines()
        self._writing = asyncio.Semaphore(_AT_ONCE)
        self._keepers: dict[asyncio.Task[None], Run] = {}

    def __len__(self) -> int:
        return len(self._links)

    def __contains__(self, connection: WorkerConnection) -> bool:
        return connection in self._links

    # --- what is known
    def of(self, run: Run) -> list[Link]:
        return list(self._of.get(run, {}).values())

    def news(self) -> dict[str, Work]:
        """What of every task has changed since this was asked last."""
        touched, self._touched = self._touched, set()
        for run in touched:
            for link in self.of(run):
                self._check(link)
        return {
            run.plan.task_id: run.work
            for run in touched
            if run.work is not None and self._runs.get(run.plan.task_id) is run
        }

    async def take_over(self, run: Run) -> None:
        """It ran before this engine: what it kept until now stands on disk."""
        found = await asyncio.to_thread(standing, run.plan)
        run.work = looked_up(run.work, found, self._clock())
        self._touched.add(run)

    async def finish(self, run: Run) -> None:
        """Its processes have ended: hears what they said last, and looks at what stands."""
        for link in self.of(run):
            await self._last_words(link)
        # whoever has left may still have something in hand
        while keepers := [one for one, whose in self._keepers.items() if whose is run]:
            await asyncio.wait(keepers)
        self._sayings.pop(run, None)
        if self._runs.get(run.plan.task_id) is run:
            found = await asyncio.to_thread(_tidied, run)
            run.work = looked_up(run.work, found, self._clock())
            self.items.changed(run)
        self.items.forget(run)
        for link in self.of(run):
            link.connection.let_go()
            self.leave(link.connection)

    async def close(self) -> None:
        """Lets everybody go, and what is being put in its place come there."""
        for connection in list(self._links):
            connection.let_go()
        while self._keepers:
            await asyncio.wait(self._keepers)

    # --- asking
    async def checkpoint(self, run: Run) -> Work:
        """Asks everybody who can, and waits until the first checkpoint stands.

        Raises:
            Refused: nobody can, or nobody did.
        """
        able = [link for link in self.of(run) if "checkpoint" in link.can]
        if not able:
            raise Refused(
                f"No process of {run.plan.task_id} takes checkpoints when it is asked.",
                "A worker says that it can: see WORKERS.md.",
            )
        asked = [(link, number, link.ask(number)) for link in able for number in [next(self._ids)]]
        waiting: set[asyncio.Future[Answer]] = {one for _, _, one in asked if one is not None}
        reasons = [] if waiting else ["it has not answered what it was asked before"]
        try:
            while waiting:
                done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
                for one in done:
                    answer = one.result()
                    if isinstance(answer, Work):
                        return answer
                    reasons.append(answer)
        finally:
            for link, number, _ in asked:
                link.asked.pop(number, None)
        raise Refused(
            f"No checkpoint of {run.plan.task_id} was made: {'; '.join(dict.fromkeys(reasons))}."
        )

    def tell_drain(self, run: Run) -> None:
        for link in self.of(run):
            link.drain()

    # --- connections
    def greet(self, run: Run, peer: Peer, connection: WorkerConnection, hello: Hello) -> None:
        crowd = self._of.setdefault(run, {})
        before = crowd.get(peer.identity.pid)
        if before is not None:
            before.connection.let_go()
            self.leave(before.connection)
        elif len(crowd) >= MOST_OF_A_TASK:
            connection.let_go()
            return
        can = tuple(verb for verb in COMMANDS if verb in hello.can)
        link = Link(run, peer, connection, can)
        self._of.setdefault(run, {})[peer.identity.pid] = self._links[connection] = link
        connection.takes_long_lines(self._room)
        if "drain" in can:
            run.listens(peer.identity)
        self._note(run, self._can(run))
        if run.draining.is_set():
            link.drain()

    def heard(self, connection: WorkerConnection, message: FromWorker) -> None:
        link = self._links[connection]
        run = link.run
        match message:
            case Progress():
                self._note(run, progressed(run.work, message, self._clock()))
                if message.hand is not None:
                    self.items.hold(run, link.pid, message.hand)
                if message.items:
                    self._take(link, message)
            case Context():
                self._note(run, filled(run.work, message, self._clock()))
            case Checkpoint() | Result() | Drained():
                self._take(link, message)
            case Log(text=text):
                self._say(run).log(clean(text))
            case Failed(id=number, text=text, code=code):
                why = clean(text) or clean(code, 80)
                self._say(run).trouble(link, f"its checkpoint could not be made: {why}")
                link.answer(number, f"process {link.pid}: {why}")
            case _:
                connection.let_go("nonsense", "does not keep to the order of a conversation")

    def leave(self, connection: WorkerConnection) -> Link | None:
        """It is connected no longer; what it handed in is still put in its place."""
        link = self._links.pop(connection, None)
        if link is None:
            return None
        link.over.set()
        run = link.run
        crowd = self._of.get(run, {})
        if crowd.get(link.pid) is link:
            del crowd[link.pid]
            run.listening.discard(link.peer.identity)
        if not crowd:
            self._of.pop(run, None)
        self._note(run, self._can(run))
        if not link.in_hand:
            link.gone()
        return link

    def _check(self, link: Link) -> None:
        """A socket may live on in another process than the one that connected. What that one said
        before it ended is heard first: there is a pass for it."""
        run, identity = link.run, link.peer.identity
        held = run.followed and run.sampler.holds(run.plan.task_id, identity)
        if held or alive(identity):
            return
        if link.ended and not link.in_hand:
            link.connection.let_go()
        link.ended = True
        self._touched.add(run)

    async def _last_words(self, link: Link) -> None:
        while not link.over.is_set():
            if link.keeper is not None:
                await asyncio.wait([link.keeper])
            with suppress(TimeoutError):
                async with asyncio.timeout(_LAST_WORDS_S):
                    await link.over.wait()
            if link.keeper is None:
                return

    # --- what is handed in
    def _take(self, link: Link, message: HandedIn) -> None:
        link.in_hand.append(message)
        link.connection.hold_up()
        if link.keeper is None:
            link.keeper = asyncio.create_task(self._keep(link), name="keeper")
            self._keepers[link.keeper] = link.run
            link.keeper.add_done_callback(self._kept)

    def _kept(self, keeper: asyncio.Task[None]) -> None:
        self._keepers.pop(keeper, None)
        error = None if keeper.cancelled() else keeper.exception()
        if isinstance(error, Exception):
            self._failed(error)

    async def _keep(self, link: Link) -> None:
        try:
            while link.in_hand:
                await self._keep_one(link, link.in_hand[0])
                link.in_hand.popleft()
        finally:
            link.keeper = None
        link.connection.go_on()
        if link.over.is_set():
            link.gone()

    async def _keep_one(self, link: Link, message: HandedIn) -> None:
        run = link.run
        if isinstance(message, Progress):
            await self._finished(link, message.items)
            return
        if isinstance(message, Drained):
            now = self._clock()
            self._note(run, replace(begun(run.work, now), at=now, drained=True))
            return
        what = "checkpoint" if isinstance(message, Checkpoint) else "result"
        target = run.plan.checkpoint if what == "checkpoint" else run.plan.result
        try:
            async with run.keeping, self._writing:
                stood = await asyncio.to_thread(_put, message, target)
        except (Refused, OSError) as error:
            words = error.what if isinstance(error, Refused) else error.strerror or str(error)
            self._not_kept(link, message, what, clean(words))
            return
        # only now: what is finished with it is done when it stands
        await self._finished(link, message.items)
        link.connection.send(Kept(what, bytes=stood.bytes))
        if isinstance(message, Result):
            self._note(run, resulted(run.work, stood, self._clock()))
            return
        work = checkpointed(run.work, stood, self._clock())
        self._note(run, work)
        if note := clean(message.note):
            self._say(run).log(f"checkpoint of {size(stood.bytes)}: {note}")
        link.answer(message.id, work)

    async def _finished(self, link: Link, items: tuple[str, ...]) -> None:
        trouble = await self.items.finished(link.run, items, self._writing)
        if trouble:
            self._say(link.run).trouble(link, trouble, "items")

    def _not_kept(self, link: Link, message: Checkpoint | Result, what: str, why: str) -> None:
        link.connection.send(Kept(what, error=why))
        text = f"its {what} is not kept, the one before stands: {why}"
        self._say(link.run).trouble(link, text)
        if isinstance(message, Checkpoint):
            link.answer(message.id, f"it is not kept: {why}")

    # --- telling
    def _can(self, run: Run) -> Work:
        """With what the processes that are connected can be asked for."""
        offered = {verb for link in self.of(run) for verb in link.can}
        can = tuple(verb for verb in COMMANDS if verb in offered)
        return replace(begun(run.work, self._clock()), can=can)

    def _note(self, run: Run, work: Work) -> None:
        run.work = work
        self._touched.add(run)

    def _say(self, run: Run) -> Sayings:
        return self._sayings.setdefault(run, Sayings(run))


def _put(message: Checkpoint | Result, target: str) -> Stood:
    """Raises Refused or OSError."""
    if not target:
        raise Refused("this attempt has no place for it")
    data = bytes(message.data)
    if data and message.path is not None:
        raise Refused("data and a path were given, of which one is meant")
    if data:
        if len(data) > DATA_MAX:
            most = size(DATA_MAX)
            raise Refused(f"{size(len(data))} of JSON; more than {most} go by a file's path")
        return keeping.put(data, Path(target))
    if message.path is not None:
        return keeping.copy(message.path, Path(target))
    return keeping.look(Path(target))


def _tidied(run: Run) -> Standing:
    """What stands when nobody writes any more."""
    if run.done is not None:
        run.done.look()
    for target in (run.plan.checkpoint, run.plan.result):
        if target:
            keeping.tidy(Path(target))
    return standing(run.plan)
