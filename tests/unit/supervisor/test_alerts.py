"""What the operator is told without asking, and what it means."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heaptui.config import AlertsConfig
from heaptui.model import HostSample, Kind, State, VerdictKind, Work
from heaptui.store.records import Kin, Recovery
from heaptui.supervisor.alerts import (
    Thresholds,
    calm,
    of_end,
    of_machine,
    of_memory_end,
    of_running,
)
from heaptui.supervisor.metrics import Gauge
from tests.unit.supervisor.tasks import GIB, MIB, sample, task

LIMITS = Thresholds.of(AlertsConfig())


def measured(task_id="a", memory=100 * MIB, growth=None, state=State.RUNNING, **fields):
    made = task(task_id, state, **fields)
    made.sample, made.growth = sample(task_id, memory), growth
    return made


def climbing(task_id, memory, growth, **fields):
    """With two minutes behind it that only went up."""
    made = measured(task_id, memory, growth, **fields)
    made.gauge = Gauge()
    for second in range(120):
        made.gauge.add(1000 + second, memory - (119 - second) * MIB)
    return made


def running(made, limits=LIMITS, standing=()):
    return [alert for _, alert in of_running(made, limits, standing)]


def machine(host=None, own=60 * MIB, trouble=None, standing=(), limits=LIMITS):
    return list(of_machine(host, own, trouble, limits, standing))


def host(available=8 * GIB, total=16 * GIB, **fields):
    return HostSample(
        at=1.0, name="h", mem_total_bytes=total, mem_available_bytes=available, **fields
    )


def ids(found):
    return [alert.id for alert in found]


def test_a_calm_machine_has_none():
    assert machine(host(pressure=1.0, swap_total_bytes=GIB)) == []
    assert machine() == running(measured()) == running(task("a", State.RUNNING)) == []


@pytest.mark.parametrize(
    ("share", "standing", "tells"),
    [(0.94, (), []), (0.96, (), ["cap:a"]), (1.2, (), ["cap:a"]), (0.91, ("cap:a",), ["cap:a"]),
     (0.89, ("cap:a",), [])],
)  # fmt: skip
def test_a_task_at_its_cap_is_red_until_it_is_well_below(share, standing, tells):
    found = running(measured(memory=int(share * GIB)), standing=standing)
    assert ids(found) == tells
    for alert in found:
        assert (alert.level, alert.task_id) == ("red", "a")
        assert "of 1.0G" in alert.text or "of 1024M" in alert.text
        assert "all it did is then lost" in alert.meaning


def test_a_checkpoint_is_what_is_not_lost():
    (alert,) = running(measured(memory=GIB, checkpoint_at=5.0))
    assert "since its last checkpoint" in alert.meaning
    assert alert.actions[0] == "task.recycle"
    (alert,) = running(measured(memory=GIB))
    assert alert.actions == ("task.raise", "task.stop")
    able = measured(memory=GIB)
    able.work = Work(at=1.0, can=("checkpoint",))
    assert "task.recycle" in running(able)[0].actions


def test_a_task_that_climbs_to_its_cap_says_when_and_how_fast():
    (alert,) = running(climbing("a", 512 * MIB, 128 * MIB))
    assert (alert.id, alert.level) == ("soon:a", "amber")
    assert "in 4m00" in alert.text
    assert "+128M a minute" in alert.text
    (alert,) = running(climbing("a", 512 * MIB, 512 * MIB))
    assert alert.level == "red"


def test_how_far_ahead_is_told_is_set_in_the_configuration():
    slow = climbing("a", 512 * MIB, 20 * MIB)
    assert running(slow) == []
    assert ids(running(slow, standing=("soon:a",))) == []
    hour = Thresholds.of(AlertsConfig(cap_within="1h"))
    assert ids(running(slow, hour)) == ["soon:a"]
    # 25 min 36 s ahead: not yet told, but not over either
    almost = climbing("a", 512 * MIB, 21 * MIB)
    assert running(almost) == []
    assert ids(running(almost, standing=("soon:a",))) == ["soon:a"]


def test_growth_without_new_highs_is_calm_until_the_soft_limit():
    breathing = measured("a", 600 * MIB, 512 * MIB)
    breathing.gauge = Gauge()
    for second in range(120):
        breathing.gauge.add(1000 + second, (400 + 200 * (second // 10 % 2)) * MIB)
    assert running(breathing) == []
    breathing.sample = sample("a", 850 * MIB)
    assert ids(running(breathing)) == ["soon:a"]


def test_a_task_far_from_its_cap_is_calm_unless_it_is_fast():
    assert running(climbing("a", 200 * MIB, 80 * MIB)) == []
    assert ids(running(climbing("a", 200 * MIB, 400 * MIB))) == ["soon:a"]


def test_beyond_the_soft_limit_it_says_what_is_done():
    soft = measured(memory=830 * MIB, soft_bytes=820 * MIB, doing="collects garbage")
    (alert,) = running(soft)
    assert (alert.id, alert.level) == ("soft:a", "amber")
    assert "830M of a 1.0G cap; collects garbage" in alert.text
    soft.sample = sample("a", 800 * MIB)
    assert running(soft) == []
    assert ids(running(soft, standing=("soft:a",))) == ["soft:a"]


def test_what_heaptui_cannot_mend_is_handed_to_the_operator():
    given_up = measured(memory=700 * MIB, soft_bytes=800 * MIB, handed="nothing came back")
    (alert,) = running(given_up)
    assert (alert.id, alert.level) == ("handed:a", "amber")
    assert alert.text == "needs you at 700M of a 1.0G cap: nothing came back"
    assert "without you" in alert.meaning and "task.raise" in alert.actions
    given_up.sample = sample("a", GIB)
    (alert,) = running(given_up)
    assert alert.id == "cap:a" and alert.meaning.startswith("heaptui has done")


def test_of_one_cap_only_the_worst_is_told():
    assert ids(running(climbing("a", 900 * MIB, 100 * MIB, soft_bytes=800 * MIB))) == ["soon:a"]
    assert ids(running(climbing("a", 1000 * MIB, 100 * MIB, soft_bytes=800 * MIB))) == ["cap:a"]


def test_a_task_of_gigabytes_is_too_large_whatever_its_cap():
    large = measured(memory=5 * GIB, cap_bytes=16 * GIB, checkpoint_at=1.0)
    (alert,) = running(large)
    assert (alert.id, alert.level) == ("worker:a", "amber")
    assert "5.00G, more than 4.0G" in alert.text
    assert "smaller pieces" in alert.meaning
    assert alert.actions == ("task.recycle", "task.raise", "task.stop")
    assert running(large, Thresholds.of(AlertsConfig(worker="6G"))) == []
    large.cap_bytes = None
    assert ids(running(large)) == ["worker:a"]


def test_without_a_cap_or_a_reading_there_is_nothing_to_say():
    assert running(measured(memory=2 * GIB, cap_bytes=None)) == []
    assert running(task("a", State.RUNNING)) == []


@given(
    memory=st.integers(0, 20 * GIB),
    cap=st.none() | st.integers(1, 16 * GIB),
    soft=st.none() | st.integers(1, 16 * GIB),
    growth=st.none() | st.floats(-1e10, 1e10),
    raised=st.none() | st.integers(1, 20 * GIB),
    handed=st.none() | st.just("it keeps no checkpoints"),
    stands=st.booleans(),
)
def test_calm_hides_nothing(memory, cap, soft, growth, raised, handed, stands):
    made = measured(
        "a", memory, growth, cap_bytes=cap, soft_bytes=soft, raised_cap=raised, handed=handed
    )
    standing = ("cap:a", "soon:a", "soft:a", "worker:a") if stands else ()
    assert not (calm(made, LIMITS) and running(made, standing=standing))


@pytest.mark.parametrize(
    ("given_host", "id", "level", "words"),
    [
        (host(available=GIB // 2), "host", "red", "512M of 16.0G"),
        (host(pressure=35.0), "pressure", "amber", "35 % of the time"),
        (host(swap_total_bytes=2 * GIB, swap_used_bytes=GIB), "swap", "amber", "of 2.00G swap"),
    ],
)
def test_the_machine(given_host, id, level, words):
    (alert,) = machine(given_host)
    assert (alert.id, alert.level, alert.task_id) == (id, level, None)
    assert words in alert.text
    assert alert.meaning and "dispatch.pause" in alert.actions


@pytest.mark.parametrize(
    ("given_host", "id"),
    [
        (host(available=int(0.052 * 16 * GIB)), "host"),
        (host(pressure=19.5), "pressure"),
        (host(swap_total_bytes=2 * GIB, swap_used_bytes=1000 * MIB), "swap"),
    ],
)
def test_what_stands_ends_a_twentieth_below(given_host, id):
    assert machine(given_host) == []
    assert ids(machine(given_host, standing=(id,))) == [id]


def test_heaptui_itself_and_its_storage():
    (alert,) = machine(own=1100 * MIB)
    assert (alert.id, alert.level) == ("supervisor", "amber")
    assert "1.07G, more than 1.0G" in alert.text
    assert machine(own=1000 * MIB) == []
    assert ids(machine(own=1000 * MIB, standing=("supervisor",))) == ["supervisor"]
    (alert,) = machine(trouble="The disk is full.")
    assert (alert.id, alert.level, alert.text) == ("store", "red", "The disk is full.")


@pytest.mark.parametrize(
    ("state", "verdict", "words", "first"),
    [
        (State.FAILED, VerdictKind.FAILED, "ended: it broke", "table.open"),
        (State.FAILED, VerdictKind.CAP, "ran out of memory: it broke", "task.raise"),
        (State.QUARANTINED, VerdictKind.CAP, "is quarantined: it broke", "task.raise"),
        (State.LOST, VerdictKind.LOST, "is lost: it broke", "table.open"),
    ],
)
def test_a_bad_end(state, verdict, words, first):
    gone = task("a", state, ended_at=5.0, attempts=2, reason="it broke", verdict=verdict)
    alert = of_end(gone, LIMITS, fresh=True)
    assert alert is not None
    assert (alert.id, alert.level, alert.task_id) == ("ended:a.2", "red", "a")
    assert alert.text == words
    assert alert.actions[0] == first
    assert "not" in alert.meaning and alert.meaning.endswith(".")
    later = of_end(gone, LIMITS, fresh=False)
    if state is State.FAILED:
        assert later is None
    else:
        # it waits for the operator
        assert later is not None and (later.id, later.level) == ("ended:a.2", "amber")


# --- splitting is proposed
NOT_SPLIT = Thresholds.of(AlertsConfig(), splits=frozenset((Kind.PYTHON,)))


def quarantined(**fields):
    given = {"ended_at": 5.0, "attempts": 2, "reason": "r", "verdict": VerdictKind.CAP, "items": 38}
    return task("a", **{"state": State.QUARANTINED, **given, **fields})


def test_what_was_quarantined_for_memory_and_can_be_divided_is_proposed_to_be_split():
    alert = of_end(quarantined(items_done=5), LIMITS, fresh=True)
    assert alert.actions == ("task.split", "task.raise", "task.retry", "task.forget")
    assert "33 of 38 items are left: split it" in alert.meaning
    assert alert.meaning.endswith("A retry goes on with what is left.")
    unheard = of_end(quarantined(), LIMITS, fresh=True)
    assert "It works through 38 items: split it" in unheard.meaning


@pytest.mark.parametrize(
    ("limits", "fields"),
    [
        (LIMITS, {"items": None}),
        (LIMITS, {"items_done": 37}),
        (LIMITS, {"items": 1}),
        (LIMITS, {"kin": Kin(part=3, depth=1, reduces=True)}),
        (LIMITS, {"verdict": VerdictKind.FAILED}),
        (LIMITS, {"kin": Kin(children=4)}),
        (NOT_SPLIT, {}),
    ],
)
def test_nothing_is_proposed_that_would_be_refused_or_that_nobody_wants(limits, fields):
    alert = of_end(quarantined(**fields), limits, fresh=True)
    assert "task.split" not in alert.actions
    assert "split" not in alert.meaning


def test_two_left_can_be_divided():
    assert "task.split" in of_end(quarantined(items_done=36), LIMITS, fresh=True).actions


def test_what_the_policy_splits_next_needs_nobody():
    assert of_end(quarantined(recovery=Recovery(split_due=True)), LIMITS, fresh=True) is None
    assert of_end(quarantined(), LIMITS, fresh=True) is not None


@pytest.mark.parametrize("state", [State.FAILED, State.QUARANTINED, State.LOST])
def test_a_parent_refers_to_its_children(state):
    alert = of_end(quarantined(state=state, kin=Kin(children=4), verdict=None), LIMITS, fresh=True)
    assert "its worst child" in alert.meaning
    assert alert.actions == ("table.open", "task.retry", "task.forget")


def test_what_the_policy_hands_over_can_be_split_before_it_is_raised():
    given = {"memory": 700 * MIB, "soft_bytes": 800 * MIB, "handed": "nothing came back"}
    (alert,) = running(measured(**given, items=38, items_done=5))
    assert alert.actions == ("task.split", "task.raise", "task.stop")
    assert "without you" in alert.meaning and "33 of 38 items are left" in alert.meaning
    (alert,) = running(measured(**given, items=38), NOT_SPLIT)
    assert "task.split" not in alert.actions and "split" not in alert.meaning
    (alert,) = running(measured(memory=5 * GIB, cap_bytes=9 * GIB, items=38))
    assert alert.id == "worker:a" and "task.split" in alert.actions


def test_what_was_reported_as_done_is_not_lost():
    (alert,) = running(measured(memory=GIB, items=38))
    assert "what it reported as done stays done" in alert.meaning
    waiting = task("a", State.BACKOFF, verdict=VerdictKind.CAP, reason="r", items=38)
    assert "with what it has not reported as done" in of_memory_end(waiting).meaning


def test_an_attempt_that_ran_out_of_memory_is_told_while_the_task_goes_on():
    waiting = task(
        "a", State.BACKOFF, attempts=1, verdict=VerdictKind.CAP, reason="reached its cap of 300M",
        cap_bytes=450 * MIB, recovery=Recovery(ooms=1, outgrown_bytes=300 * MIB),
    )  # fmt: skip
    alert = of_memory_end(waiting)
    assert alert.level == "red"
    assert "reached its cap of 300M; attempt 2 follows under 450M" in alert.text
    assert "from the beginning" in alert.meaning
    waiting.state, waiting.verdict, waiting.attempts = State.RUNNING, None, 2
    waiting.checkpoint_at = 3.0
    going_on = of_memory_end(waiting)
    assert going_on.id == alert.id
    assert "at 300M; attempt 2 goes on under 450M" in going_on.text
    assert "from its last checkpoint" in going_on.meaning
