"""A task's heaps in lines: how much of its memory is heap and how much is not, and how its runtime
fares with it. What is not known is left out. Pure.
"""

from __future__ import annotations

from collections.abc import Sequence

from heaptui.model import Kind, ProcessHeap, Row
from heaptui.tui.danger import beyond_soft
from heaptui.tui.heaps import heap_name, heap_share, is_tight, largest_first, runtime_of
from heaptui.tui.lines import Line, Role, field, flow, one_line, sentence
from heaptui.units import MIB, count, duration, size

OLD_S = 3.0
"""Figures older than this say so: the program did not come back to its loop."""
_LAGS_S, _STALLS_S = 0.2, 1.0
"""A wait of the event loop that its users notice, and one that they complain about."""
_MUCH_GC = 0.1
"""Share of a process's time in collections from which on it thrashes."""
_MUCH_OUTSIDE = 0.5
"""Share of the memory beside the heap from which on a heap snapshot will not explain it."""

_WORTH_A_WORD = 256 * MIB
"""Of memory outside the heap: every Node has some tens of MB."""
_WORTH_NAMING = 16 * MIB
"""Of external memory beside the Buffers: every runtime has a little."""

_MAIN = {"busy": "main is busy", "native": "main waits for a native call"}


def heap_lines(row: Row, heaps: Sequence[ProcessHeap], width: int, now: float) -> list[Line]:
    """The most important first; none for a command, which has no heap that anybody expects."""
    ordered = largest_first(heaps)
    if row.heap_used_bytes is None and not any(heap.used_bytes is not None for heap in ordered):
        return _absent(row, width)
    lines = flow(_share(row, ordered), width)
    lines += _hints(row, ordered, width)
    if ordered:
        first, *others = ordered
        lines += flow([*_spaces(first), *_work(first, row, now)], width)
        lines += flow([_brief(heap) for heap in others], width)
    return lines


def _absent(row: Row, width: int) -> list[Line]:
    limit = []
    if row.heap_limit_bytes is not None:
        limit.append(field(f"{heap_name(row)} limit", size(row.heap_limit_bytes), "violet"))
    if row.heap_absent is None or (row.kind is Kind.COMMAND and not limit):
        return limit
    return [*limit, *sentence(f"no heap figures: {one_line(row.heap_absent)}", width, "dim")]


def heap_and_rest(row: Row, heaps: Sequence[ProcessHeap]) -> tuple[int, int | None]:
    """Bytes that the task's heaps take of its memory, and what is beside them: buffers, code,
    stacks, other programs. Memory that a heap holds without using it counts as heap. What is
    beside it is not known while the heap's own pages are charged to another group, or given
    back since."""
    held = sum(heap.committed_bytes or heap.used_bytes or 0 for heap in heaps)
    heap = held or row.heap_used_bytes or 0
    if row.memory_bytes is None or heap > row.memory_bytes:
        return heap, None
    return heap, row.memory_bytes - heap


def _share(row: Row, heaps: Sequence[ProcessHeap]) -> list[Line]:
    first = heaps[0] if heaps else None
    used = first.used_bytes if first is not None else row.heap_used_bytes
    limit = first.limit_bytes if first is not None else row.heap_limit_bytes
    shown = size(used) if limit is None else of(used, limit)
    fields = [field(heap_name(row, heaps), shown, "amber" if is_tight(row) else "violet")]
    _, rest = heap_and_rest(row, heaps)
    if rest is not None:
        fields.append(field("outside", size(rest)))
    return fields


def _hints(row: Row, heaps: Sequence[ProcessHeap], width: int) -> list[Line]:
    """What the figures mean, where they mean trouble."""
    share = heap_share(row)
    if share is not None and is_tight(row):
        how = "V8 dies before the cap" if _limit_first(row) else "V8 ends it there"
        return sentence(f"{share:.0%} of limit: {how}", width, "amber")
    heap, rest = heap_and_rest(row, heaps)
    if rest is None or not row.memory_bytes or rest < _WORTH_A_WORD:
        return []
    if rest < row.memory_bytes * _MUCH_OUTSIDE:
        return []
    buffers = sum(each.array_buffers_bytes or 0 for each in heaps)
    if buffers >= rest * _MUCH_OUTSIDE:
        what = f"memory is outside the heap: Buffers {size(buffers)}"
    elif heaps and rest > heap:
        what = f"memory is outside the heap: {size(rest)}"
    else:
        return []
    return sentence(what, width, "amber" if beyond_soft(row) else "plain")


