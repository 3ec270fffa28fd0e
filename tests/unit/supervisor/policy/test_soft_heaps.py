"""Where a heap dies, and what of it counts."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from heaptui.model import Kind, ProcessHeap, State
from heaptui.supervisor.policy.talk import fullest, heap_soft_bytes, old_bytes, old_limit
from heaptui.supervisor.task import Task
from tests.unit.supervisor import tasks

MIB = 1 << 20


def heap(used: int, limit: int | None, old: int | None = None, pid: int = 1) -> ProcessHeap:
    return ProcessHeap(
        pid=pid,
        ppid=0,
        runtime="node",
        version="v20.20.2",
        at=0.0,
        used_bytes=used * MIB,
        limit_bytes=None if limit is None else limit * MIB,
        old_bytes=None if old is None else old * MIB,
    )


def node(*words: str, heaps: tuple[ProcessHeap, ...] = ()) -> Task:
    spec = replace(tasks.spec(), argv=("node", *words), kind=Kind.NODE)
    fields = {"cap_bytes": 1000 * MIB, "soft_bytes": 800 * MIB, "heaps": heaps}
    return tasks.task(state=State.RUNNING, spec=spec, **fields)


@pytest.mark.parametrize(
    ("words", "limit", "old"),
    [
        ((), 92, 80),  # 80 + 3 x 4
        ((), 1024, 976),  # 976 + 3 x 16
        (("--max-old-space-size=100",), 196, 100),
        (("--max_old_space_size=100", "a.js"), 292, 100),
        (("--max-old-space-size=4000",), 196, 196),
        (("a.js", "--verbose"), 92, 80),
    ],
)
def test_it_dies_when_its_old_generation_is_full(words, limit, old):
    one = heap(10, limit)
    task = node(*words, heaps=(one,))
    assert old_limit(task, one) == old * MIB
    assert heap_soft_bytes(task, one) == int(old * MIB * 0.8)


def test_one_without_a_limit_never_does():
    one = heap(10, None)
    assert old_limit(node(), one) is None
    assert heap_soft_bytes(node(heaps=(one,)), one) is None
    assert fullest(node(heaps=(one,))) is None


def test_what_is_young_is_collected_by_itself_and_does_not_count():
    assert old_bytes(heap(90, 196, old=60)) == 60 * MIB
    assert old_bytes(heap(90, 196)) == 90 * MIB
    young, old = heap(90, 196, old=10, pid=1), heap(80, 196, old=78, pid=2)
    assert fullest(node(heaps=(young, old))) is old
