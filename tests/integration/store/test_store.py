"""What is written is read back, in the order that is promised."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import stat
from contextlib import closing

import msgspec
import pytest

from heaptui.errors import StorageTrouble, UsageError
from heaptui.model import CapMeans, Event, Kind, Limits, State, TaskSpec, VerdictKind
from heaptui.store.records import Batch, Rollup, StoredTask
from heaptui.store.store import Store


def event(task_id: str, text: str, at: float = 1.0, seq: int = 0) -> Event:
    return Event(at=at, task_id=task_id, attempt=1, kind="state", text=text, seq=seq)


async def test_every_record_is_read_back_by_another_store(path, attempt):
    whole = StoredTask(
        id="t1",
        spec=TaskSpec(
            argv=("node", "a.js", "[bold]\x1b[31m"),
            cwd="/srv",
            name="ünï",
            kind=Kind.NODE,
            limits=Limits(cap_bytes=2 << 30, heap_bytes=1 << 30, timeout_s=60.5),
            priority=3,
            retries=2,
            env={"K": "V"},
            clean_env=True,
        ),
        state=State.DONE,
        created_at=1.25,
        order=7,
        attempts=2,
        failures=1,
        cap_bytes=2 << 30,
        cap_source="share of the host",
        started_at=2.5,
        ended_at=3.5,
        exit_code=0,
        verdict=VerdictKind.FINISHED,
        reason="ended with 0",
        peak_bytes=123_456_789,
        next_try_at=4.5,
        stop_by=5.5,
        stop_why="timeout",
    )
    record = attempt(
        "t1",
        2,
        started_at=2.5,
        ended_at=3.5,
        pid=42,
        signal=9,
        peak_bytes=123_456_789,
        cap_bytes=300 << 20,
        cap_means=CapMeans.CGROUP1,
        verdict=VerdictKind.CAP,
        reason="over the cap",
        evidence=("oom_kill 1", "usage 300M"),
    )
    minute = Rollup(task_id="t1", attempt=2, minute=5, low=1, high=9, last=4)
    store = await Store.open(path, "s1")
    await store.write(
        Batch(tasks=[whole], attempts=[record], events=[event("t1", "x")], rollups=[minute])
    )
    await store.set_meta("paused", "1")
    await store.close()

    again = await Store.open(path, "s2")
    try:
        assert await again.task("t1") == whole
        assert await again.attempts("t1") == [msgspec.structs.replace(record, id=1)]
        assert await again.events("t1", 10) == [event("t1", "x", seq=1)]
        assert await again.rollups("t1", 0) == [minute]
        assert await again.get_meta("paused") == "1"
        assert await again.highest_order() == 7
        await again.set_meta("paused", None)
        assert await again.get_meta("paused") is None
        assert await again.task("t2") is None
    finally:
        await again.close()


async def test_an_empty_store_answers(store):
    assert await store.unended() == []
    assert await store.recent(5) == []
    assert await store.highest_order() == 0
    assert await store.find("") == []
    assert await store.history(5) == []
    assert await store.prune(1e9, 1, 0) == []
    await store.write(Batch())
    assert store.commits == 0


async def test_a_later_write_replaces_a_task_and_an_attempt(store, task, attempt):
    await store.write(Batch(tasks=[task("a")], attempts=[attempt("a")]))
    await store.write(
        Batch(tasks=[task("a", state=State.DONE)], attempts=[attempt("a", status="done")])
    )
    assert [found.state for found in await store.all_tasks(9)] == [State.DONE]
    assert [(found.id, found.status) for found in await store.attempts("a")] == [(1, "done")]


async def test_an_attempt_stays_with_the_supervisor_that_began_it(path, attempt):
    for supervisor in ("first", "second"):
        store = await Store.open(path, supervisor)
        await store.write(Batch(attempts=[attempt("a", status=supervisor)]))
        await store.close()
    with closing(sqlite3.connect(path)) as database:
        rows = database.execute("SELECT supervisor_id, status FROM worker_sessions").fetchall()
    assert rows == [("first", "second")]


async def test_lists_have_their_order(store, task):
    tasks = [
        task("a", order=1, state=State.DONE, ended_at=30.0),
        task("b", order=2, state=State.RUNNING),
        task("c", order=3, state=State.FAILED, ended_at=20.0),
        task("d", order=4, state=State.BACKOFF),
        task("e", order=5, state=State.LOST, ended_at=40.0),
    ]
    await store.write(Batch(tasks=tasks[::-1]))
    assert [found.id for found in await store.unended()] == ["b", "d"]
    assert [found.id for found in await store.recent(2)] == ["e", "a"]
    assert [found.id for found in await store.all_tasks(3)] == ["e", "d", "c"]
    assert await store.recent(-1) == []
    assert len(await store.all_tasks(1 << 70)) == 5


async def test_find_prefers_the_id_then_a_prefix_then_the_name(store, task):
    await store.write(
        Batch(
            tasks=[
                task("ab", order=1, name="web"),
                task("abc", order=2, name="web"),
                task("abd", order=3, name="ab_"),
                task("x%", order=4, name="a"),
            ]
        )
    )
    ids = {
        text: [found.id for found in await store.find(text)]
        for text in ("ab", "a", "abc", "web", "x", "%", "_", "ab_", "we", "'")
    }
    assert ids == {
        "ab": ["ab"],
        "a": ["abd", "abc", "ab"],
        "abc": ["abc"],
        "web": ["abc", "ab"],
        "x": ["x%"],
        "%": [],
        "_": [],
        "ab_": ["abd"],
        "we": [],
        "'": [],
    }
    await store.write(Batch(tasks=[task(f"many{n:02}", order=10 + n) for n in range(12)]))
    assert [found.id for found in await store.find("many")] == [
        f"many{n:02}" for n in range(11, 1, -1)
    ]


async def test_events_are_the_latest_oldest_first(store):
    await store.write(Batch(events=[event("a", str(n)) for n in range(5)] + [event("b", "no")]))
    assert [found.text for found in await store.events("a", 3)] == ["2", "3", "4"]


async def test_an_event_with_a_number_is_stored_once(store):
    await store.write(Batch(events=[event("a", "once", seq=7)]))
    await store.write(Batch(events=[event("a", "once", seq=7), event("a", "next")]))
    assert [(found.seq, found.text) for found in await store.events("a", 9)] == [
        (7, "once"),
        (8, "next"),
    ]


async def test_halves_of_a_minute_are_merged(store):
    halves = [
        Rollup(task_id="a", attempt=1, minute=5, low=10, high=20, last=15),
        Rollup(task_id="a", attempt=1, minute=5, low=12, high=30, last=29),
    ]
    for half in halves:
        await store.write(Batch(rollups=[half]))
    assert await store.rollups("a", 300) == [
        Rollup(task_id="a", attempt=1, minute=5, low=10, high=30, last=29)
    ]
    assert await store.rollups("a", 360) == []
    assert len(await store.rollups("a", 359.9)) == 1


NAMES = ["100%", "a_b", "it's", "[red]x[/]", "back\\slash", "aXb", "PLAIN"]


@pytest.mark.parametrize(
    ("match", "names"),
    [
        ("", NAMES[::-1]),
        ("%", ["100%"]),
        ("_", ["a_b"]),
        ("a_b", ["a_b"]),
        ("'", ["it's"]),
        ("[red]", ["[red]x[/]"]),
        ("\\", ["back\\slash"]),
        ("plain", ["PLAIN"]),
        ("timed", ["a_b"]),
        ("TASK-2", ["it's"]),
        ("' OR 1=1 --", []),
    ],
)
async def test_history_is_filtered_by_what_is_written(store, attempt, match, names):
    await store.write(
        Batch(
            attempts=[
                attempt(
                    f"task-{n}",
                    name=name,
                    ended_at=100.0 + n,
                    verdict=VerdictKind.TIMED_OUT if n == 1 else VerdictKind.FINISHED,
                )
                for n, name in enumerate(NAMES)
            ]
            + [attempt("live", name="live")]
        )
    )
    assert [found.name for found in await store.history(50, match)] == names


async def test_history_is_limited_to_the_newest(store, attempt):
    await store.write(Batch(attempts=[attempt(f"t{n}", ended_at=float(n % 3)) for n in range(6)]))
    assert [found.task_id for found in await store.history(4)] == ["t5", "t2", "t4", "t1"]


async def test_peaks_are_those_of_the_same_kind_and_base_name(store, attempt):
    await store.write(
        Batch(
            attempts=[
                attempt("a", name="lint/1", ended_at=1.0, peak_bytes=101),
                attempt("b", name="lint/22", ended_at=2.0, peak_bytes=102),
                attempt("c", name="lint", ended_at=3.0, peak_bytes=103),
                attempt("d", name="lint", ended_at=4.0, peak_bytes=104, kind=Kind.NODE),
                attempt("e", name="linter", ended_at=5.0, peak_bytes=105),
                attempt("f", name="lint", ended_at=6.0),
                attempt("g", name="lint", peak_bytes=107),
            ]
        )
    )
    found = await store.peaks(Kind.COMMAND, "lint/9")
    assert [peak for peak, _ in found] == [103, 102, 101]
    assert [peak for peak, _ in await store.peaks(Kind.COMMAND, "lint", 1)] == [103]
    assert await store.peaks(Kind.PYTHON, "lint") == []


async def test_files_are_private_whatever_the_umask(path, task):
    before = os.umask(0)
    try:
        store = await Store.open(path, "s")
        await store.write(Batch(tasks=[task("a")]))
        modes = {
            file.name: stat.S_IMODE(file.stat().st_mode) for file in path.parent.glob("heaptui.db*")
        }
        await store.close()
    finally:
        os.umask(before)
    assert modes == {"heaptui.db": 0o600, "heaptui.db-wal": 0o600, "heaptui.db-shm": 0o600}


async def test_a_wide_open_file_is_made_private(path):
    await (await Store.open(path, "s")).close()
    path.chmod(0o644)
    await (await Store.open(path, "s")).close()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


async def test_closing_leaves_one_file(path, task):
    store = await Store.open(path, "s")
    await store.write(Batch(tasks=[task("a")]))
    assert await store.size() > path.stat().st_size
    await store.close()
    await store.close()
    assert [file.name for file in path.parent.iterdir()] == ["heaptui.db"]


async def test_a_closed_store_says_so(path, task):
    store = await Store.open(path, "s")
    await store.close()
    with pytest.raises(StorageTrouble, match="closed"):
        await store.write(Batch(tasks=[task("a")]))
    with pytest.raises(StorageTrouble, match="closed"):
        await store.unended()


async def test_what_waits_is_written_when_the_store_closes(path, task):
    store = await Store.open(path, "s")
    writes = [asyncio.create_task(store.write(Batch(tasks=[task(f"t{n}")]))) for n in range(50)]
    await asyncio.sleep(0)  # lets them come to the writer
    await store.close()
    await asyncio.gather(*writes)
    again = await Store.open(path, "s")
    assert len(await again.all_tasks(99)) == 50
    await again.close()


async def test_many_writes_at_once_need_few_transactions(store, task):
    await asyncio.gather(*(store.write(Batch(tasks=[task(f"t{n}")])) for n in range(500)))
    assert len(await store.all_tasks(999)) == 500
    assert store.commits <= 10


async def test_writes_of_one_group_keep_their_order(store, task):
    await asyncio.gather(
        *(
            store.write(Batch(tasks=[task("a", attempts=n)], events=[event("a", str(n))]))
            for n in range(100)
        ),
        *(store.set_meta("k", str(n) if n % 2 else None) for n in range(100)),
    )
    stored = await store.task("a")
    assert stored is not None
    assert stored.attempts == 99
    assert [found.text for found in await store.events("a", 200)] == [str(n) for n in range(100)]
    assert await store.get_meta("k") == "99"


async def test_one_unstorable_batch_fails_alone(store, task):
    bad = [task("bad", created_at=float("nan")), task("huge", attempts=2**70)]
    results = await asyncio.gather(
        *(store.write(Batch(tasks=[one])) for one in (task("a"), *bad, task("b"))),
        return_exceptions=True,
    )
    assert [type(result) for result in results] == [type(None), UsageError, UsageError, type(None)]
    assert {found.id for found in await store.all_tasks(9)} == {"a", "b"}


async def test_nothing_of_a_failed_batch_is_stored_by_a_later_one(store, task):
    half = Batch(tasks=[task("good"), task("bad", created_at=float("nan"))])
    with pytest.raises(UsageError):
        await store.write(half)
    await store.write(Batch(tasks=[task("later")]))
    assert [found.id for found in await store.all_tasks(9)] == ["later"]


async def test_a_cancelled_waiter_hurts_nobody(store, task):
    writes = [asyncio.create_task(store.write(Batch(tasks=[task(f"t{n}")]))) for n in range(20)]
    await asyncio.sleep(0)  # lets them come to the writer
    writes[0].cancel()
    writes[7].cancel()
    results = await asyncio.gather(*writes, return_exceptions=True)
    assert [n for n, result in enumerate(results) if result is not None] == [0, 7]
    stored = {found.id for found in await store.all_tasks(99)}
    assert stored >= {f"t{n}" for n in range(20) if n not in (0, 7)}


async def test_reads_go_on_while_another_process_holds_the_write_lock(store, path, task):
    await store.write(Batch(tasks=[task("a")]))
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        waiting = asyncio.create_task(store.write(Batch(tasks=[task("b")])))
        assert [found.id for found in await store.all_tasks(9)] == ["a"]
        assert not waiting.done()
        other.execute("ROLLBACK")
        await waiting
    assert len(await store.all_tasks(9)) == 2


async def test_a_lock_that_stays_is_named_and_the_store_goes_on(store, path, task):
    await store._connection.execute("PRAGMA busy_timeout = 20")
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        results = await asyncio.gather(
            *(store.write(Batch(tasks=[task(name)])) for name in "abc"), return_exceptions=True
        )
        assert all(isinstance(result, StorageTrouble) for result in results)
        assert "locked" in str(results[0])
        other.execute("ROLLBACK")
    await store.write(Batch(tasks=[task("d")]))
    assert [found.id for found in await store.all_tasks(9)] == ["d"]


async def test_two_stores_write_to_one_file(path, task):
    stores = await asyncio.gather(Store.open(path, "s1"), Store.open(path, "s2"))
    await asyncio.gather(
        *(
            store.write(Batch(tasks=[task(f"{number}-{n}")]))
            for n in range(100)
            for number, store in enumerate(stores)
        )
    )
    assert len(await stores[0].all_tasks(999)) == 200
    for store in stores:
        await store.close()


async def test_the_documented_columns_of_worker_sessions(store, path, attempt):
    await store.write(
        Batch(
            attempts=[attempt("a", started_at=86400.0, ended_at=86460.0, peak_bytes=3 << 19, pid=9)]
        )
    )
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as shell:
        row = shell.execute(
            "SELECT id, supervisor_id, agent_type, status, memory_peak_mb,"
            " datetime(started_at, 'unixepoch'), ended_at - started_at, heap_peak_mb"
            " FROM worker_sessions"
        ).fetchone()
    assert row == (1, "super-1", "command", "running", 1.5, "1970-01-02 00:00:00", 60.0, None)
