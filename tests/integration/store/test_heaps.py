"""Snapshots, findings and peaks of heaps on disk."""

from __future__ import annotations

import asyncio

import pytest

from heaptui.model import Finding, Grower, Snapshot
from heaptui.store import retention
from heaptui.store.mend import Mended, mend
from heaptui.store.records import Batch
from heaptui.store.store import Store

MIB = 1 << 20


def snapshot(task_id: str = "a", **fields) -> Snapshot:
    given = {
        "id": 0,
        "attempt": 1,
        "name": "agent/2",
        "pid": 7,
        "runtime": "node",
        "version": "v20.20.0",
        "format": "v8",
        "at": 1000.0,
        "path": "/s/snapshots/a.heapsnapshot",
        "bytes": 9 * MIB,
        "seconds": 0.6,
        "pause_s": 0.6,
        "heap_bytes": 100 * MIB,
        "rss_bytes": 150 * MIB,
        "extra_bytes": 75 * MIB,
        **fields,
    }
    return Snapshot(task_id=task_id, **given)


def finding(task_id: str = "a", **fields) -> Finding:
    given = {
        "id": 0,
        "attempt": 2,
        "name": "agent",
        "pid": 7,
        "at": 1000.0,
        "seconds": 124.5,
        "text": "arrays grow by 60M a minute: held by `kept` in leak.js:4",
        "growers": (Grower(name="Array", bytes_per_min=6e7, bytes=12 * MIB, count=12),),
        "path": ("(GC roots)", "module", "kept"),
        "holder": "kept",
        "function": "serve",
        "file": "/srv/leak.js",
        "line": 4,
        "before": 1,
        "after": 2,
        "cut_short": None,
        **fields,
    }
    return Finding(task_id=task_id, **given)


async def test_snapshots_are_numbered_and_listed_latest_first(store):
    assert [await store.add_snapshot(snapshot(task)) for task in "aba"] == [1, 2, 3]
    assert [one.id for one in await store.snapshots()] == [3, 2, 1]
    assert [one.id for one in await store.snapshots("a")] == [3, 1]
    (held,) = await store.snapshots("b")
    assert held == snapshot("b", id=2)


async def test_numbers_are_given_once(path):
    store = await Store.open(path, "s")
    numbers = await asyncio.gather(*(store.add_snapshot(snapshot()) for _ in range(20)))
    assert sorted(numbers) == list(range(1, 21))
    await store.delete_snapshots(numbers)
    await store.close()
    again = await Store.open(path, "s")
    assert await again.add_snapshot(snapshot()) == 21
    await again.close()


async def test_what_a_deleted_snapshot_cost_stays_known(store):
    for _ in range(2):
        await store.add_snapshot(snapshot())
    await store.add_snapshot(snapshot(runtime="python", version="3.12.1"))
    await store.add_snapshot(snapshot(heap_bytes=None))
    await store.delete_snapshots([1])
    assert [one.id for one in await store.snapshots()] == [4, 3, 2]
    assert [one.id for one in await store.costs("node")] == [2, 1]


async def test_costs_and_findings_do_not_pile_up(store, monkeypatch):
    monkeypatch.setattr(retention, "COSTS_KEPT", 3)
    for number in range(10):
        await store.add_snapshot(snapshot())
        await store.add_finding(finding(at=number * 86400.0))
    await store.delete_snapshots(range(1, 10))
    await store.prune(9 * 86400.0, keep_days=4, keep_tasks=5)
    assert [one.id for one in await store.costs("node")] == [10, 9, 8]
    assert [one.at / 86400 for one in await store.findings()] == [9, 8, 7, 6, 5]


async def test_a_finding_comes_back_as_it_was(store):
    assert await store.add_finding(finding()) == 1
    assert await store.add_finding(finding("b", growers=(), path=(), before=None)) == 2
    assert await store.findings("a") == [finding(id=1)]
    assert [one.id for one in await store.findings()] == [2, 1]


async def test_foreign_text_never_keeps_a_finding_from_being_stored(store):
    await store.add_finding(finding(holder="\udcff", path=("a\udc80",), text="x\x00y"))
    (held,) = await store.findings()
    assert (held.holder, held.path, held.text) == ("\\udcff", ("a\\udc80",), "x\x00y")


@pytest.mark.parametrize("later", [None, 10 * MIB])
async def test_the_peak_of_a_heap_never_falls(path, attempt, later):
    for peak in (50 * MIB, later):
        store = await Store.open(path, "s")
        await store.write(Batch(attempts=[attempt("a", heap_peak_bytes=peak)]))
        (held,) = await store.attempts("a")
        await store.close()
        assert held.heap_peak_bytes == 50 * MIB


async def test_mending_keeps_snapshots_and_findings(path, task):
    store = await Store.open(path, "s")
    await store.write(Batch(tasks=[task("a")]))
    for _ in range(3):
        await store.add_snapshot(snapshot())
        await store.add_finding(finding())
    await store.delete_snapshots([2])
    # a row of another program's doing is what has it mended
    await store._writer.write([("UPDATE tasks SET state = 'dancing' WHERE id = ?", [("a",)])])
    await store.close()
    mended = await mend(path)
    assert (mended.tasks, mended.snapshots, mended.findings, mended.unreadable) == (0, 3, 3, 1)
    again = await Store.open(path, "s")
    assert [one.id for one in await again.snapshots()] == [3, 1]
    assert await again.add_snapshot(snapshot()) == 4
    assert len(await again.findings()) == 3
    await again.close()
    assert await mend(path) == Mended()
