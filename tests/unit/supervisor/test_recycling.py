"""Whether a checkpoint stands that an attempt could go on from."""

from __future__ import annotations

import pytest

from heaptui.model import State, Work
from heaptui.supervisor.recycling import fresh, kept
from tests.unit.supervisor.tasks import task

BEGAN = 1000.0


def runs(checkpoint_at: float | None, work: Work | None = None):
    fields = {"checkpoint_at": checkpoint_at, "work": work}
    return task(state=State.RUNNING, started_at=BEGAN, **fields)


@pytest.mark.parametrize(("stood", "is_kept"), [(None, False), (999.0, False), (1001.0, True)])
def test_one_of_an_earlier_attempt_is_not_of_this_one(stood, is_kept):
    assert kept(runs(stood)) is is_kept


def test_one_that_its_worker_told_of_counts_though_the_clock_was_set_back():
    told = Work(at=400.0, checkpoints=1, checkpoint_at=400.0, checkpoint_bytes=10)
    assert kept(runs(400.0, told))
    assert not kept(runs(400.0, Work(at=400.0)))
    assert fresh(runs(400.0, told), 401.0)
    assert not fresh(runs(400.0, told), 500.0)
