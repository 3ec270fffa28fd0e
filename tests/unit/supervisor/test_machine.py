"""Which state follows which."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heaptui.model import ENDED, LIVE, State
from heaptui.supervisor.machine import TRANSITIONS, IllegalStep, Trigger, may, step

ENDS = (
    Trigger.FINISHED,
    Trigger.FAILED,
    Trigger.STOPPED,
    Trigger.LOST,
    Trigger.QUARANTINE,
)


@pytest.mark.parametrize(
    ("path", "state"),
    [
        ([Trigger.ADMIT, Trigger.STARTED, Trigger.FINISHED], State.DONE),
        ([Trigger.ADMIT, Trigger.FAILED], State.FAILED),
        ([Trigger.STOP], State.STOPPED),
        ([Trigger.ADMIT, Trigger.STOP, Trigger.STARTED, Trigger.STOPPED], State.STOPPED),
        ([Trigger.ADMIT, Trigger.STARTED, Trigger.STOP, Trigger.STOP], State.STOPPING),
        ([Trigger.ADMIT, Trigger.STARTED, Trigger.TRY_AGAIN, Trigger.STOP], State.STOPPED),
        ([Trigger.ADMIT, Trigger.TRY_AGAIN, Trigger.DUE], State.QUEUED),
        ([Trigger.ADMIT, Trigger.STARTED, Trigger.LOST, Trigger.RETRY], State.QUEUED),
        ([Trigger.ADMIT, Trigger.STARTED, Trigger.RECYCLE, Trigger.RECYCLED], State.QUEUED),
        ([Trigger.ADMIT, Trigger.STARTED, Trigger.RECYCLE, Trigger.STOP], State.STOPPING),
        ([Trigger.ADMIT, Trigger.STARTED, Trigger.RECYCLE, Trigger.TRY_AGAIN], State.BACKOFF),
        ([Trigger.ADMIT, Trigger.STARTED, Trigger.QUARANTINE, Trigger.RETRY], State.QUEUED),
        ([Trigger.SPLIT], State.SPLIT),
        ([Trigger.ADMIT, Trigger.STARTED, Trigger.DIVIDE], State.SPLITTING),
        ([Trigger.ADMIT, Trigger.STARTED, Trigger.DIVIDE, Trigger.STARTED], State.SPLITTING),
        ([Trigger.ADMIT, Trigger.STARTED, Trigger.DIVIDE, Trigger.STOP], State.STOPPING),
        ([Trigger.ADMIT, Trigger.STARTED, Trigger.DIVIDE, Trigger.FINISHED], State.DONE),
        ([Trigger.ADMIT, Trigger.STARTED, Trigger.DIVIDE, Trigger.SPLIT], State.SPLIT),
        ([Trigger.ADMIT, Trigger.STARTED, Trigger.QUARANTINE, Trigger.SPLIT], State.SPLIT),
        ([Trigger.SPLIT, Trigger.FAILED, Trigger.SPLIT, Trigger.FINISHED], State.DONE),
    ],
)
def test_lives_of_a_task(path, state):
    now = State.QUEUED
    for trigger in path:
        now = step(now, trigger)
    assert now is state


def test_an_impossible_step_names_both():
    with pytest.raises(IllegalStep, match="started cannot happen to a task that is done"):
        step(State.DONE, Trigger.STARTED)


@given(st.lists(st.sampled_from(list(Trigger)), max_size=60))
def test_any_sequence_of_legal_triggers_keeps_the_rules(triggers):
    state = State.QUEUED
    for trigger in triggers:
        if not may(state, trigger):
            with pytest.raises(IllegalStep):
                step(state, trigger)
            continue
        before, state = state, step(state, trigger)
        if before in ENDED:
            assert trigger in (Trigger.RETRY, Trigger.SPLIT)
        if trigger is Trigger.SPLIT:
            # what is done has nothing left to divide, and what runs is asked to end first
            assert before is not State.DONE
            assert before is State.SPLITTING or before not in LIVE
        if before is State.SPLIT:
            assert state in ENDED
        if state in LIVE and before not in LIVE:
            assert (before, trigger) == (State.QUEUED, Trigger.ADMIT)
        if before is State.STOPPING:
            assert state is State.STOPPING or state in ENDED


@pytest.mark.parametrize("state", list(State))
def test_from_every_state_there_is_a_way_to_an_end(state):
    reached, new = {state}, {state}
    while new:
        new = {after for (before, _), after in TRANSITIONS.items() if before in new} - reached
        reached |= new
    assert reached & ENDED


@pytest.mark.parametrize("state", sorted(LIVE))
@pytest.mark.parametrize("end", ENDS)
def test_every_live_task_may_end_in_every_way(state, end):
    assert step(state, end) in ENDED
