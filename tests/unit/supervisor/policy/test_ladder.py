"""What follows the end of an attempt."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from heaptui.config import Config, PolicyConfig, RetryConfig
from heaptui.model import LIVE, OUT_OF_MEMORY, State, Verdict, VerdictKind
from heaptui.store.records import Recovery
from heaptui.supervisor.machine import Trigger, may, step
from heaptui.supervisor.policy.ladder import IDLE_RECYCLES, Decision, End, decide
from heaptui.supervisor.policy.larger import Larger
from heaptui.units import MIB

K = VerdictKind
USUAL = Config()
LARGER = Larger(now_bytes=300 * MIB, cap_bytes=450 * MIB, words="a cap of 450M")
STUCK = Larger(now_bytes=300 * MIB, refused="no larger limit is possible: the ceiling is 300M")


def end(kind: VerdictKind, **fields) -> End:
    given_ = {
        "state": State.RUNNING,
        "verdict": Verdict(kind, f"it was {kind}"),
        "stopping": False,
        "resulted": False,
        "checkpointed": False,
        "retry_lost": False,
        "at": 1000.0,
        "ran_s": 5.0,
        "retries_left": 0,
        "recovery": Recovery(),
        "larger": LARGER,
    }
    return End(**given_ | fields)


def after(kind: VerdictKind, config: Config = USUAL, **fields) -> Decision:
    from heaptui.model import Kind

    return decide(end(kind, **fields), config, config.policy.of(Kind.NODE))


@pytest.mark.parametrize("kind", sorted(OUT_OF_MEMORY - {K.HOST_OOM}))
def test_an_end_for_lack_of_memory_is_followed_once_by_a_larger_limit(kind):
    made = after(kind)
    assert made.trigger is Trigger.TRY_AGAIN
    assert made.limits == LARGER
    assert not made.used_retry, "the budget is its own"
    again = after(kind, recovery=made.recovery)
    assert again.trigger is Trigger.QUARANTINE
    assert "a larger limit was tried once" in again.reason
    assert "more than 300M" in again.reason


def test_a_machine_that_was_full_is_waited_for_under_the_same_cap():
    made = after(K.HOST_OOM, larger=STUCK)
    assert made.trigger is Trigger.TRY_AGAIN
    assert made.limits.cap_bytes is None
    again = after(K.HOST_OOM, recovery=made.recovery)
    assert again.trigger is Trigger.QUARANTINE
    # nobody has seen what it needs, and no larger limit was tried
    assert again.reason == "it was host-oom; it was tried again once."


def test_a_limit_that_the_operator_gave_meanwhile_costs_nothing_of_the_budget():
    given_ = Larger(now_bytes=300 * MIB, words="the cap of 1.00G it was given", given=True)
    spent = Recovery(ooms=1, outgrown_bytes=200 * MIB)
    made = after(K.CAP, larger=given_, recovery=spent)
    assert (made.trigger, made.limits, made.recovery.ooms) == (Trigger.TRY_AGAIN, None, 2)
    fresh = after(K.CAP, larger=given_).recovery
    assert after(K.CAP, recovery=fresh).limits == LARGER, "the policy's own is still there"
    assert made.text == "tries again with the cap of 1.00G it was given"
    assert made.recovery.outgrown_bytes == 300 * MIB


def test_never_the_same_limit_twice():
    made = after(K.CAP, larger=STUCK, retries_left=5)
    assert made.trigger is Trigger.QUARANTINE
    assert "the ceiling is 300M" in made.reason


def test_a_checkpoint_is_spoken_of_where_it_stands():
    assert "from its checkpoint" in after(K.CAP, checkpointed=True).text
    spent = Recovery(ooms=1, outgrown_bytes=450 * MIB)
    assert "goes on from there" in after(K.CAP, checkpointed=True, recovery=spent).reason


def test_a_policy_that_observes_says_what_it_would_do_and_uses_retries():
    watching = Config(policy=PolicyConfig(mode="observe"))
    made = after(K.CAP, watching)
    assert made.trigger is Trigger.FAILED
    assert "would try it again with a cap of 450M" in made.text
    retried = after(K.CAP, watching, retries_left=1)
    assert retried.trigger is Trigger.TRY_AGAIN
    assert retried.used_retry
    assert retried.limits is None


@pytest.mark.parametrize(
    ("fields", "trigger"),
    [
        ({}, Trigger.LOST),
        ({"checkpointed": True}, Trigger.TRY_AGAIN),
        ({"retry_lost": True}, Trigger.TRY_AGAIN),
        ({"retry_lost": True, "stopping": True}, Trigger.LOST),
    ],
)
def test_a_lost_attempt_goes_on_by_itself_where_that_costs_no_work(fields, trigger):
    made = after(K.LOST, **fields)
    assert made.trigger is trigger
    assert not made.used_retry


def test_what_was_not_launched_for_a_reason_that_passes_waits_for_as_long_as_it_takes():
    recovery = Recovery()
    for second in range(50):
        made = after(K.BAD_LAUNCH, passing=True, at=1000.0 + second, recovery=recovery)
        assert made.trigger is Trigger.TRY_AGAIN
        assert not made.used_retry
        recovery = made.recovery
    assert made.delay_s == USUAL.retry.backoff_max_s
    assert after(K.BAD_LAUNCH, retries_left=5).trigger is Trigger.FAILED


RECYCLING = {"state": State.RECYCLING, "checkpointed": True}


@pytest.mark.parametrize("kind", [K.STOPPED, K.FINISHED])
def test_a_recycled_task_goes_on_at_once_and_has_lost_nothing(kind):
    made = after(kind, **RECYCLING, done=10.0)
    assert made.trigger is Trigger.RECYCLED
    assert made.delay_s == 0
    assert made.recovery.recycles == 1
    assert "from its checkpoint" in made.text


def test_one_that_told_its_result_while_it_was_recycled_is_done():
    assert after(K.FINISHED, **RECYCLING, resulted=True).trigger is Trigger.FINISHED


def test_recycling_goes_on_for_ever_while_work_is_done_and_not_where_none_is():
    recovery = Recovery()
    for unit in range(500):
        made = after(K.STOPPED, **RECYCLING, done=float(unit), recovery=recovery)
        assert made.trigger is Trigger.RECYCLED
        recovery = made.recovery
    for _ in range(IDLE_RECYCLES - 1):
        made = after(K.STOPPED, **RECYCLING, done=499.0, recovery=recovery)
        assert made.trigger is Trigger.RECYCLED
        recovery = made.recovery
    made = after(K.STOPPED, **RECYCLING, done=499.0, recovery=recovery)
    assert made.trigger is Trigger.TRY_AGAIN
    assert made.limits == LARGER


def test_one_that_tells_no_progress_may_go_on_as_long_as_it_runs_for_a_while():
    for ran_s, trigger in ((60.0, Trigger.RECYCLED), (2.0, Trigger.TRY_AGAIN)):
        recovery = Recovery()
        for _ in range(IDLE_RECYCLES):
            made = after(K.STOPPED, **RECYCLING, ran_s=ran_s, recovery=recovery)
            recovery = made.recovery
        assert made.trigger is trigger


def test_one_that_runs_out_of_memory_while_it_is_recycled_climbs_the_ladder():
    assert after(K.CAP, **RECYCLING).limits == LARGER


def loop_of(n: int, every_s: float, config: Config = USUAL, ran_s: float = 1.0) -> list[Decision]:
    made, recovery = [], Recovery()
    for number in range(n):
        one = after(
            K.FAILED,
            config,
            retries_left=1000,
            at=1000.0 + number * every_s,
            ran_s=ran_s,
            recovery=recovery,
        )
        made.append(one)
        recovery = one.recovery
        if one.trigger is not Trigger.TRY_AGAIN:
            break
    return made


def test_a_crash_loop_backs_off_and_stops():
    made = loop_of(100, every_s=20)
    waits = [one.delay_s for one in made[:-1]]
    assert waits == sorted(waits)
    assert waits[-1] > waits[0]
    assert made[-1].trigger is Trigger.QUARANTINE
    assert "crash loop: 6 bad ends" in made[-1].reason
    assert len(made) == USUAL.policy.restarts + 1


def test_bad_ends_that_are_far_apart_are_no_loop():
    assert loop_of(100, every_s=200)[-1].trigger is Trigger.TRY_AGAIN


def test_the_wait_begins_small_again_after_a_stable_time():
    config = Config(retry=RetryConfig(backoff="2s"))
    made = loop_of(50, every_s=1000, config=config, ran_s=USUAL.policy.stable_s)
    assert {one.delay_s for one in made} == {2.0}


@pytest.mark.parametrize("jump", [-1e6, 1e6])
def test_a_clock_that_jumps_makes_no_crash_loop(jump):
    recovery = loop_of(4, every_s=10)[-1].recovery
    made = after(K.FAILED, retries_left=1000, at=1040.0 + jump, recovery=recovery)
    assert made.trigger is Trigger.TRY_AGAIN


ends = st.builds(
    end,
    st.sampled_from(list(K)),
    state=st.sampled_from(sorted(LIVE)),
    stopping=st.booleans(),
    resulted=st.booleans(),
    checkpointed=st.booleans(),
    retry_lost=st.booleans(),
    ran_s=st.floats(0, 1e6),
    at=st.floats(0, 2e9),
    retries_left=st.integers(-2, 5),
    larger=st.sampled_from([LARGER, STUCK]),
    done=st.none() | st.floats(0, 1e6),
    recovery=st.builds(
        Recovery,
        ooms=st.integers(0, 3),
        idle_recycles=st.integers(0, 3),
        streak=st.integers(0, 40),
        bad_ends=st.lists(st.floats(0, 2e9), max_size=8).map(tuple),
    ),
)


@given(ends, st.sampled_from(["act", "observe"]))
def test_whatever_happens_the_task_goes_to_a_state_that_it_may_go_to(one, mode):
    from heaptui.model import Kind

    stopping = one.state is State.STOPPING
    one = replace(one, stopping=stopping)
    config = Config(policy=PolicyConfig(mode=mode))
    made = decide(one, config, config.policy.of(Kind.NODE))
    assert may(one.state, made.trigger)
    after_it = step(one.state, made.trigger)
    assert not stopping or after_it.ended
    assert made.used_retry <= (made.trigger is Trigger.TRY_AGAIN and one.retries_left > 0)
    if made.trigger is Trigger.QUARANTINE:
        assert made.reason
    if made.limits is not None and made.limits.cap_bytes is not None:
        assert made.limits.cap_bytes > made.limits.now_bytes
        assert made.recovery.ooms == one.recovery.ooms + 1
    if one.verdict.kind is K.FINISHED and one.state is not State.RECYCLING:
        assert made.trigger is Trigger.FINISHED


@given(st.lists(st.sampled_from(sorted(OUT_OF_MEMORY)), min_size=1, max_size=50), st.integers(0, 4))
def test_the_ladder_ends(kinds, budget):
    config = Config(policy=PolicyConfig(oom_retries=budget, restarts=1000))
    recovery, tried = Recovery(), 0
    for kind in kinds:
        made = after(kind, config, recovery=recovery)
        recovery = made.recovery
        if made.trigger is not Trigger.TRY_AGAIN:
            assert made.trigger is Trigger.QUARANTINE
            break
        tried += 1
    assert tried <= budget


def test_what_ran_until_it_was_recycled_counts_until_an_attempt_ends_by_itself():
    first = after(K.STOPPED, state=State.RECYCLING, checkpointed=True, ran_s=40.0, done=1.0)
    second = after(
        K.STOPPED,
        state=State.RECYCLING,
        checkpointed=True,
        ran_s=50.0,
        done=2.0,
        recovery=first.recovery,
    )
    assert second.recovery.recycled_s == 90.0
    assert after(K.FAILED, retries_left=1, recovery=second.recovery).recovery.recycled_s == 0.0
