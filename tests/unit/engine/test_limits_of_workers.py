"""How much workers may ask of the engine."""

from __future__ import annotations

import pytest

from heaptui.engine.allowance import Allowance
from heaptui.engine.refusals import FOR_S, SEVERAL, Refusals
from heaptui.engine.workers import pace_ms
from heaptui.model import Identity


def test_so_many_at_once_then_so_many_a_second() -> None:
    clock = [100.0]
    some = Allowance(10, 3, lambda: clock[0])
    assert [some.take() for _ in range(4)] == [True, True, True, False]
    assert some.due_s() == pytest.approx(0.1)
    clock[0] += 0.101
    assert some.due_s() == 0
    assert [some.take() for _ in range(2)] == [True, False]
    clock[0] += 3600
    assert [some.take() for _ in range(4)] == [True, True, True, False]


def test_a_thousand_workers_report_no_more_often_than_two_hundred() -> None:
    assert [pace_ms(n) for n in (0, 1, 200, 201, 1000)] == [1000, 1000, 1000, 1005, 5000]


def test_a_refusal_ends_and_a_recycled_pid_has_none() -> None:
    refusals = Refusals()
    one = Identity("boot", 5, 1)
    assert not refusals.add("t", one, 0.0)
    assert refusals.holds("t", one, FOR_S - 1)
    assert not refusals.holds("t", Identity("boot", 5, 2), 1.0)
    assert not refusals.holds("t", one, FOR_S + 1)


def test_several_that_misbehave_are_refused_with_their_task() -> None:
    refusals = Refusals()
    told = [refusals.add("t", Identity("boot", n, 1), float(n)) for n in range(SEVERAL)]
    assert told == [False] * (SEVERAL - 1) + [True]
    stranger = Identity("boot", 99, 1)
    assert refusals.holds("t", stranger, SEVERAL)
    assert not refusals.holds("another", stranger, SEVERAL)
    assert not refusals.holds("t", stranger, FOR_S + SEVERAL)


def test_what_is_remembered_is_bounded() -> None:
    refusals = Refusals()
    for n in range(5000):
        refusals.add(f"t{n}", Identity("boot", n, 1), 0.0)
    assert len(refusals._until) <= 1025
    assert refusals.holds("t4999", Identity("boot", 4999, 1), 1.0)
