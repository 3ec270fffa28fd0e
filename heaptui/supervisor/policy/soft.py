"""What to do next about a task that comes near its cap, from what is known of it. Pure.

The soft limit is the task's own or the policy's share of the cap in force; a heap that has a limit
of its own dies at that one, so the same share of it counts. Beyond either, or when the cap is
predicted to be reached soon, the steps of the policy follow one another: garbage collection, a
checkpoint, a recycle; what none of them mends is handed to the operator. What fills a limit within
seconds is met at its own pace. A collection that gave nothing back rests for a while that doubles;
one that did is not needed again before memory has grown once more. A checkpoint that was refused is
asked for again soon (a full disk has room again without telling anybody), and one that the worker
keeps by itself meanwhile serves as well. By a prediction alone nothing is recycled until what is
left of the time is what a drain needs.
"""

from __future__ import annotations

from collections.abc import Collection
from enum import StrEnum

from msgspec import Struct

from heaptui.config import Policy

WELL_BELOW = 0.9
"""Of the soft limit: whoever came down to it has left the occasion behind."""

WORTH = 0.1
"""Of a task's memory: a collection that gave back less gave nothing back."""

HELPED_REST_S = 5.0
"""Garbage that is back sooner than this is no garbage: the next step follows."""

_GC_REST_S, _GC_REST_MOST_S = 30.0, 600.0
_FAILED_REST_S, _FAILED_REST_MOST_S = 5.0, 30.0
_CHECKPOINT_REST_S = 15.0

_DRAIN_LEAST_S = 10.0
_DRAIN_TIMES = 3
"""A worker drains in a few times what its checkpoint took."""

QUICK_S = 6.0
"""Before a limit that is reached at the pace of the last seconds: figures are up to two seconds
old, a collection takes one, a checkpoint and a drain a unit of work each."""

_QUICK_DUE_S = 3.5
"""And when it is time to recycle; longer where a checkpoint takes its time."""


class Step(StrEnum):
    """One thing to do."""

    GC = "gc"
    CHECKPOINT = "checkpoint"
    RECYCLE = "recycle"
    HAND_OVER = "hand-over"
    """Tell the operator that nothing heaptui may do helps."""


class Tried(Struct, frozen=True, kw_only=True):
    """A step that was taken: when it was over, how long it took, how often in a row in vain."""

    at: float
    took_s: float = 0
    in_vain: int = 0

    def again(self, at: float, took_s: float, *, helped: bool) -> Tried:
        """The same step, taken once more."""
        return Tried(at=at, took_s=took_s, in_vain=0 if helped else self.in_vain + 1)


NEVER = Tried(at=float("-inf"))


class Past(Struct, frozen=True, kw_only=True):
    """What was done about this attempt so far; `handed`: its operator was told on this occasion."""

    gc: Tried = NEVER
    checkpoint: Tried = NEVER
    recycle: Tried = NEVER
    handed: bool = False


class Situation(Struct, frozen=True, kw_only=True):
    """Where a task stands. `memory_bytes` without page cache, `heap_bytes` what the old generation
    of that heap holds which is nearest to its own limit, `heap_soft_bytes` the share of that limit
    (None: no heap has one). `to_cap_s` is None while its growth is no trend; `left_s` to the
    nearest of its limits at the pace of the last seconds, None while it has none. `can` are the
    steps that are possible with this worker and allowed now, see `able`; `fresh`: a checkpoint
    stands that holds what is done; `busy`: an operator works on it."""

    at: float
    memory_bytes: int
    soft_bytes: int
    heap_bytes: int = 0
    heap_soft_bytes: int | None = None
    to_cap_s: float | None = None
    left_s: float | None = None
    can: frozenset[Step] = frozenset()
    fresh: bool = False
    busy: bool = False
    past: Past = Past()


def soft_limit(own_bytes: int | None, cap_bytes: int | None, policy: Policy) -> int | None:
    """Where the policy begins to act; None: nowhere. `own_bytes` is the task's own soft limit."""
    if own_bytes is not None:
        return own_bytes if cap_bytes is None else min(own_bytes, cap_bytes)
    if policy.soft_share is None or cap_bytes is None:
        return None
    return int(cap_bytes * policy.soft_share)


def able(
    *, collects: bool, checkpoints: bool, kept: bool, busy: Collection[str], policy: Policy
) -> frozenset[Step]:
    """What can be done: `collects` says that some heap can be collected, `checkpoints` that its
    worker can be asked for one, `kept` that one of this attempt stands. `busy` names what is done
    with the task now (gc, snapshot, hunt): a collection would spoil it, a recycle end it."""
    can = set()
    if collects and not busy:
        can.add(Step.GC)
    if checkpoints and "snapshot" not in busy:
        can.add(Step.CHECKPOINT)
    if (checkpoints or kept or policy.recycle_anew) and not looked_into(busy):
        can.add(Step.RECYCLE)
    return frozenset(step for step in can if step.value in policy.steps)


