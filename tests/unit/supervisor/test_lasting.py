"""Work that whoever asked for it cannot break off."""

from __future__ import annotations

import asyncio

import pytest

from heaptui.errors import Refused
from heaptui.supervisor.lasting import seen_through


async def test_its_result_and_its_error_come_through():
    async def work(error: Exception | None) -> int:
        await asyncio.sleep(0)
        if error:
            raise error
        return 3

    assert await seen_through(work(None)) == 3
    with pytest.raises(Refused, match="no room"):
        await seen_through(work(Refused("no room")))


async def test_it_goes_on_when_nobody_listens():
    go, done = asyncio.Event(), asyncio.Event()

    async def work() -> None:
        await go.wait()
        done.set()

    asker = asyncio.ensure_future(seen_through(work()))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    asker.cancel()
    await asyncio.gather(asker, return_exceptions=True)
    assert asker.cancelled()
    go.set()
    await asyncio.wait_for(done.wait(), 10)


async def test_work_that_was_ended_is_told_as_a_refusal():
    doing: list[asyncio.Task[None]] = []

    async def work() -> None:
        task = asyncio.current_task()
        assert task is not None
        doing.append(task)
        await asyncio.Event().wait()

    asker = asyncio.ensure_future(seen_through(work()))
    while not doing:
        await asyncio.sleep(0)
    doing[0].cancel()
    with pytest.raises(Refused, match="cancelled"):
        await asker
