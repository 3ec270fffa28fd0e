"""How many long lines are in hand at once."""

from __future__ import annotations

import asyncio

from heaptui.engine import long_lines
from heaptui.engine.long_lines import LongLines, Place


def place(told: list[str], name: str) -> Place:
    return Place(lambda: told.append(f"{name} goes"), lambda: told.append(f"{name} gives up"))


async def test_so_many_go_on_and_the_others_in_their_turn() -> None:
    told: list[str] = []
    room = LongLines(2)
    a, b, c, d = (place(told, name) for name in "abcd")
    assert [room.enter(one) for one in (a, b, c, d)] == [True, True, False, False]
    room.leave(a)
    assert told == ["c goes"]
    room.leave(a)
    assert told == ["c goes"]
    room.leave(d)
    room.leave(b)
    room.leave(c)
    assert told == ["c goes"]
    assert room.enter(d)
    assert room.enter(a)
    assert not room.enter(b)
    for one in (a, b, d):
        room.leave(one)


async def test_who_does_not_come_to_an_end_gives_up_and_what_is_in_hand_does_not(
    monkeypatch,
) -> None:
    monkeypatch.setattr(long_lines, "ENDS_WITHIN_S", 0.01)
    told: list[str] = []
    room = LongLines(2)
    stuck, read = place(told, "stuck"), place(told, "read")
    gave_up = asyncio.Event()
    stuck.give_up = gave_up.set
    room.enter(read)
    room.read(read)
    room.enter(stuck)
    async with asyncio.timeout(30):
        await gave_up.wait()
    assert told == []
    room.leave(stuck)
    room.leave(read)
