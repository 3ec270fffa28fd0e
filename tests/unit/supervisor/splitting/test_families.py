"""What the end, the stop and another try of a part mean for the others."""

from __future__ import annotations

import pytest

from heaptui.errors import Refused
from heaptui.inputs import Division
from heaptui.model import State
from heaptui.supervisor import operations
from heaptui.supervisor.machine import Trigger
from heaptui.supervisor.splitting import families
from heaptui.supervisor.splitting.kinship import reason
from tests.unit.supervisor.splitting.home import Home

DONE, FAILS = Trigger.FINISHED, Trigger.FAILED
DIVISION = Division(
    at=1.0, by="operator", strategy="files", timeout_s=9.0, children=(), left_out=("x", "y"),
    again=("z",),
)  # fmt: skip


@pytest.fixture
async def home(tmp_path):
    made = Home(tmp_path / "s")
    yield made
    made.vanish()


async def family(home: Home, *after: set[int], name: str = "a", **how):
    parent = await home.submit(name)
    return parent, await home.divide(parent, list(after), **how)


async def test_a_child_starts_when_all_that_it_builds_on_are_done(home):
    _, (first, second, third) = await family(home, set(), set(), {0, 1})
    assert third.wait_reason == "waits for a:1"
    home.run((first, DONE))
    assert home.dispatched() is second
    assert home.dispatched() is None
    home.end(second, DONE)
    assert home.dispatched() is third


async def test_what_builds_on_a_failed_one_is_called_off_and_says_for_whom(home):
    parent, (first, *others) = await family(home, set(), {0}, {1}, {0, 1, 2}, reduces=True)
    home.run((first, FAILS))
    assert [one.state for one in others] == [State.STOPPED] * 3
    assert {one.reason for one in others} == {"not started: it builds on a:1, which failed"}
    assert (parent.state, parent.ended_at) == (State.SPLIT, None)
    await home.rest()
    assert parent.state is State.FAILED
    assert parent.reason == (
        "0 of 4 children done; a:1 failed: it failed; "
        "a:2 was stopped: not started: it builds on a:1, which failed; "
        "a:3 was stopped: not started: it builds on a:1, which failed; 1 more is not done; "
        "their results are joined as they are"
    )


async def test_a_parent_ends_like_the_worst_of_its_children_and_its_own_parent_follows(home):
    parent, (first, second) = await family(home, set(), set())
    (deep,) = await home.divide(first, [set()])
    home.run((second, Trigger.LOST))
    assert home.dispatched() is deep
    home.end(deep, Trigger.QUARANTINE)
    await home.rest()
    assert (first.state, parent.state) == (State.QUARANTINED, State.QUARANTINED)
    await home.ledger.commit()
    assert home.store.tasks["a"].state is State.QUARANTINED


async def test_one_that_is_to_be_split_has_not_ended_yet(home):
    parent, (first, second) = await family(home, set(), {0})
    assert home.dispatched() is first
    home.end(first, Trigger.QUARANTINE, split_due=True)
    await home.rest()
    assert (second.state, parent.state) == (State.QUEUED, State.SPLIT)
    (deep,) = await home.divide(first, [set()])
    home.run((deep, DONE))
    await home.rest()
    assert home.dispatched() is second


async def test_a_stop_calls_the_policys_split_off(home):
    parent, (first, second) = await family(home, set(), {0})
    assert home.dispatched() is first
    home.end(first, Trigger.QUARANTINE, split_due=True)
    assert await home.stopped("a") == [State.SPLIT]
    await home.rest()
    assert not first.recovery.split_due
    assert (second.state, parent.state) == (State.STOPPED, State.QUARANTINED)


async def test_a_parent_without_children_is_done_at_once(home):
    parent, _ = await family(home)
    await home.rest()
    assert (parent.state, parent.reason) == (State.DONE, "nothing was left to do")


async def test_what_was_left_out_or_may_be_done_twice_is_told(home):
    parent, (only,) = await family(home, set(), division=DIVISION)
    home.run((only, DONE))
    assert reason(parent) == (
        "1 of 1 child done; 2 left out by the operator; 1 may have been done twice"
    )


async def test_a_stop_of_the_parent_stops_what_came_of_it_and_nobody_for_another(home):
    parent, (first, second, third) = await family(home, set(), {0}, {1})
    (deep,) = await home.divide(first, [set()])
    assert home.dispatched() is deep
    assert await home.stopped("a") == [State.SPLIT]
    assert (deep.state, deep.stop_why) == (State.STOPPING, "stop")
    assert {second.reason, third.reason} == {"stopped before it ran"}
    home.end(deep, Trigger.STOPPED)
    await home.rest()
    assert [first.state, parent.state] == [State.STOPPED] * 2


