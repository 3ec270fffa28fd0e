"""How the attempts of each kind and name ended: grouped, newest first, bounded."""

from __future__ import annotations

import sqlite3
from itertools import chain

from heaptui.model import Kind, VerdictKind
from heaptui.store import profiles, schema
from heaptui.store.profiles import Ended
from heaptui.store.records import Batch
from heaptui.store.store import Store
from heaptui.units import MIB


async def test_copies_are_one_profile_and_kinds_are_not(store: Store, attempt):
    def one(task: str, name: str, at: float, **fields):
        given = {"started_at": at - 5, "ended_at": at, "peak_bytes": 100 * MIB}
        return attempt(task, name=name, **(given | {"verdict": VerdictKind.FINISHED} | fields))

    await store.write(
        Batch(
            attempts=[
                one("a", "scan/1", 10.0, cap_bytes=300 * MIB),
                one("b", "scan/2", 30.0, verdict=VerdictKind.CAP, peak_bytes=299 * MIB),
                one("c", "scan", 20.0, started_at=None, peak_bytes=None, verdict=None),
                one("d", "scan/1", 25.0, kind=Kind.NODE, verdict=VerdictKind.V8_HEAP),
                one("e", "other", 5.0, verdict=VerdictKind.HOST_OOM),
                attempt("f", name="scan/3", started_at=1.0),
            ]
        )
    )
    found = await store.profiles(2)
    assert [(one.kind, one.name, one.attempts, one.ooms) for one in found] == [
        (Kind.COMMAND, "scan", 3, 1),
        (Kind.NODE, "scan", 1, 1),
        (Kind.COMMAND, "other", 1, 1),
    ]
    assert found[0].ends == (
        Ended(30.0, 5.0, 299 * MIB, None, VerdictKind.CAP),
        Ended(20.0, 0.0, None, None, VerdictKind.UNKNOWN),
    )
    assert (await store.profiles(9))[0].ends[-1] == Ended(
        10.0, 5.0, 100 * MIB, 300 * MIB, VerdictKind.FINISHED
    )


async def test_what_is_asked_for_is_bounded(store: Store, attempt):
    assert await store.profiles(5) == []
    many = profiles.PROFILES_MOST + 10
    await store.write(
        Batch(attempts=[attempt(f"t{n}", ended_at=float(n), peak_bytes=MIB) for n in range(many)])
    )
    for ends in (-3, 0, 10**30):
        found = await store.profiles(ends)
        assert len(found) == profiles.PROFILES_MOST
        assert {len(one.ends) for one in found} == {1}
        assert found[0].name == f"t{many - 1}"


def test_only_one_part_reads_the_table_row_by_row():
    database = sqlite3.connect(":memory:", isolation_level=None)
    for statement in chain(*schema.STEPS):
        database.execute(statement)
    values = {"profiles": 200, "ends": 200}
    plan = [row[3] for row in database.execute(f"EXPLAIN QUERY PLAN {profiles.SELECT}", values)]
    database.close()
    assert [step for step in plan if step.startswith("SCAN worker_sessions")] == [
        "SCAN worker_sessions USING COVERING INDEX worker_sessions_by_name",
        "SCAN worker_sessions",
    ]
    assert any(
        step.startswith("SEARCH w USING COVERING INDEX worker_sessions_by_name") for step in plan
    )
