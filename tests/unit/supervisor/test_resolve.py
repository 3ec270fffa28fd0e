"""What an operator means by an id, the beginning of one, or a name."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from heaptui.errors import NoSuchTask
from heaptui.model import State
from heaptui.supervisor.operations import resolve, resolve_all
from tests.unit.supervisor.tasks import spec, task


class Shelf:
    """A store that holds ended tasks, found by the beginning of their ids as the real one does."""

    def __init__(self, *ended: Any) -> None:
        self.ended = ended

    async def find(self, text: str) -> list[Any]:
        return [one.stored() for one in self.ended if one.id.startswith(text)]


def supervisor(*held: Any, stored: tuple[Any, ...] = ()) -> Any:
    tasks = {one.id: one for one in held}
    ledger = SimpleNamespace(tasks=tasks, get=tasks.get)
    return SimpleNamespace(ledger=ledger, store=Shelf(*stored))


def named(task_id: str, name: str, state: State = State.DONE) -> Any:
    return task(task_id, state, spec=spec(name))


async def test_a_name_is_meant_before_the_beginning_of_an_id() -> None:
    mine = named("zzzzzzzzzz", "ab")
    for state in (State.DONE, State.RUNNING):
        other = named("ab00000000", "other", state)
        assert await resolve(supervisor(mine, other), "ab") is mine
    assert await resolve(supervisor(mine, stored=(named("ab11111111", "old"),)), "ab") is mine


async def test_an_id_and_the_beginning_of_one_will_do() -> None:
    mine = named("abcdefghjk", "work")
    assert await resolve(supervisor(mine), "abcdefghjk") is mine
    assert await resolve(supervisor(mine), "abc") is mine
    with pytest.raises(NoSuchTask):
        await resolve(supervisor(mine), "a")


async def test_of_one_name_the_one_that_lives_is_meant_and_of_several_none() -> None:
    ended, live = named("aaaa000000", "work"), named("bbbb000000", "work", State.RUNNING)
    assert await resolve(supervisor(ended, live), "work") is live
    with pytest.raises(NoSuchTask, match="fits 2 tasks"):
        await resolve(supervisor(ended, named("cccc000000", "work")), "work")


async def test_the_name_that_copies_share_means_all_of_them() -> None:
    copies = [named(f"{n}aaaaaaaaa", f"scan/{n}", State.RUNNING) for n in range(3)]
    assert await resolve_all(supervisor(*copies), ["scan"]) == copies
