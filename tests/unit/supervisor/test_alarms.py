"""When alerts begin and end: no flapping, nothing twice, and clocks that jump."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heaptui.config import AlertsConfig
from heaptui.model import HostSample, State, VerdictKind
from heaptui.store.records import Recovery
from heaptui.supervisor.alarms import ENDS_MOST, HOLD_S, Alarms
from heaptui.supervisor.alerts import FRESH_S
from tests.unit.supervisor.tasks import GIB, MIB, sample, task

HOUR = 3600.0


class Watch:
    """Alarms over tasks of the test's, with both clocks in its hand."""

    def __init__(self, *tasks, now=10_000.0, **config):
        self.tasks = list(tasks)
        self.now, self.elapsed = now, 50.0
        self.host = self.trouble = None
        self.own = 60 * MIB
        self.alarms = Alarms(
            AlertsConfig(**config), own_bytes=lambda: self.own, steady=lambda: self.elapsed
        )

    def look(self, seconds=1.0, jump=0.0):
        """After so many seconds, in which the wall's clock jumped: the alerts' ids."""
        self.elapsed += seconds
        self.now += seconds + jump
        self.shown = self.alarms.look(self.tasks, self.host, self.trouble, self.now)
        return [alert.id for alert in self.shown]

    def moved(self):
        """What began and ended since it was asked last."""
        found = [(one.began, one.alert.id) for one in self.alarms.transitions]
        self.alarms.transitions.clear()
        return found


def at(memory, task_id="a", **fields):
    made = task(task_id, State.RUNNING, **({"started_at": 9_990.0} | fields))
    made.sample = sample(task_id, memory)
    return made


def test_what_is_calm_moves_nothing():
    watch = Watch(at(100 * MIB), task("b"), task("c", State.DONE, ended_at=9_999.0))
    assert watch.look() == []
    assert not watch.alarms.stirred.is_set()


def test_an_alert_begins_once_keeps_its_beginning_and_ends_once():
    full = at(GIB)
    watch = Watch(full)
    assert watch.look() == ["cap:a"]
    assert watch.alarms.stirred.is_set()
    began = watch.now
    full.sample = sample("a", GIB + MIB)
    assert watch.look(60) == ["cap:a"]
    assert watch.shown[0].since == began
    assert "1.00G" in watch.shown[0].text
    assert watch.moved() == [(True, "cap:a")]
    full.sample = sample("a", 100 * MIB)
    assert watch.look(HOLD_S - 1) == ["cap:a"]
    assert watch.look() == []
    assert watch.moved() == [(False, "cap:a")]


def test_a_figure_that_trembles_at_its_threshold_is_told_once():
    full = at(GIB)
    watch = Watch(full)
    for second in range(60):
        share = 0.96 if second % 2 else 0.93
        full.sample = sample("a", int(share * GIB))
        watch.look()
    assert watch.moved() == [(True, "cap:a")]


