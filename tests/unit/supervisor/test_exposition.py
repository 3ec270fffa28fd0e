"""The text is read back by the parser of the library that scrapers are tested with."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from heaptui.model import Host, HostSample, Kind, State, VerdictKind
from heaptui.supervisor.counts import Counts
from heaptui.supervisor.exposition import Figures, TaskFigures, label, written
from heaptui.units import GIB, MIB


def a_task(name: str = "scan/1", **fields: Any) -> TaskFigures:
    given = {
        "id": "abc123",
        "kind": Kind.NODE,
        "memory_bytes": 200 * MIB,
        "peak_bytes": 300 * MIB,
        "cap_bytes": GIB,
        "heap_used_bytes": 90 * MIB,
        "heap_limit_bytes": 700 * MIB,
    }
    return TaskFigures(name=name, **(given | fields))


def figures(**fields: Any) -> Figures:
    counts = Counts()
    for took in (0.004, 0.004, 0.3, 60.0):
        counts.begun(took)
    sample = HostSample(
        at=1.0,
        name="web-3",
        mem_total_bytes=24 * GIB,
        mem_available_bytes=6 * GIB,
        pressure=40.0,
        pressure_full=5.0,
    )
    given: dict[str, Any] = {
        "version": "1.2.3",
        "since": 1_700_000_000.25,
        "host": Host(sample=sample, caps_bytes=3 * GIB, self_bytes=38 * MIB, warden_bytes=3 * MIB),
        "places": 12,
        "paused": True,
        "states": {State.RUNNING: 2},
        "alerts": {"red": 1},
        "verdicts": {(Kind.NODE, VerdictKind.CAP): 3, (Kind.NODE, VerdictKind.FINISHED): 9},
        "ooms": {Kind.NODE: 3, Kind.PYTHON: 0, Kind.COMMAND: 0},
        "recycles": 4,
        "started_s": counts.started_s,
        "starts_within": counts.starts_within,
        "tasks": [a_task()],
    }
    return Figures(**(given | fields))


def read(text: str) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    """Sample name and labels to value."""
    assert text.endswith("# EOF\n")
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


@pytest.mark.parametrize(
    ("name", "labels", "value"),
    [
        ("heaptui_host_memory_available_bytes", {}, 6 * GIB),
        ("heaptui_host_memory_total_bytes", {}, 24 * GIB),
        ("heaptui_host_swap_used_bytes", {}, 0),
        ("heaptui_host_memory_pressure_ratio", {"stalled": "some"}, 0.4),
        ("heaptui_host_memory_pressure_ratio", {"stalled": "full"}, 0.05),
        ("heaptui_supervisor_resident_memory_bytes", {}, 38 * MIB),
        ("heaptui_warden_resident_memory_bytes", {}, 3 * MIB),
        ("heaptui_supervisor_start_time_seconds", {}, 1_700_000_000.25),
        ("heaptui_caps_bytes", {}, 3 * GIB),
        ("heaptui_expected_bytes", {}, 0),
        ("heaptui_dispatch_places", {}, 12),
        ("heaptui_dispatch_paused", {}, 1),
        ("heaptui_build_info", {"version": "1.2.3"}, 1),
        ("heaptui_tasks", {"state": "running"}, 2),
        ("heaptui_tasks", {"state": "quarantined"}, 0),
        ("heaptui_alerts", {"level": "red"}, 1),
        ("heaptui_alerts", {"level": "amber"}, 0),
        ("heaptui_attempts_ended_total", {"kind": "node", "verdict": "cap"}, 3),
        ("heaptui_out_of_memory_ends_total", {"kind": "node"}, 3),
        ("heaptui_out_of_memory_ends_total", {"kind": "python"}, 0),
        ("heaptui_recycles_total", {}, 4),
        ("heaptui_dispatch_latency_seconds_bucket", {"le": "0.005"}, 2),
        ("heaptui_dispatch_latency_seconds_bucket", {"le": "0.25"}, 2),
        ("heaptui_dispatch_latency_seconds_bucket", {"le": "0.5"}, 3),
        ("heaptui_dispatch_latency_seconds_bucket", {"le": "+Inf"}, 4),
        ("heaptui_dispatch_latency_seconds_count", {}, 4),
        ("heaptui_task_memory_bytes", {"task": "abc123", "name": "scan/1", "kind": "node"}, 2e8),
    ],
)
def test_each_figure_is_told(name, labels, value):
    if name == "heaptui_task_memory_bytes":
        value = 200 * MIB
    assert read(written(figures()))[name, tuple(sorted(labels.items()))] == pytest.approx(value)


def test_what_is_not_known_is_left_out():
    bare = a_task(memory_bytes=None, heap_used_bytes=None, heap_limit_bytes=None)
    found = read(written(figures(host=Host(sample=None), tasks=[bare])))
    names = {name for name, _ in found}
    assert "heaptui_host_memory_available_bytes" not in names
    assert "heaptui_budget_bytes" not in names
    assert "heaptui_warden_resident_memory_bytes" not in names
    assert "heaptui_task_memory_bytes" not in names
    assert "heaptui_task_heap_used_bytes" not in names
    assert "heaptui_task_peak_bytes" in names


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ('a "quoted" \\ name', 'a "quoted" \\ name'),
        ("two\nlines", "two lines"),
        ("\x1b[31mred\x1b[0m", "red"),
        ("bell\x07\x00", "bell"),
        ("ünï 漢字", "ünï 漢字"),
        ("\udcff", "\ufffd"),
        ('x"} 1\n# EOF\nheaptui_forged 1', 'x"} 1 # EOF heaptui_forged 1'),
        ("n" * 5000, "n" * 120),
    ],
)
def test_a_name_is_a_label_and_nothing_else(name, shown):
    found = read(written(figures(tasks=[a_task(name)])))
    labels = [dict(labels) for name, labels in found if name == "heaptui_task_cap_bytes"]
    assert labels == [{"task": "abc123", "name": shown, "kind": "node"}]
    assert "heaptui_forged" not in {name for name, _ in found}


@given(st.text())
def test_no_name_breaks_the_text(name):
    told = label(name)
    assert "\n" not in told and not any(ord(char) < 32 for char in told)
    found = read(written(figures(tasks=[a_task(name)])))
    assert [dict(labels)["name"] for name, labels in found if "task_cap" in name] == [told]
