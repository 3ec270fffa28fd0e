"""Schema versions: forward step by step, never backward, never another program's file."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing

import pytest

from heaptui.errors import Refused
from heaptui.store import schema
from heaptui.store.mend import PAGE, Mended, mend
from heaptui.store.opening import connect, make_private
from heaptui.store.records import Batch, Kin
from heaptui.store.store import Store
from heaptui.units import MIB

NEWER = (
    *schema.STEPS,
    (
        "ALTER TABLE tasks ADD COLUMN colour TEXT",
        "UPDATE tasks SET colour = 'red' || sequence",
        "CREATE INDEX tasks_by_colour ON tasks (colour)",
    ),
)
NEXT = len(NEWER)


def version(path) -> int:
    with closing(sqlite3.connect(path)) as database:
        return database.execute("PRAGMA user_version").fetchone()[0]


async def test_a_new_database_has_the_version_and_is_ours(path):
    await (await Store.open(path, "s")).close()
    assert version(path) == schema.VERSION
    with closing(sqlite3.connect(path)) as database:
        assert database.execute("PRAGMA application_id").fetchone() == (schema.APPLICATION_ID,)
        assert database.execute("PRAGMA journal_mode").fetchone() == ("wal",)


async def test_an_older_database_is_brought_forward_with_its_rows(path, task):
    store = await Store.open(path, "s")
    await store.write(Batch(tasks=[task("a", order=7)]))
    await store.close()
    connection = await connect(path)
    assert await schema.migrate(connection, NEWER) == (schema.VERSION, NEXT)
    assert await schema.migrate(connection, NEWER) == (NEXT, NEXT)
    await connection.close()
    with closing(sqlite3.connect(path)) as database:
        assert database.execute("SELECT id, colour FROM tasks").fetchall() == [("a", "red7")]


def of_version_1(path) -> None:
    """As heaptui 0.1 left it: a task that ended, its attempt and what happened."""
    make_private(path)
    with closing(sqlite3.connect(path)) as database:
        for statement in schema.STEPS[0]:
            database.execute(statement)
        database.execute("PRAGMA user_version = 1")
        spec = '{"argv":["node","a.js"],"cwd":"/srv","name":"old","kind":"node"}'
        database.execute(
            "INSERT INTO tasks (id, sequence, name, kind, state, spec, created_at, ended_at,"
            " attempts, failures, cap_source) VALUES"
            " ('aaaa', 1, 'old', 'node', 'done', ?, 1.0, 9.0, 1, 0, 'given')",
            (spec,),
        )
        database.execute(
            "INSERT INTO worker_sessions (supervisor_id, task_id, attempt, name, base_name,"
            " agent_type, status, created_at, ended_at, memory_peak_mb, evidence) VALUES"
            " ('s', 'aaaa', 1, 'old', 'old', 'node', 'done', 1.0, 9.0, 84.5, '[]')"
        )
        database.execute(
            "INSERT INTO events (at, task_id, attempt, kind, text)"
            " VALUES (1.0, 'aaaa', 1, 'queued', 'queued')"
        )
        database.commit()


async def test_a_database_of_version_1_is_brought_forward_with_everything_in_it(path):
    of_version_1(path)
    store = await Store.open(path, "s")
    assert version(path) == schema.VERSION
    (held,) = await store.recent(5)
    # what a specification did not say then has its default now
    assert (held.id, held.spec.preset, held.spec.preload) == ("aaaa", "", True)
    (attempt,) = await store.attempts("aaaa")
    assert (attempt.peak_bytes, attempt.heap_peak_bytes) == (round(84.5 * MIB), None)
    assert [event.kind for event in await store.events("aaaa", 9)] == ["queued"]
    assert await store.snapshots() == await store.findings() == []
    await store.close()


def of_version_3(path) -> None:
    """As heaptui left it before tasks could be split: one that waits, and a snapshot."""
    of_version_1(path)
    with closing(sqlite3.connect(path)) as database:
        for statement in (*schema.STEPS[1], *schema.STEPS[2]):
            database.execute(statement)
        database.execute("PRAGMA user_version = 3")
        database.execute(
            "INSERT INTO tasks (id, sequence, name, kind, state, spec, created_at, attempts,"
            " failures, cap_source, recovery, result_bytes) VALUES ('bbbb', 2, 'new', 'command',"
            """ 'queued', '{"argv":["a"],"cwd":"/","name":"new"}', 2.0, 1, 0, 'given',"""
            """ '{"ooms":1}', 9)"""
        )
        database.execute(
            "INSERT INTO snapshots (task_id, attempt, name, base_name, pid, runtime, version,"
            " format, at, path, bytes, seconds, why) VALUES ('aaaa', 1, 'old', 'old', 7, 'node',"
            " '22', 'v8', 3.0, '/s', 10, 0.5, 'operator')"
        )
        database.commit()


async def test_a_database_of_version_3_is_brought_forward_with_everything_in_it(path):
    of_version_3(path)
    store = await Store.open(path, "s")
    assert version(path) == schema.VERSION
    (held,) = await store.unended()
    assert (held.id, held.recovery.ooms, held.result_bytes) == ("bbbb", 1, 9)
    # nobody's child, and it names nothing that it works through
    assert (held.parent, held.kin, held.items) == ("", Kin(), None)
    assert await store.inputs("bbbb") is None
    assert await store.division("bbbb") is None
    assert await store.children("bbbb") == []
    assert [one.bytes for one in await store.snapshots()] == [10]
    await store.close()


async def test_a_database_of_version_3_is_mended_by_what_it_has(path):
    of_version_3(path)
    assert await mend(path) == Mended()
    assert version(path) == 3
    with closing(sqlite3.connect(path)) as database:
        database.execute("UPDATE tasks SET state = 'dancing' WHERE id = 'aaaa'")
        database.commit()
    mended = await mend(path)
    assert (mended.tasks, mended.snapshots, mended.unreadable) == (1, 1, 1)
    store = await Store.open(path, "s")
    assert [one.id for one in await store.all_tasks(9)] == ["bbbb"]
    await store.close()


async def test_a_whole_database_of_version_1_needs_no_mending(path):
    of_version_1(path)
    assert await mend(path) == Mended()
    assert version(path) == 1


async def test_a_damaged_database_of_version_1_is_mended_into_one_of_this(path):
    of_version_1(path)
    with closing(sqlite3.connect(path)) as database:
        sql = "SELECT rootpage FROM sqlite_master WHERE name = 'events'"
        (page,) = database.execute(sql).fetchone()
    with path.open("r+b") as file:
        file.seek((page - 1) * PAGE)
        file.write(b"?" * PAGE)
    mended = await mend(path)
    assert (mended.tasks, mended.attempts, mended.snapshots, mended.unreadable) == (1, 1, 0, 1)
    assert version(path) == schema.VERSION


async def test_a_step_that_fails_leaves_everything_as_it_was(path, task):
    store = await Store.open(path, "s")
    await store.write(Batch(tasks=[task("a")]))
    await store.close()
    broken = (
        *schema.STEPS,
        ("ALTER TABLE tasks ADD COLUMN colour TEXT", "UPDATE nothing SET x = 1"),
    )
    connection = await connect(path)
    with pytest.raises(sqlite3.OperationalError, match="nothing"):
        await schema.migrate(connection, broken)
    await connection.close()
    assert version(path) == schema.VERSION
    again = await Store.open(path, "s")
    assert await again.task("a") == task("a")
    await again.close()


async def test_two_that_migrate_at_once_both_find_it_done(path):
    make_private(path)
    connections = [await connect(path), await connect(path)]
    done = await asyncio.gather(*(schema.migrate(one, NEWER) for one in connections))
    assert [after for _, after in done] == [NEXT, NEXT]
    for one in connections:
        await one.close()
    assert version(path) == NEXT


async def test_a_newer_database_is_refused_and_not_changed(path, task):
    store = await Store.open(path, "s")
    await store.write(Batch(tasks=[task("a")]))
    await store.close()
    with closing(sqlite3.connect(path)) as database:
        database.execute("PRAGMA user_version = 7")
    before = path.read_bytes()
    with pytest.raises(Refused) as refused:
        await Store.open(path, "s")
    assert f"newer heaptui (schema 7, this one knows {schema.VERSION})" in refused.value.what
    assert "--state DIR" in refused.value.remedy
    assert path.read_bytes() == before


async def test_another_programs_database_is_refused_and_not_changed(path):
    with closing(sqlite3.connect(path)) as database:
        database.execute("CREATE TABLE books (title)")
        database.commit()
    before = path.read_bytes()
    with pytest.raises(Refused, match="another program"):
        await Store.open(path, "s")
    assert path.read_bytes() == before
