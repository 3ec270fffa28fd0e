"""The limits of another attempt."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heaptui.config import PolicyConfig
from heaptui.model import OUT_OF_MEMORY, Kind, Limits, TaskSpec, VerdictKind
from heaptui.supervisor.policy.larger import LEAST_STEP, Larger, larger, raised
from heaptui.units import GIB, MIB

POLICY = PolicyConfig().of(Kind.NODE)


def spec(kind: Kind = Kind.NODE, preset: str = "", **limits) -> TaskSpec:
    return TaskSpec(argv=("a",), cwd="/", kind=kind, preset=preset, limits=Limits(**limits))


def after(
    verdict: VerdictKind = VerdictKind.CAP,
    task: TaskSpec | None = None,
    cap: int | None = 300 * MIB,
    heap: int | None = None,
    room: int | None = 20 * GIB,
) -> Larger:
    return larger(
        task or spec(),
        verdict,
        cap_bytes=cap,
        heap_limit_bytes=heap,
        room_bytes=room,
        policy=POLICY,
    )


def test_the_cap_grows_by_the_factor():
    assert after().cap_bytes == 450 * MIB
    assert after().words == "a cap of 450M"


@pytest.mark.parametrize(
    ("cap", "room", "found"), [(10 * GIB, 20 * GIB, 12 * GIB), (GIB, 1200 * MIB, 1200 * MIB)]
)
def test_it_is_bounded_by_the_ceiling_and_by_what_is_free(cap, room, found):
    assert after(cap=cap, room=room).cap_bytes == found


@pytest.mark.parametrize(
    ("cap", "room", "why"),
    [(12 * GIB, 20 * GIB, "ceiling is 12.0G"), (GIB, GIB, "free is 1.00G"), (None, GIB, "no cap")],
)
def test_without_room_for_a_larger_one_there_is_none(cap, room, why):
    found = after(cap=cap, room=room)
    assert found.cap_bytes is None
    assert why in found.refused


def test_a_heap_limit_of_its_own_grows_and_the_cap_with_it_where_it_must():
    task = spec(heap_bytes=200 * MIB)
    found = after(VerdictKind.V8_HEAP, task, heap=200 * MIB)
    assert (found.heap_bytes, found.cap_bytes) == (300 * MIB, 400 * MIB)
    roomy = after(VerdictKind.V8_HEAP, task, cap=GIB, heap=200 * MIB)
    assert (roomy.heap_bytes, roomy.cap_bytes) == (300 * MIB, None)


def test_a_heap_limit_that_follows_the_cap_grows_by_it():
    found = after(VerdictKind.V8_HEAP, heap=200 * MIB)
    assert (found.heap_bytes, found.cap_bytes) == (None, 450 * MIB)


def test_the_soft_limit_keeps_its_share():
    limits = raised(Limits(cap_bytes=400 * MIB, soft_bytes=200 * MIB), after(cap=400 * MIB), GIB)
    assert (limits.cap_bytes, limits.soft_bytes) == (600 * MIB, 300 * MIB)
    by_share = raised(Limits(soft_bytes=200 * MIB), after(cap=400 * MIB), 400 * MIB)
    assert (by_share.cap_bytes, by_share.soft_bytes) == (600 * MIB, 300 * MIB)


def test_what_the_operator_gave_is_never_lowered():
    given_ = Limits(cap_bytes=GIB, heap_bytes=800 * MIB, soft_bytes=512 * MIB)
    to = Larger(cap_bytes=450 * MIB, heap_bytes=300 * MIB)
    assert raised(given_, to, 300 * MIB) == given_


def test_what_the_operator_raised_meanwhile_is_the_larger_limit():
    found = after(task=spec(cap_bytes=GIB))
    assert (found.given, found.cap_bytes, found.now_bytes) == (True, None, 300 * MIB)
    assert found.words == "the cap of 1.00G it was given"
    follows = after(VerdictKind.V8_HEAP, spec(cap_bytes=GIB), heap=200 * MIB)
    assert follows.given
    heap = after(VerdictKind.V8_HEAP, spec(heap_bytes=300 * MIB), cap=GIB, heap=200 * MIB)
    assert (heap.given, heap.words) == (True, "the heap of 300M it was given")
    cap_alone = spec(heap_bytes=200 * MIB, cap_bytes=2 * GIB)
    assert not after(VerdictKind.V8_HEAP, cap_alone, cap=GIB, heap=200 * MIB).given
    assert not after(task=spec(cap_bytes=300 * MIB)).given


@given(
    st.sampled_from(sorted(OUT_OF_MEMORY)),
    st.integers(4 * MIB, 64 * GIB),
    st.none() | st.integers(4 * MIB, 8 * GIB),
    st.none() | st.integers(0, 64 * GIB),
    st.booleans(),
    st.sampled_from(list(Kind)),
)
def test_it_is_larger_and_within_bounds_or_it_is_none(verdict, cap, heap, room, own, kind):
    task = spec(kind, heap_bytes=heap if own else None)
    found = after(verdict, task, cap=cap, heap=heap, room=room)
    if found.refused is not None:
        assert (found.cap_bytes, found.heap_bytes) == (None, None)
        return
    assert found.words
    bound = min(POLICY.oom_ceiling_bytes, room if room is not None else POLICY.oom_ceiling_bytes)
    if found.cap_bytes is not None:
        assert cap < found.cap_bytes <= max(bound, cap)
    if found.heap_bytes is None:
        assert found.cap_bytes >= cap * LEAST_STEP
    else:
        assert found.heap_bytes >= heap * LEAST_STEP