def test_what_swings_far_within_seconds_is_told_once():
    full = at(GIB)
    watch = Watch(full)
    for second in range(60):
        full.sample = sample("a", GIB if second % 4 == 0 else GIB // 2)
        watch.look()
    assert watch.moved() == [(True, "cap:a")]


@pytest.mark.parametrize("state", [State.STOPPING, State.RECYCLING, State.DONE])
def test_what_an_alert_was_about_is_gone_and_so_is_the_alert(state):
    full = at(GIB)
    watch = Watch(full)
    watch.look()
    full.state = state
    assert watch.look() == []
    assert watch.moved() == [(True, "cap:a"), (False, "cap:a")]


def test_an_alert_ends_with_its_attempt_and_not_with_the_patience_for_it():
    full = at(GIB)
    watch = Watch(full)
    watch.look()
    full.started_at, full.attempts = watch.now + 1, 2
    full.sample = sample("a", 30 * MIB)
    assert watch.look(2) == []
    assert watch.moved() == [(True, "cap:a"), (False, "cap:a")]


def test_a_forgotten_task_takes_its_alert_along():
    watch = Watch(at(GIB))
    watch.look()
    watch.tasks.clear()
    assert watch.look() == []


def test_of_one_cap_the_worse_replaces_the_milder_and_not_the_other_way_at_once():
    rising = at(850 * MIB, soft_bytes=800 * MIB)
    watch = Watch(rising)
    assert watch.look() == ["soft:a"]
    rising.sample = sample("a", GIB)
    assert watch.look() == ["cap:a"]
    rising.sample = sample("a", 850 * MIB)
    assert watch.look() == ["cap:a"]
    assert watch.look(HOLD_S) == ["soft:a"]
    assert watch.moved() == [
        (True, "soft:a"), (False, "soft:a"), (True, "cap:a"), (False, "cap:a"), (True, "soft:a"),
    ]  # fmt: skip


def test_the_worst_comes_first():
    slow = at(850 * MIB, "slow", soft_bytes=800 * MIB)
    gone = task("gone", State.FAILED, ended_at=9_999.0, attempts=1, reason="exit code 1")
    watch = Watch(slow, at(GIB, "full"), gone)
    watch.host = HostSample(
        at=1.0, name="h", mem_total_bytes=16 * GIB, mem_available_bytes=GIB // 2, pressure=50.0
    )
    watch.trouble, watch.own = "The disk is full.", 2 * GIB
    assert watch.look() == [
        "store", "host", "cap:full", "ended:gone.1", "pressure", "supervisor", "soft:slow",
    ]  # fmt: skip
    assert sorted(alert.id for alert in watch.alarms.standing) == sorted(
        alert.id for alert in watch.shown
    )


# --- silence ---------------------------------------------------------------------------------
def test_a_worker_that_is_silent_too_long():
    quiet = at(100 * MIB)
    watch = Watch(quiet, silent="15m")
    assert watch.look() == []
    assert watch.look(890) == []
    assert watch.look(11) == ["silent:a"]
    assert "15m" in watch.shown[0].text
    quiet.active_at = watch.now
    watch.look()
    assert watch.look(HOLD_S) == []
    assert watch.look(901) == ["silent:a"]


def test_silence_is_counted_from_its_start_or_from_when_heaptui_took_over():
    old = at(100 * MIB, started_at=1_000.0)
    watch = Watch(old, silent="15m")
    # it may have spoken a moment ago: whoever watched it then is gone
    assert watch.look() == []
    assert watch.look(901) == ["silent:a"]


def test_nobody_is_silent_where_that_is_off():
    watch = Watch(at(100 * MIB, started_at=1_000.0), silent="off")
    watch.look()
    assert watch.look(10 * HOUR) == []


# --- clocks ----------------------------------------------------------------------------------
@given(jumps=st.lists(st.floats(-100 * HOUR, 100 * HOUR), max_size=20))
def test_whatever_the_clock_does_nothing_begins_or_ends_by_it(jumps):
    chatty, full = at(100 * MIB, "chatty"), at(GIB, "full")
    failed = task("failed", State.FAILED, ended_at=9_999.0, attempts=1, reason="exit code 1")
    old = task("old", State.FAILED, ended_at=1_000.0, attempts=1, reason="exit code 1")
    ill = at(100 * MIB, "ill", recovery=Recovery(ooms=1, bad_ends=(9_998.0,)))
    watch = Watch(chatty, full, failed, old, ill)
    chatty.active_at = watch.now
    first = watch.look()
    assert first == ["cap:full", "ended:failed.1", "oom:ill.1"]
    watch.moved()
    for jump in jumps:
        assert watch.look(jump=jump) == first
        chatty.active_at = watch.now
    assert watch.moved() == []


@pytest.mark.parametrize("jump", [-10 * HOUR, 10 * HOUR])
def test_a_silent_worker_stays_silent_when_the_clock_jumps(jump):
    quiet = at(100 * MIB)
    watch = Watch(quiet)
    watch.look()
    assert watch.look(901) == ["silent:a"]
    for _ in range(20):
        assert watch.look(jump=jump / 20) == ["silent:a"]
    quiet.active_at = watch.now
    watch.look()
    assert watch.look(HOLD_S) == []


@pytest.mark.parametrize("jump", [-10 * HOUR, 10 * HOUR])
def test_silence_is_noticed_after_a_jump_too(jump):
    quiet = at(100 * MIB)
    watch = Watch(quiet)
    quiet.active_at = watch.now
    watch.look(1)
    assert watch.look(1, jump) == []
    assert watch.look(890) == []
    assert watch.look(20) == ["silent:a"]


def test_an_end_just_before_the_clock_went_ahead_is_told():
    watch = Watch()
    watch.look()
    ended_at = watch.now
    watch.tasks.append(task("a", State.FAILED, ended_at=ended_at, attempts=1, reason="x"))
    assert watch.look(jump=10 * HOUR) == ["ended:a.1"]
    assert watch.look(FRESH_S - 5) == ["ended:a.1"]
    assert watch.look(10) == []
    assert watch.look(jump=-10 * HOUR) == []


# --- ends ------------------------------------------------------------------------------------
def test_a_failure_is_told_for_a_while_and_a_quarantine_until_somebody_acts():
    failed = task("f", State.FAILED, ended_at=9_990.0, attempts=1, reason="exit code 1")
    stuck = task("q", State.QUARANTINED, ended_at=9_995.0, attempts=2, reason="too large")
    watch = Watch(failed, stuck)
    assert watch.look() == ["ended:q.2", "ended:f.1"]
    assert watch.look(FRESH_S) == ["ended:q.2"]
    assert watch.shown[0].level == "amber"
    assert watch.moved() == [(True, "ended:f.1"), (True, "ended:q.2"), (False, "ended:f.1")]
    stuck.state, stuck.attempts = State.QUEUED, 2
    assert watch.look() == []


def test_of_many_bad_ends_the_latest_are_shown_and_all_are_told():
    gone = [
        task(f"t{n:02}", State.FAILED, ended_at=9_900.0 + n, attempts=1, reason="x")
        for n in range(40)
    ]
    watch = Watch(*gone)
    assert watch.look() == [f"ended:t{n:02}.1" for n in range(39, 39 - ENDS_MOST, -1)]
    assert len(watch.moved()) == 40


@pytest.mark.parametrize("state", [State.DONE, State.STOPPED])
def test_an_end_that_was_wanted_is_not_told(state):
    assert Watch(task("a", state, ended_at=9_999.0, attempts=1)).look() == []


def test_an_attempt_that_ran_out_of_memory_is_told_once_while_the_task_goes_on():
    ill = task("a", State.BACKOFF, attempts=1, ended_at=9_999.0, verdict=VerdictKind.CAP)
    ill.reason, ill.recovery = "reached its cap", Recovery(ooms=1, bad_ends=(9_999.0,))
    watch = Watch(ill)
    assert watch.look() == ["oom:a.1"]
    ill.state, ill.verdict, ill.ended_at, ill.attempts = State.RUNNING, None, None, 2
    ill.sample = sample("a", 100 * MIB)
    assert watch.look() == ["oom:a.1"]
    assert watch.look(FRESH_S) == []
    assert watch.look(FRESH_S) == []
    assert watch.moved() == [(True, "oom:a.1"), (False, "oom:a.1")]


def test_one_whose_next_attempt_began_before_anybody_looked_is_told_too():
    quick = at(100 * MIB)
    watch = Watch(quick)
    watch.look()
    quick.attempts, quick.recovery = 2, Recovery(ooms=1, bad_ends=(watch.now,))
    assert watch.look() == ["oom:a.1"]
    quick.state = State.DONE
    assert watch.look() == []


def test_a_policy_that_only_observes_tells_each_of_them():
    ill = task("a", State.BACKOFF, attempts=1, ended_at=9_999.0, verdict=VerdictKind.V8_HEAP)
    watch = Watch(ill)
    assert watch.look() == ["oom:a.0"]
    assert watch.look(FRESH_S) == []
    ill.attempts, ill.ended_at = 2, watch.now
    assert watch.look() == ["oom:a.0"]
    assert [began for began, _ in watch.moved()] == [True, False, True]


def test_an_end_of_another_kind_is_no_lack_of_memory():
    waits = task("a", State.BACKOFF, attempts=1, ended_at=9_999.0, verdict=VerdictKind.FAILED)
    assert Watch(waits).look() == []


# --- hand-over -------------------------------------------------------------------------------
def test_whoever_takes_over_tells_nothing_twice():
    full = at(GIB)
    before = Watch(full)
    before.look()
    (told,) = before.alarms.standing
    after = Watch(full, now=before.now + 3)
    after.alarms.recall([told])
    assert after.look() == ["cap:a"]
    assert after.shown[0].since == told.since
    assert after.moved() == []


def test_what_began_before_it_was_recalled_is_not_told_either():
    full = at(GIB)
    before = Watch(full)
    before.look()
    after = Watch(full, now=before.now + 3)
    after.look()
    after.alarms.recall(before.alarms.standing)
    assert after.moved() == []
    after.look()
    assert after.shown[0].since == before.shown[0].since


def test_what_ended_meanwhile_ends_once_it_is_known():
    full = at(GIB)
    before = Watch(full)
    before.look()
    full.sample = None
    after = Watch(full, now=before.now + 3)
    after.alarms.recall(before.alarms.standing)
    # nothing is measured yet
    assert after.look() == ["cap:a"]
    full.sample = sample("a", 100 * MIB)
    assert after.look(HOLD_S) == []
    assert after.moved() == [(False, "cap:a")]


def test_a_silent_worker_is_silent_for_the_next_supervisor_too():
    quiet = at(100 * MIB)
    before = Watch(quiet)
    before.look()
    assert before.look(901) == ["silent:a"]
    after = Watch(quiet, now=before.now + 3)
    after.alarms.recall(before.alarms.standing)
    for _ in range(10):
        assert after.look() == ["silent:a"]
    assert after.moved() == []


@given(
    steps=st.lists(
        st.tuples(
            st.sampled_from(["a", "b"]),
            st.integers(0, GIB),
            st.sampled_from(list(State)),
            st.floats(0, 2000),
            st.floats(-5000, 5000),
        ),
        max_size=60,
    )
)
def test_each_that_begins_ends_once_and_what_is_shown_stands(steps):
    one, two = at(100 * MIB, soft_bytes=800 * MIB), at(100 * MIB, "b")
    watch = Watch(one, two)
    standing = set()
    for task_id, memory, state, seconds, jump in steps:
        made = one if task_id == "a" else two
        made.sample, made.state = sample(task_id, memory), state
        made.ended_at = watch.now if state.ended else None
        shown = watch.look(seconds, jump)
        for began, id in watch.moved():
            assert (id in standing) is not began
            standing ^= {id}
        assert set(shown) == standing


def test_a_task_that_was_split_is_not_told_to_have_run_out_of_memory():
    given = {"verdict": VerdictKind.CAP, "recovery": Recovery(ooms=1), "ended_at": 9_999.0}
    divided = task("a", State.BACKOFF, **given)
    watch = Watch(divided)
    assert watch.look() == ["oom:a.1"]
    divided.state = State.SPLIT
    assert watch.look() == []
