"""Figures as OpenMetrics text (specification 1.0), written by the reference client.

Names of metrics say their unit; whatever a task was named is a label's value: one printable line of
bounded length, quoted by the library.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING, NamedTuple

from heaptui.model import Host, Kind, State, VerdictKind
from heaptui.output import printable
from heaptui.supervisor.counts import START_BOUNDS_S

if TYPE_CHECKING:
    from prometheus_client import Metric

_NAME_MOST = 120
"""Characters of a task's name."""


class TaskFigures(NamedTuple):
    """Of a live task, in bytes; None is not known."""

    id: str
    name: str
    kind: Kind
    memory_bytes: int | None
    peak_bytes: int | None
    cap_bytes: int | None
    heap_used_bytes: int | None
    heap_limit_bytes: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """What is told. Counts are since `since`; `starts_within` are the classes of START_BOUNDS_S,
    `started_s` the seconds of all starts together."""

    version: str
    since: float
    host: Host
    places: int
    paused: bool
    states: Mapping[State, int]
    alerts: Mapping[str, int]
    verdicts: Mapping[tuple[Kind, VerdictKind], int]
    ooms: Mapping[Kind, int]
    recycles: int
    started_s: float
    starts_within: Sequence[int]
    tasks: Sequence[TaskFigures]


_OF_TASK: tuple[tuple[str, str, Callable[[TaskFigures], int | None]], ...] = (
    ("memory", "Memory that is judged against the cap", lambda one: one.memory_bytes),
    ("peak", "The most of it in this attempt", lambda one: one.peak_bytes),
    ("cap", "The cap in force", lambda one: one.cap_bytes),
    ("heap_used", "In use of its largest heap", lambda one: one.heap_used_bytes),
    ("heap_limit", "The limit of that heap", lambda one: one.heap_limit_bytes),
)


def written(figures: Figures) -> str:
    """The whole text, with `# EOF`."""
    # five megabytes that a supervisor whom nobody scrapes does not spend
    from prometheus_client import CollectorRegistry
    from prometheus_client.openmetrics.exposition import ALLOWUTF8, generate_latest

    registry = CollectorRegistry()
    registry.register(_Collector(figures))
    # none of our names needs escaping, and looking for it letter by letter takes half of the time
    text: bytes = generate_latest(registry, ALLOWUTF8)  # type: ignore[no-untyped-call]
    return text.decode()


class _Collector:
    """What a registry of the client asks."""

    def __init__(self, figures: Figures) -> None:
        self._figures = figures

    def collect(self) -> Iterator[Metric]:
        yield from _of_host(self._figures.host)
        yield from _of_supervisor(self._figures)
        yield from _of_attempts(self._figures)
        yield from _of_tasks(self._figures.tasks)


def _gauge(name: str, text: str, value: float | None, unit: str = "bytes") -> Iterator[Metric]:
    """One gauge without labels; nothing where the value is not known."""
    from prometheus_client.core import GaugeMetricFamily

    if value is not None:
        yield GaugeMetricFamily(f"heaptui_{name}", text, value=value, unit=unit)


def _of_host(host: Host) -> Iterator[Metric]:
    from prometheus_client.core import GaugeMetricFamily

    sample = host.sample
    if sample is not None:
        available = sample.mem_available_bytes
        yield from _gauge("host_memory_total", "The machine's memory", sample.mem_total_bytes)
        yield from _gauge("host_memory_available", "Of it what can be had", available)
        yield from _gauge("host_swap_total", "The machine's swap", sample.swap_total_bytes)
        yield from _gauge("host_swap_used", "Of it what is in use", sample.swap_used_bytes)
        text = "Share of the last 10 s that some or all tasks stalled for memory (PSI)"
        stalled = GaugeMetricFamily(
            "heaptui_host_memory_pressure", text, labels=("stalled",), unit="ratio"
        )
        for label, percent in (("some", sample.pressure), ("full", sample.pressure_full)):
            if percent is not None:
                stalled.add_metric((label,), percent / 100)
        if stalled.samples:
            yield stalled
    yield from _gauge("caps", "The caps of all live tasks together", host.caps_bytes)
    yield from _gauge("expected", "What they are expected to reach together", host.expected_bytes)
    yield from _gauge("budget", "What they may reach together", host.budget_bytes)
    yield from _gauge("supervisor_resident_memory", "heaptui's own memory", host.self_bytes)
    yield from _gauge("warden_resident_memory", "Its warden's memory", host.warden_bytes)


def _of_supervisor(figures: Figures) -> Iterator[Metric]:
    from prometheus_client.core import GaugeMetricFamily, InfoMetricFamily

    yield InfoMetricFamily(
        "heaptui_build", "The program that tells this", value={"version": figures.version}
    )
    started = figures.since
    yield from _gauge("supervisor_start_time", "When this supervisor began", started, "seconds")
    yield from _gauge("dispatch_places", "Tasks that may run at once", figures.places, "")
    yield from _gauge("dispatch_paused", "1 while nothing new starts", figures.paused, "")
    tasks = GaugeMetricFamily(
        "heaptui_tasks", "Tasks by state; of ended ones the latest", labels=("state",)
    )
    for state in State:
        tasks.add_metric((state.value,), figures.states.get(state, 0))
    yield tasks
    alerts = GaugeMetricFamily("heaptui_alerts", "Alerts now", labels=("level",))
    for level in ("red", "amber"):
        alerts.add_metric((level,), figures.alerts.get(level, 0))
    yield alerts


def _of_attempts(figures: Figures) -> Iterator[Metric]:
    from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily

    ended = CounterMetricFamily(
        "heaptui_attempts_ended", "Attempts that ended", labels=("kind", "verdict")
    )
    for (kind, verdict), count in sorted(figures.verdicts.items()):
        ended.add_metric((kind.value, verdict.value), count)
    yield ended
    ooms = CounterMetricFamily(
        "heaptui_out_of_memory_ends", "Attempts that ended for lack of memory", labels=("kind",)
    )
    for kind, count in figures.ooms.items():
        ooms.add_metric((kind.value,), count)
    yield ooms
    yield CounterMetricFamily(
        "heaptui_recycles", "Attempts that were ended to go on from their checkpoint",
        value=figures.recycles,
    )  # fmt: skip
    bounds = (*map(str, START_BOUNDS_S), "+Inf")
    yield HistogramMetricFamily(
        "heaptui_dispatch_latency",
        "From the admission of a task to the start of its command",
        buckets=list(zip(bounds, accumulate(figures.starts_within), strict=True)),
        sum_value=figures.started_s,
        unit="seconds",
    )


def _of_tasks(tasks: Sequence[TaskFigures]) -> Iterator[Metric]:
    from prometheus_client.core import GaugeMetricFamily

    labels = [(one.id, label(one.name), one.kind.value) for one in tasks]
    for name, text, figure in _OF_TASK:
        family = GaugeMetricFamily(
            f"heaptui_task_{name}", text, labels=("task", "name", "kind"), unit="bytes"
        )
        for of, one in zip(labels, tasks, strict=True):
            value = figure(one)
            if value is not None:
                family.add_metric(of, value)
        yield family


def label(name: str) -> str:
    """What a task is named, as a label's value."""
    line = printable(name[: 2 * _NAME_MOST]).replace("\n", " ")
    return line[:_NAME_MOST]
