"""What a task is expected to need."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heaptui.errors import StorageTrouble
from heaptui.model import Kind, State, VerdictKind
from heaptui.store.history import Peak
from heaptui.store.records import Recovery
from heaptui.supervisor.expected import (
    ENOUGH,
    LAST,
    NAMES_KEPT,
    Expected,
    expected_peak,
    name_of,
    need,
)
from heaptui.supervisor.quantiles import quantile
from tests.unit.supervisor.tasks import spec, task

CAP = 1000
LINT = (Kind.COMMAND, "lint")


class Shelf:
    """Stored peaks by name, the latest first, each alone or with how it ended; `gate` holds a read
    up."""

    def __init__(self, **peaks: list[Any]) -> None:
        self.peaks = peaks
        self.asked: list[tuple[Kind, str, int]] = []
        self.gate: asyncio.Event | None = None
        self.trouble: StorageTrouble | None = None

    async def read(self, kind: Kind, name: str, n: int) -> list[Peak]:
        self.asked.append((kind, name, n))
        if self.trouble is not None:
            raise self.trouble
        found = [
            one if isinstance(one, tuple) else (one, VerdictKind.FINISHED)
            for one in self.peaks.get(name, [])
        ]
        if self.gate is not None:
            await self.gate.wait()
        return found


def named(name: str = "lint", **fields):
    return task(name, spec=spec(name), **fields)


def over(peak: int | None, verdict: VerdictKind = VerdictKind.FINISHED, name: str = "lint"):
    return named(name, state=State.DONE, attempt_peak=peak, verdict=verdict)


# --- the figure
@pytest.mark.parametrize(
    ("values", "expected"),
    [([7], 7), ([1, 2, 3], 3), (list(range(1, 20)), 19), (list(range(1, 21)), 19)],
)
def test_p95_is_the_nearest_rank(values, expected):
    assert quantile(sorted(values), 0.95) == expected


@given(
    st.lists(st.integers(1, 2 * CAP), max_size=30),
    st.integers(1, CAP),
    st.none() | st.integers(1, 2 * CAP),
)
def test_never_more_than_the_cap_and_the_cap_itself_while_little_is_known(needs, cap, outgrown):
    figure = expected_peak(needs, cap, outgrown)
    assert 0 < figure <= cap
    if len(needs) < ENOUGH:
        assert figure == cap
    else:
        below = sum(one <= figure for one in needs)
        assert figure == cap or below >= 0.95 * len(needs)
        assert figure >= min(cap, outgrown or 0)


def test_a_task_that_ran_out_of_memory_needs_more_than_its_name_does():
    assert expected_peak([100] * 5, CAP, None) == 100
    assert expected_peak([100] * 5, CAP, 300) == 450
    assert expected_peak([100] * 5, 400, 300) == 400


# --- what an end says
@pytest.mark.parametrize(
    ("verdict", "needed"),
    [
        (VerdictKind.FINISHED, 100),
        (VerdictKind.FAILED, 100),
        (VerdictKind.TIMED_OUT, 100),
        (VerdictKind.CAP, 150),
        (VerdictKind.V8_HEAP, 150),
        (VerdictKind.HOST_OOM, 150),
        (VerdictKind.STOPPED, None),
        (VerdictKind.KILLED, None),
        (VerdictKind.LOST, None),
        (VerdictKind.BAD_LAUNCH, None),
    ],
)
def test_what_was_cut_short_says_nothing_and_what_ran_out_needed_more(verdict, needed):
    assert need(over(100, verdict)) == needed


def test_an_end_without_a_peak_says_nothing():
    assert need(over(None)) is None


# --- the memory of names
def test_copies_share_a_name_and_kinds_do_not():
    assert name_of(named("lint/3")) == LINT == name_of(named("lint"))
    node = task("lint", spec=spec("lint"))
    assert name_of(node)[0] is Kind.COMMAND


async def test_a_name_is_read_once_and_then_carried_on():
    shelf = Shelf(lint=[30, 20, 10])
    expected = Expected(shelf.read)
    assert expected.peak(named(), CAP) == CAP
    assert expected.unread(LINT)
    assert not expected.unread(LINT), "it is being read"
    await expected.learn(LINT)
    assert not expected.unread(LINT)
    assert expected.peak(named("lint/7"), CAP) == 30
    expected.ended(over(70))
    assert expected.peak(named(), CAP) == 70
    expected.ended(over(500, VerdictKind.STOPPED))
    assert expected.peak(named(), CAP) == 70
    assert shelf.asked == [(*LINT, LAST)]


async def test_the_latest_count_and_older_ones_are_forgotten():
    shelf = Shelf(lint=[20] * LAST)
    expected = Expected(shelf.read)
    assert expected.unread(LINT)
    await expected.learn(LINT)
    for _ in range(LAST):
        expected.ended(over(5))
    assert expected.peak(named(), CAP) == 5


async def test_the_oldest_of_what_is_stored_is_the_first_to_go():
    shelf = Shelf(lint=[10] * (LAST - 2) + [400, 400])
    expected = Expected(shelf.read)
    assert expected.unread(LINT)
    await expected.learn(LINT)
    assert expected.peak(named(), CAP) == 400
    expected.ended(over(10))
    assert expected.peak(named(), CAP) == 10


async def test_what_ends_while_the_store_is_read_is_not_missed():
    shelf = Shelf(lint=[10, 10])
    shelf.gate = asyncio.Event()
    expected = Expected(shelf.read)
    assert expected.unread(LINT)
    reading = asyncio.create_task(expected.learn(LINT))
    while not shelf.asked:
        await asyncio.sleep(0)
    expected.ended(over(90))
    assert expected.peak(named(), CAP) == CAP
    shelf.gate.set()
    await reading
    assert expected.peak(named(), CAP) == 90


async def test_a_store_that_cannot_be_read_is_asked_again():
    shelf = Shelf(lint=[10, 10, 10])
    shelf.trouble = StorageTrouble("The disk is gone.", "Bring it back.")
    expected = Expected(shelf.read)
    assert expected.unread(LINT)
    with pytest.raises(StorageTrouble):
        await expected.learn(LINT)
    assert expected.peak(named(), CAP) == CAP
    shelf.trouble = None
    assert expected.unread(LINT)
    await expected.learn(LINT)
    assert expected.peak(named(), CAP) == 10


async def test_names_do_not_pile_up():
    expected = Expected(Shelf().read)
    names = [(Kind.COMMAND, f"n{n}") for n in range(NAMES_KEPT + 5)]
    for name in names:
        assert expected.unread(name)
        await expected.learn(name)
    assert [name for name in names if expected.unread(name)] == names[:5]


async def test_what_the_task_itself_outgrew_counts():
    grown = named(recovery=Recovery(ooms=1, outgrown_bytes=300))
    expected = Expected(Shelf(lint=[100, 100, 100]).read)
    assert expected.unread(LINT)
    await expected.learn(LINT)
    assert expected.peak(named(), CAP) == 100
    assert expected.peak(grown, CAP) == 450


async def test_what_is_stored_counts_by_how_it_ended():
    shelf = Shelf(lint=[(400, VerdictKind.CAP), (999, VerdictKind.STOPPED), 10, 10])
    expected = Expected(shelf.read)
    assert expected.unread(LINT)
    await expected.learn(LINT)
    assert expected.peak(named(), CAP) == 600
