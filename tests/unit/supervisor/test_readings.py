"""What a pass of the sampler changes, and when something of it is stored."""

from __future__ import annotations

from heaptui.engine.base import Sampled
from heaptui.model import Host, State
from heaptui.supervisor.pictures import Gallery
from heaptui.supervisor.readings import COMPUTES_PERCENT, Readings
from tests.unit.supervisor.tasks import MIB, ledger, running, sample

MINUTE = 1_000_000 * 60.0


def passed(at: float, *tasks, **fields) -> Sampled:
    return Sampled(node="n", at=at, host=None, tasks=list(tasks), **fields)


async def rolled(books, paper) -> list[tuple[int, int, int]]:
    await books.commit()
    return [(one.low, one.high, one.last) for batch in paper.batches for one in batch.rollups]


async def test_a_minute_is_rolled_up_when_the_next_begins_or_its_attempt_ends():
    books, paper, _ = ledger()
    task = running(books)
    readings = Readings(books, Gallery(Host(sample=None)), MINUTE)
    for second, memory in enumerate((100, 300, 200), start=1):
        assert not readings.take_in(passed(MINUTE + second, sample(memory=memory * MIB)))
    assert await rolled(books, paper) == []
    assert readings.take_in(passed(MINUTE + 61, sample(memory=50 * MIB)))
    assert await rolled(books, paper) == [(100 * MIB, 300 * MIB, 200 * MIB)]
    readings.roll_up_task(task)
    assert (await rolled(books, paper))[1:] == [(50 * MIB, 50 * MIB, 50 * MIB)]


async def test_peaks_are_stored_every_ten_seconds():
    books, _, _ = ledger()
    task = running(books)
    readings = Readings(books, Gallery(Host(sample=None)), MINUTE)
    assert not readings.take_in(passed(MINUTE + 9, sample(memory=100 * MIB)))
    assert task.stored_peaks == (0, 0)
    assert readings.take_in(passed(MINUTE + 10, sample(memory=100 * MIB)))
    assert task.stored_peaks == (100 * MIB, 0)


async def test_of_an_earlier_attempt_nothing_is_taken_in():
    books, _, _ = ledger()
    task = running(books)
    readings = Readings(books, Gallery(Host(sample=None)), MINUTE)
    readings.take_in(passed(MINUTE + 1, sample(memory=100 * MIB, attempt=2)))
    assert (task.state, task.sample) == (State.RUNNING, None)


async def test_who_prints_or_computes_is_active():
    books, _, _ = ledger()
    task = running(books)
    readings = Readings(books, Gallery(Host(sample=None)), MINUTE)
    readings.take_in(passed(MINUTE + 1, sample(cpu_percent=COMPUTES_PERCENT / 2)))
    assert task.active_at is None
    readings.take_in(passed(MINUTE + 2, sample(cpu_percent=COMPUTES_PERCENT)))
    assert task.active_at == MINUTE + 2
    readings.take_in(passed(MINUTE + 3, sample(), output_bytes={task.id: 5}))
    assert (task.active_at, task.output_bytes) == (MINUTE + 3, 5)