def _limit_first(row: Row) -> bool:
    """What is left to the heap's limit is less than what is left to the cap."""
    if row.heap_used_bytes is None or row.heap_limit_bytes is None:
        return False
    if row.cap_bytes is None or row.memory_bytes is None:
        return True
    return row.heap_limit_bytes - row.heap_used_bytes < row.cap_bytes - row.memory_bytes


def _spaces(heap: ProcessHeap) -> list[Line]:
    fields: list[Line] = []
    for label, value in (
        ("old", heap.old_bytes),
        ("new", heap.new_bytes),
        ("buffers", heap.array_buffers_bytes),
    ):
        if value is not None:
            fields.append(field(label, size(value)))
    other = (heap.external_bytes or 0) - (heap.array_buffers_bytes or 0)
    if heap.external_bytes is not None and other >= _WORTH_NAMING:
        fields.append(field("external", size(other)))
    if heap.blocks is not None:
        fields.append(field("blocks", count(heap.blocks)))
    if heap.traced_bytes is not None:
        fields.append(field("traced", size(heap.traced_bytes)))
    return fields


def _work(heap: ProcessHeap, row: Row, now: float) -> list[Line]:
    """Collections and the main thread."""
    fields: list[Line] = []
    if heap.gc_count is not None:
        value = field("GC", count(heap.gc_count))
        if heap.gc_s is not None:
            value = (*value, (f" in {_short(heap.gc_s)}", "plain"), *_of_time(heap, row))
        fields.append(value)
    if heap.loop_delay_s is not None:
        delay = heap.loop_delay_s
        role: Role = "red" if delay >= _STALLS_S else "amber" if delay >= _LAGS_S else "plain"
        fields.append(field("loop delay", _short(delay), role))
    if heap.requests is not None:
        fields.append(field("requests", count(heap.requests)))
    if heap.committed_bytes is not None:
        fields.append(field("held", size(heap.committed_bytes)))
    old = now - heap.at
    state = _MAIN.get(heap.main)
    if old >= OLD_S:
        said = f"{state} for {duration(old)}" if state else f"figures are {duration(old)} old"
        fields.append(((said, "amber"),))
    elif state:
        fields.append(((state, "plain"),))
    return fields


def _of_time(heap: ProcessHeap, row: Row) -> Line:
    """The share of its time, where the process is as old as the attempt."""
    if heap.gc_s is None or heap.pid != row.pid or row.started_at is None:
        return ()
    ran = heap.at - row.started_at
    if ran <= 0:
        return ()
    share = heap.gc_s / ran
    return ((f", {share:.1%} of its time", "amber" if share >= _MUCH_GC else "dim"),)


def _brief(heap: ProcessHeap) -> Line:
    """Another process of the task, in a few words."""
    used = size(heap.used_bytes)
    if heap.limit_bytes is not None:
        used = of(heap.used_bytes, heap.limit_bytes)
    return field(f"pid {heap.pid}", used, "violet")


def of(used: int | None, limit: int) -> str:
    """`1.41 of 1.50G`: one unit where both have the same."""
    first, second = size(used), size(limit)
    return f"{first[:-1] if first[-1] == second[-1] else first} of {second}"


def heap_facts(heaps: Sequence[ProcessHeap], row: Row, width: int, now: float) -> list[Line]:
    """Everything that each process reports, for the task's full view."""
    if not heaps:
        why = one_line(row.heap_absent) if row.heap_absent else "no process reports a heap"
        return sentence(why, width, "dim")
    lines: list[Line] = []
    for heap in largest_first(heaps):
        head: Line = (
            (f"pid {heap.pid}", "strong"),
            (f"  {runtime_of(heap)}", "dim"),
        )
        if heap.title:
            head = (*head, (f"  {one_line(heap.title)[:60]}", "plain"))
        fields = [field("used", size(heap.used_bytes), "violet")]
        if heap.limit_bytes is not None:
            fields.append(field("limit", size(heap.limit_bytes), "violet"))
        if heap.rss_bytes is not None:
            fields.append(field("rss", size(heap.rss_bytes)))
        lines += [head, *flow([*fields, *_spaces(heap), *_work(heap, row, now)], width)]
        for what, why in sorted(heap.why.items()):
            lines += sentence(f"no {one_line(what)}: {one_line(why)}", width, "dim")
    return lines


def _short(seconds: float) -> str:
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    return f"{seconds:.1f}s" if seconds < 10 else duration(seconds)
