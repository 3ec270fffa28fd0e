"""What heavy pressure is, and who gives way."""

from __future__ import annotations

import pytest

from heaptui.config import AdmissionConfig
from heaptui.model import HostSample
from heaptui.supervisor.policy.pressure import heavy, worst
from tests.unit.supervisor.tasks import GIB, MIB, sample, task

ADMISSION = AdmissionConfig()


def host(**fields) -> HostSample:
    given = {"mem_total_bytes": 32 * GIB, "mem_available_bytes": 16 * GIB, **fields}
    return HostSample(at=0, name="n", **given)


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"pressure": 40.0}, "everybody stalls for memory 40 % of the time"),
        ({"pressure": 39.0}, None),
        ({"pressure": None}, None),
        ({"mem_available_bytes": 3 * GIB}, "3.00G available, below the reserve of 3.20G"),
        ({"mem_available_bytes": 4 * GIB, "pressure": 0.0}, None),
    ],
)
def test_stalls_and_a_reserve_that_is_touched_are_heavy(fields, why):
    assert heavy(host(**fields), ADMISSION) == why


def test_the_one_that_grows_fastest_is_worst():
    slow = task("slow", sample=sample("slow", 900 * MIB), growth=2.0 * MIB)
    fast = task("fast", sample=sample("fast", 100 * MIB), growth=9.0 * MIB)
    unknown = task("new")
    assert worst([slow, fast, unknown], stalls=False) is fast
    assert worst([slow, fast, unknown], stalls=True) is fast


def test_where_none_grows_the_largest_is_worst_but_only_while_everybody_stalls():
    small = task("small", sample=sample("small", 100 * MIB), growth=None)
    large = task("large", sample=sample("large", 900 * MIB), growth=-5.0 * MIB)
    noise = task("noise", sample=sample("noise", 200 * MIB), growth=1000.0)
    assert worst([small, large, noise], stalls=True) is large
    assert worst([small, large, noise], stalls=False) is None
    assert worst([], stalls=True) is None