def looked_into(busy: Collection[str]) -> bool:
    """Whether an operator has it worked on, and would lose that with the attempt."""
    return "snapshot" in busy or "hunt" in busy


def next_step(now: Situation, policy: Policy) -> Step | None:
    """What to do; None: nothing, or nothing yet."""
    if not pressed(now, policy):
        return None
    past = now.past
    if Step.GC in now.can and now.at >= past.gc.at + _gc_rest(past.gc):
        return Step.GC
    if Step.CHECKPOINT in now.can and not now.fresh and _rested(now.at, past.checkpoint):
        return Step.CHECKPOINT
    if _recyclable(now, policy) and _due(now, policy) and _recycle_rested(now):
        return Step.RECYCLE
    told = past.handed or now.busy
    return Step.HAND_OVER if not told and _hopeless(now, policy) else None


def pressed(now: Situation, policy: Policy) -> bool:
    """Beyond its soft limit, or soon at its cap."""
    return beyond(now) or _soon(now, policy.ahead_s) or _quick(now, QUICK_S)


def beyond(now: Situation, share: float = 1.0) -> bool:
    """Whether it holds `share` of its soft limit, or of its heap's."""
    heap = now.heap_soft_bytes is not None and now.heap_bytes >= now.heap_soft_bytes * share
    return heap or now.memory_bytes >= now.soft_bytes * share


def calm(now: Situation, policy: Policy) -> bool:
    """Far enough from both that what follows is another occasion."""
    return not (beyond(now, WELL_BELOW) or _soon(now, policy.ahead_s) or _quick(now, QUICK_S))


def helped(before: Situation, after: Situation) -> bool:
    """Whether a collection between the two was worth it: what was beyond its limit is well below,
    or has shrunk visibly."""
    if before.memory_bytes >= before.soft_bytes:
        shrunk = _shrunk(before.memory_bytes, after.memory_bytes)
    else:
        shrunk = _shrunk(before.heap_bytes, after.heap_bytes)
    return shrunk or not beyond(after, WELL_BELOW)


def _shrunk(before: int, after: int) -> bool:
    return before - after >= before * WORTH and before > 0


def _soon(now: Situation, within_s: float) -> bool:
    return now.to_cap_s is not None and now.to_cap_s < within_s


def _quick(now: Situation, within_s: float) -> bool:
    return now.left_s is not None and now.left_s <= within_s


def _due(now: Situation, policy: Policy) -> bool:
    """Whether it is time to recycle."""
    if beyond(now):
        return True
    took = now.past.checkpoint.took_s
    if _quick(now, max(_QUICK_DUE_S, took * _DRAIN_TIMES)):
        return True
    needs_s = max(_DRAIN_LEAST_S, took * _DRAIN_TIMES) if took else policy.drain_s
    return _soon(now, min(needs_s, policy.drain_s, policy.ahead_s))


def _gc_rest(last: Tried) -> float:
    if last.in_vain == 0:
        return HELPED_REST_S
    return _doubled(_GC_REST_S, last.in_vain, _GC_REST_MOST_S)


def _rested(at: float, last: Tried) -> bool:
    if last.in_vain == 0:
        return at >= last.at + _CHECKPOINT_REST_S
    return at >= last.at + _doubled(_FAILED_REST_S, last.in_vain, _FAILED_REST_MOST_S)


def _recycle_rested(now: Situation) -> bool:
    """A checkpoint that came to stand after the last one was in vain is not waited with."""
    last = now.past.recycle
    return _rested(now.at, last) or (now.fresh and now.at >= last.at + _FAILED_REST_S)


def _doubled(first_s: float, times: int, most_s: float) -> float:
    return min(most_s, first_s * 2.0 ** min(times - 1, 30))


def _recyclable(now: Situation, policy: Policy) -> bool:
    """A worker that has just given no checkpoint is asked again after a rest, not in a recycle;
    one that has kept one by itself since is not asked at all."""
    refused = Step.CHECKPOINT in now.can and now.past.checkpoint.in_vain > 0 and not now.fresh
    return Step.RECYCLE in now.can and (policy.recycle_anew or not refused)


def _hopeless(now: Situation, policy: Policy) -> bool:
    """Neither a collection nor a recycle is left that has not just been in vain."""
    past = now.past
    collects = Step.GC in now.can and past.gc.in_vain == 0
    recycles = _recyclable(now, policy) and past.recycle.in_vain == 0
    return not collects and not recycles
