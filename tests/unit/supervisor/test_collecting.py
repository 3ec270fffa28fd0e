"""What a collection did, in a sentence."""

from __future__ import annotations

import pytest

from heaptui.errors import Refused
from heaptui.model import ProcessHeap, State
from heaptui.supervisor.collecting import collectable, sentence
from heaptui.units import GIB, MIB
from heaptui.wire import Collected
from tests.unit.supervisor.tasks import task


def collected(heap=None, memory=None, pause_ms=412.0) -> Collected:
    (before, after), (rss_before, rss_after) = heap or (None, None), memory or (None, None)
    return Collected(
        flavour="last-resort",
        pause_ms=pause_ms,
        used_before=before,
        used_after=after,
        rss_before=rss_before,
        rss_after=rss_after,
    )


@pytest.mark.parametrize(
    ("heap", "memory", "says"),
    [
        (
            (int(1.41 * GIB), int(0.62 * GIB)),
            (int(1.9 * GIB), int(1.1 * GIB)),
            "heap 1.41 → 0.62G, memory 1.90 → 1.10G, 412 ms",
        ),
        (
            (180 * MIB, 92 * MIB),
            (240 * MIB, 150 * MIB),
            "heap 180 → 92M, memory 240 → 150M, 412 ms",
        ),
        (
            (int(12.4 * GIB), GIB),
            (14 * GIB, 2 * GIB),
            "heap 12.4 → 1.0G, memory 14.0 → 2.0G, 412 ms",
        ),
        (None, (240 * MIB, 150 * MIB), "memory 240 → 150M, 412 ms"),
        (None, None, "412 ms"),
    ],
)
def test_before_and_after_in_one_unit(heap, memory, says):
    assert sentence("refactor-auth", collected(heap, memory), 0.5) == f"refactor-auth: {says}"


def test_it_says_why_nothing_came_back():
    kept = collected((100 * MIB, 99 * MIB), (200 * MIB, 200 * MIB))
    assert sentence("a", kept, 0.5).endswith(
        ": next to nothing came back: the data is live, a snapshot tells what holds it"
    )
    assert sentence("a", kept, 0.5, "").endswith(": the data is live")
    little = collected((32 * MIB, 31 * MIB), (99 * MIB, 99 * MIB))
    assert "next to nothing came back" in sentence("a", little, 0.5)
    shrunk = collected((100 * MIB, 30 * MIB), (200 * MIB, 199 * MIB))
    assert "keeps the pages" in sentence("a", shrunk, 0.5)


def test_a_wait_is_told_apart_from_the_pause():
    assert sentence("a", collected(pause_ms=30), 12.3) == "a: 30 ms, 12s with the wait for it"


def heap(pid: int, *can: str, why: str = "") -> ProcessHeap:
    return ProcessHeap(
        pid=pid, ppid=1, runtime="node", version="v20", at=0, can=can, why={"gc": why}
    )


def running(*heaps: ProcessHeap, absent: str | None = None):
    one = task("a", State.RUNNING)
    one.heaps, one.heap_absent = heaps, absent
    return one


def test_only_heaps_that_can_be_collected_are():
    one = running(heap(1, "gc"), heap(2), heap(3, "gc", "snapshot"))
    assert [found.pid for found in collectable(one, None)] == [1, 3]
    assert [found.pid for found in collectable(one, 3)] == [3]


@pytest.mark.parametrize(
    ("one", "pid", "says"),
    [
        (task("a", State.DONE), None, "is done"),
        (task("a", State.QUEUED), None, "is queued"),
        (running(absent="bun is not supported"), None, "bun is not supported"),
        (running(), None, "nothing has reported"),
        (running(heap(1, "gc")), 9, "Process 9"),
        (running(heap(1, why="it was launched without")), None, "launched without"),
    ],
)
def test_a_task_without_a_heap_is_refused_with_the_reason(one, pid, says):
    with pytest.raises(Refused, match=says):
        collectable(one, pid)
