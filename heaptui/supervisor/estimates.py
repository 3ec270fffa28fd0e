"""What a heap snapshot will take: seconds, memory beside the process's own, bytes of its file.

V8 copies the graph before it writes it: hundreds of bytes for each object, however small. Measured
on Node 18 to 24, for each byte of the heap in use: large strings 0.5, what agents hold 7 to 14, a
heap of nothing but boxed numbers up to 47, by how full V8's tables happen to be; the file 0.1 to
3.6; 5 to 400 ms a megabyte. Python's child copies the pages that it touches: 0.6 to 2.2.
What a heap is made of cannot be asked of V8, so the worst of ordinary programs counts until this
one was seen once. A cap is raised as for the worst there can be. Pure.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from heaptui.model import ProcessHeap, Snapshot
from heaptui.units import GIB, MIB


@dataclass(frozen=True, slots=True)
class Rate:
    """For each byte of the heap in use."""

    seconds: float
    extra: float
    file: float

    def times(self, share: float) -> Rate:
        return Rate(self.seconds * share, self.extra * share, self.file * share)


@dataclass(frozen=True, slots=True)
class Kind:
    """How snapshots of one format cost: at least, at most of an ordinary program, and whatever the
    heap holds. `utmost` is the extra memory for each byte of the worst heap there can be, `rare`
    what such a heap is full of; `pauses`: the program stands still for all of it."""

    least: Rate
    most: Rate
    utmost: float
    rare: str
    pauses: bool
    base_s: float
    base_extra: int
    base_file: int


KINDS = {
    "v8": Kind(
        least=Rate(5.0 / GIB, 0.3, 0.05),
        most=Rate(0.2 / MIB, 15.0, 4.0),
        utmost=60.0,
        rare="boxed numbers",
        pauses=True,
        base_s=0.3,
        base_extra=48 * MIB,
        base_file=4 * MIB,
    ),
    "python": Kind(
        least=Rate(3.0 / GIB, 0.4, 0.005),
        most=Rate(0.1 / MIB, 2.2, 0.2),
        utmost=3.3,
        rare="all pages written to",
        pauses=False,
        base_s=0.3,
        base_extra=20 * MIB,
        base_file=1 * MIB,
    ),
}

MARGIN = 1.25
"""Over what the same program took before."""

MARGIN_GROWN = 2.0
"""Over what the same program took before, for the part of its heap that came since."""

NEAR_GROWTH = 4.0
"""A heap of up to so many times the one seen before is taken to be no worse than an ordinary one;
of what lies beyond nothing is known but the worst."""

_OWN_BESIDE = 64 * MIB
"""What a runtime holds beside its heap whatever the program does: its code, stacks, arenas."""

_ALIKE = 1 / 3
"""So much may the shares of two heaps in their processes differ."""

_OWN_LATEST = 50
_OTHERS_LEAST = 5
_QUANTILE = 0.95


@dataclass(frozen=True, slots=True)
class Estimate:
    """`extra_bytes` and `file_bytes` at most, `least_extra` and `least_file` in any case; no heap
    of this size takes more than `utmost_extra`, and only one full of `rare` takes that.
    `unseen_extra` is the most if what was never seen is the worst of ordinary programs. `basis` is
    what it rests on."""

    seconds: float
    extra_bytes: int
    unseen_extra: int
    utmost_extra: int
    rare: str
    least_extra: int
    file_bytes: int
    least_file: int
    pauses: bool
    basis: str


def format_of(runtime: str) -> str:
    """Of the snapshots that this runtime writes."""
    return "python" if runtime == "python" else "v8"


def estimate(heap: ProcessHeap, task_id: str, name: str, earlier: Sequence[Snapshot]) -> Estimate:
    """Of a snapshot of this heap. `earlier` are this host's, of the same runtime, the latest first:
    those of this task or of others of its name say what the program's heap is made of, all others
    only how fast this machine is."""
    kind = KINDS[format_of(heap.runtime)]
    used = heap.used_bytes or heap.rss_bytes or 0
    same = [one for one in earlier if _major(one.version) == _major(heap.version)]
    mine = [one for one in same if task_id == one.task_id or base_name(name) == base_name(one.name)]
    if mine:
        return _by_own(kind, heap, used, mine[:_OWN_LATEST])
    least = kind.least
    most, utmost = kind.most, kind.utmost
    basis = f"the worst of ordinary {heap.runtime} programs, as if all its objects were small"
    if len(same) >= _OTHERS_LEAST:
        seen = _worst(kind, same, _QUANTILE)
        most = Rate(
            seconds=min(kind.most.seconds * 4, seen.seconds * MARGIN),
            extra=max(most.extra, seen.extra),
            file=max(most.file, seen.file),
        )
        utmost = max(utmost, seen.extra)
        basis += f", the time by {len(same)} earlier snapshots on this machine"
    return _sum(kind, used, most, least, utmost, basis)


def _by_own(kind: Kind, heap: ProcessHeap, used: int, mine: Sequence[Snapshot]) -> Estimate:
    """At the rate of before as far as the heap is as large as before. What has grown since goes by
    that rate too where the process is made up as it was, with a larger margin; else it may be
    anything."""
    largest = max(mine, key=lambda one: one.heap_bytes or 0)
    before = largest.heap_bytes or 0
    alike, grown = min(used, before), max(0, used - before)
    seen = _worst(kind, mine, 1.0)
    count = "an earlier snapshot" if len(mine) == 1 else f"{len(mine)} earlier snapshots"
    basis = f"{count} of this program, and a quarter more"
    most = seen.times(MARGIN)
    known = _sum(kind, alike, most, seen.times(1 / MARGIN), most.extra, basis)
    if not grown:
        return known
    as_before = _made_up_alike(heap, largest)
    part = f"the {_percent(grown, used)} that came since"
    if as_before:
        rate, near = _of_grown(kind, seen), min(grown, round(before * (NEAR_GROWTH - 1)))
        rest = f"; {part} at {MARGIN_GROWN:g} times its rate, the process is made up as it was"
    else:
        rate, near = kind.most, 0
        rest = f"; {part} as the worst of ordinary programs"
    ordinary = max(kind.most.extra, rate.extra)
    utmost = ordinary * near + max(kind.utmost, ordinary) * (grown - near)
    return replace(
        known,
        seconds=known.seconds + rate.seconds * grown,
        extra_bytes=known.extra_bytes + round(rate.extra * grown),
        unseen_extra=known.extra_bytes
        + round(rate.extra * (near if as_before else 0))
        + round(ordinary * (grown - near)),
        utmost_extra=known.utmost_extra + round(utmost),
        least_extra=known.least_extra + round(kind.least.extra * grown),
        file_bytes=known.file_bytes + round(rate.file * grown),
        least_file=known.least_file + round(kind.least.file * grown),
        basis=basis + (rest if grown > before / 10 else ""),
    )


def _of_grown(kind: Kind, seen: Rate) -> Rate:
    """Never above that of the worst ordinary program, unless this one was seen to be worse."""

    def at(rate: float, worst: float) -> float:
        return min(MARGIN_GROWN * rate, max(worst, MARGIN * rate))

    return Rate(
        seconds=at(seen.seconds, kind.most.seconds),
        extra=at(seen.extra, kind.most.extra),
        file=at(seen.file, kind.most.file),
    )


def _made_up_alike(heap: ProcessHeap, before: Snapshot) -> bool:
    """Whether the heap is about the same share of its process as it was: a program that works on
    other things holds more, or less, outside its heap."""
    now = _share(heap.used_bytes, heap.rss_bytes)
    then = _share(before.heap_bytes, before.rss_bytes)
    return now is not None and then is not None and abs(now - then) <= _ALIKE


def _share(used: int | None, rss: int | None) -> float | None:
    if not used or not rss:
        return None
    return used / (used + max(0, rss - used - _OWN_BESIDE))


def _sum(kind: Kind, used: int, most: Rate, least: Rate, utmost: float, basis: str) -> Estimate:
    return Estimate(
        seconds=kind.base_s + most.seconds * used,
        extra_bytes=kind.base_extra + round(most.extra * used),
        unseen_extra=kind.base_extra + round(most.extra * used),
        utmost_extra=kind.base_extra + round(utmost * used),
        rare=kind.rare,
        least_extra=round(least.extra * used),
        file_bytes=kind.base_file + round(most.file * used),
        least_file=round(least.file * used),
        pauses=kind.pauses,
        basis=basis,
    )


def _worst(kind: Kind, seen: Sequence[Snapshot], quantile: float) -> Rate:
    """Of the rates of snapshots that were taken. What any snapshot takes is no part of the rate,
    but a small heap's must not come out as nothing."""

    def rate(values: list[float]) -> float:
        ordered = sorted(values)
        return ordered[min(len(ordered) - 1, math.ceil(quantile * len(ordered)) - 1)]

    heaps = [max(1, one.heap_bytes or 1) for one in seen]
    pairs = list(zip(seen, heaps, strict=True))
    return Rate(
        seconds=rate([one.seconds / heap for one, heap in pairs]),
        extra=max(kind.least.extra, rate([(one.extra_bytes or 0) / heap for one, heap in pairs])),
        file=max(kind.least.file, rate([one.bytes / heap for one, heap in pairs])),
    )


def _major(version: str) -> str:
    """`20` of v20.20.2; of Python, whose minor versions differ as much, `3.12`."""
    numbers = version.lstrip("v").split(".")
    return ".".join(numbers[:2]) if numbers[0] == "3" else numbers[0]


def base_name(name: str) -> str:
    """The name that all copies of one launch share: `eslint` of `eslint/3`."""
    stem, _, copy = name.rpartition("/")
    return stem if stem and copy.isdigit() else name


def _percent(part: int, whole: int) -> str:
    return f"{100 * part / max(1, whole):.0f} %"
