"""What chaos did: each deed on record, for it explains ends that nothing else would."""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct


class DeedKind(StrEnum):
    """One way to make trouble."""

    KILL_WORKER = "kill -9 of a worker"
    KILL_SUPERVISOR = "kill -9 of the supervisor"
    KILL_WARDEN = "kill -9 of the warden"
    STOP_WORKER = "SIGSTOP of a worker"
    STOP_SUPERVISOR = "SIGSTOP of the supervisor"
    FULL_DISK = "full disk"
    HANGING_CLIENTS = "clients that hang"
    FLOOD = "flood of output"


UNSEEN = frozenset((DeedKind.KILL_WARDEN,))
"""While they last, an end may go unseen by everybody."""

HOLDING_UP = frozenset(
    (
        DeedKind.KILL_SUPERVISOR,
        DeedKind.KILL_WARDEN,
        DeedKind.STOP_SUPERVISOR,
        DeedKind.FULL_DISK,
    )
)
"""While they last, nobody can dispatch."""


class Deed(Struct, frozen=True, kw_only=True):
    """From `at` to `over_at` (instants). `task_id` and `attempt` of the worker that it was done to.
    `skipped` says why nothing was done."""

    kind: DeedKind
    at: float
    over_at: float
    text: str
    task_id: str | None = None
    attempt: int | None = None
    skipped: str | None = None
