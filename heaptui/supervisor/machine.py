"""The life of a task: which state follows which, and nothing else.

Pure: no clock, no process, no storage. Everything that changes a task's state goes through `step`.
"""

from __future__ import annotations

from enum import StrEnum

from heaptui.model import ENDED, LIVE, State


class Trigger(StrEnum):
    """What can happen to a task."""

    ADMIT = "admit"
    STARTED = "started"
    RECYCLE = "recycle"
    RECYCLED = "recycled"
    DIVIDE = "divide"
    SPLIT = "split"
    STOP = "stop"
    FINISHED = "finished"
    FAILED = "failed"
    STOPPED = "stopped"
    TRY_AGAIN = "try-again"
    LOST = "lost"
    QUARANTINE = "quarantine"
    DUE = "due"
    RETRY = "retry"


class IllegalStep(Exception):
    """This cannot happen to a task in that state: a defect of the caller."""

    def __init__(self, state: State, trigger: Trigger) -> None:
        super().__init__(f"{trigger} cannot happen to a task that is {state}")
        self.state = state
        self.trigger = trigger


_WAITING = (State.QUEUED, State.BACKOFF)
_UNFINISHED = (State.FAILED, State.STOPPED, State.LOST, State.QUARANTINED)

TRANSITIONS: dict[tuple[State, Trigger], State] = {
    (State.QUEUED, Trigger.ADMIT): State.STARTING,
    (State.BACKOFF, Trigger.DUE): State.QUEUED,
    **{(waiting, Trigger.STOP): State.STOPPED for waiting in _WAITING},
    (State.STARTING, Trigger.STARTED): State.RUNNING,
    (State.STARTING, Trigger.STOP): State.STOPPING,
    (State.RUNNING, Trigger.STOP): State.STOPPING,
    (State.RUNNING, Trigger.RECYCLE): State.RECYCLING,
    (State.RECYCLING, Trigger.RECYCLED): State.QUEUED,
    (State.RECYCLING, Trigger.STOP): State.STOPPING,
    # a supervisor that took over hears of the start once more
    (State.RECYCLING, Trigger.STARTED): State.RECYCLING,
    (State.RUNNING, Trigger.DIVIDE): State.SPLITTING,
    (State.SPLITTING, Trigger.STOP): State.STOPPING,
    (State.SPLITTING, Trigger.STARTED): State.SPLITTING,
    (State.SPLITTING, Trigger.SPLIT): State.SPLIT,
    **{(waiting, Trigger.SPLIT): State.SPLIT for waiting in _WAITING},
    # also when only those of its children are tried again that did not finish
    **{(ended, Trigger.SPLIT): State.SPLIT for ended in _UNFINISHED},
    (State.SPLIT, Trigger.FINISHED): State.DONE,
    (State.SPLIT, Trigger.FAILED): State.FAILED,
    (State.SPLIT, Trigger.STOPPED): State.STOPPED,
    (State.SPLIT, Trigger.LOST): State.LOST,
    (State.SPLIT, Trigger.QUARANTINE): State.QUARANTINED,
    # a stop may overtake the news of the start, and a kill may follow a stop
    (State.STOPPING, Trigger.STARTED): State.STOPPING,
    (State.STOPPING, Trigger.STOP): State.STOPPING,
    **{(live, Trigger.FINISHED): State.DONE for live in LIVE},
    **{(live, Trigger.FAILED): State.FAILED for live in LIVE},
    **{(live, Trigger.STOPPED): State.STOPPED for live in LIVE},
    **{(live, Trigger.LOST): State.LOST for live in LIVE},
    **{(live, Trigger.QUARANTINE): State.QUARANTINED for live in LIVE},
    # a task that is being stopped is never tried again
    (State.STARTING, Trigger.TRY_AGAIN): State.BACKOFF,
    (State.RUNNING, Trigger.TRY_AGAIN): State.BACKOFF,
    (State.RECYCLING, Trigger.TRY_AGAIN): State.BACKOFF,
    **{(ended, Trigger.RETRY): State.QUEUED for ended in ENDED},
}


def step(state: State, trigger: Trigger) -> State:
    """The state after `trigger`.

    Raises:
        IllegalStep: it cannot happen in this state.
    """
    try:
        return TRANSITIONS[state, trigger]
    except KeyError:
        raise IllegalStep(state, trigger) from None


def may(state: State, trigger: Trigger) -> bool:
    """Whether `trigger` can happen in `state`."""
    return (state, trigger) in TRANSITIONS
