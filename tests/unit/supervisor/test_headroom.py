"""Whether a snapshot fits: under a cap, on the machine, and on the disk."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heaptui.supervisor.estimates import Estimate
from heaptui.supervisor.headroom import ASK, FITS, RAISE, REFUSED, Room, judge, safely
from heaptui.units import GIB, MIB


def need(
    extra: int = 1400 * MIB,
    least: int = 30 * MIB,
    file: int = 400 * MIB,
    least_file: int = 5 * MIB,
    utmost: float = 1.0,
    unseen: int | None = None,
) -> Estimate:
    return Estimate(
        seconds=13.0,
        extra_bytes=extra,
        unseen_extra=extra if unseen is None else unseen,
        utmost_extra=round(extra * utmost),
        rare="boxed numbers",
        least_extra=least,
        file_bytes=file,
        least_file=least_file,
        pauses=True,
        basis="the worst that is known of node",
    )


def room(
    cap: int | None = 300 * MIB,
    memory: int = 180 * MIB,
    *,
    may_rise: bool = True,
    promised: int = 0,
    available: int | None = 20 * GIB,
    raisable: int | None = None,
    disk: int | None = 50 * GIB,
) -> Room:
    return Room(
        memory_bytes=memory,
        cap_bytes=cap,
        may_rise=may_rise,
        promised_bytes=promised,
        total_bytes=None if available is None else 32 * GIB,
        available_bytes=available,
        raisable_bytes=available if raisable is None else raisable,
        disk_bytes=disk,
    )


SMALL = need(extra=50 * MIB, least=10 * MIB)


@pytest.mark.parametrize(
    ("what", "estimate", "there", "policy", "verdict"),
    [
        ("room everywhere", SMALL, room(), "ask", FITS),
        ("no cap at all", need(), room(cap=None), "ask", FITS),
        ("the cap is too near", need(), room(), "ask", RAISE),
        ("... and may always be raised", need(), room(), "always", FITS),
        ("... and may never be, but it may do", need(), room(), "never", ASK),
        ("... and certainly is too near", need(least=200 * MIB), room(), "never", REFUSED),
        ("... and cannot be raised", need(), room(may_rise=False), "ask", ASK),
        ("... nor always", need(), room(may_rise=False), "always", ASK),
        ("the machine may be too small", need(), room(available=GIB), "ask", ASK),
        ("... though caps may be raised", need(), room(available=GIB), "always", ASK),
        ("the machine is too small", need(), room(available=20 * MIB), "always", REFUSED),
        ("the machine alone", need(), room(cap=None, available=GIB), "ask", ASK),
        ("the disk may be too small", SMALL, room(disk=100 * MIB), "ask", ASK),
        ("the disk is too small", SMALL, room(disk=4 * MIB), "ask", REFUSED),
        ("promised to another", SMALL, room(promised=100 * MIB), "ask", RAISE),
        ("at the cap", SMALL, room(memory=295 * MIB), "never", REFUSED),
        ("nothing is known of the machine", SMALL, room(available=None, disk=None), "ask", FITS),
    ],
)
def test_the_verdict(what, estimate, there, policy, verdict):
    judged = judge(estimate, there, policy)
    assert judged.verdict == verdict, (what, judged)
    assert judged.text
    assert all(judged.reasons)


def test_it_says_what_it_would_need_and_what_there_is():
    judged = judge(need(), room(), "ask")
    assert "needs up to 1.37G beside the 180M in use" in judged.text
    assert "the cap of 300M leaves 111M" in judged.text
    assert judged.raise_to_bytes is not None
    assert judged.raise_to_bytes > (180 + 1400) * MIB
    assert "raised to 1.55G" in judged.text
    assert any("worst" in line for line in judged.reasons)
    refused = judge(need(), room(available=20 * MIB), "ask")
    assert "needs 30M at least" in refused.text
    assert "this machine has 20M of 32.0G left" in refused.text


def test_a_cap_that_rises_rises_for_the_worst_heap_as_far_as_the_machine_has_it():
    rare = need(extra=50 * MIB, utmost=20)
    assert judge(need(extra=50 * MIB), room(), "ask").verdict == FITS
    judged = judge(rare, room(), "ask")
    assert judged.verdict == FITS
    near = judge(rare, room(memory=200 * MIB), "ask")
    assert near.verdict == RAISE
    assert near.text == (
        "usually needs up to 50M beside the 200M in use, in rare cases (boxed numbers) up to "
        "0.98G; the cap of 300M leaves 91M: it has to be raised to 1.18G of this machine's 32.0G "
        "meanwhile"
    )
    judged = judge(rare, room(memory=230 * MIB), "ask")
    assert judged.verdict == RAISE
    assert judged.raise_to_bytes is not None
    assert judged.raise_to_bytes >= (230 + 1000) * MIB


@pytest.mark.parametrize("policy", ["ask", "always"])
def test_a_raise_leaves_the_machine_what_stays_available(policy):
    rare = need(extra=50 * MIB, utmost=20)
    there = room(memory=230 * MIB, available=GIB, raisable=300 * MIB)
    judged = judge(rare, there, policy)
    assert (judged.verdict, judged.raise_to_bytes) == (ASK, (230 + 300) * MIB)
    assert "raised to 530M of this machine's 32.0G" in judged.text
    assert "may still be killed at that cap; its neighbours are safe" in judged.text
    enough = judge(rare, room(memory=230 * MIB, raisable=1009 * MIB), "ask")
    assert (enough.verdict, enough.raise_to_bytes) == (RAISE, (230 + 1009) * MIB)


def test_where_the_machine_has_nothing_to_raise_it_by_the_cap_stays():
    rare = need(extra=50 * MIB, least=10 * MIB, utmost=20)
    there = room(memory=230 * MIB, available=GIB, raisable=0)
    judged = judge(rare, there, "ask")
    assert (judged.verdict, judged.raise_to_bytes) == (ASK, None)
    assert "cannot be raised: a quarter of this machine's 32.0G stays available" in judged.text
    assert judge(rare, room(memory=285 * MIB, raisable=0), "ask").verdict == REFUSED


def test_under_a_cap_that_stays_what_was_never_seen_may_be_the_worst_of_ordinary_programs():
    estimate = need(extra=20 * MIB, utmost=50, unseen=200 * MIB)
    assert judge(estimate, room(), "ask").verdict == RAISE
    assert judge(need(extra=20 * MIB, utmost=50), room(), "ask").verdict == FITS


def test_a_policy_is_named_where_it_is_the_reason():
    assert "configuration" in judge(need(), room(), "never").text
    assert "configuration" not in judge(need(), room(may_rise=False), "never").text


sizes = st.integers(0, 64 * GIB)


@given(
    estimate=st.builds(
        lambda extra, file, share, utmost: need(
            extra, round(extra * share), file, round(file * share), utmost
        ),
        st.integers(1, 64 * GIB),
        sizes,
        st.floats(0, 1),
        st.floats(1, 3),
    ),
    there=st.builds(
        Room,
        memory_bytes=sizes,
        total_bytes=st.just(64 * GIB),
        raisable_bytes=st.none() | sizes,
        cap_bytes=st.none() | st.integers(1, 64 * GIB),
        may_rise=st.booleans(),
        promised_bytes=st.integers(0, GIB),
        available_bytes=st.none() | sizes,
        disk_bytes=st.none() | sizes,
    ),
    policy=st.sampled_from(["ask", "always", "never"]),
)
def test_it_never_fits_what_is_larger_than_the_room(estimate, there, policy):
    judged = judge(estimate, there, policy)
    host, disk = there.available_bytes, there.disk_bytes
    if judged.verdict in (FITS, RAISE):
        assert host is None or estimate.extra_bytes <= host
        assert disk is None or estimate.file_bytes <= disk
    if judged.raise_to_bytes is not None:
        assert there.may_rise
        assert policy != "never"
        assert there.cap_bytes is not None
        assert judged.raise_to_bytes >= there.cap_bytes
        if there.raisable_bytes is not None:
            used = there.memory_bytes + there.promised_bytes + there.raisable_bytes
            assert judged.raise_to_bytes <= used
    in_force = judged.raise_to_bytes or there.cap_bytes
    if judged.verdict in (FITS, RAISE) and in_force is not None:
        wanted = safely(estimate)
        if judged.raise_to_bytes is not None:
            wanted = estimate.utmost_extra
        assert there.memory_bytes + there.promised_bytes + wanted <= in_force
    if judged.verdict == RAISE:
        assert policy == "ask"
        assert judged.raise_to_bytes is not None
    if judged.verdict == FITS and policy != "always":
        assert judged.raise_to_bytes is None
