"""What a task's heap means to the operator: how near its limit it is, what a collection of it
costs, and why there is none to act on.
"""

from __future__ import annotations

from collections.abc import Sequence

from heaptui.model import ProcessHeap, Row
from heaptui.tui.cells import safe
from heaptui.units import MIB

TIGHT_SHARE = 0.9
"""Of the limit: from here on V8 collects ever more for ever less, and ends the process at the
limit, however much room the cap leaves."""

_LEAST_S_PER_BYTE, _MOST_S_PER_BYTE = 0.0001 / MIB, 0.0013 / MIB
"""Seconds that a full collection takes for each byte in use: large strings, small objects
(measured with Node 20 to 24; what is dead costs next to nothing)."""

_ROUNDS = 3
"""Collections in a row where one alone gives no memory back (Node 20)."""

AT_ONCE_S = 1.0
"""A longer pause than this is asked about first."""


def heap_share(row: Row) -> float | None:
    """The heap in use as a share of its limit, None where either is unknown."""
    if row.heap_used_bytes is None or not row.heap_limit_bytes:
        return None
    return row.heap_used_bytes / row.heap_limit_bytes


def is_tight(row: Row) -> bool:
    share = heap_share(row)
    return share is not None and share >= TIGHT_SHARE


def why_no_heap(row: Row | None) -> str | None:
    """Why there is no heap to collect or to look into, None where there is one."""
    if row is None:
        return "there is no task under the cursor"
    if row.state.ended:
        return "it has ended"
    if not row.state.live:
        return "it does not run yet"
    if row.heap_used_bytes is not None or row.heaps:
        return None
    return safe(row.heap_absent or f"no process of this {row.kind.value} task reports a heap")


def pause_range_s(used_bytes: int | None) -> tuple[float, float] | None:
    """The least and the most that a collection of such a heap stops its program for."""
    if used_bytes is None:
        return None
    return used_bytes * _LEAST_S_PER_BYTE, used_bytes * _MOST_S_PER_BYTE * _ROUNDS


def collects_at_once(rows: Sequence[Row]) -> bool:
    """One task, whose programs stand still for no longer than an operator would wait anyway."""
    if len(rows) != 1:
        return False
    pause = pause_range_s(rows[0].heap_used_bytes)
    return pause is not None and pause[1] <= AT_ONCE_S


def largest_first(heaps: Sequence[ProcessHeap]) -> list[ProcessHeap]:
    """The heap that matters most at the front."""
    return sorted(heaps, key=lambda heap: -(heap.used_bytes or 0))


def runtime_of(heap: ProcessHeap) -> str:
    """`node 20.20.0`, `python 3.12.7`."""
    return safe(f"{heap.runtime} {heap.version.removeprefix('v')}".strip())


def heap_name(row: Row, heaps: Sequence[ProcessHeap] = ()) -> str:
    """What its heap is called: V8's own, or just a heap."""
    runtimes = {heap.runtime for heap in heaps} or {row.kind.value}
    return "V8 heap" if runtimes <= {"node", "deno", "bun"} else "heap"
