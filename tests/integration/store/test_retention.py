"""What is deleted, with everything of its own, and what stays."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing

from heaptui.model import Event, State, TaskSpec
from heaptui.store import retention
from heaptui.store.records import Batch, Kin, Rollup, StoredTask

DAY = 86400.0
TABLES = ("tasks", "worker_sessions", "events", "rollups")


def counts(path) -> dict[str, int]:
    with closing(sqlite3.connect(path)) as database:
        return {
            table: database.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
            for table in TABLES
        }


def whole(task: StoredTask, attempt, minutes: range) -> Batch:
    """The task with one attempt, an event and a roll-up for each of the minutes."""
    name = task.id
    return Batch(
        tasks=[task],
        attempts=[attempt(name, created_at=task.created_at, ended_at=task.ended_at)],
        events=[
            Event(at=minute * 60.0, task_id=name, attempt=1, kind="note", text="x")
            for minute in minutes
        ],
        rollups=[
            Rollup(task_id=name, attempt=1, minute=minute, low=1, high=2, last=1)
            for minute in minutes
        ],
    )


async def test_forget_takes_ended_tasks_with_everything(store, path, task, attempt):
    await store.write(whole(task("a", state=State.DONE, ended_at=1.0), attempt, range(3)))
    await store.write(whole(task("b", state=State.RUNNING), attempt, range(3)))
    assert await store.forget(["a", "a", "b", "nobody"]) == 1
    assert counts(path) == {"tasks": 1, "worker_sessions": 1, "events": 3, "rollups": 3}
    assert await store.task("a") is None
    assert len(await store.attempts("b")) == 1


async def test_prune_by_age_and_by_number(store, task, attempt):
    now = 100 * DAY
    for n in range(10):
        ended = task(f"t{n}", state=State.DONE, order=n, ended_at=(90 + n) * DAY)
        await store.write(whole(ended, attempt, range(1)))
    await store.write(Batch(tasks=[task("live", created_at=1.0)]))
    assert await store.prune(now, keep_days=7.5, keep_tasks=100) == ["t0", "t1", "t2"]
    assert await store.prune(now, keep_days=7.5, keep_tasks=2) == ["t3", "t4", "t5", "t6", "t7"]
    assert [found.id for found in await store.recent(99)] == ["t9", "t8"]
    assert await store.prune(now, keep_days=7.5, keep_tasks=0) == ["t8", "t9"]
    assert [found.id for found in await store.unended()] == ["live"]


async def test_a_task_that_lives_on_loses_only_what_is_old(store, path, task, attempt):
    now = 10 * DAY
    days = range(0, 10 * 1440, 1440)  # the first minute of each day
    await store.write(whole(task("a", created_at=0.5, state=State.RUNNING), attempt, days))
    assert await store.prune(now, keep_days=3, keep_tasks=10) == []
    assert counts(path) == {"tasks": 1, "worker_sessions": 1, "events": 3, "rollups": 3}
    assert [found.minute for found in await store.rollups("a", 0)] == [d * 1440 for d in (7, 8, 9)]


async def test_prune_works_in_portions_between_which_writes_go_on(
    store, path, task, attempt, monkeypatch
):
    monkeypatch.setattr(retention, "PORTION_ROWS", 100)
    ended = [task(f"t{n:03}", state=State.DONE, order=n, ended_at=1.0) for n in range(300)]
    for one in ended:
        await store.write(whole(one, attempt, range(10)))
    before = store.commits
    pruning = asyncio.create_task(store.prune(100 * DAY, 1, 0))
    written = 0
    while not pruning.done():
        spec = TaskSpec(argv=("true",), cwd="/")
        new = StoredTask(id=f"n{written}", spec=spec, state=State.QUEUED, created_at=99 * DAY)
        await store.write(Batch(tasks=[new]))
        written += 1
    assert len(await pruning) == 300
    assert store.commits - before - written >= 300 * 20 / 100
    assert written > 10
    assert counts(path) == {"tasks": written, "worker_sessions": 0, "events": 0, "rollups": 0}


def family(task, root: str, ended: float, **fields) -> list[StoredTask]:
    """A task that was split in two, the first of them in one more; all have ended."""
    given = {"state": State.DONE, "ended_at": ended}
    return [
        task(root, kin=Kin(children=2), **(given | fields)),
        task(f"{root}1", parent=root, kin=Kin(part=1, depth=1, children=1), **given),
        task(f"{root}2", parent=root, kin=Kin(part=2, depth=1), **given),
        task(f"{root}11", parent=f"{root}1", kin=Kin(part=1, depth=2), **given),
    ]


async def test_a_family_goes_by_the_end_of_its_root_and_never_a_part_alone(store, task):
    old, late = family(task, "a", 1 * DAY), family(task, "b", 9 * DAY)
    waits = family(task, "c", 1 * DAY, state=State.SPLIT, ended_at=None)
    await store.write(Batch(tasks=[*old, *late, *waits, task("o", state=State.DONE, ended_at=DAY)]))
    gone = await store.prune(10 * DAY, keep_days=5, keep_tasks=100)
    assert gone == ["a", "a1", "a2", "a11", "o"]
    assert len(await store.children("b")) == len(await store.children("c")) == 2
    # the parts of what waits count, and stay
    assert await store.prune(10 * DAY, keep_days=50, keep_tasks=7) == []
    assert await store.prune(10 * DAY, keep_days=50, keep_tasks=6) == ["b", "b1", "b2", "b11"]
    assert await store.prune(10 * DAY, keep_days=0, keep_tasks=0) == []


async def test_a_part_is_not_forgotten_while_what_it_is_a_part_of_is_there(store, task):
    await store.write(Batch(tasks=[*family(task, "a", 1.0), *family(task, "b", 1.0)]))
    # named in the wrong order, or tried again since they were named
    assert await store.forget(["a11", "a1"]) == 0
    await store.write(Batch(tasks=[task("b", state=State.SPLIT, kin=Kin(children=2))]))
    assert await store.forget(["b", "b1", "b2", "b11"]) == 0
    assert await store.forget(["a", "a1", "a2", "a11"]) == 4


async def test_parts_whose_root_is_gone_go_by_their_own_end(store, task):
    """We were killed between two portions."""
    await store.write(Batch(tasks=family(task, "a", 1.0)[1:]))
    assert await store.prune(10 * DAY, keep_days=1, keep_tasks=9) == ["a1", "a11", "a2"]


async def test_what_is_deleted_is_overwritten(store, path, task):
    secret = "hunter2-" * 8
    ended = task("a", state=State.DONE, ended_at=1.0, reason=secret)
    await store.write(Batch(tasks=[ended]))
    await store.forget(["a"])
    await store.close()
    assert secret.encode() not in path.read_bytes()
