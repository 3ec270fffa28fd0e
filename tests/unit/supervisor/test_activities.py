"""Long work that runs now."""

from __future__ import annotations

import asyncio

import pytest

from heaptui.model import Activity
from heaptui.supervisor import activities as module
from heaptui.supervisor.activities import Activities
from tests.unit.supervisor.tasks import Clock, task


class Wall:
    """Who is shown the list; `shown` is everything that hung there, one after the other."""

    def __init__(self) -> None:
        self.shown: list[list[Activity]] = []
        self.something = asyncio.Event()

    def act(self, activities: list[Activity]) -> None:
        self.shown.append(activities)
        self.something.set()


@pytest.fixture
def wall() -> Wall:
    return Wall()


@pytest.fixture
def activities(wall: Wall) -> Activities:
    return Activities(wall, Clock(500.0))


async def test_it_is_shown_from_its_beginning_to_its_end(activities, wall):
    with activities.running("gc", "collects", task("a"), expected_s=2.0):
        (begun,) = wall.shown[-1]
    assert (begun.kind, begun.text, begun.task_id, begun.name) == ("gc", "collects", "a", "a")
    assert (begun.began_at, begun.expected_s, begun.cancellable) == (500.0, 2.0, False)
    assert wall.shown[-1] == activities.listed() == []


async def test_it_is_gone_also_when_it_fails(activities, wall):
    with pytest.raises(OSError, match="disk"), activities.running("snapshot", "writes"):
        raise OSError("disk")
    assert wall.shown[-1] == []


async def test_several_have_ids_of_their_own_and_the_oldest_is_first(activities):
    with activities.running("gc", "1") as first, activities.running("gc", "2") as second:
        assert first.id != second.id
        assert [one.text for one in activities.listed()] == ["1", "2"]


async def test_progress_is_shown_at_a_bounded_pace(activities, wall, monkeypatch):
    monkeypatch.setattr(module, "PACE_S", 0.01)
    with activities.running("snapshot", "writes") as work:
        before = len(wall.shown)
        for hundredth in range(100):
            work.tell(fraction=hundredth / 100)
        assert len(wall.shown) == before
        wall.something.clear()
        await asyncio.wait_for(wall.something.wait(), 10)
        assert len(wall.shown) == before + 1
        assert wall.shown[-1][0].fraction == 0.99


async def test_progress_never_goes_back_nor_beyond_the_end(activities):
    with activities.running("snapshot", "writes") as work:
        for fraction, shown in ((0.5, 0.5), (0.2, 0.5), (7.0, 1.0), (-1.0, 1.0)):
            work.tell(fraction=fraction)
            assert work.activity.fraction == shown
        work.tell(text="nearly")
        assert (work.activity.text, work.activity.fraction) == ("nearly", 1.0)


async def test_only_what_can_be_cancelled_is(activities):
    ended: list[str] = []
    with (
        activities.running("hunt", "waits", cancel=lambda: ended.append("hunt")) as hunt,
        activities.running("snapshot", "writes") as snapshot,
    ):
        assert [one.cancellable for one in activities.listed()] == [True, False]
        assert activities.cancel(hunt.id)
        assert not activities.cancel(snapshot.id)
        assert not activities.cancel("nothing")
        hunt.keep()
        assert not activities.cancel(hunt.id)
        assert not activities.listed()[0].cancellable
    assert ended == ["hunt"]
    assert not activities.cancel(hunt.id)
