"""What an operator can set once for all, section by section; what is absent is the default."""

from __future__ import annotations

import os
from typing import Annotated, Literal

from msgspec import Meta, Struct

from heaptui.config.policy import AdmissionConfig, AlertsConfig, PolicyConfig
from heaptui.units import parse_duration, parse_size

LEAST_CONCURRENCY = 4
"""Agents wait for a model more than they compute: even one core serves a few."""


class QueueConfig(Struct, frozen=True, forbid_unknown_fields=True):
    """`concurrency`: how many tasks run at once; None: twice the cores, at least four."""

    concurrency: Annotated[int, Meta(ge=1, le=100_000)] | None = None

    def slots(self, cores: int | None = None) -> int:
        """How many tasks run at once on a machine with `cores` (None: this one)."""
        if self.concurrency is not None:
            return self.concurrency
        return max(LEAST_CONCURRENCY, 2 * (cores or os.cpu_count() or 1))


class LimitsConfig(Struct, frozen=True, forbid_unknown_fields=True):
    """What a task gets that names no limits itself.

    `share` of the host's memory is divided by the concurrency for the default cap; `cap` replaces
    that by a fixed size. `grace` lies between TERM and kill; `output` is kept of each attempt.
    """

    share: Annotated[float, Meta(gt=0, le=1)] = 0.8
    cap: str | None = None
    grace: str = "10s"
    output: str = "64M"

    @property
    def cap_bytes(self) -> int | None:
        return None if self.cap is None else parse_size(self.cap, "limits.cap")

    @property
    def grace_s(self) -> float:
        return parse_duration(self.grace, "limits.grace")

    @property
    def output_bytes(self) -> int:
        return parse_size(self.output, "limits.output")


class RetryConfig(Struct, frozen=True, forbid_unknown_fields=True):
    """`retries` of a task that failed by itself; the wait doubles from `backoff` to
    `backoff_max`."""

    retries: Annotated[int, Meta(ge=0, le=1000)] = 0
    backoff: str = "2s"
    backoff_max: str = "5m"

    @property
    def backoff_s(self) -> float:
        return parse_duration(self.backoff, "retry.backoff")

    @property
    def backoff_max_s(self) -> float:
        return parse_duration(self.backoff_max, "retry.backoff_max")


class HistoryConfig(Struct, frozen=True, forbid_unknown_fields=True):
    """Ended tasks are forgotten after `keep_days`, and the oldest beyond `keep_tasks`."""

    keep_days: Annotated[float, Meta(gt=0)] = 30
    keep_tasks: Annotated[int, Meta(ge=1)] = 20_000


class HeapConfig(Struct, frozen=True, forbid_unknown_fields=True):
    """Looking into heaps. `preload`: Node and Python tasks report theirs. `raise_cap`: whether the
    cap of a task may be raised while a snapshot is written that does not fit under it. `directory`
    takes the snapshots (None: in the state directory), of which the latest `keep_snapshots` stay,
    `keep` of them together at most."""

    preload: bool = True
    raise_cap: Literal["ask", "always", "never"] = "ask"
    directory: str | None = None
    keep_snapshots: Annotated[int, Meta(ge=1, le=100_000)] = 20
    keep: str = "10G"

    @property
    def keep_bytes(self) -> int:
        return parse_size(self.keep, "heap.keep")


class SplitConfig(Struct, frozen=True, forbid_unknown_fields=True):
    """How a task is divided among children. `budget` tokens of a child's context, its agent's own
    prompt included; `timeout` of a child. `planner`: a command that is asked for the shares, `[]`:
    none, and `planner_timeout` how long it may take."""

    budget: Annotated[int, Meta(ge=1000, le=10_000_000)] = 30_000
    timeout: str = "20m"
    planner: list[str] = []
    planner_timeout: str = "60s"

    @property
    def timeout_s(self) -> float:
        return parse_duration(self.timeout, "split.timeout")

    @property
    def planner_timeout_s(self) -> float:
        return parse_duration(self.planner_timeout, "split.planner_timeout")


class MetricsConfig(Struct, frozen=True, forbid_unknown_fields=True):
    """`port`: OpenMetrics on 127.0.0.1 too, beside the supervisor's own socket; None: not."""

    port: Annotated[int, Meta(ge=1024, le=65535)] | None = None


class AppConfig(Struct, frozen=True, forbid_unknown_fields=True):
    """`theme`: auto (by the terminal), dark, light, ansi or a file; `ascii`: no glyphs beyond
    ASCII; `keys`: binding id
    to key."""

    theme: str = "auto"
    ascii: bool = False
    keys: dict[str, str] = {}


class Config(Struct, frozen=True, forbid_unknown_fields=True):
    """Everything that can be set; the defaults are what an absent file means."""

    queue: QueueConfig = QueueConfig()
    limits: LimitsConfig = LimitsConfig()
    retry: RetryConfig = RetryConfig()
    history: HistoryConfig = HistoryConfig()
    heap: HeapConfig = HeapConfig()
    policy: PolicyConfig = PolicyConfig()
    admission: AdmissionConfig = AdmissionConfig()
    alerts: AlertsConfig = AlertsConfig()
    split: SplitConfig = SplitConfig()
    metrics: MetricsConfig = MetricsConfig()
    app: AppConfig = AppConfig()
