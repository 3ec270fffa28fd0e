"""Queries that run while tasks start and end do not read or sort all of the history."""

from __future__ import annotations

import sqlite3
from itertools import chain

import pytest

from heaptui.store import schema
from heaptui.store.schema import HAS_ENDED, IS_UNENDED


@pytest.mark.parametrize(
    ("query", "index"),
    [
        (f"SELECT * FROM tasks WHERE {IS_UNENDED} ORDER BY sequence, id", "tasks_unended"),
        (
            f"SELECT * FROM tasks WHERE {HAS_ENDED} ORDER BY ended_at DESC, sequence DESC LIMIT 9",
            "tasks_by_end",
        ),
        ("SELECT * FROM tasks ORDER BY sequence DESC, id DESC LIMIT 9", "tasks_by_sequence"),
        ("SELECT * FROM events WHERE task_id = 'a' ORDER BY seq DESC LIMIT 9", "events_by_task"),
        (
            "SELECT * FROM worker_sessions WHERE ended_at IS NOT NULL"
            " ORDER BY ended_at DESC, id DESC LIMIT 9",
            "worker_sessions_by_end",
        ),
        (
            "SELECT * FROM worker_sessions WHERE agent_type = 'node' AND base_name = 'a'"
            " AND ended_at IS NOT NULL ORDER BY ended_at DESC, id DESC LIMIT 9",
            "worker_sessions_by_name",
        ),
    ],
)
def test_an_index_gives_the_rows_in_order(query, index):
    database = sqlite3.connect(":memory:", isolation_level=None)
    for statement in chain(*schema.STEPS):
        database.execute(statement)
    plan = [row[3] for row in database.execute(f"EXPLAIN QUERY PLAN {query}")]
    database.close()
    assert len(plan) == 1
    assert index in plan[0]
