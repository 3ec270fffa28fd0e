"""Node's reports on its own death: who gets the flags, and who has its own way."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heaptui.runtime.fatal_reports import reported, without_environment

PLACE = "/state/tasks/k7/1.reports"
OURS = f"--report-on-fatalerror --report-directory={PLACE}"
ACCEPTED = {"report-on-fatalerror", "report-directory"}


def options(env: dict[str, str], *own: str, place: str = PLACE, accepted=None) -> str | None:
    return reported(env, place, own, accepted).get("NODE_OPTIONS")


def test_every_node_gets_them():
    assert options({}) == OURS
    assert options({}, accepted=ACCEPTED) == OURS
    assert options({"NODE_OPTIONS": "--no-warnings"}) == f"--no-warnings {OURS}"


@pytest.mark.parametrize(
    "said",
    [
        "--report-on-signal",
        "--report_directory=/mine",
        "--no-report-on-fatalerror",
        "--report-uncaught-exception --no-warnings",
    ],
)
def test_a_task_with_report_flags_of_its_own_has_its_way(said):
    assert options({"NODE_OPTIONS": said}) == said
    assert options({}, *said.split()) is None


def test_a_node_that_does_not_take_them_gets_none():
    assert options({}, accepted={"max-old-space-size"}) is None


def test_those_of_a_task_around_it_are_replaced():
    outer = reported({"NODE_OPTIONS": "--no-warnings"}, "/o/tasks/a-b/12.reports", (), None)
    assert options(outer) == f"--no-warnings {OURS}"
    assert options(outer, place="") == "--no-warnings"
    assert options({"NODE_OPTIONS": OURS}, place="") is None


@given(st.text("ab \"\\'", min_size=1, max_size=12))
def test_any_directory_is_taken_out_again(odd):
    place = f"/{odd}/tasks/k7/3.reports"
    env = {"NODE_OPTIONS": "--no-warnings"}
    assert reported(reported(env, place, (), None), "", (), None) == env


def test_the_environment_is_excluded_by_a_node_that_can():
    env = reported({}, PLACE, (), ACCEPTED)
    assert without_environment(env, {*ACCEPTED, "report-exclude-env"}) == ["--report-exclude-env"]
    assert without_environment(env, ACCEPTED) == []
    assert without_environment({}, {"report-exclude-env"}) == []
