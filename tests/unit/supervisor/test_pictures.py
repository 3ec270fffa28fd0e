"""What watchers are shown, however slowly they look."""

from __future__ import annotations

import asyncio

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from heaptui.model import Activity, Alert, Event, Host, Row, State
from heaptui.supervisor.pictures import EVENTS_HELD, Gallery, Watcher, visibly_moved
from tests.unit.supervisor.tasks import MIB, sample, task

EMPTY = Host(sample=None)


class Screen:
    """A client: a picture first, then changes put upon it."""

    def __init__(self, gallery: Gallery, tasks) -> None:
        self.gallery, self.tasks = gallery, tasks
        self.watcher = gallery.enter()
        picture = gallery.picture(0.0, tasks.values())
        self.rows = {row.id: row for row in picture.rows}
        self.host, self.alerts = picture.host, picture.alerts
        self.activities = picture.activities
        self.events: list[Event] = []

    def row(self, task_id: str) -> Row | None:
        held = self.tasks.get(task_id)
        return held.row() if held is not None else None

    async def look(self) -> None:
        change = await self.watcher.next(lambda: 1.0, self.row, self.gallery)
        assert not {row.id for row in change.rows} & set(change.gone)
        self.rows |= {row.id: row for row in change.rows}
        for task_id in change.gone:
            self.rows.pop(task_id, None)
        self.host = change.host or self.host
        self.alerts = self.alerts if change.alerts is None else change.alerts
        if change.activities is not None:
            self.activities = change.activities
        self.events += change.events

    def is_current(self) -> bool:
        return (self.rows, self.host, self.alerts, self.activities) == (
            {task_id: one.row() for task_id, one in self.tasks.items()},
            self.gallery.host,
            self.gallery.alerts,
            self.gallery.activities,
        )


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["change", "come", "go", "hang", "act", "look"]),
        st.sampled_from(["a", "b", "c"]),
        st.integers(0, 5),
    ),
    max_size=60,
)


@given(STEPS)
def test_what_a_slow_watcher_reads_at_last_is_how_things_are(steps):
    async def watch() -> None:
        tasks = {"a": task("a"), "b": task("b")}
        gallery = Gallery(EMPTY)
        screen = Screen(gallery, tasks)
        for step, task_id, value in steps:
            if step == "look":
                gallery.happened(
                    Event(at=0.0, task_id=task_id, attempt=1, kind="k", text=str(value))
                )
                await screen.look()
                assert screen.is_current()
            elif step == "hang":
                alert = Alert(id=str(value), level="red", text="")
                gallery.hang(msgspec.structs.replace(EMPTY, running=value), [alert] * (value % 2))
            elif step == "act":
                work = Activity(id=task_id, kind="gc", text=str(value), began_at=0)
                gallery.act([work] * (value % 2))
            elif step == "go":
                if tasks.pop(task_id, None) is not None:
                    gallery.gone(task_id)
            elif step == "come" or task_id in tasks:
                tasks.setdefault(task_id, task(task_id)).output_bytes = value
                gallery.changed(task_id)
        gallery.changed("nobody")
        await screen.look()
        assert screen.is_current()

    asyncio.run(watch())


def test_a_watcher_that_never_looks_piles_up_nothing():
    async def watch() -> None:
        gallery = Gallery(EMPTY)
        watcher = gallery.enter()
        for n in range(10_000):
            gallery.changed(f"t{n % 7}")
            gallery.happened(Event(at=n, task_id="t", attempt=1, kind="k", text=str(n)))
        rows = {f"t{n}": task(f"t{n}").row() for n in range(7)}
        change = await watcher.next(lambda: 1.0, rows.get, gallery)
        assert len(change.rows) == 7
        assert [event.text for event in change.events] == [
            str(n) for n in range(10_000 - EVENTS_HELD, 10_000)
        ]

    asyncio.run(watch())


def test_a_watcher_waits_until_there_is_something_to_see():
    async def watch() -> None:
        gallery = Gallery(EMPTY)
        watcher = gallery.enter()
        looking = asyncio.ensure_future(watcher.next(lambda: 1.0, lambda _: None, gallery))
        gallery.hang(EMPTY, [])
        for _ in range(5):
            await asyncio.sleep(0)
        assert not looking.done()
        gallery.gone("a")
        assert (await looking).gone == ["a"]

    asyncio.run(watch())


def test_who_left_is_told_nothing():
    gallery = Gallery(EMPTY)
    watcher = gallery.enter()
    assert gallery.watched
    gallery.leave(watcher)
    gallery.changed("a")
    assert not gallery.watched
    assert watcher._rows == set()


def test_only_what_changed_of_the_header_is_sent():
    async def watch() -> None:
        gallery = Gallery(EMPTY)
        watcher = gallery.enter()
        alert = Alert(id="x", level="red", text="")
        gallery.hang(EMPTY, [alert])
        change = await watcher.next(lambda: 1.0, lambda _: None, gallery)
        assert (change.host, change.alerts) == (None, [alert])
        gallery.hang(msgspec.structs.replace(EMPTY, running=1), [alert])
        change = await watcher.next(lambda: 1.0, lambda _: None, gallery)
        assert (change.host, change.alerts) == (gallery.host, None)

    asyncio.run(watch())


def test_a_waiter_is_stirred_by_any_change_and_keeps_none():
    async def watch() -> None:
        watcher = Watcher()
        for _ in range(2):
            watcher.changed("a")
            await watcher.stirred()
        assert watcher._rows == set()

    asyncio.run(watch())


# --- which readings are worth sending
def shown(**fields):
    made = task("a", State.RUNNING)
    made.sample = sample("a", 100 * MIB, **fields)
    assert visibly_moved(made)
    return made


def test_a_reading_that_looks_the_same_is_not_sent():
    made = shown()
    assert not visibly_moved(made)
    made.sample = sample("a", 100 * MIB + 4096)
    assert not visibly_moved(made)


def test_memory_that_moved_visibly_is_sent():
    made = shown()
    made.sample = sample("a", 102 * MIB)
    assert visibly_moved(made)


def test_each_figure_of_a_row_is_sent_when_it_moves():
    for change in (
        {"growth": 88.0 * MIB},
        {"spark": (1, 2)},
        {"sample": sample("a", 100 * MIB, processes=2)},
        {"sample": sample("a", 100 * MIB, cpu_percent=50.0)},
        {"sample": sample("a", 100 * MIB, pss_bytes=50 * MIB)},
        {"peak_bytes": 200 * MIB},
    ):
        made = shown()
        for name, value in change.items():
            setattr(made, name, value)
        assert visibly_moved(made), change
        assert not visibly_moved(made), change


def test_growth_that_stopped_is_sent():
    made = shown()
    made.growth = 88.0 * MIB
    assert visibly_moved(made)
    made.growth = 0.0
    assert visibly_moved(made)


def test_the_first_reading_of_a_second_attempt_is_always_sent():
    made = shown()
    made.begin_attempt()
    assert not visibly_moved(made)
    made.sample = sample("a", 100 * MIB)
    assert visibly_moved(made)
