"""What was kept of looking into heaps: snapshots and findings in one list, newest first. Pure."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import PurePath

from heaptui.model import Finding, Snapshot
from heaptui.tui.cells import left, right
from heaptui.tui.lines import Line, Span, fitted, one_line
from heaptui.units import UNKNOWN, duration, growth, size

Item = Snapshot | Finding

_NAME = 18


class Kept:
    """The list with its cursor, and the snapshot that is marked for a comparison."""

    def __init__(self) -> None:
        self.items: tuple[Item, ...] = ()
        self.at = 0
        self.marked: int | None = None

    def clear(self) -> None:
        """Another task: nothing is known of it yet."""
        self.items, self.at, self.marked = (), 0, None

    def put(self, snapshots: Sequence[Snapshot], findings: Sequence[Finding]) -> None:
        """What there is now; the cursor stays with its item."""
        before = self.current
        items: list[Item] = [*snapshots, *findings]
        self.items = tuple(sorted(items, key=lambda item: -item.at))
        keys = [_key(item) for item in self.items]
        at = keys.index(_key(before)) if before is not None and _key(before) in keys else self.at
        self.at = max(0, min(at, len(keys) - 1))
        if self.marked not in {item.id for item in self.snapshots}:
            self.marked = None

    @property
    def snapshots(self) -> list[Snapshot]:
        return [item for item in self.items if isinstance(item, Snapshot)]

    @property
    def current(self) -> Item | None:
        return self.items[self.at] if self.at < len(self.items) else None

    def move(self, by: int) -> None:
        self.at = max(0, min(self.at + by, len(self.items) - 1))

    def mark(self) -> None:
        """Marks the cursor's snapshot, or takes its mark away."""
        current = self.current
        if isinstance(current, Snapshot):
            self.marked = None if current.id == self.marked else current.id
        self.move(1)

    def by_id(self, id: int | None) -> Snapshot | None:
        return next((each for each in self.snapshots if each.id == id), None)

    def pair(self) -> tuple[Snapshot, Snapshot] | None:
        """The older and the newer of a comparison: the cursor's with the marked one, else with the
        last one before it of the same process; None where there is no second."""
        current = self.current
        if not isinstance(current, Snapshot):
            return None
        other = self.by_id(self.marked)
        if other is None or other.id == current.id:
            earlier = [
                each
                for each in self.snapshots
                if (each.task_id, each.attempt, each.pid)
                == (current.task_id, current.attempt, current.pid)
                and each.at < current.at
            ]
            if not earlier:
                return None
            other = earlier[0]
        older, newer = sorted((current, other), key=lambda each: each.at)
        return older, newer


def _key(item: Item) -> tuple[bool, int]:
    return isinstance(item, Snapshot), item.id


def kept_heading(width: int, *, names: bool) -> Line:
    """Names of the columns over `kept_line`; with `names` of the task too."""
    task = f"{'TASK':<{_NAME}} " if names else ""
    text = f"   {'AGE':>5}  {task}{'SIZE':>6} {'HEAP':>6} {'TOOK':>6}  FILE, OR WHAT A HUNT FOUND"
    return fitted(((text, "dim"),), width)


def kept_line(item: Item, width: int, now: float, *, names: bool, marked: bool = False) -> Line:
    """One snapshot or finding."""
    spans: list[Span] = [(" ▌ " if marked else "   ", "sky")]
    spans.append((f"{right(duration(max(0.0, now - item.at)), 5)}  ", "dim"))
    if names:
        spans.append((f"{left(one_line(item.name), _NAME)} ", "plain"))
    if isinstance(item, Snapshot):
        spans += [
            (f"{right(size(item.bytes), 6)} ", "quantity"),
            (f"{right(size(item.heap_bytes), 6)} ", "violet"),
            (f"{right(took(item.seconds), 6)}  ", "dim"),
            (one_line(PurePath(item.path).name), "plain"),
        ]
        if item.why != "operator":
            spans.append((f"  by a {one_line(item.why)}", "dim"))
    else:
        spans += [(f"{'finding':<20}  ", "sky"), (headline(item), "plain")]
    return fitted(tuple(spans), width)


def headline(finding: Finding) -> str:
    """A finding in as few words as there are."""
    if not finding.growers:
        return one_line(finding.text)
    worst = finding.growers[0]
    held = "" if finding.holder is None else f" held by {finding.holder}"
    return one_line(f"{worst.name} {growth(worst.bytes_per_min)} a minute{held}")


def took(seconds: float | None) -> str:
    """`0.4s`, `12s`, `1m20`."""
    if seconds is None:
        return UNKNOWN
    return f"{seconds:.1f}s" if seconds < 10 else duration(seconds)


def stamp(at: float) -> str:
    """Local time of day."""
    return time.strftime("%H:%M:%S", time.localtime(at))


def kept_lines(kept: Kept, width: int, now: float, *, names: bool) -> list[Line]:
    """The heading and a line each; the cursor's line is number `kept.at + 1`."""
    return [
        kept_heading(width, names=names),
        *(
            kept_line(
                item,
                width,
                now,
                names=names,
                marked=isinstance(item, Snapshot) and item.id == kept.marked,
            )
            for item in kept.items
        ),
    ]
