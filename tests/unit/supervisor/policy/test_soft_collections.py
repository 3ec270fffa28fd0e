"""When garbage is collected by a rule."""

from __future__ import annotations

from heaptui.config import GcRule
from heaptui.model import Collection, ProcessHeap
from heaptui.supervisor.policy.collections import came_back, due, telling
from heaptui.supervisor.policy.soft import Tried

MIB = 1 << 20
EVERY, AT = GcRule(every_s=300), GcRule(at_share=0.7)


def heap(used: int, limit: int | None = 1000, can: tuple[str, ...] = ("gc",)) -> ProcessHeap:
    return ProcessHeap(
        pid=1, ppid=0, runtime="node", version="", at=0, used_bytes=used, limit_bytes=limit, can=can
    )


def test_every_so_often_from_its_beginning_on():
    assert not due(EVERY, 299, 0, None, [])
    assert due(EVERY, 300, 0, None, [])
    last = Tried(at=310)
    assert not due(EVERY, 600, 0, last, [])
    assert due(EVERY, 610, 0, last, [])


def test_more_rarely_when_nothing_comes_back():
    assert not due(EVERY, 599, 0, Tried(at=0, in_vain=1), [])
    assert due(EVERY, 600, 0, Tried(at=0, in_vain=1), [])
    assert due(EVERY, 300 * 16, 0, Tried(at=0, in_vain=50), [])


def test_at_a_share_of_any_heap_that_can_be_collected():
    assert not due(AT, 5, 0, None, [heap(699)])
    assert due(AT, 5, 0, None, [heap(10), heap(700)])
    assert not due(AT, 5, 0, None, [heap(900, can=()), heap(900, limit=None)])


def test_at_a_share_it_rests_after_each():
    assert not due(AT, 109, 0, Tried(at=100), [heap(900)])
    assert due(AT, 110, 0, Tried(at=100), [heap(900)])
    assert not due(AT, 139, 0, Tried(at=100, in_vain=2), [heap(900)])
    assert due(AT, 140, 0, Tried(at=100, in_vain=2), [heap(900)])
    assert due(AT, 700, 0, Tried(at=100, in_vain=60), [heap(900)])


def test_without_a_rule_never():
    assert not due(GcRule(), 1e9, 0, None, [heap(1000)])


def test_it_is_named_in_the_history():
    assert telling(EVERY).who == "collected, as every 5m00"
    assert telling(AT).who == "collected, as at 70% of the limit"


def test_what_came_back_is_the_sum():
    def done(before: int, after: int) -> Collection:
        return Collection(
            task_id="a",
            attempt=1,
            pid=1,
            runtime="node",
            text="",
            heap_before=before,
            heap_after=after,
        )

    assert came_back([done(1000, 800), done(1000, 990)])
    assert not came_back([done(1000, 950), done(1000, 990)])
    assert not came_back([])
