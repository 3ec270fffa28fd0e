"""Limits that could never hold."""

from __future__ import annotations

import pytest

from heaptui.errors import HeaptuiError, Refused, UsageError
from heaptui.model import Limits, TaskSpec
from heaptui.supervisor.limits import check_limits
from heaptui.units import GIB, MIB


def spec(gc: str | None = None, **limits) -> TaskSpec:
    return TaskSpec(argv=("a",), cwd="/", limits=Limits(**limits), gc=gc)


@pytest.mark.parametrize(
    "task",
    [
        spec(),
        spec(cap_bytes=8 * GIB),
        spec(soft_bytes=GIB - 1),
        spec(gc="every 5m"),
        spec(gc="at 70%"),
        spec(gc="off"),
        spec(grace_s=0),
    ],
)
def test_what_can_hold_is_taken(task):
    check_limits(task, task.limits.cap_bytes or GIB, 8 * GIB)


@pytest.mark.parametrize(
    ("task", "cap", "kind", "words"),
    [
        (spec(), 8 * GIB + 1, Refused, "more than this machine's 8.00G"),
        (spec(soft_bytes=GIB), GIB, UsageError, "not below the cap of 1.00G"),
        (spec(soft_bytes=-1), GIB, UsageError, "soft limit of -1"),
        (spec(cap_bytes=-300 * MIB), -300 * MIB, UsageError, "cap of -"),
        (spec(heap_bytes=0), GIB, UsageError, "heap of 0"),
        (spec(timeout_s=float("nan")), GIB, UsageError, "time-out of nan"),
        (spec(grace_s=-1), GIB, UsageError, "grace of -1"),
        (spec(output_bytes=-5), GIB, UsageError, "output limit of -5"),
        (spec(gc="sometimes"), GIB, UsageError, "is no rule"),
        (spec(gc="at 700%"), GIB, UsageError, "no"),
    ],
)
def test_what_cannot_is_refused_with_the_way_out(task, cap, kind, words):
    with pytest.raises(kind) as caught:
        check_limits(task, cap, 8 * GIB)
    assert isinstance(caught.value, HeaptuiError)
    assert words in caught.value.what
    assert caught.value.remedy
