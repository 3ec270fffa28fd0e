"""The next step of the conversation about a soft limit, and its timing."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from heaptui.config import PolicyConfig
from heaptui.supervisor.policy import soft
from heaptui.supervisor.policy.soft import Past, Situation, Step, Tried, next_step

MIB = 1 << 20
CAP, SOFT = 300 * MIB, 240 * MIB
POLICY = PolicyConfig().of("command")
ALL = frozenset((Step.GC, Step.CHECKPOINT, Step.RECYCLE))

tried = st.builds(
    Tried,
    at=st.floats(-1000, 1000),
    took_s=st.floats(0, 60),
    in_vain=st.integers(0, 40),
)
situations = st.builds(
    Situation,
    at=st.floats(0, 2000),
    memory_bytes=st.integers(0, 2 * CAP),
    soft_bytes=st.integers(1, CAP),
    heap_bytes=st.integers(0, CAP),
    heap_soft_bytes=st.none() | st.integers(1, CAP),
    to_cap_s=st.none() | st.floats(0, 200),
    left_s=st.none() | st.floats(0, 20),
    can=st.frozensets(st.sampled_from(sorted(ALL))),
    fresh=st.booleans(),
    busy=st.booleans(),
    past=st.builds(Past, gc=tried, checkpoint=tried, recycle=tried, handed=st.booleans()),
)
policies = st.builds(
    lambda steps, soft, ahead, drain, anew: PolicyConfig(
        steps=[step for step in ("gc", "checkpoint", "recycle") if step in steps],
        soft=soft,
        ahead=ahead,
        drain=drain,
        recycle_anew=anew,
    ).of("command"),
    st.frozensets(st.sampled_from(["gc", "checkpoint", "recycle"])),
    st.sampled_from(["50%", "80%", "off"]),
    st.sampled_from(["5s", "60s"]),
    st.sampled_from(["1s", "30s"]),
    st.booleans(),
)


def stands(memory: int = 262 * MIB, **fields) -> Situation:
    given = {"at": 100.0, "memory_bytes": memory, "soft_bytes": SOFT, "can": ALL}
    return Situation(**(given | fields))


# --- the limit
@pytest.mark.parametrize(
    ("own", "cap", "share", "limit"),
    [
        (None, 1000, "80%", 800),
        (500, 1000, "80%", 500),
        (500, 1000, "off", 500),
        (2000, 1000, "80%", 1000),
        (500, None, "80%", 500),
        (None, None, "80%", None),
        (None, 1000, "off", None),
    ],
)
def test_where_it_begins(own, cap, share, limit):
    assert soft.soft_limit(own, cap, PolicyConfig(soft=share).of("command")) == limit


# --- the steps
def test_they_follow_one_another():
    now = stands()
    assert next_step(now, POLICY) is Step.GC
    now = stands(past=Past(gc=Tried(at=100, in_vain=1)))
    assert next_step(now, POLICY) is Step.CHECKPOINT
    assert next_step(replace(now, fresh=True), POLICY) is Step.RECYCLE


def test_a_collection_that_helped_is_repeated_only_when_memory_has_grown_again_later():
    after = Past(gc=Tried(at=100))
    assert next_step(stands(200 * MIB, at=101, past=after), POLICY) is None
    assert next_step(stands(at=102, past=after), POLICY) is Step.CHECKPOINT
    assert next_step(stands(at=106, past=after), POLICY) is Step.GC


def test_what_no_step_can_mend_is_handed_over_once():
    past = Past(gc=Tried(at=99, in_vain=1))
    alone = stands(can=frozenset((Step.GC,)), past=past)
    assert next_step(alone, POLICY) is Step.HAND_OVER
    assert next_step(replace(alone, past=replace(past, handed=True)), POLICY) is None
    assert next_step(stands(can=frozenset()), POLICY) is Step.HAND_OVER
    assert next_step(replace(alone, busy=True), POLICY) is None


def test_a_worker_that_gives_no_checkpoint_is_not_recycled_but_by_a_policy_that_may_lose_work():
    past = Past(gc=Tried(at=99, in_vain=1), checkpoint=Tried(at=99, in_vain=1))
    assert next_step(stands(past=past), POLICY) is Step.HAND_OVER
    anew = PolicyConfig(recycle_anew=True).of("command")
    assert next_step(stands(past=past), anew) is Step.RECYCLE


def test_a_checkpoint_that_was_refused_is_asked_for_again_soon_however_often_that_was():
    past = Past(gc=Tried(at=99, in_vain=1), checkpoint=Tried(at=99, in_vain=1), handed=True)
    assert next_step(stands(at=103, past=past), POLICY) is None
    assert next_step(stands(at=105, past=past), POLICY) is Step.CHECKPOINT
    often = replace(past, gc=Tried(at=99, in_vain=40), checkpoint=Tried(at=99, in_vain=40))
    assert next_step(stands(at=110, past=often), POLICY) is None
    assert next_step(stands(at=130, past=often), POLICY) is Step.CHECKPOINT


def test_a_checkpoint_that_comes_by_itself_after_a_refusal_is_recycled_from_at_once():
    refused = Tried(at=100, in_vain=7)
    past = Past(gc=Tried(at=99, in_vain=7), checkpoint=refused, recycle=refused, handed=True)
    assert next_step(stands(at=106, past=past), POLICY) is None
    assert next_step(stands(at=106, past=past, fresh=True), POLICY) is Step.RECYCLE
    # what was refused just now is not tried in the same breath
    assert next_step(stands(at=101, past=past, fresh=True), POLICY) is None


def test_by_a_prediction_alone_it_is_recycled_when_a_drain_needs_what_is_left():
    past = Past(gc=Tried(at=99, in_vain=1), checkpoint=Tried(at=99, took_s=0.1))
    early = stands(100 * MIB, to_cap_s=50, fresh=True, past=past)
    assert next_step(early, POLICY) is None
    assert next_step(replace(early, to_cap_s=9), POLICY) is Step.RECYCLE
    slow = replace(past, checkpoint=Tried(at=99, took_s=8))
    assert next_step(replace(early, to_cap_s=20, past=slow), POLICY) is Step.RECYCLE
    assert next_step(replace(early, to_cap_s=70), POLICY) is None


def test_nobody_spoils_what_an_operator_does():
    known = {"collects": True, "checkpoints": True, "kept": True, "policy": POLICY}
    assert soft.able(busy=[], **known) == ALL
    assert soft.able(busy=["gc"], **known) == {Step.CHECKPOINT, Step.RECYCLE}
    assert soft.able(busy=["hunt"], **known) == {Step.CHECKPOINT}
    assert soft.able(busy=["hunt", "snapshot"], **known) == frozenset()


def test_nothing_is_ended_without_a_checkpoint_unless_the_policy_says_so():
    known = {"collects": False, "checkpoints": False, "busy": []}
    assert soft.able(kept=False, policy=POLICY, **known) == frozenset()
    assert soft.able(kept=True, policy=POLICY, **known) == {Step.RECYCLE}
    anew = PolicyConfig(recycle_anew=True).of("command")
    assert soft.able(kept=False, policy=anew, **known) == {Step.RECYCLE}
    none = PolicyConfig(recycle_anew=True, steps=["gc"]).of("command")
    assert soft.able(kept=True, policy=none, **known) == frozenset()


def test_a_heap_that_is_near_its_own_limit_counts_like_the_cap():
    now = stands(200 * MIB, heap_bytes=160 * MIB, heap_soft_bytes=160 * MIB)
    assert next_step(now, POLICY) is Step.GC
    past = Past(gc=Tried(at=100, in_vain=1))
    assert next_step(replace(now, past=past, fresh=True), POLICY) is Step.RECYCLE
    assert soft.calm(replace(now, heap_bytes=140 * MIB), POLICY)
    assert not soft.calm(replace(now, heap_bytes=150 * MIB), POLICY)


def test_what_fills_a_limit_within_seconds_is_met_early_and_recycled_in_time():
    past = Past(gc=Tried(at=99, in_vain=1), checkpoint=Tried(at=99, took_s=0.5))
    quick = stands(150 * MIB, left_s=7, fresh=True, past=past)
    assert next_step(quick, POLICY) is None
    assert next_step(replace(quick, left_s=5.5, past=Past()), POLICY) is Step.GC
    assert next_step(replace(quick, left_s=5.5), POLICY) is None
    assert next_step(replace(quick, left_s=3), POLICY) is Step.RECYCLE
    slow = replace(past, checkpoint=Tried(at=99, took_s=1.8))
    assert next_step(replace(quick, left_s=5, past=slow), POLICY) is Step.RECYCLE


def test_a_collection_is_judged_by_what_was_beyond_its_limit():
    beyond = stands(262 * MIB, heap_bytes=150 * MIB, heap_soft_bytes=200 * MIB)
    assert not soft.helped(beyond, replace(beyond, heap_bytes=50 * MIB))
    assert soft.helped(beyond, replace(beyond, memory_bytes=230 * MIB))
    near = stands(200 * MIB, heap_bytes=170 * MIB, heap_soft_bytes=160 * MIB)
    assert soft.helped(near, replace(near, heap_bytes=100 * MIB))
    assert not soft.helped(near, replace(near, heap_bytes=160 * MIB))


# --- what holds always
@given(situations, policies)
def test_nothing_is_done_that_cannot_be_or_need_not_be(now, policy):
    step = next_step(now, policy)
    if step is None:
        return
    assert soft.pressed(now, policy)
    assert not soft.calm(now, policy)
    assert step is Step.HAND_OVER or step in now.can
    if step is Step.CHECKPOINT:
        assert not now.fresh
    if step is Step.HAND_OVER:
        assert not now.past.handed and not now.busy


@given(situations, policies, st.floats(0, 4.9))
def test_no_step_is_repeated_in_a_tight_loop(now, policy, later):
    step = next_step(now, policy)
    if step is None or step is Step.HAND_OVER:
        return
    for took_in_vain in (True, False):
        last = getattr(now.past, step.value).again(now.at, 0.01, helped=not took_in_vain)
        after = replace(now, at=now.at + later, past=replace(now.past, **{step.value: last}))
        assert next_step(after, policy) is not step


@given(situations, policies)
def test_a_conversation_comes_to_an_end(now, policy):
    """Whatever each step does, at one instant there are only so many."""
    for _ in range(5):
        step = next_step(now, policy)
        if step is None:
            return
        if step is Step.HAND_OVER:
            past = replace(now.past, handed=True)
        else:
            last = getattr(now.past, step.value).again(now.at, 0, helped=False)
            past = replace(now.past, **{step.value: last})
        now = replace(now, past=past)
    raise AssertionError(now)


def test_a_task_that_stays_beyond_its_limit_is_collected_ever_more_rarely():
    past, done = Past(), []
    for second in range(3600):
        now = stands(at=float(second), can=frozenset((Step.GC,)), past=past)
        step = next_step(now, POLICY)
        if step is Step.GC:
            done.append(second)
            past = replace(past, gc=past.gc.again(now.at, 0.1, helped=False))
        elif step is Step.HAND_OVER:
            past = replace(past, handed=True)
    gaps = [after - before for before, after in pairwise(done)]
    assert gaps == sorted(gaps)
    assert len(done) < 12


@given(
    rate=st.integers(1, 25),
    collecting_s=st.floats(0.01, 1.0),
    checkpoint_s=st.floats(0.001, 0.5),
    offset=st.floats(0, 1),
)
def test_a_leak_is_recycled_before_its_cap(rate, collecting_s, checkpoint_s, offset):
    """Seen once a second. It grows on meanwhile, at up to 25 MB/s under a cap of 300 MB."""

    def memory(at: float) -> int:
        return int(rate * MIB * at)

    at, past, fresh = offset, Past(), False
    while memory(at) < CAP:
        now = stands(memory(at), at=at, past=past, fresh=fresh)
        step = next_step(now, POLICY)
        took = {Step.GC: collecting_s, Step.CHECKPOINT: checkpoint_s}.get(step, 0.0)
        if step is Step.RECYCLE:
            assert fresh
            return
        at += took
        if step is Step.GC:
            past = replace(past, gc=past.gc.again(at, took, helped=False))
        elif step is Step.CHECKPOINT:
            past = replace(past, checkpoint=past.checkpoint.again(at, took, helped=True))
            fresh = True
        else:
            at += 1.0
    # between two looks 25 MB pass, and the steps take what they take
    left_s = (CAP - SOFT) / (rate * MIB)
    assert left_s < 1.0 + collecting_s + checkpoint_s
