"""Who runs next."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from heaptui.model import State
from heaptui.supervisor.queue import Queue, admissible, wait_reason
from tests.unit.supervisor.tasks import spec, task


def waiting(priorities):
    return {
        f"t{n}": task(f"t{n}", spec=spec(priority=priority), order=n)
        for n, priority in enumerate(priorities)
    }


def drained(queue, tasks):
    taken = []
    while (found := queue.take(tasks.get)) is not None:
        found.state = State.STARTING
        taken.append(found.id)
    return taken


@given(st.lists(st.integers(min_value=-3, max_value=3), max_size=30), st.randoms())
def test_the_highest_priority_first_and_among_equals_who_came_first(priorities, random):
    tasks = waiting(priorities)
    put = list(tasks.values())
    random.shuffle(put)
    queue = Queue()
    for one in put:
        queue.put(one)
    expected = sorted(tasks.values(), key=lambda one: (-one.spec.priority, one.order))
    assert drained(queue, tasks) == [one.id for one in expected]


def test_who_left_the_queue_is_passed_over():
    tasks = waiting([0, 0, 0])
    queue = Queue()
    for one in tasks.values():
        queue.put(one)
    tasks["t0"].state = State.STOPPED
    del tasks["t1"]
    assert drained(queue, tasks) == ["t2"]


def test_a_task_that_is_offered_twice_is_taken_once():
    tasks = waiting([0])
    queue = Queue()
    queue.put(tasks["t0"])
    queue.put(tasks["t0"])
    assert drained(queue, tasks) == ["t0"]


def test_a_task_that_comes_again_waits_at_its_new_place():
    tasks = waiting([0, 0])
    queue = Queue()
    for one in tasks.values():
        queue.put(one)
    tasks["t0"].order = 9
    queue.put(tasks["t0"])
    assert drained(queue, tasks) == ["t1", "t0"]


def test_one_more_may_start_below_the_limit_and_never_while_paused():
    assert admissible(live=3, concurrency=4, paused=False)
    assert not admissible(live=4, concurrency=4, paused=False)
    assert not admissible(live=5, concurrency=4, paused=False)
    assert not admissible(live=0, concurrency=4, paused=True)


def test_what_a_waiting_task_waits_for():
    assert wait_reason(paused=True, concurrency=4) == "waits: dispatch is paused"
    assert wait_reason(paused=False, concurrency=4) == "waits for one of 4 places"


def test_who_is_first_can_be_looked_at_and_stays():
    tasks = waiting([0, 5, 0, 0])
    queue = Queue()
    for one in (*tasks.values(), tasks["t1"]):
        queue.put(one)
    assert [one.id for one in queue.first(tasks.get, 3)] == ["t1", "t0", "t2"]
    tasks["t0"].state = State.STOPPED
    assert [one.id for one in queue.first(tasks.get, 9)] == ["t1", "t2", "t3"]
    assert drained(queue, tasks) == ["t1", "t2", "t3"]


def test_behind_whom_a_waiting_task_waits():
    assert wait_reason(paused=False, concurrency=4, behind="big") == (
        "waits for its turn behind big"
    )
    assert wait_reason(paused=True, concurrency=4, behind="big") == "waits: dispatch is paused"
