"""Heaps as the supervisor holds and shows them, and garbage collected on demand."""

from __future__ import annotations

import asyncio

import pytest

from heaptui.engine.base import Sampled
from heaptui.errors import NoSuchTask, Refused
from heaptui.protocol import Collect
from heaptui.supervisor import collecting, operations
from heaptui.supervisor.collecting import collect, collect_in
from heaptui.units import GIB, MIB
from tests.integration.engine.contract import eventually
from tests.integration.supervisor.heaped import heap, refuses


def asking(*tasks, **fields) -> Collect:
    return Collect(tasks=[task.id for task in tasks], **fields)


# --- what is shown
async def test_the_largest_heap_is_the_row_and_all_are_in_the_detail(house):
    small, large = heap(11, 20 * MIB), heap(12, 300 * MIB, external_bytes=7 * MIB)
    task = await house.running(small, large)
    row = task.row()
    assert (row.heaps, row.heap_used_bytes, row.heap_limit_bytes) == (2, 300 * MIB, GIB)
    assert (row.external_bytes, row.heap_peak_bytes, row.heap_absent) == (7 * MIB, 300 * MIB, None)
    detail = await operations.show(house.supervisor, task.id, 10)
    assert detail.heaps == (small, large)


async def test_figures_of_a_process_that_is_gone_are_dropped_and_the_peak_stays(house):
    task = await house.running(heap(11, 300 * MIB))
    await house.measured(task, 90 * MIB)
    row = task.row()
    assert (row.heaps, row.heap_used_bytes, row.external_bytes) == (0, None, None)
    assert row.heap_peak_bytes == 300 * MIB
    house.engine.end(task.id, code=0)
    await eventually(lambda: task.state.ended, "it ended")
    (attempt,) = await _attempts(house, task)
    assert attempt.heap_peak_bytes == 300 * MIB


async def _attempts(house, task):
    await house.supervisor.ledger.commit()
    return await house.store.attempts(task.id)


async def test_nothing_of_an_attempt_is_shown_of_the_next(house):
    task = await house.running(heap(11, 300 * MIB))
    house.engine.end(task.id, code=1)
    await eventually(lambda: task.state.ended, "it ended")
    assert task.row().heap_used_bytes is None
    # a pass that was under way when it ended
    house.engine.emit(Sampled(node="n", at=1, host=None, tasks=[], heaps={task.id: (heap(11),)}))
    await house.settled()
    assert task.row().heaps == 0
    await operations.retry(house.supervisor, operations.protocol.Retry([task.id]))
    await house.submitted(task, 2)
    assert task.row().heap_peak_bytes is None


async def test_why_there_is_none_is_a_state(house):
    task = await house.running(absent="Deno is not looked into")
    assert task.row().heap_absent == "Deno is not looked into"
    await house.measured(task, 90 * MIB, heap(11))
    assert task.row().heap_absent is None


async def test_a_heap_that_stands_still_is_not_shown_again(house):
    task = await house.running(heap(11, 300 * MIB))
    watcher = house.supervisor.gallery.enter()
    await house.measured(task, 100 * MIB, heap(11, 300 * MIB + 1000, at=5.0))
    await house.settled()
    assert task.id not in watcher._rows
    await house.measured(task, 100 * MIB, heap(11, 310 * MIB, at=6.0))
    assert task.id in watcher._rows


# --- collecting
async def test_every_heap_of_every_task_is_collected_at_once(house):
    one, other = await house.running(heap(11), heap(12)), await house.running(heap(21))
    asked, go = set(), asyncio.Event()
    quick = house.engine.doing["gc"]

    async def all_at_once(task_id, args):
        asked.add(args["pid"])
        await go.wait()
        return await quick(task_id, args)

    house.engine.doing["gc"] = all_at_once
    doing = asyncio.ensure_future(collect(house.supervisor, asking(one, other)))
    await eventually(lambda: asked == {11, 12, 21}, "all are asked")
    assert len(house.supervisor.activities.listed()) == 3
    go.set()
    done = await doing
    assert [(found.task_id, found.pid) for found in done] == [
        (one.id, 11),
        (one.id, 12),
        (other.id, 21),
    ]
    assert house.supervisor.activities.listed() == []
    assert done[2].text == "hold: heap 100 → 40M, memory 150 → 90M, 30 ms"
    assert done[0].text.startswith("hold (11): heap 100")
    assert (done[2].heap_before, done[2].heap_after, done[2].pause_s) == (100 * MIB, 40 * MIB, 0.03)
    assert await house.texts(other, "gc") == [done[2].text]


