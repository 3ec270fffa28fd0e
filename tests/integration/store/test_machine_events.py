"""Events of the machine, which belong to no task."""

from __future__ import annotations

from heaptui.model import Event
from heaptui.store.records import Batch

DAY = 86400.0


def event(at: float, task_id: str = "", text: str = "x") -> Event:
    return Event(at=at, task_id=task_id, attempt=0, kind="alert", text=text)


async def test_the_latest_of_all_are_read_in_order_and_behind_a_number(store, task):
    await store.write(Batch(tasks=[task("a")], events=[event(1.0, "a", "one"), event(2.0)]))
    await store.write(Batch(events=[event(1.5, "a", "three")]))
    found = await store.recent_events(10)
    assert [one.text for one in found] == ["one", "x", "three"]
    assert [one.text for one in await store.recent_events(2)] == ["x", "three"]
    assert await store.recent_events(10, found[1].seq) == found[2:]
    assert await store.recent_events(0) == await store.recent_events(10, found[2].seq) == []


async def test_old_ones_are_pruned_and_those_of_tasks_are_not_touched(store, task):
    old_task = task("a", created_at=1.0)
    await store.write(
        Batch(tasks=[old_task], events=[event(1 * DAY), event(9 * DAY), event(1 * DAY, "b")])
    )
    assert await store.prune(10 * DAY, keep_days=5, keep_tasks=10) == []
    assert [(one.task_id, one.at) for one in await store.recent_events(10)] == [
        ("", 9 * DAY),
        ("b", 1 * DAY),
    ]
    assert await store.forget(["", "a"]) == 0
    assert len(await store.recent_events(10)) == 2
