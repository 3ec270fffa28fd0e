"""Garbage collection by a rule, without any soft limit: every so often, or at a share of the heap's
limit. Off unless the policy or the task says so."""

from __future__ import annotations

from collections.abc import Iterable

from heaptui import units
from heaptui.config import GcRule
from heaptui.model import Collection, ProcessHeap
from heaptui.supervisor.collecting import Telling
from heaptui.supervisor.policy.soft import WORTH, Tried

_REST_S, _REST_MOST_S = 10.0, 600.0
_EVERY_TIMES_MOST = 16
"""How much rarer than the rule says it becomes when nothing comes back."""


def due(
    rule: GcRule, at: float, began_at: float, last: Tried | None, heaps: Iterable[ProcessHeap]
) -> bool:
    """Whether it is time again, in an attempt that `began_at`; `last` is its latest collection by
    this rule. One that gave nothing back makes the next ones rarer."""
    in_vain = last.in_vain if last is not None else 0
    since = last.at if last is not None else began_at
    if rule.every_s is not None:
        return at - since >= rule.every_s * min(_EVERY_TIMES_MOST, 2.0**in_vain)
    if rule.at_share is None:
        return False
    rest = min(_REST_MOST_S, _REST_S * 2.0 ** min(in_vain, 30))
    return (last is None or at - since >= rest) and any(
        share >= rule.at_share for share in map(_share, heaps) if share is not None
    )


def telling(rule: GcRule) -> Telling:
    """How the history names a collection by this rule."""
    if rule.every_s is not None:
        return Telling(who=f"collected, as every {units.duration(rule.every_s)}")
    return Telling(who=f"collected, as at {rule.at_share or 0:.0%} of the limit")


def came_back(done: Iterable[Collection]) -> bool:
    """Whether the heaps that were collected gave back what is worth the name."""
    before = after = 0
    for one in done:
        if one.heap_before is not None and one.heap_after is not None:
            before, after = before + one.heap_before, after + one.heap_after
    return before > 0 and before - after >= before * WORTH


def _share(heap: ProcessHeap) -> float | None:
    if "gc" not in heap.can or heap.used_bytes is None or not heap.limit_bytes:
        return None
    return heap.used_bytes / heap.limit_bytes
