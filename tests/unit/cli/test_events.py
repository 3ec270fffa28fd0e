"""Events from two sources, the store and the stream: each is told once, none is missed."""

from __future__ import annotations

import json

import pytest

from heaptui.cli.events import Teller
from heaptui.client import Down
from heaptui.model import Alert, Event, Host, Kind, Row, State
from heaptui.protocol import Change, Picture

NASTY = "no \x1b[2J\x1b]0;t\x07way\nsecond"


def event(n: int, task_id: str = "a", kind: str = "note", text: str = "") -> Event:
    return Event(at=float(n), task_id=task_id, attempt=1, kind=kind, text=text or f"event {n}")


def row(task_id: str = "a", name: str = "agent") -> Row:
    return Row(
        id=task_id, name=name, kind=Kind.COMMAND, state=State.RUNNING, argv=("true",), cwd="/",
        created_at=1.0,
    )  # fmt: skip


def picture(*alerts: Alert) -> Picture:
    return Picture(at=1.0, host=Host(sample=None), rows=[row()], alerts=list(alerts))


class Served:
    """A store that tests fill, and a stream that they wrote; after it the test is over."""

    def __init__(self, *stream):
        self.stored: list[Event] = []
        self.stream = stream
        self.asked = 0

    def store(self, *events: Event) -> None:
        for one in events:
            seq = len(self.stored) + 1
            self.stored.append(
                Event(
                    at=one.at, task_id=one.task_id, attempt=1, kind=one.kind, text=one.text, seq=seq
                )
            )

    async def events(self, limit=100, *, task=None, since=0):
        self.asked += 1
        fits = [one for one in self.stored if one.seq > since and task in (None, one.task_id)]
        return fits[-limit:]

    async def tasks(self, *, all=False, ids=()):
        held = [row("a", "agent")]
        return [*held, row("old", "before")] if all else [one for one in held if one.id in ids]

    async def watch(self):
        for step in self.stream:
            if callable(step):
                step(self)
            else:
                yield step


@pytest.fixture
def told(capsys):
    def read() -> list[dict]:
        return [json.loads(line) for line in capsys.readouterr().out.splitlines()]

    return read


async def follow(served, limit=50, ids=(), json_=True):
    await Teller(served, ids, json_=json_).follow(limit)


def texts(lines):
    return [line["text"] for line in lines]


async def test_the_latest_first_and_then_what_comes(told):
    served = Served(picture(), Change(at=2.0, events=[event(7)]))
    served.store(*(event(n) for n in range(7)))
    await follow(served, limit=2)
    assert texts(told()) == ["event 5", "event 6", "event 7"]


async def test_none_of_the_past_where_none_is_wanted(told):
    served = Served(picture(), Change(at=2.0, events=[event(7)]), picture())
    served.store(*(event(n) for n in range(7)))
    await follow(served, limit=0)
    assert texts(told()) == ["event 7"]


async def test_what_comes_both_ways_is_told_once(told):
    # stored and read before the message that carries it is
    served = Served(picture(), Change(at=2.0, events=[event(1), event(2)]))
    served.store(event(0), event(1))
    await follow(served)
    assert texts(told()) == ["event 0", "event 1", "event 2"]


async def test_what_happened_during_a_hand_over_is_fetched(told, capsys):
    served = Served(
        picture(),
        Change(at=2.0, events=[event(1)]),
        Down("gone"),
        Down("gone"),
        lambda served: served.store(event(1), event(2), event(3)),
        picture(),
        Change(at=3.0, events=[event(3), event(4)]),
    )
    served.store(event(0))
    await follow(served)
    captured = capsys.readouterr()
    assert texts(map(json.loads, captured.out.splitlines())) == [f"event {n}" for n in range(5)]
    assert captured.err.count("gone") == 1


async def test_a_burst_that_may_have_lost_some_is_completed_from_the_store(told):
    burst = [event(n) for n in range(1000, 1200)]
    served = Served(
        picture(),
        lambda served: served.store(*(event(n) for n in range(1200))),
        Change(at=2.0, events=burst),
    )
    await follow(served)
    lines = texts(told())
    assert len(lines) == 1200
    assert set(lines) == {f"event {n}" for n in range(1200)}


async def test_only_the_tasks_that_were_named(told):
    served = Served(picture(), Change(at=9.0, events=[event(3), event(4, "b"), event(5, "")]))
    served.store(event(0), event(1, "b"), event(2, ""))
    await follow(served, ids=["a"])
    assert texts(told()) == ["event 0", "event 3"]


async def test_names_come_with_the_rows_or_are_asked_for(told):
    served = Served(
        picture(),
        Change(at=2.0, rows=[row("new", "fresh")], events=[event(5, "new"), event(6, "")]),
    )
    served.store(event(1, "old"), event(2, "gone"))
    await follow(served)
    assert [(one["task_id"], one["name"]) for one in told()] == [
        ("old", "before"), ("gone", None), ("new", "fresh"), (None, None),
    ]  # fmt: skip


async def test_an_alert_comes_with_what_it_means_and_so_does_its_end(told):
    full = Alert(
        id="cap:a", level="red", text="is full", task_id="a", since=5.0, meaning="bad",
        actions=("task.stop",),
    )  # fmt: skip
    large = Alert(id="worker:a", level="amber", text="is large", task_id="a", since=5.0)
    low = Alert(id="host", level="red", text="is low", since=5.0)
    served = Served(
        picture(low),
        Change(
            at=5.0,
            alerts=[full, large, low],
            events=[event(5, "a", "alert", "is large"), event(5, "a", "alert", "is full")],
        ),
        Change(
            at=9.0,
            alerts=[],
            events=[
                event(9, "a", "alert-over", "over after 4s: is full"),
                event(9, "", "alert-over", "over after 4s: is low"),
                event(9, "other", "alert-over", "over after 4s: is full"),
            ],
        ),
    )
    served.store(event(5, "", "alert", "was lower then"))
    await follow(served)
    lines = told()
    assert [line.get("id") for line in lines] == [
        "host", "worker:a", "cap:a", "cap:a", "host", None,
    ]  # fmt: skip
    assert lines[2]["level"] == "red" and lines[2]["meaning"] == "bad"
    assert lines[2]["actions"] == ["task.stop"]


async def test_a_line_is_one_line_and_harmless(capsys):
    served = Served(picture(), Change(at=2.0, events=[event(1, text=NASTY), event(2, "")]))
    await follow(served, json_=False)
    first, second = capsys.readouterr().out.splitlines()
    assert first.endswith("note          agent: no way second")
    assert second.endswith("note          this machine: event 2")
