"""What a stop would hit, and whether it is still the same; the history's orders."""

from __future__ import annotations

from typing import Any

import pytest

from heaptui.model import State, VerdictKind
from heaptui.tui.lines import Line, text_of, width_of
from heaptui.tui.records import ORDERS, arranged, evidence_lines, heading, record_line
from heaptui.tui.screens.stop import outcome
from heaptui.tui.targets import LISTED, Target, called, one_target, several_targets
from tests.terminal.dock_operator import NOW, a_detail, a_record, a_row


def shown(lines: list[Line]) -> str:
    return "\n".join(map(text_of, lines))


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"attempts": 2, "pid": 50001}, "attempt 2 now, not 1"),
        ({"state": State.DONE}, "has ended meanwhile"),
        ({"pid": 50001}, "another process"),
        ({"started_at": NOW}, "another process"),
    ],
)
def test_another_process_is_another_target(fields: dict[str, Any], says: str) -> None:
    change = Target(a_row()).changed(a_row(**fields))
    assert change is not None
    assert says in change


def test_newer_figures_are_the_same_target() -> None:
    row = a_row(memory_bytes=1, processes=7, growth_bytes_per_min=None, state=State.STOPPING)
    assert Target(a_row()).changed(row) is None


def test_a_dialog_names_its_target() -> None:
    row = a_row()
    text = shown(one_target(row, a_detail(row), 66, NOW))
    assert "task 7f3a2c, attempt 1, pid 41822, started" in text
    assert "node 41822, node 41830, sh 41833, rg 41841" in text
    assert "34m" in text


def test_a_waiting_target_ends_no_process() -> None:
    row = a_row(state=State.QUEUED, pid=None, started_at=None, attempts=0)
    text = shown(one_target(row, None, 66, NOW))
    assert "nothing runs" in text
    assert "pid" not in text


def test_one_that_waits_for_its_children_names_no_process_that_has_ended() -> None:
    row = a_row(state=State.SPLIT, children=2)
    text = shown(one_target(row, None, 66, NOW))
    assert "task 7f3a2c, attempt 1, started" in text
    assert "pid" not in text


def test_many_targets_are_listed_with_sums() -> None:
    rows = [a_row(id=f"id{n}", name=f"n{n}", processes=n) for n in range(12)]
    text = shown(several_targets(rows, 66, NOW))
    assert f"and {12 - LISTED} more" in text
    assert "tasks 12" in text
    assert "processes 66" in text
    assert all(width_of(line) <= 66 for line in several_targets(rows, 66, NOW))


def test_a_name_is_one_short_line() -> None:
    name = called(a_row(name="a\nb\x1b[2J[red]" + "x" * 10_000))
    assert name.isprintable()
    assert len(name) <= 40
    assert name.startswith("a b[red]xx")


def test_the_outcome_is_a_sentence() -> None:
    row = a_row()
    assert outcome([row], "kill", 30.0) == "refactor-auth: killed 2 processes"
    assert outcome([row], "terminate", 30.0) == (
        "refactor-auth: TERM sent to 2 processes; what is left after 10s is killed"
    )
    assert outcome([row], "drain", 30.0) == (
        "refactor-auth: drains: finishes what is in hand; what is left after 30s is stopped"
    )
    waiting = a_row(state=State.QUEUED)
    assert outcome([waiting], "terminate", 30.0) == "refactor-auth: taken from the queue"


def test_a_stop_says_what_is_lost_by_it() -> None:
    assert "no checkpoint is kept: another attempt begins anew" in shown(
        one_target(a_row(), None, 66, NOW)
    )
    kept = a_row(checkpoint_at=NOW - 252, checkpoint_bytes=61 << 10)
    assert "newest checkpoint 4m12 old, 61k: a resume loses what came since" in shown(
        one_target(kept, None, 80, NOW)
    )
    assert "with a checkpoint 1" in shown(several_targets([a_row(), kept], 66, NOW))


@pytest.mark.parametrize("order", ORDERS)
def test_an_order_loses_nothing(order: str) -> None:
    records = [a_record(n, name=f"n{n % 3}") for n in range(10)]
    records.append(a_record(11, peak_bytes=None, verdict=None, ended_at=None))
    assert sorted(r.id for r in arranged(records, order)) == sorted(r.id for r in records)
    if order in ("ended", "peak", "duration", "verdict"):
        assert arranged(records, order)[-1].id == records[-1].id


@pytest.mark.parametrize("width", [60, 80, 120, 200])
def test_a_record_is_one_line_under_its_heading(width: int) -> None:
    record = a_record(
        1,
        name="very long " * 20,
        verdict=VerdictKind.CAP,
        exit_code=None,
        signal=15,
        reason="killed\nat its cap [bold]",
    )
    line = record_line(record, width, NOW)
    assert width_of(line) == width
    assert text_of(heading(width)).index("EXIT") + 4 == text_of(line).index("sig 15") + 6
    assert ("sig 15", "red") in [(text.strip(), role) for text, role in line]


def test_evidence_is_told() -> None:
    record = a_record(1, verdict=VerdictKind.CAP, evidence=("memory.events: oom_kill 1",))
    assert "oom_kill 1" in shown(evidence_lines(record, 80, NOW))


def test_evidence_that_only_repeats_the_reason_is_left_out() -> None:
    record = a_record(1, exit_code=3, reason="exit code 3", evidence=("exit code 3", "stderr: no"))
    assert shown(evidence_lines(record, 80, NOW)).count("exit code 3") == 1
    assert "stderr: no" in shown(evidence_lines(record, 80, NOW))