async def test_one_process_alone_and_from_within(house):
    task = await house.running(heap(11), heap(12))
    (done,) = await collect(house.supervisor, asking(task, pid=12))
    assert done.pid == 12
    assert [found.pid for found in await collect_in(house.supervisor, task, None)] == [11, 12]


async def test_it_says_that_it_waits_for_a_native_call(house):
    task = await house.running(heap(11))
    go, quick = asyncio.Event(), house.engine.doing["gc"]

    async def waits(task_id, args):
        house.engine.works(task, 11, "gc", "waiting")
        await go.wait()
        return await quick(task_id, args)

    house.engine.doing["gc"] = waits
    doing = asyncio.ensure_future(collect(house.supervisor, asking(task)))
    listed = house.supervisor.activities.listed
    await eventually(
        lambda: [one.text for one in listed()] == ["waits for a native call to return"],
        "it says so",
    )
    house.engine.works(task, 11, "gc", "collecting")
    await eventually(lambda: [one.text for one in listed()] == ["collects garbage"], "it collects")
    go.set()
    assert (await doing)[0].error is None


async def test_waiting_can_be_given_up(house):
    task = await house.running(heap(11))

    async def forever(task_id, args):
        house.engine.works(task, 11, "gc", "waiting")
        await asyncio.Event().wait()

    house.engine.doing["gc"] = forever
    doing = asyncio.ensure_future(collect(house.supervisor, asking(task)))
    activities = house.supervisor.activities
    await eventually(lambda: any("native" in one.text for one in activities.listed()), "it waits")
    assert activities.cancel(activities.listed()[0].id)
    (done,) = await doing
    assert "no longer waited for" in done.error
    assert await house.texts(task, "gc") == []


async def test_a_process_that_says_nothing_at_all_is_not_waited_for_long(house, monkeypatch):
    monkeypatch.setattr(collecting, "SILENT_S", 0.05)
    task = await house.running(heap(11))

    async def frozen(task_id, args):
        await asyncio.Event().wait()

    house.engine.doing["gc"] = frozen
    (done,) = await collect(house.supervisor, asking(task))
    assert "is it stopped (SIGSTOP)?" in done.error


@pytest.mark.parametrize(
    ("fails", "says"),
    [
        (Refused("Process 11 ended while its garbage was collected."), "ended while"),
        (NoSuchTask("It does not run here."), "it ended meanwhile"),
    ],
)
async def test_what_fails_in_one_process_is_told_of_that_one(house, fails, says):
    task = await house.running(heap(11), heap(12))
    quick = house.engine.doing["gc"]

    async def half(task_id, args):
        if args["pid"] == 11:
            raise fails
        return await quick(task_id, args)

    house.engine.doing["gc"] = half
    bad, good = await collect(house.supervisor, asking(task))
    assert says in bad.error
    assert (bad.heap_before, good.error) == (None, None)


async def test_who_has_no_heap_is_told_beside_those_who_have(house):
    able = await house.running(heap(11))
    unable = await house.running(absent="Bun is not looked into")
    done, refused = await collect(house.supervisor, asking(able, unable))
    assert done.error is None
    assert (refused.task_id, "Bun is not looked into" in refused.error) == (unable.id, True)
    with pytest.raises(Refused, match="Bun is not"):
        await collect(house.supervisor, asking(unable))


async def test_another_attempt_than_was_seen_is_left_alone(house):
    task = await house.running(heap(11))
    with pytest.raises(Refused, match="attempt 1 now, not 4"):
        await collect(house.supervisor, asking(task, attempts=[4]))
    assert house.engine.asked == []


async def test_who_hangs_up_has_collected_all_the_same(house):
    task = await house.running(heap(11))
    go, quick = asyncio.Event(), house.engine.doing["gc"]

    async def slow(task_id, args):
        await go.wait()
        return await quick(task_id, args)

    house.engine.doing["gc"] = slow
    doing = asyncio.ensure_future(collect(house.supervisor, asking(task)))
    await eventually(lambda: house.engine.asked, "it is asked")
    doing.cancel()
    await asyncio.gather(doing, return_exceptions=True)
    go.set()
    await eventually(lambda: not house.supervisor.activities.listed(), "it is over")
    assert len(await house.texts(task, "gc")) == 1


async def test_a_refusal_of_the_engine_is_one_sentence(house):
    task = await house.running(heap(11))
    house.engine.doing["gc"] = refuses("Process 11 has not answered what it was asked before.")
    (done,) = await collect(house.supervisor, asking(task))
    assert done.text == "hold: not collected: Process 11 has not answered what it was asked before."
