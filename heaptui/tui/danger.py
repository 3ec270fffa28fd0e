"""How bad it is: the one rule behind every amber and every red."""

from __future__ import annotations

from enum import IntEnum
from math import inf, log2

from heaptui.model import ENDED_BADLY, Row, State

AT_CAP_SHARE = 0.95
"""From here on a task is at its cap: the last twentieth goes in one allocation."""
SOON_S = 20 * 60.0
"""A cap nearer than this is worth a colour."""


ASKS = frozenset((State.QUARANTINED, State.LOST))
"""Ended, and nothing goes on with it until the operator has decided."""


class Danger(IntEnum):
    """Calm; amber: beyond the soft limit or less than 20 minutes to the cap; red: at the cap, or
    ended badly."""

    CALM = 0
    AMBER = 1
    RED = 2


def danger(row: Row) -> Danger:
    if row.state in ENDED_BADLY:
        return Danger.RED
    if not row.state.live:
        return Danger.CALM
    share = memory_share(row)
    if share is not None and share >= AT_CAP_SHARE:
        return Danger.RED
    if beyond_soft(row) or _soon(row) < SOON_S:
        return Danger.AMBER
    return Danger.CALM


def memory_share(row: Row) -> float | None:
    """Memory as a share of the cap, None where either is unknown."""
    if row.memory_bytes is None or not row.cap_bytes:
        return None
    return row.memory_bytes / row.cap_bytes


def beyond_soft(row: Row) -> bool:
    """It has come to where the memory policy acts."""
    if row.memory_bytes is None or row.soft_bytes is None:
        return False
    return row.memory_bytes >= row.soft_bytes


def _soon(row: Row) -> float:
    return inf if row.to_cap_s is None else row.to_cap_s


def danger_key(row: Row) -> tuple[float, ...]:
    """Ascending: the worst first, then what runs, be it by its children, what waits (in the order
    of its turn), what ended: first what waits for the operator, then the latest.

    Time and memory count in steps (half a power of two, a quarter of one), so that two tasks of
    about the same size do not change places with every sample.
    """
    if row.state.ended:
        return (2, row.state not in ASKS, -(row.ended_at or row.created_at))
    if not row.state.live and (row.state is not State.SPLIT or row.memory_bytes is None):
        return (1, -row.priority, row.created_at)
    soon = _soon(row)
    time_step = int(log2(max(soon, 1.0)) * 2) if soon < 2 * SOON_S else inf
    memory_step = int(log2(max(row.memory_bytes or 1, 1)) * 4)
    return (0, -danger(row), time_step, -memory_step, row.created_at)
