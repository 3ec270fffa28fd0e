"""One task as the supervisor holds it, and its two outward forms: stored, and shown."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, fields
from typing import Any

from msgspec import structs

from heaptui.engine.base import Exited
from heaptui.inputs import Division
from heaptui.model import (
    AttemptRecord,
    CapMeans,
    Kind,
    ProcessHeap,
    Row,
    State,
    TaskSample,
    TaskSpec,
    Verdict,
    VerdictKind,
    Work,
)
from heaptui.store.records import Kin, Recovery, StoredTask
from heaptui.supervisor.metrics import Gauge, climbs, seconds_to_cap

_HELD_BY_KERNEL = (CapMeans.CGROUP1, CapMeans.CGROUP2)


@dataclass(slots=True, eq=False)
class Task:
    """What is known about a task now. Changed only by the ledger."""

    id: str
    spec: TaskSpec
    created_at: float
    order: int
    state: State = State.QUEUED
    attempts: int = 0
    failures: int = 0
    cap_bytes: int | None = None
    cap_source: str = "given"
    environment: str = ""
    heap_limit_bytes: int | None = None
    started_at: float | None = None
    ended_at: float | None = None
    exit_code: int | None = None
    signal: int | None = None
    verdict: VerdictKind | None = None
    reason: str | None = None
    evidence: tuple[str, ...] = ()
    peak_bytes: int | None = None
    next_try_at: float | None = None
    stop_by: float | None = None
    stop_why: str | None = None
    wait_reason: str | None = None
    pid: int | None = None
    cap_means: CapMeans | None = None
    sample: TaskSample | None = None
    gauge: Gauge | None = None
    growth: float | None = None
    spark: tuple[int | None, ...] = ()
    output_bytes: int = 0
    attempt_peak: int | None = None
    stored_peaks: tuple[int, int] = (0, 0)
    shown: tuple[object, ...] = ()
    launch: tuple[str, ...] = ()
    heaps: tuple[ProcessHeap, ...] = ()
    heap_absent: str | None = None
    heap_peak_bytes: int | None = None
    raised_cap: int | None = None
    highest_cap: int | None = None
    recovery: Recovery = field(default_factory=Recovery)
    checkpoint_at: float | None = None
    checkpoint_bytes: int | None = None
    result_bytes: int | None = None
    work: Work | None = None
    soft_bytes: int | None = None
    expected_bytes: int | None = None
    doing: str | None = None
    handed: str | None = None
    active_at: float | None = None
    admitted_at: float | None = None
    parent: str = ""
    kin: Kin = field(default_factory=Kin)
    items: int | None = None
    items_done: int | None = None
    context_tokens: int | None = None
    context_limit: int | None = None
    division: Division | None = None
    """How it is split, while it is."""
    children: list[Task] = field(default_factory=list)
    """Those it was split into, in their order, while they are held."""

    @property
    def name(self) -> str:
        return self.spec.name

    @property
    def to_cap_s(self) -> float | None:
        """Seconds until the cap at this rate; None while its growth is no trend."""
        sample, cap = self.sample, self.cap_in_force
        if sample is None or cap is None or not climbs(self.gauge, sample.memory_bytes, cap):
            return None
        return seconds_to_cap(sample.memory_bytes, cap, self.growth)

    @property
    def cap_in_force(self) -> int | None:
        """The cap now: above the task's own while a snapshot of it is written."""
        return self.raised_cap or self.cap_bytes

    @property
    def largest_heap(self) -> ProcessHeap | None:
        """Of its processes' heaps the one that holds most."""
        return max(self.heaps, key=lambda heap: heap.used_bytes or 0, default=None)

    def stored(self) -> StoredTask:
        return StoredTask(**self._under(StoredTask.__struct_fields__))

    def attempt_record(self, status: State) -> AttemptRecord:
        own = {
            "id": 0,
            "task_id": self.id,
            "attempt": self.attempts,
            "kind": self.spec.kind,
            "status": status.value,
            "peak_bytes": self.attempt_peak,
        }
        return AttemptRecord(**(self._under(_OF_ATTEMPT) | own))

    def row(self) -> Row:
        spec, largest = self.spec, self.largest_heap
        sample = self.sample if self.state.live else None
        done, total = (self.work.done, self.work.total) if self.work else (None, None)
        if done is None and self.items_done is not None:
            done, total = self.items_done, self.items
        planned = self.heap_limit_bytes if spec.kind is Kind.NODE else None
        derived = {
            "kind": spec.kind,
            "argv": spec.argv,
            "cwd": spec.cwd,
            "preset": spec.preset,
            "priority": spec.priority,
            "retries": spec.retries,
            "timeout_s": spec.limits.timeout_s,
            "grace_s": spec.limits.grace_s,
            "cap_bytes": self.cap_in_force,
            "cap_source": "raised" if self.raised_cap else self.cap_source,
            "growth_bytes_per_min": self.growth if sample else None,
            "to_cap_s": self.to_cap_s if sample else None,
            "heap_used_bytes": largest.used_bytes if largest else None,
            "heap_limit_bytes": (largest.limit_bytes if largest else None) or planned,
            "external_bytes": largest.external_bytes if largest else None,
            "heaps": len(self.heaps),
            "heap_absent": None if largest else self.heap_absent,
            "wait_reason": self.wait_reason if not self.state.ended else None,
            "parent": self.parent or None,
            "part": self.kin.part,
            "depth": self.kin.depth,
            "title": self.kin.title,
            "after": self.kin.after,
            "children": self.kin.children,
            "done": done,
            "total": total,
            "progress": self.work.text if self.work else "",
            "can": self.work.can if self.work and self.state.live else (),
            "recycles": self.recovery.recycles,
            "ooms": self.recovery.ooms,
        }
        measured = {name: getattr(sample, name) for name in _MEASURED} if sample else {}
        together = self._together() if self.state is State.SPLIT else {}
        return Row(**(self._under(_SHOWN) | measured | derived | together))

    @property
    def done_together(self) -> int:
        """Of its items, those done before it was split and those that its children have done."""
        early = len(self.division.done) if self.division is not None else 0
        parts = (child for child in self.children if not child.kin.reduces)
        return early + sum(
            child.done_together if child.state is State.SPLIT else child.items_done or 0
            for child in parts
        )

    def _held(self) -> dict[str, Any]:
        """What its processes hold, or its children's together; None where that is not known."""
        if self.state is State.SPLIT:
            held = [child._held() for child in self.children]
            return {name: _sum(one[name] for one in held) for name in _SUMMED}
        sample = self.sample if self.state.live else None
        growth = {"growth_bytes_per_min": self.growth if sample else None}
        return {name: getattr(sample, name, None) for name in _OF_SAMPLE} | growth

    def _together(self) -> dict[str, Any]:
        """What its children hold and have done, as one."""
        ended = sum(child.state.ended for child in self.children)
        done = self.done_together
        left_out = len(self.division.left_out) if self.division is not None else 0
        total = None if self.items is None else self.items - left_out
        progress = f"{ended} of {len(self.children)} children ended"
        return self._held() | {
            "items_done": done,
            "done": done,
            "total": total,
            "progress": progress,
        }

    def _under(self, names: Iterable[str]) -> dict[str, Any]:
        return {name: getattr(self, name) for name in names}

    def begin_attempt(self) -> None:
        """Forgets what belonged to the attempt before."""
        self.take_limits()
        self.attempts += 1
        self.started_at = self.ended_at = self.exit_code = self.signal = None
        self.verdict = self.reason = self.next_try_at = self.stop_by = self.stop_why = None
        self.wait_reason = self.pid = self.cap_means = self.sample = self.growth = None
        self.attempt_peak = self.heap_peak_bytes = self.heap_absent = None
        self.raised_cap = self.highest_cap = self.work = self.doing = self.active_at = None
        self.handed = self.context_tokens = self.context_limit = None
        self.shown = ()
        self.evidence, self.spark, self.heaps, self.output_bytes = (), (), (), 0
        self.gauge = Gauge()

    def take_limits(self) -> None:
        """What was raised since it was queued holds from its next attempt on."""
        if (cap := self.spec.limits.cap_bytes) is not None and cap != self.cap_bytes:
            self.cap_bytes, self.cap_source = cap, "given"

    def end_attempt(self, at: float, verdict: Verdict, exited: Exited | None) -> None:
        self.ended_at = at
        self.verdict, self.reason, self.evidence = verdict.kind, verdict.text, verdict.evidence
        if exited is not None:
            self.exit_code, self.signal = exited.code, exited.signal
            self.pid = self.pid or exited.pid
            self.output_bytes = exited.output_bytes or self.output_bytes
        seen = (self.gauge.peak if self.gauge else 0, exited.peak_bytes or 0 if exited else 0)
        self.attempt_peak = max((self.attempt_peak or 0, *seen)) or None
        if self.attempt_peak and self.cap_bytes and self.cap_means in _HELD_BY_KERNEL:
            # a process's own figure counts pages of files, which are not held against the cap
            self.attempt_peak = min(self.attempt_peak, max(self.cap_bytes, self.highest_cap or 0))
        self.peak_bytes = max(self.peak_bytes or 0, self.attempt_peak or 0) or None
        self.stop_by = self.sample = self.growth = self.raised_cap = None
        self.heaps, self.heap_absent, self.doing, self.handed = (), None, None, None
        if exited is not None and exited.work is not None:
            self.worked(exited.work)

    def worked(self, work: Work) -> None:
        """What its worker told of its work."""
        self.work = work
        if work.checkpoint_at is not None:
            self.checkpoint_at = work.checkpoint_at
            self.checkpoint_bytes = work.checkpoint_bytes
        if work.result_bytes is not None:
            self.result_bytes = work.result_bytes
        if work.items_done is not None and self.items is not None:
            self.items_done = min(work.items_done, self.items)
        if work.context_tokens is not None:
            self.context_tokens, self.context_limit = work.context_tokens, work.context_limit

    def measured(self, sample: TaskSample, at: float) -> None:
        gauge = self.gauge = self.gauge or Gauge()
        gauge.add(at, sample.memory_bytes)
        self.sample = sample
        self.growth = gauge.growth()
        self.attempt_peak = max(self.attempt_peak or 0, gauge.peak)
        self.peak_bytes = max(self.peak_bytes or 0, gauge.peak)

    def looked_into(self, heaps: tuple[ProcessHeap, ...]) -> None:
        """What its processes report of their heaps now; none, when they are gone."""
        self.heaps = heaps
        if (largest := self.largest_heap) is not None:
            self.heap_absent = None
            self.heap_peak_bytes = max(self.heap_peak_bytes or 0, largest.used_bytes or 0) or None

    def raise_cap(self, cap_bytes: int | None) -> None:
        """Another cap is in force for a while; None: its own again."""
        self.raised_cap = cap_bytes
        self.highest_cap = max(self.highest_cap or 0, cap_bytes or 0) or None


def _sum(figures: Iterable[Any]) -> Any:
    """Of those that are known; None where none is."""
    known = [figure for figure in figures if figure is not None]
    return sum(known) if known else None


def revived(stored: StoredTask) -> Task:
    """A task as it was stored, without what only a live process tells."""
    return Task(**structs.asdict(stored))


_HELD = {"name", *(one.name for one in fields(Task))}
# what a task and its outward forms call by one name is said once
_SHOWN = tuple(_HELD & set(Row.__struct_fields__))
_OF_ATTEMPT = tuple(_HELD & set(AttemptRecord.__struct_fields__))
_OF_SAMPLE = ("memory_bytes", "rss_bytes", "cpu_percent", "processes")
_SUMMED = (*_OF_SAMPLE, "growth_bytes_per_min")
_MEASURED = tuple(set(TaskSample.__struct_fields__) & set(Row.__struct_fields__))
