"""What the operator is told without asking."""

from __future__ import annotations

import pytest

from heaptui.model import HostSample, State
from heaptui.supervisor.alerts import FRESH_S
from heaptui.supervisor.alerts import alerts as alerts_at
from heaptui.supervisor.metrics import Gauge
from tests.unit.supervisor.tasks import GIB, MIB, sample, task


def measured(task_id="a", memory=100 * MIB, growth=None, state=State.RUNNING, **fields):
    made = task(task_id, state, **fields)
    made.sample, made.growth = sample(task_id, memory), growth
    return made


def climbing(task_id, memory, growth):
    """With two minutes behind it that only went up."""
    made = measured(task_id, memory, growth)
    made.gauge = Gauge()
    for second in range(120):
        made.gauge.add(1000 + second, memory - (119 - second) * MIB)
    return made


NOW = 10_000.0


def alerts(tasks, host, trouble, now=NOW):
    return alerts_at(tasks, host, trouble, now)


def host(available, total=16 * GIB):
    return HostSample(at=1.0, name="h", mem_total_bytes=total, mem_available_bytes=available)


def ids(found):
    return [alert.id for alert in found]


def test_a_calm_machine_has_none():
    assert alerts([measured(), task("b")], host(8 * GIB), None) == []
    assert alerts([], None, None) == []


@pytest.mark.parametrize(("memory", "tells"), [(0.94, []), (0.96, ["cap:a"]), (1.2, ["cap:a"])])
def test_a_task_at_its_cap_is_red(memory, tells):
    found = alerts([measured(memory=int(memory * GIB))], None, None)
    assert ids(found) == tells
    for alert in found:
        assert (alert.level, alert.task_id) == ("red", "a")
        assert "of 1.0G" in alert.text or "of 1024M" in alert.text


def test_a_task_that_climbs_to_its_cap_says_when_and_how_fast():
    (alert,) = alerts([climbing("a", 512 * MIB, 128 * MIB)], None, None)
    assert (alert.id, alert.level) == ("soon:a", "amber")
    assert "in 4m00" in alert.text
    assert "+128M a minute" in alert.text
    (alert,) = alerts([climbing("a", 512 * MIB, 512 * MIB)], None, None)
    assert alert.level == "red"


def test_far_away_in_time_is_calm():
    assert alerts([climbing("a", 512 * MIB, 20 * MIB)], None, None) == []


def test_growth_without_new_highs_is_calm_until_the_soft_limit():
    breathing = measured("a", 600 * MIB, 512 * MIB)
    breathing.gauge = Gauge()
    for second in range(120):
        breathing.gauge.add(1000 + second, (400 + 200 * (second // 10 % 2)) * MIB)
    assert alerts([breathing], None, None) == []
    breathing.sample = sample("a", 850 * MIB)
    assert ids(alerts([breathing], None, None)) == ["soon:a"]


@pytest.mark.parametrize("state", [State.QUEUED, State.STOPPING, State.DONE, State.FAILED])
def test_only_running_tasks_are_in_danger(state):
    assert alerts([measured(memory=2 * GIB, state=state)], None, None) == []


def test_without_a_cap_or_a_reading_there_is_nothing_to_say():
    assert alerts([measured(memory=2 * GIB, cap_bytes=None)], None, None) == []
    assert alerts([task("a", State.RUNNING)], None, None) == []


def test_the_machine_comes_first_and_then_who_has_least_time():
    found = alerts(
        [
            climbing("slow", 512 * MIB, 64 * MIB),
            measured("full", GIB),
            climbing("fast", 512 * MIB, 512 * MIB),
        ],
        host(GIB // 2),
        "The disk is full.",
    )
    assert ids(found) == ["store", "host", "cap:full", "soon:fast", "soon:slow"]
    assert found[0].text == "The disk is full."
    assert "512M of 16.0G" in found[1].text
    assert found[0].task_id is found[1].task_id is None


@pytest.mark.parametrize("state", [State.FAILED, State.LOST])
def test_a_bad_end_is_told_for_a_while(state):
    gone = task("a", state, ended_at=NOW - 60, reason="reached its cap of 1.00G")
    (alert,) = alerts([gone], None, None)
    assert (alert.id, alert.level, alert.task_id) == ("ended:a.0", "red", "a")
    assert "reached its cap" in alert.text
    assert alerts([gone], None, None, now=NOW + FRESH_S) == []


@pytest.mark.parametrize("state", [State.DONE, State.STOPPED])
def test_an_end_that_was_wanted_is_not_told(state):
    assert alerts([task("a", state, ended_at=NOW - 60)], None, None) == []


def test_a_task_far_from_its_cap_is_calm_unless_it_is_fast():
    assert alerts([climbing("a", 200 * MIB, 80 * MIB)], None, None) == []
    assert ids(alerts([climbing("a", 200 * MIB, 400 * MIB)], None, None)) == ["soon:a"]
