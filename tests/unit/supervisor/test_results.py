"""Which attempt a result is of."""

from __future__ import annotations

import pytest

from heaptui.model import AttemptRecord, Kind
from heaptui.supervisor.results import _attempt_at


def attempt(number: int, ended_at: float | None) -> AttemptRecord:
    return AttemptRecord(
        id=number, task_id="t", attempt=number, name="", kind=Kind.COMMAND, status="",
        created_at=0, ended_at=ended_at,
    )  # fmt: skip


@pytest.mark.parametrize(("at", "which"), [(5, 1), (10, 1), (11, 2), (25, None)])
def test_it_is_of_the_attempt_that_ran_when_it_was_written(at: float, which: int | None) -> None:
    attempts = [attempt(1, 10), attempt(2, 20), attempt(3, None)]
    assert _attempt_at(attempts, at) == which
