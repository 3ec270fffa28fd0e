"""What one supervisor does with what another left."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heaptui.engine.base import Known
from heaptui.model import State
from heaptui.supervisor.recovery import Action, Step, reconcile
from tests.unit.supervisor.tasks import task

IDS = ("a", "b", "c", "d")
STORED = st.dictionaries(
    st.sampled_from(IDS), st.tuples(st.sampled_from(list(State)), st.integers(0, 3))
)
KNOWN = st.lists(
    st.builds(Known, task_id=st.sampled_from(IDS), attempt=st.integers(1, 4), live=st.booleans()),
    unique_by=lambda one: (one.task_id, one.attempt),
)


def tasks(stored):
    return [
        task(task_id, state=state, attempts=attempts)
        for task_id, (state, attempts) in stored.items()
    ]


@given(STORED, KNOWN)
def test_every_unended_task_gets_exactly_one_action(stored, known):
    actions = reconcile(tasks(stored), known)
    unended = [task_id for task_id, (state, _) in stored.items() if not state.ended]
    about = [action.task_id for action in actions if action.step is not Step.END_STRAY]
    assert sorted(about) == sorted(unended)


@given(STORED, KNOWN)
def test_nothing_that_is_known_to_live_is_submitted_or_left_alone(stored, known):
    actions = reconcile(tasks(stored), known)
    live: dict[str, int] = {}
    for one in known:
        newest = all(o.attempt <= one.attempt for o in known if o.task_id == one.task_id)
        if one.live and newest:
            live[one.task_id] = one.attempt
    for action in actions:
        if action.step in (Step.SUBMIT, Step.LOST):
            assert live.get(action.task_id) != action.attempt
    assert live.keys() <= {action.task_id for action in actions}


@given(STORED, KNOWN)
def test_an_attempt_that_is_newer_than_the_books_is_always_caught_up_with(stored, known):
    newest: dict[str, int] = {}
    for one in known:
        newest[one.task_id] = max(one.attempt, newest.get(one.task_id, 0))
    for action in reconcile(tasks(stored), known):
        if action.step is Step.END_STRAY:
            continue
        ahead = newest.get(action.task_id, 0) > stored[action.task_id][1]
        assert (action.step is Step.CATCH_UP) == ahead
        if ahead:
            assert action.attempt == newest[action.task_id]


@pytest.mark.parametrize(
    ("state", "attempts", "known", "step"),
    [
        (State.QUEUED, 0, None, Step.ENQUEUE),
        (State.QUEUED, 1, (1, False), Step.ENQUEUE),
        (State.QUEUED, 0, (1, True), Step.CATCH_UP),
        (State.QUEUED, 0, (1, False), Step.CATCH_UP),
        (State.BACKOFF, 1, None, Step.WAIT),
        (State.BACKOFF, 1, (2, True), Step.CATCH_UP),
        (State.STARTING, 1, None, Step.SUBMIT),
        (State.STARTING, 2, (1, False), Step.SUBMIT),
        (State.STARTING, 1, (1, True), Step.FOLLOW),
        (State.STARTING, 1, (1, False), Step.FOLLOW),
        (State.RUNNING, 1, (1, True), Step.FOLLOW),
        (State.RUNNING, 1, (1, False), Step.FOLLOW),
        (State.RUNNING, 1, None, Step.LOST),
        (State.RUNNING, 2, (1, False), Step.LOST),
        (State.RUNNING, 1, (2, True), Step.CATCH_UP),
        (State.STOPPING, 1, (1, True), Step.GO_ON_STOPPING),
        (State.STOPPING, 1, (1, False), Step.FOLLOW),
        (State.STOPPING, 1, None, Step.LOST),
        (State.SPLITTING, 1, (1, True), Step.GO_ON_SPLITTING),
        (State.SPLITTING, 1, (1, False), Step.FOLLOW),
        (State.SPLITTING, 1, None, Step.LOST),
        (State.SPLIT, 1, None, Step.AWAIT_CHILDREN),
        (State.SPLIT, 1, (1, False), Step.AWAIT_CHILDREN),
    ],
)
def test_one_task(state, attempts, known, step):
    found = [] if known is None else [Known(task_id="a", attempt=known[0], live=known[1])]
    attempt = known[0] if step is Step.CATCH_UP else attempts
    assert reconcile([task("a", state, attempts=attempts)], found) == [Action(step, "a", attempt)]


@pytest.mark.parametrize("stored", [[], [task("a", State.DONE, attempts=1)]])
def test_what_nobody_asked_for_is_ended(stored):
    live = Known(task_id="a", attempt=1, live=True)
    assert reconcile(stored, [live]) == [Action(Step.END_STRAY, "a", 1)]
    ended = Known(task_id="a", attempt=1, live=False)
    assert reconcile(stored, [ended]) == []
