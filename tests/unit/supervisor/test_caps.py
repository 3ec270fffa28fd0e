"""A cap that is raised by several, and put back by none too early."""

from __future__ import annotations

import asyncio

import pytest

from heaptui.errors import Refused
from heaptui.model import State
from heaptui.supervisor.caps import Caps
from tests.unit.supervisor.tasks import GIB, ledger, running


class Engine:
    """Keeps the cap in force; `busy` refuses to lower it, `gate` holds every change."""

    def __init__(self) -> None:
        self.cap = GIB
        self.busy = False
        self.gate = asyncio.Event()
        self.gate.set()
        self.orders: list[int] = []

    async def command(self, task_id, verb, args, timeout_s):
        self.orders.append(args["cap_bytes"])
        await self.gate.wait()
        if self.busy and args["cap_bytes"] < self.cap:
            raise Refused("1.5G are in use.")
        before, self.cap = self.cap, args["cap_bytes"]
        return {"cap_bytes": self.cap, "before": before}


class Stage:
    def __init__(self) -> None:
        self.engine = Engine()
        self.books, _, _ = ledger()
        self.task = running(self.books)
        self.passes = asyncio.Event()
        self.begun: list[asyncio.Task[None]] = []
        self.caps = Caps(self.engine, self.books, self._begin, self._next)

    def _begin(self, work, name) -> None:
        self.begun.append(asyncio.ensure_future(work))

    async def _next(self) -> None:
        await self.passes.wait()
        self.passes.clear()

    async def quiet(self) -> None:
        await asyncio.gather(*self.begun)


@pytest.fixture
def stage() -> Stage:
    return Stage()


async def test_it_is_up_for_the_length_of_the_block(stage):
    async with stage.caps.raised(stage.task, 2 * GIB, "for a test"):
        assert stage.engine.cap == stage.task.cap_in_force == 2 * GIB
    await stage.quiet()
    assert stage.engine.cap == stage.task.cap_in_force == GIB
    assert stage.task.cap_bytes == GIB
    assert stage.caps._raised == {}


async def test_nothing_happens_where_nothing_is_asked_for(stage):
    async with stage.caps.raised(stage.task, None, "for a test"):
        pass
    assert stage.engine.orders == []


async def test_it_stays_up_until_the_last_of_several_ends(stage):
    async with stage.caps.raised(stage.task, 3 * GIB, "for one"):
        async with stage.caps.raised(stage.task, 2 * GIB, "for another"):
            assert stage.engine.cap == 3 * GIB
        await stage.quiet()
        assert stage.engine.cap == 3 * GIB
    await stage.quiet()
    assert stage.engine.orders == [3 * GIB, GIB]


async def test_who_comes_while_it_is_put_back_gets_it_raised_again(stage):
    async with stage.caps.raised(stage.task, 2 * GIB, "for one"):
        stage.engine.gate.clear()
    while stage.engine.orders[-1] != GIB:
        await asyncio.sleep(0)

    async def another() -> int:
        async with stage.caps.raised(stage.task, 2 * GIB, "for another"):
            return stage.engine.cap

    coming = asyncio.ensure_future(another())
    await asyncio.sleep(0)
    stage.engine.gate.set()
    # under what it asked for, and never under what was just being put back
    assert await coming == 2 * GIB
    await stage.quiet()
    assert stage.engine.cap == GIB


async def test_it_is_tried_again_at_each_pass_and_told_once(stage):
    stage.engine.busy = True
    async with stage.caps.raised(stage.task, 2 * GIB, "for a test"):
        pass
    for tries in (2, 3, 4):
        while len(stage.engine.orders) < tries:
            await asyncio.sleep(0)
        stage.engine.busy = tries < 4
        stage.passes.set()
    await stage.quiet()
    assert stage.engine.cap == GIB
    texts = [event.text for event in stage.books._events if event.kind == "cap"]
    assert texts == [
        "cap raised to 2.00G for a test",
        "cap stays raised until less is in use: 1.5G are in use.",
        "cap is 1.00G again",
    ]


async def test_nobody_puts_back_the_cap_of_an_attempt_that_is_over(stage):
    async with stage.caps.raised(stage.task, 2 * GIB, "for a test"):
        stage.task.state = State.FAILED
    await stage.quiet()
    assert stage.engine.orders == [2 * GIB]
    assert stage.caps._raised == {}


async def test_a_raise_that_fails_leaves_everything_as_it_was(stage):
    async def refuse(*_):
        raise Refused("only root may raise it")

    stage.engine.command = refuse
    with pytest.raises(Refused, match="only root"):
        async with stage.caps.raised(stage.task, 2 * GIB, "for a test"):
            pytest.fail("begun under the old cap")
    await stage.quiet()
    assert stage.task.cap_in_force == GIB
    assert stage.caps._raised == {}
