"""What ends a hunt's wait early, and what is said when its process ended."""

from __future__ import annotations

import pytest

from heaptui.supervisor.hunt_waiting import Watch, again
from tests.unit.supervisor.tasks import sample

NEAR = "its memory came near the cap"


def near(ahead: int) -> str:
    return NEAR


def far(ahead: int) -> None:
    return None


def test_it_takes_two_readings_in_a_row():
    watch = Watch(None)
    assert watch.look(sample(), near, writes=False) is None
    assert watch.look(sample(), far, writes=False) is None
    assert watch.look(sample(), near, writes=False) is None
    assert watch.look(sample(), near, writes=False) == NEAR


def test_the_same_reading_counts_once_and_that_of_the_snapshot_not_at_all():
    before, after = sample(), sample()
    watch = Watch(before)
    assert watch.look(before, near, writes=False) is None
    assert watch.look(after, near, writes=False) is None
    assert watch.look(after, near, writes=False) is None
    assert watch.look(sample(), near, writes=False) == NEAR


def test_nothing_counts_while_a_snapshot_is_written():
    watch = Watch(None)
    for _ in range(3):
        assert watch.look(sample(), near, writes=True) is None
    assert watch.look(sample(), near, writes=False) is None


def test_one_that_grows_fast_is_judged_by_where_it_will_be():
    watch, given = Watch(None), []

    def heard(ahead: int) -> None:
        given.append(ahead)

    for memory in (100, 130, 120, 160):
        watch.look(sample(memory=memory), heard, writes=False)
    assert given == [0, 30, 0, 40]


@pytest.mark.parametrize(
    ("lived", "asked", "says"),
    [(31.0, 3600.0, "--for 15s"), (10.5, 60.0, "--for 5s"), (90.0, 60.0, "--for 30s")],
)
def test_a_shorter_hunt_is_suggested(lived, asked, says):
    assert again(lived, asked).endswith(f"{says}.")


@pytest.mark.parametrize(("lived", "asked"), [(4.0, 3600.0), (100.0, 8.0), (-3.0, 60.0)])
def test_none_is_where_it_lived_too_short(lived, asked):
    assert "--for" not in again(lived, asked)