async def test_a_drain_of_the_parent_lets_what_runs_finish(home):
    parent, (first, second) = await family(home, set(), set())
    assert home.dispatched() is first
    await home.stopped("a", drain=True, grace_s=7.0)
    assert (first.state, first.stop_why) == (State.STOPPING, "drain")
    assert second.state is State.STOPPED
    home.end(first, DONE)
    await home.rest()
    assert parent.state is State.STOPPED
    assert str(parent.reason).startswith("1 of 2 children done; a:2 was stopped")


async def test_a_retry_of_the_parent_tries_again_what_is_not_done(home):
    parent, (first, second, third) = await family(home, set(), set(), {1})
    (deep, other) = await home.divide(first, [set(), set()])
    home.run((second, FAILS), (deep, DONE), (other, FAILS))
    await home.rest()
    assert parent.state is State.FAILED
    assert await home.retried("a") == [State.SPLIT]
    states = [one.state for one in (first, second, third, deep, other)]
    assert states == [State.SPLIT, State.QUEUED, State.QUEUED, State.DONE, State.QUEUED]
    home.run((other, DONE), (second, DONE), (third, DONE))
    await home.rest()
    assert (first.state, parent.state) == (State.DONE, State.DONE)
    assert await home.retried("a", "a1", "a2") == [State.DONE] * 3


async def test_a_retry_of_one_child_has_all_above_it_wait_anew(home):
    parent, (first, second) = await family(home, set(), {0})
    (deep,) = await home.divide(first, [set()])
    home.run((deep, FAILS))
    await home.rest()
    await home.ledger.commit()
    # the next one knows only what is stored
    home = home.vanish()
    await home.take_over()
    assert home.ledger.tasks == {}
    assert await home.retried(deep.id) == [State.QUEUED]
    states = {task.name: task.state for task in home.ledger.tasks.values()}
    assert states == {
        "a": State.SPLIT, "a:1": State.SPLIT, "a:1:1": State.QUEUED, "a:2": State.QUEUED,
    }  # fmt: skip
    home.run((home.task(deep.id), DONE))
    await home.rest()
    home.run((home.task(second.id), DONE))
    await home.rest()
    assert home.task(parent.id).state is State.DONE


async def test_what_builds_on_what_failed_is_not_tried_alone(home):
    parent, (first, second) = await family(home, set(), {0})
    home.run((first, FAILS))
    await home.rest()
    with pytest.raises(Refused) as refused:
        await home.retried(second.id)
    assert refused.value.what == "a:2 builds on a:1, which is failed."
    assert (second.state, parent.state) == (State.STOPPED, State.FAILED)
    assert await home.retried(second.id, first.id) == [State.QUEUED, State.QUEUED]


async def test_a_family_is_forgotten_as_a_whole(home):
    _, (first, second) = await family(home, set(), set())
    (deep,) = await home.divide(first, [set()])
    home.run((second, DONE), (deep, DONE))
    await home.rest()
    with pytest.raises(Refused) as refused:
        await operations.forget(home, [deep.id])
    assert refused.value.remedy == "Forget a:1 as a whole."
    # in whatever order they are named
    assert await operations.forget(home, [deep.id, first.id, "a"]) == 4
    assert (home.store.tasks, home.ledger.tasks) == ({}, {})


async def test_children_that_a_damaged_store_has_lost_are_not_taken_for_done(home):
    _, (first, second) = await family(home, set(), set())
    home.run((first, DONE), (second, DONE))
    await home.ledger.commit()
    del home.store.tasks[second.id]
    home = home.vanish()
    await home.take_over()
    await home.rest()
    parent = home.task("a")
    assert parent.state is State.LOST
    assert parent.reason == "1 of 2 children done; of 1 nothing is known any more"


async def test_a_supervisor_that_takes_over_counts_what_was_reported(home):
    _, (first, _) = await family(home, set(), set())
    first.items = 3
    home.ledger.shown(first)
    assert home.dispatched() is first
    home.state.task(first.id).mkdir()
    home.state.done(first.id).write_text("x\ny\nx\nhalf a li")
    await home.ledger.commit()
    home = home.vanish()
    await home.take_over()
    assert home.task(first.id).items_done == 2
    assert [one.name for one in families.descendants(home.task("a"))] == ["a:1", "a:2"]
