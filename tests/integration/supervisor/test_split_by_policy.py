"""After a larger retry failed too: split without asking, or proposed."""

from __future__ import annotations

import asyncio

import pytest

from heaptui.config import Config, KindPolicy, PolicyConfig, RetryConfig
from heaptui.engine.base import Traces
from heaptui.errors import StorageTrouble
from heaptui.inputs import Inputs, Item, Source
from heaptui.model import Kind, Limits, State, TaskSpec
from heaptui.protocol import Retry, Submit, new_ids
from heaptui.supervisor import operations, submitting
from heaptui.supervisor.splitting import by_policy, planning
from tests.integration.engine.contract import eventually
from tests.integration.engine.house import ENVIRONMENT, House

CAP = "went over its cap: 1.1G of 1.0G, killed by the watchdog"
NAMES = tuple(f"unit {n}" for n in range(10))


@pytest.fixture
async def housed(tmp_path):
    """A house in which an end for lack of memory is followed by quarantine."""
    made: list[House] = []

    async def house(**policy) -> House:
        retry = RetryConfig(backoff="0.01s", backoff_max="0.05s")
        config = Config(retry=retry, policy=PolicyConfig(oom_retries=0, **policy))
        made.append(House(tmp_path / "s", config))
        await made[0].enter()
        return made[0]

    yield house
    await made[0].vanish()


@pytest.fixture
async def house(housed):
    return await housed(split="auto")


async def working(house: House, tokens: int = 10_000):
    """A task that works through ten things."""
    items = tuple(Item(name, tokens) for name in NAMES)
    limits = Limits(cap_bytes=1 << 30)
    spec = TaskSpec(argv=("true", "hold"), cwd="/", name="work", limits=limits)
    request = Submit(
        ids=new_ids(1),
        specs=[spec],
        environment=ENVIRONMENT,
        inputs=[Inputs(source=Source.LINES, items=items, origin="the test")],
    )
    (task_id,) = await submitting.submit(house.supervisor, request)
    return house.task(task_id)


async def run_out(house: House, task, attempt: int = 1, done: int = 0) -> None:
    """It runs out of memory, after so many things were done."""
    await house.submitted(task, attempt)
    house.engine.start(task.id, attempt)
    lines = "".join(f"{name}\n" for name in NAMES[:done])
    house.state.done(task.id).write_text(lines)
    house.engine.end(task.id, attempt, signal=9, cap_hit=CAP, traces=Traces())


async def texts(house: House, task, kind: str = "split") -> list[str]:
    await house.supervisor.ledger.commit()
    return [one.text for one in await house.store.events(task.id, 100) if one.kind == kind]


async def test_what_is_left_of_it_goes_to_children(house):
    task = await working(house)
    await run_out(house, task, done=4)
    await house.until(task, State.SPLIT)
    children = task.children
    assert [child.name for child in children] == ["work:1", "work:2"]
    assert [child.items for child in children] == [3, 3]
    await house.supervisor.ledger.commit()
    division = await house.store.division(task.id)
    assert (division.by, division.done) == ("policy", NAMES[:4])
    assert division.error.startswith("went over its cap")
    assert not task.recovery.split_due
    for child in children:
        await house.submitted(child)
    assert not [alert for alert in house.supervisor.alarms.standing if alert.task_id == task.id]


async def test_a_child_is_split_again_and_a_childs_child_is_the_operators(house):
    task = await working(house)
    await run_out(house, task)
    await house.until(task, State.SPLIT)
    child = task.children[0]
    await run_out(house, child)
    await house.until(child, State.SPLIT)
    (own,) = [one for one in child.children if one.items == 2]
    assert own.kin.depth == 2
    await run_out(house, own)
    await house.until(own, State.QUARANTINED)
    await house.settled()
    assert (own.state, own.recovery.split_due) == (State.QUARANTINED, False)
    assert await texts(house, own) == []


async def test_one_piece_is_not_split_and_not_tried_for_ever(house):
    task = await working(house)
    await run_out(house, task, done=9)
    await eventually(lambda: task.reason and "Not divided: " in task.reason, "it is told why not")
    assert (task.state, task.recovery.split_due) == (State.QUARANTINED, False)
    assert "is divided among children" not in task.reason
    (text,) = await texts(house, task)
    assert text.startswith("the policy does not split it: ")
    assert (await house.stored(task)).recovery.split_due is False


async def test_what_names_nothing_is_quarantined(house):
    task = await house.submit("hold")
    await run_out(house, task)
    await house.until(task, State.QUARANTINED)
    assert not task.recovery.split_due
    assert await texts(house, task) == []


@pytest.mark.parametrize(
    ("policy", "proposed"),
    [
        ({"split": "propose"}, True),
        ({"split": "off"}, False),
        ({"split": "auto", "kinds": {Kind.COMMAND: KindPolicy(split="propose")}}, True),
    ],
)
async def test_a_policy_that_asks_proposes_it(housed, policy, proposed):
    house = await housed(**policy)
    task = await working(house)
    await run_out(house, task, done=4)
    await house.until(task, State.QUARANTINED)
    house.engine.sample()
    (alert,) = await eventually_told(house, task)
    assert ("task.split" in alert.actions) is proposed
    assert task.children == [] and await texts(house, task) == []


async def eventually_told(house: House, task):
    def told():
        return [one for one in house.supervisor.alarms.standing if one.task_id == task.id]

    await eventually(told, "an alert about it")
    return told()


@pytest.fixture
def held(monkeypatch):
    """Plans are made when they may be."""
    asked, allowed = asyncio.Event(), asyncio.Event()
    plan = planning.plan

    async def waiting(supervisor, request):
        asked.set()
        await allowed.wait()
        return await plan(supervisor, request)

    monkeypatch.setattr(planning, "plan", waiting)
    return asked, allowed


async def test_what_the_operator_does_meanwhile_comes_first(house, held):
    asked, allowed = held
    task = await working(house)
    await run_out(house, task)
    await asked.wait()
    await operations.retry(house.supervisor, Retry([task.id]))
    await house.submitted(task, 2)
    allowed.set()
    await house.settled()
    assert (task.state.live, task.children) == (True, [])
    assert await texts(house, task) == []


async def test_a_disk_that_cannot_be_read_is_waited_for(house, monkeypatch):
    plan, failed = planning.plan, []

    async def troubled(supervisor, request):
        if not failed:
            failed.append(True)
            raise StorageTrouble("The disk is away.")
        return await plan(supervisor, request)

    monkeypatch.setattr(planning, "plan", troubled)
    monkeypatch.setattr(by_policy, "AGAIN_S", 0.01)
    task = await working(house)
    await run_out(house, task)
    await house.until(task, State.SPLIT)
    assert failed


async def test_another_supervisor_does_what_was_to_follow(house, monkeypatch):
    split = by_policy.split

    async def killed_before(supervisor, task) -> None:
        await asyncio.sleep(0)

    monkeypatch.setattr(by_policy, "split", killed_before)
    task = await working(house)
    await run_out(house, task)
    await house.until(task, State.QUARANTINED)
    await house.settled()
    await house.vanish()
    monkeypatch.setattr(by_policy, "split", split)
    await house.enter()
    await house.until(house.task(task.id), State.SPLIT)
