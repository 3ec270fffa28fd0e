"""What is promised to one snapshot is nobody else's."""

from __future__ import annotations

import asyncio

import pytest

from heaptui.errors import Refused
from heaptui.supervisor import rooms as module
from heaptui.supervisor.rooms import Promise, Rooms


async def test_promises_count_until_they_end():
    rooms = Rooms()
    with rooms.promised("a", 1, Promise(memory=10, disk=3, device=8)):
        with rooms.promised("b", 2, Promise(memory=20, disk=4, device=9)):
            assert (rooms.memory(), rooms.memory("a"), rooms.memory("c")) == (30, 10, 0)
            assert (rooms.disk(8), rooms.disk(9), rooms.disk(1)) == (3, 4, 0)
            assert rooms.written("a")
            assert not rooms.written("c")
        assert (rooms.memory(), rooms.empty) == (10, False)
    assert (rooms.memory(), rooms.empty, rooms.written("a")) == (0, True, False)


async def test_one_at_a_time_of_a_process():
    rooms = Rooms()
    with rooms.asked("a", 1), rooms.asked("a", 2):
        again = rooms.asked("a", 1)
        with pytest.raises(Refused, match="on its way"):
            again.__enter__()
    with rooms.asked("a", 1):
        pass


async def test_who_waits_is_woken_by_each_end(monkeypatch):
    monkeypatch.setattr(module, "AT_ONCE", 2)
    rooms = Rooms()
    promise = Promise(memory=1, disk=1, device=1)
    with rooms.promised("a", 1, promise):
        with rooms.promised("b", 1, promise):
            assert rooms.full
            waiting = asyncio.ensure_future(rooms.one_less())
            await asyncio.sleep(0)
            assert not waiting.done()
        await waiting
        assert not rooms.full


async def test_one_that_broke_off_just_now_is_remembered(monkeypatch):
    rooms = Rooms()
    promise = Promise(memory=1, disk=1, device=1)
    with pytest.raises(Refused), rooms.promised("a", 1, promise):
        raise Refused("its process ended")
    assert (rooms.written("a"), rooms.written("b"), rooms.empty) == (True, False, True)
    monkeypatch.setattr(module, "JUST_NOW_S", 0.0)
    assert not rooms.written("a")
    with rooms.promised("a", 1, promise):
        assert rooms.written("a")
