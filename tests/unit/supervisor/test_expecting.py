"""The memory that children are expected to reach."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace

import pytest

from heaptui.inputs import Inputs, Item, Share, Source
from heaptui.model import Kind, State, VerdictKind
from heaptui.store.records import Rollup
from heaptui.supervisor.expected import Expected
from heaptui.supervisor.metrics import Gauge
from heaptui.supervisor.splitting.expecting import memory
from tests.unit.supervisor.tasks import GIB, MIB, spec, task

ITEMS = tuple(Item(f"{n}.ts", 1000) for n in range(10))
INPUTS = Inputs(source=Source.FILES, items=ITEMS, origin="*.ts")


def ran(floor: int = 100, peak: int = 500, *, seconds: int = 120, **fields):
    """A task that held `floor` MB in its first minute and grew to `peak` MB in its second."""
    made = task("e2e", State.QUARANTINED, started_at=1000.0, attempts=1, **fields)
    made.gauge = Gauge()
    for second in range(seconds):
        held = 5 if second < 2 else floor if second < 60 else peak
        made.gauge.add(1000 + second, held * MIB)
    made.peak_bytes = made.gauge.peak
    return made


class Store:
    """Peaks in MB of earlier children of that name, and the minutes of the task itself."""

    def __init__(self, needs=(), minutes=()) -> None:
        self.needs, self.minutes = needs, minutes

    async def peaks(self, kind, name, most):
        assert (kind, name) == (Kind.COMMAND, "e2e:*")
        return [(need * MIB, VerdictKind.FINISHED) for need in self.needs]

    async def rollups(self, task_id, since):
        return [one for one in self.minutes if one.minute >= since // 60]


def of(made, left, *shares, inputs=INPUTS, **stored):
    store = Store(**stored)
    admission = SimpleNamespace(expected=Expected(store.peaks))
    supervisor = SimpleNamespace(admission=admission, store=store)
    given = tuple(Share(title="t", items=tuple(items)) for items in shares)
    found = asyncio.run(memory(supervisor, made, inputs, left, given))
    assert [share.items for share in found] == [share.items for share in given]
    return [share.memory_bytes and share.memory_bytes // MIB for share in found]


def test_it_grows_from_the_floor_by_the_share_of_the_work():
    # 4 of 10 done made 400 MB
    assert of(ran(), ITEMS[4:], ITEMS[4:6], ITEMS[6:]) == [300, 500]


def test_each_attempt_began_at_the_floor_again():
    # two attempts that grew by 400 MB each did those 4 together
    made = ran()
    made.attempts = 2
    assert of(made, ITEMS[4:], ITEMS[4:5], ITEMS[5:7]) == [300, 500]


def test_it_is_never_above_the_cap_that_a_child_runs_under():
    assert of(ran(), ITEMS[1:], ITEMS[1:9]) == [1024]
    small = ran(spec=spec("e2e"), cap_bytes=400 * MIB)
    assert of(small, ITEMS[4:], ITEMS[4:]) == [400]


def test_a_part_of_a_file_that_is_left_is_not_done():
    whole = ITEMS[9]
    first = Item("9.ts:1-100", 500, of="9.ts", first=1, last=100)
    rest = Item("9.ts:101-200", 500, of="9.ts", first=101, last=200)
    assert of(ran(), [whole], [first], [rest]) == of(ran(), [first, rest], [first], [rest])


@pytest.mark.parametrize(
    "made",
    [
        pytest.param(ran(), id="nothing done"),
        pytest.param(task("e2e"), id="never ran"),
    ],
)
def test_of_one_that_has_done_nothing_nothing_is_said(made):
    assert of(made, ITEMS, ITEMS[:5], ITEMS[5:]) == [None, None]


def test_one_that_was_not_measured_early_enough_has_no_floor():
    late = task("e2e", State.RUNNING, started_at=1000.0, attempts=1, peak_bytes=GIB)
    late.gauge = Gauge()
    late.gauge.restore(9000 // 60, 400 * MIB, 500 * MIB)
    assert of(late, ITEMS[4:], ITEMS[4:]) == [None]
    late.started_at = 9000.0
    assert of(late, ITEMS[8:], ITEMS[8:]) == [400 + (1024 - 400) // 4]


def test_earlier_children_of_the_name_tell_where_the_task_itself_does_not():
    assert of(task("e2e"), ITEMS, ITEMS[:5], needs=(100, 300, 200)) == [300]
    assert of(task("e2e"), ITEMS, ITEMS[:5], needs=(100, 300)) == [None]
    assert of(task("e2e"), ITEMS, ITEMS[:5], needs=(100, 300, 2000)) == [1024]
    # what it did itself is nearer than what others did
    assert of(ran(), ITEMS[4:], ITEMS[4:6], needs=(100, 300, 200)) == [300]


def test_an_empty_item_is_some_work_too():
    empty = Inputs(source=Source.LINES, items=tuple(Item(n, 0) for n in "abcd"), origin="list")
    assert of(ran(), empty.items[2:], empty.items[2:3], inputs=empty) == [300]


def test_of_an_attempt_that_only_the_store_remembers_its_first_minute_is_the_floor():
    def minute(attempt, at, low):
        return Rollup(task_id="e2e", attempt=attempt, minute=at, low=low * MIB, high=GIB, last=GIB)

    fields = {"started_at": 1025.0, "attempts": 2, "peak_bytes": 300 * MIB, "cap_bytes": 2 * GIB}
    gone = task("e2e", State.QUARANTINED, **fields)
    minutes = (minute(1, 16, 7), minute(1, 17, 50), minute(2, 17, 100), minute(2, 18, 200))
    # two attempts of 200 MB each did 5
    assert of(gone, ITEMS[5:], ITEMS[5:6], minutes=minutes) == [180]
    assert of(gone, ITEMS[5:], ITEMS[5:6], minutes=minutes[:2]) == [None]
    gone.started_at = 900.0
    assert of(gone, ITEMS[5:], ITEMS[5:6], minutes=minutes) == [None]
