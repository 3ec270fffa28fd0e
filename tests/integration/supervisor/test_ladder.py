"""A supervisor that brings work to its end after ends for lack of memory."""

from __future__ import annotations

import time

import pytest

from heaptui.config import Config, PolicyConfig, RetryConfig
from heaptui.engine.base import Sampled, Traces
from heaptui.model import State, VerdictKind, Work
from heaptui.protocol import Raise, Retry
from heaptui.supervisor import operations
from heaptui.supervisor.raising import raise_limits
from tests.integration.engine.house import House

GIB = 1 << 30
CAP = "went over its cap: 1.1G of 1.0G, killed by the watchdog"
QUICK = RetryConfig(backoff="0.01s", backoff_max="0.05s")


@pytest.fixture
async def house(tmp_path):
    made = House(tmp_path / "s", Config(retry=QUICK))
    await made.enter()
    yield made
    await made.vanish()


async def run_out(house: House, task, attempt: int = 1, work: Work | None = None) -> None:
    await house.submitted(task, attempt)
    house.engine.start(task.id, attempt)
    house.engine.end(task.id, attempt, signal=9, cap_hit=CAP, traces=Traces(), work=work)


async def test_it_is_tried_once_more_with_a_larger_cap_then_quarantined(house):
    task = await house.submit("hold")
    await run_out(house, task)
    await house.submitted(task, 2)
    assert task.cap_bytes == int(1.5 * GIB)
    assert task.row().cap_source == "grown"
    await run_out(house, task, 2)
    await house.until(task, State.QUARANTINED)
    await house.settled()
    stored = await house.stored(task)
    assert stored.state is State.QUARANTINED
    assert "a larger limit was tried once. It needs more than 1.50G" in stored.reason
    assert (await house.history(task)).count("try-again") == 1
    assert [one.cap_bytes for one in await house.store.attempts(task.id)] == [GIB, int(1.5 * GIB)]


async def test_the_operator_may_try_a_quarantined_one_again_and_its_budget_is_new(house):
    task = await house.submit("hold")
    await run_out(house, task)
    await run_out(house, task, 2)
    await house.until(task, State.QUARANTINED)
    await operations.retry(house.supervisor, Retry([task.id]))
    await run_out(house, task, 3)
    await house.submitted(task, 4)
    assert task.cap_bytes == int(1.5 * 1.5 * GIB)


async def test_the_budget_outlives_its_supervisor(house):
    task = await house.submit("hold")
    await run_out(house, task)
    await house.submitted(task, 2)
    house.engine.start(task.id, 2)
    await house.until(task, State.RUNNING)
    await house.settled()
    await house.vanish()
    await house.enter()
    task = house.task(task.id)
    assert (task.recovery.ooms, task.cap_bytes) == (1, int(1.5 * GIB))
    house.engine.end(task.id, 2, signal=9, cap_hit=CAP)
    await house.until(task, State.QUARANTINED)


async def test_a_lost_attempt_with_a_checkpoint_goes_on_by_itself(house):
    task = await house.submit("hold")
    await house.submitted(task)
    house.engine.start(task.id)
    await house.until(task, State.RUNNING)
    work = Work(at=time.time(), done=3, checkpoints=1, checkpoint_at=time.time())
    house.engine.emit(Sampled(node="stage", at=1.0, host=None, tasks=[], work={task.id: work}))
    house.engine.lose(task.id)
    await house.submitted(task, 2)
    await house.settled()
    assert (await house.stored(task)).checkpoint_at == work.checkpoint_at
    records = await house.store.attempts(task.id)
    assert records[0].verdict is VerdictKind.LOST


@pytest.mark.parametrize(("retry_lost", "state"), [(True, State.BACKOFF), (False, State.LOST)])
async def test_a_lost_attempt_without_one_asks_unless_it_was_told_otherwise(
    house, retry_lost, state
):
    task = await house.submit("hold", retry_lost=retry_lost)
    await house.submitted(task)
    house.engine.start(task.id)
    await house.until(task, State.RUNNING)
    house.engine.lose(task.id)
    if retry_lost:
        await house.submitted(task, 2)
    else:
        await house.until(task, State.LOST)


async def test_a_policy_that_observes_changes_nothing_and_says_what_it_would_do(tmp_path):
    house = House(tmp_path / "o", Config(retry=QUICK, policy=PolicyConfig(mode="observe")))
    await house.enter()
    try:
        task = await house.submit("hold")
        await run_out(house, task)
        await house.until(task, State.FAILED)
        await house.settled()
        said = [event.text for event in await house.store.events(task.id, 100)]
        assert any("would try it again with a cap of 1.50G" in text for text in said)
        assert task.cap_bytes == GIB
    finally:
        await house.vanish()


async def test_the_operators_choice_of_policy_outlives_its_supervisor(house):
    from heaptui.protocol import Dispatch

    host = await operations.dispatch(house.supervisor, Dispatch(policy="observe"))
    assert host.policy == "observe"
    await house.vanish()
    await house.enter()
    assert house.supervisor.config.policy.mode == "observe"


async def test_a_cap_that_was_raised_while_it_ran_holds_and_costs_no_budget(house):
    task = await house.submit("hold")
    await run_out(house, task)
    await house.submitted(task, 2)
    await raise_limits(house.supervisor, Raise(tasks=[task.id], cap_bytes=4 * GIB))
    await run_out(house, task, 2)
    await house.submitted(task, 3)
    assert (task.cap_bytes, task.row().cap_source, task.recovery.ooms) == (4 * GIB, "given", 2)
