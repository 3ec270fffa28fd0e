"""What tasks needed, and the caps that are suggested."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heaptui.model import Kind, Quantiles, VerdictKind
from heaptui.store.profiles import Ended, Profile
from heaptui.supervisor.counts import START_BOUNDS_S, Counts
from heaptui.supervisor.profiles import ENDS_FOR_A_CAP, friendly, measured, suggested_cap
from heaptui.supervisor.quantiles import quantile, quantiles
from heaptui.units import GIB, MIB, parse_size, short_size

SIZES = st.integers(min_value=1, max_value=1 << 45)


def ended(
    peak: int | None, verdict: VerdictKind = VerdictKind.FINISHED, cap: int | None = GIB
) -> Ended:
    return Ended(at=1000.0, seconds=60.0, peak_bytes=peak, cap_bytes=cap, verdict=verdict)


def of(*ends: Ended) -> Profile:
    ooms = sum(one.verdict.out_of_memory for one in ends)
    return Profile(Kind.NODE, "agent", 2 * len(ends), ooms, ends)


@pytest.mark.parametrize(
    ("values", "share", "found"),
    [
        ([7], 0.5, 7),
        ([7], 0.0, 7),
        ([1, 2], 0.5, 1),
        ([1, 2, 3], 0.5, 2),
        (list(range(1, 21)), 0.95, 19),
        (list(range(1, 101)), 0.95, 95),
        (list(range(1, 101)), 0.99, 99),
        (list(range(1, 101)), 1.0, 100),
    ],
)
def test_a_quantile_is_an_observation(values, share, found):
    assert quantile(values, share) == found


@given(st.lists(st.integers(), min_size=1), st.floats(min_value=0.01, max_value=1))
def test_a_quantile_parts_what_was_observed(values, share):
    found = quantile(sorted(values), share)
    assert found in values
    assert sum(value <= found for value in values) >= math.floor(share * len(values))
    assert sum(value < found for value in values) < share * len(values) + 1e-6


def test_quantiles_of_waits():
    assert quantiles([]) == Quantiles()
    assert quantiles([0.3, 0.1, 0.2]) == Quantiles(count=3, p50=0.2, p95=0.3, p99=0.3, max=0.3)


def test_starts_are_counted_by_how_long_they_took():
    counts = Counts()
    for took in (0.005, 0.0051, 3.0, 99.0, -4.0):
        counts.begun(took)
    assert counts.started == 5
    assert counts.started_s == pytest.approx(102.0101)
    assert counts.starts_within[0] == 2
    assert counts.starts_within[1] == 1
    assert counts.starts_within[START_BOUNDS_S.index(5.0)] == 1
    assert counts.starts_within[-1] == 1
    assert sum(counts.starts_within) == counts.started


@pytest.mark.parametrize(
    ("size", "said"),
    [
        (1, "10M"),
        (64 * MIB, "70M"),
        (70 * MIB, "70M"),
        (301 * MIB, "310M"),
        (1014 * MIB, "1014M"),
        (1015 * MIB, "1.0G"),
        (GIB, "1.0G"),
        (GIB + 1, "1.1G"),
        (int(2.31 * GIB), "2.4G"),
        (10 * GIB + 1, "11.0G"),
    ],
)
def test_a_suggested_size_is_one_that_is_written(size, said):
    found = friendly(size)
    assert found >= size
    if said != "1014M":
        assert short_size(found) == said


@given(SIZES)
def test_a_friendly_size_holds_what_it_is_for_and_can_be_typed(size):
    found = friendly(size)
    assert size <= found <= size * 1.11 + 10 * MIB + GIB * (size > 10 * GIB)
    assert parse_size(f"{found / GIB:.1f}G" if found >= GIB else f"{found // MIB}M") == found


@pytest.mark.parametrize(
    ("ends", "cap"),
    [
        ([ended(400 * MIB)] * 4, None),
        ([ended(400 * MIB)] * 4 + [ended(None)], None),
        ([ended(400 * MIB)] * 5, 500 * MIB),
        # one that needed much more and was served
        ([ended(400 * MIB)] * 40 + [ended(900 * MIB)], 900 * MIB),
        # one ran into its cap: whatever it had seen by then
        (
            [ended(100 * MIB)] * 40 + [ended(280 * MIB, VerdictKind.CAP, 320 * MIB)],
            400 * MIB,
        ),
        # the next attempt of it, with a larger cap, told what it needs
        (
            [
                *[ended(100 * MIB)] * 40,
                ended(320 * MIB, VerdictKind.CAP, 320 * MIB),
                ended(430 * MIB),
            ],
            430 * MIB,
        ),
        # a heap's own limit and a host without memory say nothing of the cap
        ([ended(400 * MIB, VerdictKind.V8_HEAP, 4 * GIB)] * 5, 500 * MIB),
        ([ended(400 * MIB, VerdictKind.HOST_OOM, 4 * GIB)] * 5, 500 * MIB),
        ([ended(400 * MIB, VerdictKind.PYTHON_MEMORY, 800 * MIB)] * 5, 1000 * MIB),
        # hardly anything
        ([ended(400_000)] * 5, 70 * MIB),
    ],
)
def test_a_suggested_cap(ends, cap):
    assert suggested_cap(ends) == cap


ENDS = st.lists(
    st.builds(
        ended,
        st.integers(min_value=MIB, max_value=1 << 40),
        st.sampled_from(VerdictKind),
        st.integers(min_value=MIB, max_value=1 << 40),
    ),
    min_size=ENDS_FOR_A_CAP,
    max_size=40,
)


@given(ENDS)
def test_a_suggested_cap_would_have_served_all_that_ended_well_and_is_above_every_one_that_failed(
    ends,
):
    cap = suggested_cap(ends)
    assert cap is not None
    for one in ends:
        if one.verdict is VerdictKind.CAP:
            assert cap > max(one.peak_bytes, one.cap_bytes)
        elif one.verdict.out_of_memory:
            assert cap > one.peak_bytes
        else:
            assert cap >= one.peak_bytes


@given(ENDS)
def test_the_order_of_ends_does_not_change_a_suggestion(ends):
    assert suggested_cap(ends) == suggested_cap(ends[::-1])


def test_a_profile_is_measured_over_all_its_ends_whatever_is_shown():
    ends = [ended((n + 1) * 100 * MIB, cap=2 * GIB if n == 0 else GIB) for n in range(10)]
    found = measured(of(*ends, ended(None), ended(500 * MIB, VerdictKind.CAP)), records=3)
    assert (found.attempts, found.ooms) == (24, 1)
    assert found.p50_bytes == 500 * MIB
    assert found.p95_bytes == found.max_bytes == 1000 * MIB
    assert found.cap_bytes == 2 * GIB
    assert [one.peak_bytes for one in found.records] == [100 * MIB, 200 * MIB, 300 * MIB]


def test_a_profile_without_a_known_peak():
    found = measured(of(ended(None), ended(None, cap=None)), records=9)
    assert found.max_bytes == found.p50_bytes == 0
    assert found.suggested_cap_bytes is None
    assert found.records == ()
    assert found.cap_bytes == GIB
