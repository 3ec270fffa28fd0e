"""What a snapshot will take, from what is known."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from heaptui.model import ProcessHeap, Snapshot
from heaptui.supervisor.estimates import KINDS, MARGIN, Estimate, base_name, estimate
from heaptui.units import GIB, MIB


def heap(used: int | None, runtime: str = "node", version: str = "v20.20.2", **fields):
    return ProcessHeap(
        pid=7, ppid=1, runtime=runtime, version=version, at=0.0, used_bytes=used, **fields
    )


def taken(
    task_id: str = "a",
    *,
    used: int = 100 * MIB,
    extra: float = 0.6,
    file: float = 0.1,
    seconds: float = 1.0,
    name: str = "agent",
    version: str = "v20.11.0",
    rss: int | None = None,
) -> Snapshot:
    """An earlier snapshot that took so much for each byte of its heap."""
    return Snapshot(
        id=1,
        task_id=task_id,
        attempt=1,
        name=name,
        pid=7,
        runtime="node",
        version=version,
        format="v8",
        at=0.0,
        path="/x",
        bytes=round(file * used),
        seconds=seconds,
        heap_bytes=used,
        rss_bytes=rss,
        extra_bytes=round(extra * used),
    )


def of(used: int, *earlier: Snapshot, name: str = "agent", **fields) -> Estimate:
    return estimate(heap(used, **fields), "a", name, earlier)


@pytest.mark.parametrize(
    ("used", "seconds", "extra", "file"),
    [
        # measured, in MB: small objects, numbers in arrays, references
        (100 * MIB, 12.9, 1357 * MIB, 215 * MIB),
        (43 * MIB, 3.7, 525 * MIB, 154 * MIB),
        (300 * MIB, 30.0, (4700 - 350) * MIB, 645 * MIB),
    ],
)
def test_what_was_measured_at_worst_is_within_the_estimate(used, seconds, extra, file):
    need = of(used)
    assert need.seconds >= seconds
    assert need.extra_bytes >= extra
    assert need.file_bytes >= file
    assert "worst" in need.basis


@pytest.mark.parametrize(
    ("used", "extra"), [(191 * MIB, 5872 * MIB), (44 * MIB, 1398 * MIB), (27 * MIB, 1260 * MIB)]
)
def test_no_heap_was_ever_seen_to_take_more_than_the_utmost(used, extra):
    # measured: boxed numbers, big integers, empty arrays
    assert of(used).utmost_extra >= extra


@pytest.mark.parametrize(
    ("used", "extra", "file"),
    [(100 * MIB, 47 * MIB, 9 * MIB), (500 * MIB, 245 * MIB, 28 * MIB), (GIB, 501 * MIB, 52 * MIB)],
)
def test_what_was_measured_at_best_is_not_below_the_least(used, extra, file):
    need = of(used)
    assert need.least_extra <= extra
    assert need.least_file <= file


@pytest.mark.parametrize(
    ("extra", "file", "seconds"), [(57, 0.7, 0.34), (165, 11.7, 4.5), (212, 15.6, 7.0)]
)
def test_what_was_measured_of_python_is_within_the_estimate(extra, file, seconds):
    need = of(100 * MIB, runtime="python", version="3.11.7")
    assert need.least_extra <= extra * MIB <= need.extra_bytes
    assert need.least_file <= file * MIB <= need.file_bytes
    assert need.seconds >= seconds
    assert not need.pauses


def test_the_same_programs_earlier_snapshot_counts_most():
    need = of(100 * MIB, taken(extra=0.6))
    assert need.extra_bytes == KINDS["v8"].base_extra + round(0.6 * MARGIN * 100 * MIB)
    assert "an earlier snapshot of this program" in need.basis
    assert of(100 * MIB, taken("b", name="agent/2"), name="agent/1") == need
    worse = of(100 * MIB, taken(extra=0.6), taken(extra=5.0), taken(extra=0.7))
    assert worse.extra_bytes == KINDS["v8"].base_extra + round(5.0 * MARGIN * 100 * MIB)


def test_what_came_since_may_be_anything():
    need = of(300 * MIB, taken(used=100 * MIB, extra=0.6))
    known = of(100 * MIB, taken(used=100 * MIB, extra=0.6))
    assert need.extra_bytes - known.extra_bytes == 15 * 200 * MIB
    assert "67 %" in need.basis


def grown(used: int, *earlier: Snapshot) -> Estimate:
    return of(used, *earlier, rss_bytes=used + 50 * MIB)


def test_what_came_since_goes_by_its_own_rate_where_the_process_is_made_up_as_it_was():
    first = taken(used=32 * MIB, extra=36 / 32, rss=85 * MIB)
    second = taken(used=32 * MIB, extra=4.88 / 32, rss=90 * MIB)
    need = grown(514 * MIB, second, first)
    base = KINDS["v8"].base_extra
    assert need.extra_bytes == base + round(36 * MARGIN * MIB) + round(36 / 32 * 2 * 482 * MIB)
    assert "94 %" in need.basis
    assert "2 times its rate" in need.basis
    # it may be anything all the same
    assert need.unseen_extra > 5 * GIB
    assert need.utmost_extra > 20 * GIB
    assert need.least_extra < need.extra_bytes


def test_a_heap_not_much_larger_is_at_worst_an_ordinary_one():
    need = grown(300 * MIB, taken(used=100 * MIB, extra=0.6, rss=150 * MIB))
    ordinary = of(300 * MIB)
    assert need.extra_bytes < 500 * MIB
    assert need.utmost_extra <= ordinary.extra_bytes


def test_a_process_made_up_otherwise_tells_nothing_of_what_came_since():
    beside = taken(used=100 * MIB, extra=0.6, rss=900 * MIB)
    assert grown(300 * MIB, beside).extra_bytes == of(300 * MIB, taken(extra=0.6)).extra_bytes
    assert "as the worst of ordinary" in grown(300 * MIB, beside).basis


def test_python_that_grew_goes_by_its_own_rate_as_well():
    before = structs.replace(
        taken(used=60 * MIB, extra=0.4, version="3.11.2", rss=75 * MIB), runtime="python"
    )
    need = of(389 * MIB, before, runtime="python", version="3.11.7", rss_bytes=400 * MIB)
    assert 98 * MIB < need.extra_bytes < 350 * MIB


def test_a_program_worse_than_ordinary_stays_so_when_it_grows():
    need = grown(300 * MIB, taken(used=100 * MIB, extra=30, rss=150 * MIB))
    assert need.extra_bytes >= 30 * MARGIN * 300 * MIB
    assert need.utmost_extra >= need.unseen_extra >= need.extra_bytes


def test_other_programs_tell_nothing_about_this_ones_objects():
    others = [taken(f"t{n}", name=f"other-{n}", extra=0.5, seconds=9.0) for n in range(9)]
    need = of(100 * MIB, *others)
    assert need.extra_bytes == of(100 * MIB).extra_bytes
    assert need.seconds == pytest.approx(KINDS["v8"].base_s + 9.0 * MARGIN)
    assert "9 earlier snapshots on this machine" in need.basis


def test_a_worse_one_than_was_ever_measured_raises_the_worst():
    others = [taken(f"t{n}", name=f"other-{n}", extra=20.0) for n in range(9)]
    assert of(100 * MIB, *others).extra_bytes > of(100 * MIB).extra_bytes


def test_another_major_version_is_another_runtime():
    assert of(100 * MIB, taken(version="v24.1.0")) == of(100 * MIB)


def test_a_heap_of_unknown_size_counts_with_its_process():
    unknown = estimate(heap(None, rss_bytes=100 * MIB), "a", "agent", ())
    assert unknown == of(100 * MIB)


@pytest.mark.parametrize(
    ("name", "base"), [("scan/3", "scan"), ("scan", "scan"), ("a/b", "a/b"), ("/3", "/3")]
)
def test_copies_share_a_name(name, base):
    assert base_name(name) == base


@given(
    used=st.integers(1, 64 * GIB),
    more=st.integers(0, 8 * GIB),
    seen=st.lists(
        st.builds(
            taken,
            st.sampled_from(["a", "b"]),
            used=st.integers(1, 8 * GIB),
            extra=st.floats(0, 30),
            file=st.floats(0, 5),
            seconds=st.floats(0, 1000),
            name=st.sampled_from(["agent", "other"]),
        ),
        max_size=8,
    ),
)
def test_more_heap_never_takes_less_and_the_least_is_below_the_most(used, more, seen):
    small, large = of(used, *seen), of(used + more, *seen)
    for one in (small, large):
        assert 0 <= one.least_extra <= one.extra_bytes <= one.unseen_extra <= one.utmost_extra + 2
        assert 0 <= one.least_file <= one.file_bytes
        assert one.seconds > 0
    assert large.extra_bytes >= small.extra_bytes - 2
    assert large.file_bytes >= small.file_bytes - 2
