"""The limits of another attempt after one that ran out of memory. Pure."""

from __future__ import annotations

from msgspec import Struct
from msgspec.structs import replace

from heaptui.config import Policy
from heaptui.model import Kind, Limits, TaskSpec, VerdictKind
from heaptui.runtime import v8
from heaptui.units import size

LEAST_STEP = 1.1
"""A limit that grows by less is the same limit again."""


class Larger(Struct, frozen=True, kw_only=True):
    """`cap_bytes` and `heap_bytes` of the next attempt, None where they stay; `now_bytes` the limit
    that was reached; `refused` why there is no larger one, `words` what is larger. `given`: the
    operator raised it while the attempt ran, and the task's own limits hold."""

    now_bytes: int | None = None
    cap_bytes: int | None = None
    heap_bytes: int | None = None
    refused: str | None = None
    words: str = ""
    given: bool = False


def larger(
    spec: TaskSpec,
    verdict: VerdictKind,
    *,
    cap_bytes: int | None,
    heap_limit_bytes: int | None,
    room_bytes: int | None,
    policy: Policy,
) -> Larger:
    """`room_bytes` is what the machine could give one task now, with what this one held (None: not
    known). A heap limit of its own grows with the factor, one that follows the cap by itself."""
    reached_heap = verdict is VerdictKind.V8_HEAP and heap_limit_bytes is not None
    now = heap_limit_bytes if reached_heap else cap_bytes
    if cap_bytes is None or now is None:
        return Larger(now_bytes=now, refused="it has no cap that could be larger")
    # Node's own follows the cap; what runs inside a command is told one or takes its default
    fixed = spec.limits.heap_bytes is not None or bool(spec.preset) or spec.kind is not Kind.NODE
    by_heap = reached_heap and fixed
    asked = spec.limits.heap_bytes if by_heap else spec.limits.cap_bytes
    if asked is not None and asked >= (now if by_heap else cap_bytes) * LEAST_STEP:
        what = "heap" if by_heap else "cap"
        return Larger(now_bytes=now, words=f"the {what} of {size(asked)} it was given", given=True)
    bounds = [(policy.oom_ceiling_bytes, "the policy's ceiling")]
    if room_bytes is not None:
        bounds.append((room_bytes, "what this machine has free"))
    bound, whose = min(bounds)
    cap = min(int(cap_bytes * policy.oom_factor), bound)
    if by_heap and heap_limit_bytes is not None:
        heap = min(int(heap_limit_bytes * policy.oom_factor), bound - v8.OUTSIDE_HEAP)
        if heap < heap_limit_bytes * LEAST_STEP:
            return _none(now, bound, whose)
        cap = max(cap_bytes, min(cap, heap + v8.OUTSIDE_HEAP))
        return Larger(
            now_bytes=now,
            cap_bytes=cap if cap > cap_bytes else None,
            heap_bytes=heap,
            words=f"a heap of {size(heap)}",
        )
    if cap < cap_bytes * LEAST_STEP:
        return _none(now, bound, whose)
    return Larger(now_bytes=now, cap_bytes=cap, words=f"a cap of {size(cap)}")


def raised(limits: Limits, to: Larger, cap_bytes: int | None) -> Limits:
    """The limits of the next attempt; a soft limit of its own keeps its share of the cap, which was
    `cap_bytes` where none was given. What was given already is never lowered."""
    cap = max(to.cap_bytes or 0, limits.cap_bytes or 0) or None
    heap = max(to.heap_bytes or 0, limits.heap_bytes or 0) or None
    before, soft = limits.cap_bytes or cap_bytes, limits.soft_bytes
    if soft is not None and before and cap:
        soft = int(soft * cap / before)
    return replace(limits, cap_bytes=cap, soft_bytes=soft, heap_bytes=heap)


def _none(now: int, bound: int, whose: str) -> Larger:
    return Larger(now_bytes=now, refused=f"no larger limit is possible: {whose} is {size(bound)}")
