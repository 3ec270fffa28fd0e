"""One task as the supervisor holds it, and its two outward forms: stored, and shown."""

from __future__ import annotations

from dataclasses import dataclass, field

from heaptui.engine.base import Exited
from heaptui.model import (
    AttemptRecord,
    CapMeans,
    Kind,
    Row,
    State,
    TaskSample,
    TaskSpec,
    Verdict,
    VerdictKind,
)
from heaptui.store.records import StoredTask
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
    means: CapMeans | None = None
    sample: TaskSample | None = None
    gauge: Gauge | None = None
    growth: float | None = None
    spark: tuple[int | None, ...] = ()
    output_bytes: int = 0
    attempt_peak: int | None = None
    stored_peak: int = 0
    shown: tuple[object, ...] = ()
    launch: tuple[str, ...] = field(default=())

    @property
    def name(self) -> str:
        return self.spec.name

    @property
    def to_cap_s(self) -> float | None:
        """Seconds until the cap at this rate; None while its growth is no trend."""
        sample, cap = self.sample, self.cap_bytes
        if sample is None or cap is None or not climbs(self.gauge, sample.memory_bytes, cap):
            return None
        return seconds_to_cap(sample.memory_bytes, cap, self.growth)

    def stored(self) -> StoredTask:
        return StoredTask(
            id=self.id,
            spec=self.spec,
            state=self.state,
            created_at=self.created_at,
            order=self.order,
            attempts=self.attempts,
            failures=self.failures,
            cap_bytes=self.cap_bytes,
            cap_source=self.cap_source,
            started_at=self.started_at,
            ended_at=self.ended_at,
            exit_code=self.exit_code,
            signal=self.signal,
            verdict=self.verdict,
            reason=self.reason,
            peak_bytes=self.peak_bytes,
            next_try_at=self.next_try_at,
            stop_by=self.stop_by,
            stop_why=self.stop_why,
            environment=self.environment,
            pid=self.pid,
            cap_means=self.means,
            output_bytes=self.output_bytes,
            heap_limit_bytes=self.heap_limit_bytes,
        )

    def attempt_record(self, status: State) -> AttemptRecord:
        return AttemptRecord(
            id=0,
            task_id=self.id,
            attempt=self.attempts,
            name=self.name,
            kind=self.spec.kind,
            status=status.value,
            created_at=self.created_at,
            started_at=self.started_at,
            ended_at=self.ended_at,
            pid=self.pid,
            exit_code=self.exit_code,
            signal=self.signal,
            peak_bytes=self.attempt_peak,
            cap_bytes=self.cap_bytes,
            cap_means=self.means,
            verdict=self.verdict,
            reason=self.reason,
            evidence=self.evidence,
        )

    def row(self) -> Row:
        sample = self.sample if self.state.live else None
        memory = sample.memory_bytes if sample else None
        return Row(
            id=self.id,
            name=self.name,
            kind=self.spec.kind,
            state=self.state,
            argv=self.spec.argv,
            cwd=self.spec.cwd,
            created_at=self.created_at,
            pid=self.pid,
            exit_code=self.exit_code,
            signal=self.signal,
            attempts=self.attempts,
            rss_bytes=sample.rss_bytes if sample else None,
            peak_bytes=self.peak_bytes,
            cap_bytes=self.cap_bytes,
            started_at=self.started_at,
            ended_at=self.ended_at,
            cap_source=self.cap_source,
            cap_means=self.means,
            memory_bytes=memory,
            memory_from=sample.memory_from if sample else None,
            pss_bytes=sample.pss_bytes if sample else None,
            uss_bytes=sample.uss_bytes if sample else None,
            growth_bytes_per_min=self.growth if sample else None,
            to_cap_s=self.to_cap_s if sample else None,
            cpu_percent=sample.cpu_percent if sample else None,
            processes=sample.processes if sample else None,
            heap_limit_bytes=self.heap_limit_bytes if self.spec.kind is Kind.NODE else None,
            output_bytes=self.output_bytes,
            timeout_s=self.spec.limits.timeout_s,
            grace_s=self.spec.limits.grace_s,
            priority=self.spec.priority,
            retries=self.spec.retries,
            verdict=self.verdict,
            reason=self.reason,
            wait_reason=self.wait_reason if not self.state.ended else None,
            next_try_at=self.next_try_at,
            spark=self.spark,
        )

    def begin_attempt(self) -> None:
        """Forgets what belonged to the attempt before."""
        self.attempts += 1
        self.started_at = self.ended_at = self.exit_code = self.signal = None
        self.verdict = self.reason = self.next_try_at = self.stop_by = self.stop_why = None
        self.wait_reason = self.pid = self.means = self.sample = self.growth = None
        self.attempt_peak = None
        self.shown = ()
        self.evidence, self.spark, self.output_bytes = (), (), 0
        self.gauge = Gauge()

    def end_attempt(self, at: float, verdict: Verdict, exited: Exited | None) -> None:
        self.ended_at = at
        self.verdict, self.reason, self.evidence = verdict.kind, verdict.text, verdict.evidence
        if exited is not None:
            self.exit_code, self.signal = exited.code, exited.signal
            self.pid = self.pid or exited.pid
            self.output_bytes = exited.output_bytes or self.output_bytes
        seen = (self.gauge.peak if self.gauge else 0, exited.peak_bytes or 0 if exited else 0)
        self.attempt_peak = max((self.attempt_peak or 0, *seen)) or None
        if self.attempt_peak and self.cap_bytes and self.means in _HELD_BY_KERNEL:
            # a process's own figure counts pages of files, which are not held against the cap
            self.attempt_peak = min(self.attempt_peak, self.cap_bytes)
        self.peak_bytes = max(self.peak_bytes or 0, self.attempt_peak or 0) or None
        self.stop_by = self.sample = self.growth = None

    def measured(self, sample: TaskSample, at: float) -> None:
        gauge = self.gauge = self.gauge or Gauge()
        gauge.add(at, sample.memory_bytes)
        self.sample = sample
        self.growth = gauge.growth()
        self.attempt_peak = max(self.attempt_peak or 0, gauge.peak)
        self.peak_bytes = max(self.peak_bytes or 0, gauge.peak)


def revived(stored: StoredTask) -> Task:
    """A task as it was stored, without what only a live process tells."""
    return Task(
        id=stored.id,
        spec=stored.spec,
        created_at=stored.created_at,
        order=stored.order,
        state=stored.state,
        attempts=stored.attempts,
        failures=stored.failures,
        cap_bytes=stored.cap_bytes,
        cap_source=stored.cap_source,
        started_at=stored.started_at,
        ended_at=stored.ended_at,
        exit_code=stored.exit_code,
        signal=stored.signal,
        verdict=stored.verdict,
        reason=stored.reason,
        peak_bytes=stored.peak_bytes,
        next_try_at=stored.next_try_at,
        stop_by=stored.stop_by,
        stop_why=stored.stop_why,
        environment=stored.environment,
        pid=stored.pid,
        means=stored.cap_means,
        output_bytes=stored.output_bytes,
        heap_limit_bytes=stored.heap_limit_bytes,
    )
