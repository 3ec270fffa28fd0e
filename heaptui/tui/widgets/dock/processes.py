"""The process tree of a task."""

from __future__ import annotations

from collections.abc import Sequence

from heaptui.model import ProcessHeap, ProcessSample, Row
from heaptui.tui.lines import Line, fitted, one_line
from heaptui.tui.widgets.rows import heap_pair
from heaptui.units import UNKNOWN, size

_HEAP = 10


def branches(depths: Sequence[int]) -> list[str]:
    """What stands before each entry of a tree in pre-order: `├─ `, `└─ `, and the trunks left of
    them."""
    drawn: list[str] = []
    open_below: list[bool] = []
    for index, depth in enumerate(depths):
        level = max(0, depth)
        following = next((d for d in depths[index + 1 :] if d <= level), -1)
        goes_on = following == level
        del open_below[level:]
        open_below += [False] * (level - len(open_below))
        trunk = "".join("│  " if more else "   " for more in open_below[1:])
        drawn.append(trunk + ("├─ " if goes_on else "└─ ") if level else "")
        open_below.append(goes_on)
    return drawn


def process_lines(
    row: Row,
    processes: Sequence[ProcessSample],
    width: int,
    heaps: Sequence[ProcessHeap] = (),
) -> list[Line]:
    """A heading, then a line each: pid, resident memory, CPU and the command, indented by depth;
    where some of them report a heap, that too."""
    if not processes:
        return [((_nothing(row), "dim"),)]
    digits = max(6, *(len(str(each.pid)) for each in processes))
    total = sum(each.rss_bytes for each in processes)
    count = len(processes)
    by_pid = {heap.pid: heap for heap in heaps}
    heap_title = f"{'HEAP':>{_HEAP}}  " if by_pid else ""
    lines: list[Line] = [
        (
            (f" {'PID':>{digits}}  {'RSS':>6}  {heap_title}{'CPU':>5}  COMMAND", "dim"),
            (f"   {count} process{'es' * (count != 1)}, {size(total)} resident in all", "dim"),
        )
    ]
    for tree, each in zip(branches([p.depth for p in processes]), processes, strict=True):
        cpu = UNKNOWN if each.cpu_percent is None else f"{each.cpu_percent:.0f}%"
        lines.append(
            fitted(
                (
                    (f" {each.pid:>{digits}}  ", "plain"),
                    (f"{size(each.rss_bytes):>6}  ", "quantity"),
                    *(_heap(by_pid.get(each.pid)) if by_pid else ()),
                    (f"{cpu:>5}  ", "dim"),
                    (tree, "dim"),
                    (one_line(each.command), "plain"),
                ),
                width,
            )
        )
    return lines


def _heap(heap: ProcessHeap | None) -> Line:
    """Used of limit; a dot for a process that reports none."""
    if heap is None:
        return ((f"{UNKNOWN:>{_HEAP}}  ", "dim"),)
    return ((f"{heap_pair(heap.used_bytes, heap.limit_bytes):>{_HEAP}}  ", "violet"),)


def _nothing(row: Row) -> str:
    if row.state.ended:
        return "  no process: this task has ended; its attempts are in the full view (enter)"
    if row.state.live:
        return "  not measured yet: the tree is read with the next sample"
    return "  no process yet: " + one_line(row.wait_reason or "the task waits for its turn")
