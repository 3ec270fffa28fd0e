"""Heap snapshots: planned, taken under a raised cap, refused, recorded, and seen through whatever
happens meanwhile."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from msgspec.structs import replace

from heaptui.config import Config, HeapConfig
from heaptui.errors import HeaptuiError, NoSuchTask, Refused, StorageTrouble
from heaptui.model import CapMeans, State
from heaptui.protocol import Forget, PlanSnapshot, TakeSnapshot
from heaptui.supervisor import operations, rooms, snapshot_shelf
from heaptui.supervisor.snapshot_shelf import delete, listed
from heaptui.supervisor.snapshots import plan, take
from heaptui.units import GIB, MIB, size
from tests.integration.engine.contract import eventually
from tests.integration.supervisor.heaped import CALM, WHOLE, HeapHouse, heap, refuses

NEAR = 960 * MIB
"""Of a cap of 1G: no room for anything."""


def of(task, **fields) -> TakeSnapshot:
    return TakeSnapshot(task=task.id, **fields)


async def end(task, house, **outcome):
    house.engine.end(task.id, **outcome)
    await eventually(lambda: task.state.ended, "it ended")


# --- planning
async def test_a_plan_has_its_figures_and_where_they_come_from(house):
    task = await house.running(heap(11, 5 * MIB), heap(12, 20 * MIB))
    found = await plan(house.supervisor, PlanSnapshot(task=task.id))
    assert (found.pid, found.heap_bytes, found.verdict) == (12, 20 * MIB, "fits")
    assert found.directory == str(house.state.root / "snapshots")
    assert found.cap_room_bytes < 1024 * MIB - 100 * MIB
    assert found.host_room_bytes < 16 * GIB
    assert "worst" in found.basis
    other = await plan(house.supervisor, PlanSnapshot(task=task.id, pid=11))
    assert other.pid == 11
    assert other.extra_bytes < found.extra_bytes


async def test_a_plan_asks_for_figures_of_this_moment(house):
    task = await house.running(heap(11, 20 * MIB))
    house.engine.filled(task, 300 * MIB, heap(11, 200 * MIB))
    found = await plan(house.supervisor, PlanSnapshot(task=task.id))
    assert found.heap_bytes == 200 * MIB


async def test_a_raise_leaves_a_quarter_of_the_machine(tmp_path):
    house = HeapHouse(tmp_path / "s", available=10 * GIB)
    await house.enter()
    try:
        task = await house.running(heap(11, 60 * MIB), memory=NEAR)
        found = await plan(house.supervisor, PlanSnapshot(task=task.id))
        assert (found.verdict, found.raise_to_bytes) == ("ask", NEAR + 2 * GIB)
        await take(house.supervisor, of(task, raise_cap=True, insist=True))
        assert house.engine.caps(task.id)[0] == NEAR + 2 * GIB
    finally:
        await house.vanish()


async def test_what_was_taken_before_is_what_the_next_plan_rests_on(house):
    task = await house.running(heap(11))
    before = await plan(house.supervisor, PlanSnapshot(task=task.id))
    await take(house.supervisor, of(task))
    after = await plan(house.supervisor, PlanSnapshot(task=task.id))
    assert after.extra_bytes < before.extra_bytes
    assert "earlier snapshot of this program" in after.basis


@pytest.mark.parametrize(
    ("available", "verdict"),
    [(16 * GIB, "raise"), (10 * GIB, "ask"), (2 * GIB, "ask"), (GIB, "refused")],
)
async def test_a_machine_that_is_full_has_the_last_word(tmp_path, available, verdict):
    house = HeapHouse(tmp_path / "s", available=available)
    await house.enter()
    try:
        task = await house.running(heap(11, 60 * MIB), memory=NEAR)
        found = await plan(house.supervisor, PlanSnapshot(task=task.id))
        assert found.verdict == verdict
        if verdict == "refused":
            with pytest.raises(Refused, match=r"this machine has 0B of 32\.0G left"):
                await take(house.supervisor, of(task, raise_cap=True, insist=True))
            assert house.engine.asked == []
    finally:
        await house.vanish()


@pytest.mark.parametrize(
    ("means", "root", "verdict"),
    [
        (CapMeans.CGROUP1, False, "raise"),
        (CapMeans.WATCHDOG, False, "raise"),
        (CapMeans.RLIMIT, True, "raise"),
        (CapMeans.RLIMIT, False, "ask"),
    ],
)
async def test_what_holds_the_cap_decides_whether_it_can_rise(
    house, monkeypatch, means, root, verdict
):
    monkeypatch.setattr("os.geteuid", lambda: 0 if root else 1000)
    house.engine.means = means
    task = await house.running(heap(11), memory=NEAR)
    assert (await plan(house.supervisor, PlanSnapshot(task=task.id))).verdict == verdict


# --- taking
async def test_it_is_written_recorded_and_told(house):
    task = await house.running(heap(11))
    done = await take(house.supervisor, of(task, attempt=1))
    path = Path(done.path)
    assert path.read_bytes() == WHOLE
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert (done.id, done.pid, done.format, done.why) == (1, 11, "v8", "operator")
    assert (done.seconds, done.pause_s, done.extra_bytes) == (1.2, 1.1, 12 * MIB)
    assert await listed(house.supervisor, task.id) == [done]
    (told,) = await house.texts(task, "snapshot")
    assert "may hold secrets" in told
    assert str(path) in told
    assert house.engine.caps(task.id) == []


async def test_it_goes_where_it_was_asked_to(house, tmp_path):
    task = await house.running(heap(11))
    path = tmp_path / "mine.heapsnapshot"
    done = await take(house.supervisor, of(task, path=str(path)), why="hunt")
    assert (done.path, done.why) == (str(path), "hunt")
    with pytest.raises(Refused, match="there already"):
        await take(house.supervisor, of(task, path=str(path)))
    assert path.read_bytes() == WHOLE


async def test_progress_is_shown_and_that_it_cannot_be_cancelled(house):
    task = await house.running(heap(11))
    go = asyncio.Event()

    async def slow(task_id, args):
        house.engine.works(task, 11, "snapshot", "writing", written=30 * MIB)
        await go.wait()
        return house.engine.writes(args)

    house.engine.doing["snapshot"] = slow
    doing = asyncio.ensure_future(take(house.supervisor, of(task)))
    activities = house.supervisor.activities
    await eventually(
        lambda: any("30M written" in one.text for one in activities.listed()), "it is told"
    )
    (shown,) = activities.listed()
    assert shown.text.startswith("writes a snapshot, heap of ")
    assert 0 < shown.fraction < 1
    assert shown.expected_s > 1
    assert not shown.cancellable
    assert not activities.cancel(shown.id)
    with pytest.raises(Refused, match="on its way"):
        await take(house.supervisor, of(task))
    go.set()
    await doing
    assert activities.listed() == []


async def test_another_attempt_than_was_planned_is_left_alone(house):
    task = await house.running(heap(11))
    with pytest.raises(Refused, match="attempt 1 now, not 3"):
        await take(house.supervisor, of(task, attempt=3))
    assert house.engine.asked == []


@pytest.mark.parametrize(
    ("can", "why", "says"),
    [
        (("gc",), {"snapshot": "no ctypes in this Python"}, "no ctypes in this Python"),
        ((), {}, "offers none"),
    ],
)
async def test_what_cannot_be_written_is_refused_with_the_reason(house, can, why, says):
    task = await house.running(heap(11, can=can, why=why))
    with pytest.raises(Refused, match=says):
        await take(house.supervisor, of(task))


# --- the cap
async def test_near_its_cap_nothing_is_taken_unless_it_is_allowed(house):
    task = await house.running(heap(11), memory=NEAR)
    with pytest.raises(Refused, match="leaves") as refused:
        await take(house.supervisor, of(task))
    assert "--raise-cap" in refused.value.remedy
    with pytest.raises(Refused):
        await take(house.supervisor, of(task, insist=True))
    assert house.engine.asked == []


async def test_the_cap_is_raised_while_it_is_written_and_put_back(house):
    task = await house.running(heap(11), memory=NEAR)
    shown = []

    async def looks(task_id, args):
        shown.append(task.row())
        return house.engine.writes(args)

    house.engine.doing["snapshot"] = looks
    planned = await plan(house.supervisor, PlanSnapshot(task=task.id))
    await take(house.supervisor, of(task, raise_cap=True))
    await eventually(lambda: len(house.engine.caps(task.id)) == 2, "it is put back")
    raised, back = house.engine.caps(task.id)
    assert (raised, back) == (planned.raise_to_bytes, GIB)
    assert raised >= NEAR + planned.extra_bytes
    assert (shown[0].cap_bytes, shown[0].cap_source) == (raised, "raised")
    await eventually(lambda: task.row().cap_bytes == GIB, "it is shown as it was")
    assert task.row().cap_source == "given"
    assert await house.texts(task, "cap") == [
        f"cap raised to {size(raised)} while a heap snapshot is written",
        "cap is 1.00G again",
    ]
    assert (await house.stored(task)).cap_bytes == GIB


async def test_the_cap_is_put_back_also_when_nothing_was_written(house):
    task = await house.running(heap(11), memory=NEAR)
    house.engine.doing["snapshot"] = refuses("the disk is full")
    with pytest.raises(Refused, match="wrote no snapshot: the disk is full"):
        await take(house.supervisor, of(task, raise_cap=True))
    await eventually(lambda: house.engine.caps(task.id)[-1] == GIB, "it is put back")
    assert await listed(house.supervisor, None) == []


async def test_a_cap_that_cannot_be_raised_keeps_it_from_being_begun(house):
    task = await house.running(heap(11), memory=NEAR)
    house.engine.doing["cap"] = refuses("only root may raise it")
    with pytest.raises(Refused, match="only root"):
        await take(house.supervisor, of(task, raise_cap=True))
    assert [verb for _, verb, _ in house.engine.asked] == ["cap"]
    assert task.row().cap_bytes == GIB


async def test_the_cap_stays_raised_until_less_is_in_use(house):
    task = await house.running(heap(11), memory=NEAR)
    quick, used = house.engine.doing["cap"], [True]

    async def lowers_later(task_id, args):
        if args["cap_bytes"] == GIB and used[0]:
            raise Refused("1.2G are in use: a cap of 1.00G would end it.")
        return await quick(task_id, args)

    house.engine.doing["cap"] = lowers_later
    await take(house.supervisor, of(task, raise_cap=True))
    await eventually(lambda: len(house.engine.caps(task.id)) == 2, "it is tried")
    for memory in (1200 * MIB, 1150 * MIB):
        await house.measured(task, memory, heap(11))
    assert task.row().cap_source == "raised"
    used[0] = False
    await eventually(lambda: len(house.engine.caps(task.id)) >= 4, "it is tried at each pass")
    await house.measured(task, 300 * MIB, heap(11))
    await eventually(lambda: task.row().cap_source == "given", "it is put back")
    texts = await house.texts(task, "cap")
    assert [text.split(":")[0] for text in texts] == [
        f"cap raised to {size(house.engine.caps(task.id)[0])} while a heap snapshot is written",
        "cap stays raised until less is in use",
        "cap is 1.00G again",
    ]


@pytest.mark.parametrize("policy", ["always", "never"])
async def test_a_policy_raises_without_asking_or_never(tmp_path, policy):
    house = HeapHouse(tmp_path / "s", replace(CALM, heap=HeapConfig(raise_cap=policy)))
    await house.enter()
    try:
        task = await house.running(heap(11), memory=NEAR)
        if policy == "never":
            with pytest.raises(Refused, match="may not fit"):
                await take(house.supervisor, of(task, raise_cap=True))
            assert house.engine.asked == []
        else:
            await take(house.supervisor, of(task))
            await eventually(lambda: len(house.engine.caps(task.id)) == 2, "up and down")
    finally:
        await house.vanish()


async def test_who_insists_where_it_may_not_fit_is_obeyed(tmp_path):
    house = HeapHouse(tmp_path / "s", available=2 * GIB)
    await house.enter()
    try:
        task = await house.running(heap(11, 60 * MIB), memory=NEAR)
        with pytest.raises(Refused, match="may not fit"):
            await take(house.supervisor, of(task, raise_cap=True))
        await take(house.supervisor, of(task, insist=True))
        assert house.engine.caps(task.id) == []
    finally:
        await house.vanish()


# --- what happens meanwhile
async def test_a_process_that_ends_meanwhile_leaves_nothing_but_the_reason(house):
    task = await house.running(heap(11), memory=NEAR)
    part = house.state.root / "snapshots" / "x"

    async def dies(task_id, args):
        nonlocal part
        part = Path(args["path"] + ".part")
        part.write_bytes(WHOLE[:20])
        house.engine.end(task.id, signal=9, cap_hit="went over its cap: 1.3G of 1.3G")
        await eventually(lambda: task.state.ended, "it ended")
        raise Refused("Process 11 ended while its snapshot was written.")

    house.engine.doing["snapshot"] = dies
    with pytest.raises(HeaptuiError, match="ended while its heap snapshot was being written"):
        await take(house.supervisor, of(task, raise_cap=True))
    assert not part.exists()
    assert task.reason == "went over its cap: 1.3G of 1.3G, while its heap snapshot was written"
    assert house.supervisor.activities.listed() == []
    assert await listed(house.supervisor, None) == []
    assert house.engine.caps(task.id)[1:] == []


async def test_it_ended_before_the_engine_was_asked(house):
    task = await house.running(heap(11))

    async def gone(task_id, args):
        raise NoSuchTask("It does not run here.")

    house.engine.doing["snapshot"] = gone
    with pytest.raises(HeaptuiError, match="ended while"):
        await take(house.supervisor, of(task))


@pytest.mark.parametrize("data", [b"", WHOLE[:-4], b"not a snapshot"])
async def test_one_that_is_not_whole_is_not_recorded(house, data):
    task = await house.running(heap(11))

    async def cut(task_id, args):
        return house.engine.writes(args, data)

    house.engine.doing["snapshot"] = cut
    with pytest.raises(Refused, match=r"cut off|empty"):
        await take(house.supervisor, of(task))
    assert await listed(house.supervisor, None) == []


async def test_who_hangs_up_has_taken_it_all_the_same(house):
    task = await house.running(heap(11))
    go = asyncio.Event()

    async def slow(task_id, args):
        await go.wait()
        return house.engine.writes(args)

    house.engine.doing["snapshot"] = slow
    doing = asyncio.ensure_future(take(house.supervisor, of(task)))
    await eventually(lambda: house.engine.asked, "it is begun")
    doing.cancel()
    await asyncio.gather(doing, return_exceptions=True)
    go.set()
    await eventually(lambda: not house.supervisor.activities.listed(), "it is over")
    assert len(await listed(house.supervisor, task.id)) == 1


async def test_what_one_was_promised_the_next_waits_for(tmp_path, monkeypatch):
    monkeypatch.setattr(rooms, "AT_ONCE", 8)
    # beside what a raise leaves, room for one of them, not for two
    house = HeapHouse(tmp_path / "s", available=13 * GIB)
    await house.enter()
    try:
        one = await house.running(heap(11, 60 * MIB))
        other = await house.running(heap(21, 60 * MIB))
        go = asyncio.Event()

        async def slow(task_id, args):
            await go.wait()
            return house.engine.writes(args)

        house.engine.doing["snapshot"] = slow
        for task in (one, other):
            assert (await plan(house.supervisor, PlanSnapshot(task=task.id))).verdict == "raise"
        doing = [
            asyncio.ensure_future(take(house.supervisor, of(task, raise_cap=True)))
            for task in (one, other)
        ]
        activities = house.supervisor.activities
        await eventually(
            lambda: any("waits until another" in one.text for one in activities.listed()),
            "the second waits",
        )

        def begun() -> int:
            return [verb for _, verb, _ in house.engine.asked].count("snapshot")

        await eventually(begun, "the first is begun")
        assert begun() == 1
        go.set()
        assert {found.pid for found in await asyncio.gather(*doing)} == {11, 21}
    finally:
        await house.vanish()


async def test_one_that_waits_for_its_turn_can_be_cancelled(house, monkeypatch):
    monkeypatch.setattr(rooms, "AT_ONCE", 1)
    one, other = await house.running(heap(11)), await house.running(heap(21))
    go = asyncio.Event()

    async def slow(task_id, args):
        await go.wait()
        return house.engine.writes(args)

    house.engine.doing["snapshot"] = slow
    first = asyncio.ensure_future(take(house.supervisor, of(one)))
    await eventually(lambda: house.engine.asked, "the first is begun")
    second = asyncio.ensure_future(take(house.supervisor, of(other)))
    activities = house.supervisor.activities
    await eventually(lambda: len(activities.listed()) == 2, "the second waits")
    waiting = next(one for one in activities.listed() if one.task_id == other.id)
    await eventually(lambda: activities.cancel(waiting.id), "it can be cancelled")
    with pytest.raises(Refused, match="cancelled"):
        await second
    go.set()
    await first
    assert [args["pid"] for _, _, args in house.engine.asked] == [11]


# --- those there are
async def test_one_whose_file_was_deleted_by_hand_is_no_longer_listed(house):
    task = await house.running(heap(11))
    first, second = [await take(house.supervisor, of(task)) for _ in range(2)]
    Path(first.path).unlink()
    assert await listed(house.supervisor, None) == [second]
    assert [one.id for one in await house.store.snapshots()] == [second.id]
    assert len(await house.store.costs("node")) == 2


async def test_deleting_deletes_the_file_and_says_how_many_there_were(house):
    task = await house.running(heap(11))
    first, second = [await take(house.supervisor, of(task)) for _ in range(2)]
    assert await delete(house.supervisor, [first.id, 77]) == 1
    assert not Path(first.path).exists()
    assert await listed(house.supervisor, None) == [second]
    Path(second.path).unlink()
    Path(second.path).mkdir()
    with pytest.raises(StorageTrouble, match="cannot be deleted"):
        await delete(house.supervisor, [second.id])
    assert await listed(house.supervisor, None) == [second]


async def test_the_oldest_are_let_go_of_and_never_the_one_just_taken(tmp_path):
    heaps = HeapConfig(keep_snapshots=2)
    house = HeapHouse(tmp_path / "s", Config(heap=heaps))
    await house.enter()
    try:
        task = await house.running(heap(11))
        mine = await take(house.supervisor, of(task, path=str(tmp_path / "mine.heapsnapshot")))
        taken = [await take(house.supervisor, of(task)) for _ in range(4)]
        assert [one.id for one in await listed(house.supervisor, None)] == [5, 4, mine.id]
        assert [Path(one.path).exists() for one in taken] == [False, False, True, True]
        assert "1 older deleted" in (await house.texts(task, "snapshot"))[-1]
    finally:
        await house.vanish()


async def test_bytes_are_bounded_as_well(tmp_path):
    house = HeapHouse(tmp_path / "s", Config(heap=HeapConfig(keep=str(len(WHOLE) + 1))))
    await house.enter()
    try:
        task = await house.running(heap(11))
        last = [await take(house.supervisor, of(task)) for _ in range(3)][-1]
        assert await listed(house.supervisor, None) == [last]

        async def large(task_id, args):
            return house.engine.writes(args, WHOLE[:-1] + b" " * 1000 + b"}")

        house.engine.doing["snapshot"] = large
        larger = await take(house.supervisor, of(task))
        assert await listed(house.supervisor, None) == [larger]
    finally:
        await house.vanish()


async def test_snapshots_of_a_forgotten_task_are_still_found(house):
    task = await house.running(heap(11))
    done = await take(house.supervisor, of(task))
    await end(task, house, code=0)
    await operations.forget(house.supervisor, Forget([task.id]).tasks)
    assert await listed(house.supervisor, task.id) == [done]
    assert await listed(house.supervisor, "hold") == [done]
    with pytest.raises(NoSuchTask):
        await listed(house.supervisor, "nothing")


# --- one supervisor after another
async def begun_and_left(house, task) -> Path:
    """A snapshot that is being written when its supervisor vanishes."""
    paths: list[Path] = []

    async def never_answers(task_id, args):
        paths.append(Path(args["path"]))
        Path(args["path"] + ".part").write_bytes(WHOLE[:20])
        await asyncio.Event().wait()

    house.engine.doing["snapshot"] = never_answers
    doing = asyncio.ensure_future(take(house.supervisor, of(task)))
    await eventually(lambda: paths, "it is begun")
    (inner,) = [one for one in asyncio.all_tasks() if "_take" in repr(one.get_coro())]
    await house.vanish()
    inner.cancel()
    await asyncio.gather(doing, inner, return_exceptions=True)
    return paths[0]


async def test_the_next_supervisor_records_what_was_written_meanwhile(house):
    task = await house.running(heap(11))
    path = await begun_and_left(house, task)
    stray = path.with_name("stray.heapsnapshot.part")
    stray.touch()
    await house.enter()
    await eventually(lambda: not stray.exists(), "leftovers are cleared")
    assert path.with_name(path.name + ".part").exists()
    path.with_name(path.name + ".part").unlink()
    path.write_bytes(WHOLE)
    task = house.task(task.id)
    await house.measured(task, 100 * MIB, heap(11))
    async with asyncio.timeout(30):
        while not (found := await listed(house.supervisor, task.id)):
            house.engine.measure((task, 100 * MIB))
            await asyncio.sleep(0.01)
    assert (found[0].path, found[0].heap_bytes, found[0].extra_bytes) == (
        str(path),
        20 * MIB,
        None,
    )
    await eventually(lambda: not house.supervisor.begun._begun, "it is no longer noted")
    assert path.stat().st_mode & 0o777 == 0o600


async def test_what_never_becomes_whole_is_deleted_with_its_process(house):
    task = await house.running(heap(11))
    path = await begun_and_left(house, task)
    await house.enter()
    task = house.task(task.id)
    await end(task, house, signal=9)
    part = path.with_name(path.name + ".part")
    async with asyncio.timeout(30):
        while part.exists():
            house.engine.measure()
            await asyncio.sleep(0.01)
    assert await listed(house.supervisor, None) == []
    assert task.state is State.FAILED


async def test_one_that_was_never_begun_is_not_waited_for(house, monkeypatch):
    monkeypatch.setattr(snapshot_shelf, "BEGUN_S", 0.0)
    task = await house.running(heap(11))
    path = await begun_and_left(house, task)
    path.with_name(path.name + ".part").unlink()
    await house.enter()
    async with asyncio.timeout(30):
        while house.supervisor.begun._begun:
            house.engine.measure()
            await asyncio.sleep(0.01)
