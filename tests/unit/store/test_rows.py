"""Records as rows and back, in a real SQLite database in memory."""

from __future__ import annotations

import sqlite3
from itertools import chain

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from heaptui.errors import UsageError
from heaptui.model import AttemptRecord, CapMeans, Event, Kind, Limits, State, TaskSpec, VerdictKind
from heaptui.store import rows, schema
from heaptui.store.records import Batch, Rollup, StoredTask

text = st.text(max_size=40)
instant = st.floats(allow_nan=False)
count = st.integers(-(2**63), 2**63 - 1)
size = st.integers(0, 2**53)
finite = st.floats(allow_nan=False, allow_infinity=False)

limits = st.builds(
    Limits,
    cap_bytes=st.none() | size,
    heap_bytes=st.none() | size,
    timeout_s=st.none() | finite,
    grace_s=finite,
    output_bytes=size,
)
specs = st.builds(
    TaskSpec,
    argv=st.lists(text, max_size=4).map(tuple),
    cwd=text,
    name=text,
    kind=st.sampled_from(Kind),
    limits=limits,
    priority=count,
    retries=count,
    env=st.dictionaries(text, text, max_size=3),
    clean_env=st.booleans(),
)
tasks = st.builds(
    StoredTask,
    id=text,
    spec=specs,
    state=st.sampled_from(State),
    created_at=instant,
    order=count,
    attempts=count,
    failures=count,
    cap_bytes=st.none() | count,
    cap_source=text,
    started_at=st.none() | instant,
    ended_at=st.none() | instant,
    exit_code=st.none() | count,
    signal=st.none() | count,
    verdict=st.none() | st.sampled_from(VerdictKind),
    reason=st.none() | text,
    peak_bytes=st.none() | count,
    next_try_at=st.none() | instant,
    stop_by=st.none() | instant,
    stop_why=st.none() | text,
    environment=text,
    pid=st.none() | st.integers(1, 1 << 22),
    cap_means=st.none() | st.sampled_from(CapMeans),
    output_bytes=st.integers(0, 1 << 40),
    heap_limit_bytes=st.none() | size,
)
attempts = st.builds(
    AttemptRecord,
    id=st.integers(1, 2**62),
    task_id=text,
    attempt=count,
    name=text,
    kind=st.sampled_from(Kind),
    status=text,
    created_at=instant,
    started_at=st.none() | instant,
    ended_at=st.none() | instant,
    pid=st.none() | count,
    exit_code=st.none() | count,
    signal=st.none() | count,
    peak_bytes=st.none() | size,
    cap_bytes=st.none() | size,
    cap_means=st.none() | st.sampled_from(CapMeans),
    verdict=st.none() | st.sampled_from(VerdictKind),
    reason=st.none() | text,
    evidence=st.lists(text, max_size=3).map(tuple),
)
events = st.builds(
    Event,
    at=instant,
    task_id=text,
    attempt=count,
    kind=text,
    text=text,
    seq=st.integers(1, 2**62),
)
rollups = st.builds(
    Rollup, task_id=text, attempt=count, minute=count, low=count, high=count, last=count
)


@pytest.fixture(scope="module")
def database():
    connection = sqlite3.connect(":memory:", isolation_level=None)
    for statement in chain(*schema.STEPS):
        connection.execute(statement)
    yield connection
    connection.close()


def through(database: sqlite3.Connection, batch: Batch, table: str, columns: tuple[str, ...]):
    for sql, parameters in rows.statements_of(batch, "s"):
        database.executemany(sql, parameters)
    found = database.execute(f"SELECT {', '.join(columns)} FROM {table}").fetchall()
    database.execute(f"DELETE FROM {table}")
    (row,) = found
    return row


@settings(deadline=None)
@given(task=tasks)
def test_any_task_comes_back_as_it_was(database, task):
    assert rows.task_of(through(database, Batch(tasks=[task]), "tasks", rows.TASK_COLUMNS)) == task


@settings(deadline=None)
@given(record=attempts)
def test_any_attempt_comes_back_as_it_was(database, record):
    row = through(database, Batch(attempts=[record]), "worker_sessions", rows.ATTEMPT_COLUMNS)
    assert rows.attempt_of(row) == record


@settings(deadline=None)
@given(event=events, rollup=rollups)
def test_any_event_and_rollup_come_back_as_they_were(database, event, rollup):
    row = through(database, Batch(events=[event]), "events", rows.EVENT_COLUMNS)
    assert rows.event_of(row) == event
    row = through(database, Batch(rollups=[rollup]), "rollups", rows.ROLLUP_COLUMNS)
    assert rows.rollup_of(row) == rollup


@pytest.mark.parametrize(
    "spec",
    [
        TaskSpec(argv=("\udcff",), cwd="/"),
        TaskSpec(argv=("a",), cwd="/", limits=Limits(grace_s=float("inf"))),
    ],
    ids=["no unicode", "no number"],
)
def test_a_spec_that_would_not_come_back_is_refused_when_it_is_written(spec):
    task = StoredTask(id="t1", spec=spec, state=State.QUEUED, created_at=1.0)
    with pytest.raises(UsageError, match="Task t1 holds a value that cannot be stored"):
        rows.statements_of(Batch(tasks=[task]), "s")


def test_a_sentence_that_quotes_undecodable_bytes_is_stored_escaped(database):
    event = Event(at=1.0, task_id="t", attempt=1, kind="note", text="no \udcff", seq=1)
    row = through(database, Batch(events=[event]), "events", rows.EVENT_COLUMNS)
    assert rows.event_of(row).text == "no \\udcff"


@pytest.mark.parametrize(
    ("name", "base"),
    [("eslint/3", "eslint"), ("eslint", "eslint"), ("a/b", "a/b"), ("a/1/22", "a/1"), ("/3", "")],
)
def test_copies_share_a_base_name(name, base):
    assert rows.base_name(name) == base
