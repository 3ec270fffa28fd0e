"""Schema versions: forward step by step, never backward, never another program's file."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing

import pytest

from heaptui.errors import Refused
from heaptui.store import schema
from heaptui.store.opening import connect, make_private
from heaptui.store.records import Batch
from heaptui.store.store import Store

TWO_STEPS = (
    *schema.STEPS,
    (
        "ALTER TABLE tasks ADD COLUMN colour TEXT",
        "UPDATE tasks SET colour = 'red' || sequence",
        "CREATE INDEX tasks_by_colour ON tasks (colour)",
    ),
)


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
    assert await schema.migrate(connection, TWO_STEPS) == (1, 2)
    assert await schema.migrate(connection, TWO_STEPS) == (2, 2)
    await connection.close()
    with closing(sqlite3.connect(path)) as database:
        assert database.execute("SELECT id, colour FROM tasks").fetchall() == [("a", "red7")]


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
    assert version(path) == 1
    again = await Store.open(path, "s")
    assert await again.task("a") == task("a")
    await again.close()


async def test_two_that_migrate_at_once_both_find_it_done(path):
    make_private(path)
    connections = [await connect(path), await connect(path)]
    done = await asyncio.gather(*(schema.migrate(one, TWO_STEPS) for one in connections))
    assert [after for _, after in done] == [2, 2]
    for one in connections:
        await one.close()
    assert version(path) == 2


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
