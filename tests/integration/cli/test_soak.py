"""The soak: a short one end to end, and an account that finds what is wrong."""

from __future__ import annotations

import json
import os
import signal
from dataclasses import dataclass
from dataclasses import field as of
from pathlib import Path

import pytest
from msgspec.structs import replace

from heaptui.cli.soak import notes
from heaptui.cli.soak.accounting import Case, Wrong, findings, killed_by_memory_for_good
from heaptui.cli.soak.chaos import REPLACING_SHARE, schedule
from heaptui.cli.soak.deeds import Deed, DeedKind
from heaptui.cli.soak.notes import Line
from heaptui.cli.soak.place import traces
from heaptui.cli.soak.programs.evidence import (
    BEGIN,
    DRAINED,
    END,
    KEPT,
    OVERLAP,
    RESULT,
    UNIT,
    Evidence,
)
from heaptui.cli.soak.simulated import Pace, Role
from heaptui.cli.soak.trend import slope
from heaptui.cli.soak.workload import GOES_ON, Planned, plan, right_result
from heaptui.model import AttemptRecord, Kind, Row, State, VerdictKind

PACE = Pace(60.0)
WORKLOAD = plan(seed=7, pace=PACE, seconds=600, evidence=Path("/evidence"), node=True)


def planned(role: Role) -> Planned:
    return next(one for one in WORKLOAD.tasks if one.role is role)


# --- the account ---------------------------------------------------------------------------------
@dataclass
class Story:
    """What became of one task, told attempt by attempt; right until something is changed."""

    task: Planned
    state: State = State.DONE
    result: bytes | None = None
    lines: list[Line] = of(default_factory=list)
    records: list[AttemptRecord] = of(default_factory=list)
    deeds: list[Deed] = of(default_factory=list)
    at: float = 1000.0

    def tell(self, what: str, unit: int = 0, attempt: int | None = None) -> None:
        number = attempt or len(self.records) + 1
        self.at += 1
        self.lines.append(Line(what, unit, number, 100 + number, self.at))

    def works(self, since: int, until: int, kept: int | None = None) -> None:
        """One attempt's units; a checkpoint before unit `kept` stands at its end."""
        self.tell(BEGIN, since)
        for unit in range(since, until):
            self.tell(UNIT, unit)
        if kept is not None:
            self.tell(KEPT, kept)

    def ends(
        self, verdict: VerdictKind, code: int | None = None, evidence: tuple[str, ...] = ("seen",)
    ) -> None:
        began = self.lines[-1].at if self.lines else self.at
        self.at += 1
        record = AttemptRecord(
            id=len(self.records) + 1,
            task_id="t",
            attempt=len(self.records) + 1,
            name="t",
            kind=Kind.PYTHON,
            status="failed",
            created_at=began,
            ended_at=self.at,
            exit_code=code,
            verdict=verdict,
            evidence=evidence,
            cap_bytes=(100 << 20) << len(self.records),
        )
        self.records.append(record)

    def finishes(self) -> None:
        units = self.task.expected.units or 0
        if self.task.expected.result:
            self.result = json.dumps(right_result(self.task.key, units)).encode()
            self.tell(RESULT, units)
        self.tell(END)
        self.ends(VerdictKind.FINISHED, 0)

    def killed(self) -> None:
        attempt = len(self.records) + 1
        self.deeds.append(
            Deed(
                kind=DeedKind.KILL_WORKER,
                at=self.at,
                over_at=self.at,
                text="",
                task_id="t",
                attempt=attempt,
            )
        )
        self.ends(VerdictKind.KILLED)

    def case(self) -> Case:
        row = Row(
            id="t",
            name="t",
            kind=Kind.PYTHON,
            state=self.state,
            argv=("x",),
            cwd="/",
            created_at=0,
            attempts=len({one.attempt for one in self.records}),
        )
        return Case(
            planned=self.task,
            task_id="t",
            row=row,
            attempts=tuple(self.records),
            lines=tuple(self.lines),
            result=self.result,
            deeds=tuple(self.deeds),
        )


def agent() -> Story:
    """Killed by chaos once, recycled once, and done."""
    story = Story(planned(Role.AGENT))
    units = story.task.expected.units or 0
    assert units > 6
    story.works(0, 4, kept=3)
    story.killed()
    story.works(3, 5, kept=5)
    story.tell(DRAINED, 5)
    story.ends(VerdictKind.FINISHED, 0)
    story.works(5, units)
    story.finishes()
    return story


def wrongs(case: Case) -> set[Wrong]:
    return {one.wrong for one in findings(case)}


def test_what_went_right_is_right():
    assert findings(agent().case()) == []
    failing = Story(planned(Role.FAILING), State.FAILED)
    code = failing.task.expected.code
    failing.works(0, 1)
    failing.tell(END, code)
    failing.ends(VerdictKind.FAILED, code)
    assert findings(failing.case()) == []


def test_a_unit_done_again_though_a_checkpoint_covered_it_is_a_duplicate():
    story = agent()
    at = next(n for n, line in enumerate(story.lines) if line.attempt == 2)
    story.lines.insert(at + 1, replace(story.lines[at], what=UNIT, unit=1))
    assert [one.wrong for one in findings(story.case())] == [Wrong.DUPLICATED]
    # a unit that no checkpoint covered is rightly done again: the story itself has one
    assert sum(line.what == UNIT and line.unit == 3 for line in agent().lines) == 2


def test_two_attempts_at_once_are_a_duplicate():
    story = agent()
    story.lines.append(replace(story.lines[-1], what=KEPT, attempt=1, unit=3))
    assert wrongs(story.case()) == {Wrong.DUPLICATED}
    beside = agent()
    beside.lines.insert(1, replace(beside.lines[0], what=OVERLAP))
    assert wrongs(beside.case()) == {Wrong.DUPLICATED}
    twice = agent()
    twice.lines.insert(1, replace(twice.lines[0], pid=999))
    assert wrongs(twice.case()) == {Wrong.DUPLICATED}


def test_two_rows_for_one_attempt_are_a_duplicate():
    story = agent()
    story.records.append(story.records[-1])
    assert wrongs(story.case()) == {Wrong.DUPLICATED}


def test_work_that_was_not_done_is_lost():
    gone = replace(agent().case(), row=None)
    assert wrongs(gone) == {Wrong.LOST}
    skipped = agent()
    skipped.lines = [line for line in skipped.lines if (line.what, line.unit) != (UNIT, 5)]
    assert wrongs(skipped.case()) == {Wrong.LOST}
    assert wrongs(replace(agent().case(), result=None)) == {Wrong.LOST}
    wrong = json.dumps(right_result("somebody else's", 9)).encode()
    assert wrongs(replace(agent().case(), result=wrong)) == {Wrong.LOST}


def test_a_death_for_lack_of_memory_costs_work_when_the_work_is_never_done():
    story = Story(planned(Role.LEAKING), State.QUARANTINED)
    story.works(0, 4, kept=3)
    story.ends(VerdictKind.CAP)
    assert wrongs(story.case()) == {Wrong.LOST}
    assert killed_by_memory_for_good(story.case())
    story.state = State.DONE
    story.works(3, story.task.expected.units or 0)
    story.finishes()
    assert findings(story.case()) == []
    assert not killed_by_memory_for_good(story.case())


@pytest.mark.parametrize(
    ("verdict", "code"),
    [
        (VerdictKind.UNKNOWN, None),
        (VerdictKind.LOST, None),
        (VerdictKind.CAP, None),
        (VerdictKind.FINISHED, 0),
        (VerdictKind.FAILED, 1),
        (VerdictKind.BAD_LAUNCH, None),
        (VerdictKind.HOST_OOM, None),
    ],
)
def test_a_verdict_against_the_evidence_is_unexplained(verdict, code):
    story = agent()
    # chaos had killed it
    story.records[0] = replace(story.records[0], verdict=verdict, exit_code=code)
    assert wrongs(story.case()) == {Wrong.UNEXPLAINED}


def test_an_end_that_nobody_brought_about_is_unexplained():
    story = agent()
    story.deeds.clear()
    assert wrongs(story.case()) == {Wrong.UNEXPLAINED}


def test_an_unseen_end_is_explained_by_a_warden_that_was_killed():
    story = agent()
    story.records[0] = replace(story.records[0], verdict=VerdictKind.LOST)
    ended = story.records[0].ended_at or 0
    story.deeds.append(Deed(kind=DeedKind.KILL_WARDEN, at=ended - 1, over_at=ended, text=""))
    assert findings(story.case()) == []


def test_a_task_that_hangs_and_an_attempt_without_a_row_are_unexplained():
    story = agent()
    story.state = State.QUEUED
    assert wrongs(story.case()) == {Wrong.UNEXPLAINED}
    missing = agent()
    case = missing.case()
    assert wrongs(replace(case, attempts=case.attempts[1:])) == {Wrong.UNEXPLAINED}


def test_the_same_cap_twice_is_unexplained():
    story = Story(planned(Role.TOO_LARGE), State.QUARANTINED)
    for _ in range(2):
        story.works(0, 2)
        story.ends(VerdictKind.CAP)
    assert findings(story.case()) == []
    story.records[1] = replace(story.records[1], cap_bytes=story.records[0].cap_bytes)
    assert wrongs(story.case()) == {Wrong.UNEXPLAINED}
    assert wrongs(replace(story.case(), attempts=(replace(story.records[0], evidence=()),)))


# --- its parts -----------------------------------------------------------------------------------
def test_notes_are_read_as_they_were_written_but_for_a_line_cut_off(tmp_path):
    path = tmp_path / "notes"
    evidence = Evidence(str(path))
    evidence.tell(BEGIN)
    second = Evidence(str(path))
    with path.open("ab") as file:
        file.write(b'{"what":"unit","un')
    os.close(second.fd)
    os.close(evidence.fd)
    assert [line.what for line in notes.read(path)] == [BEGIN, OVERLAP]
    assert notes.read(tmp_path / "none") == ()


def test_the_same_seed_is_the_same_soak():
    again = plan(seed=7, pace=PACE, seconds=600, evidence=Path("/evidence"), node=True)
    assert again == WORKLOAD
    other = plan(seed=8, pace=PACE, seconds=600, evidence=Path("/evidence"), node=True)
    assert other != WORKLOAD
    assert schedule(7, 600) == schedule(7, 600)
    # ten real minutes at 60 times the rate: ten simulated hours of 60 tasks
    assert 480 < len(WORKLOAD.tasks) < 720
    assert {one.role for one in WORKLOAD.tasks} >= GOES_ON - {Role.ENDLESS}


def test_supervisors_are_killed_early_so_that_one_lives_long():
    kills = [
        one.at_s
        for seed in range(20)
        for one in schedule(seed, 600)
        if one.kind in (DeedKind.KILL_SUPERVISOR, DeedKind.KILL_WARDEN)
    ]
    assert kills
    assert max(kills) <= 600 * REPLACING_SHARE


def test_a_slope_is_not_moved_by_outliers():
    steady = [(second * 5.0, 50.0 + second * 0.01) for second in range(200)]
    for at in range(3, 200, 7):
        steady[at] = (steady[at][0], 500.0)
    found = slope(steady)
    assert found is not None
    assert found.per_s == pytest.approx(0.002, rel=0.05)
    assert slope(steady[:8]) is None


def test_traces_are_found_in_a_log():
    log = (
        "heaptui supervises /x as pid 1\n"
        "Traceback (most recent call last):\n"
        '  File "a.py", line 1, in <module>\n'
        "    f()\n"
        "ValueError: no\n"
        "heaptui leaves\n"
    )
    assert traces(log) == ['ValueError: no (File "a.py", line 1, in <module>)']
    assert traces("all is well\n") == []


# --- the whole -----------------------------------------------------------------------------------
def test_a_short_soak_with_a_kill_loses_nothing(heaptui, tmp_path):
    out = tmp_path / "report.json"
    done = heaptui(
        "soak", "--minutes", "0.13", "--rate", "120", "--seed", "7", "--json", "--out", str(out)
    )
    assert done.returncode == 0, done.stdout + done.stderr
    report = json.loads(done.stdout)
    assert report == json.loads(out.read_text())
    assert report["wrong"] == {"lost": 0, "duplicated": 0, "unexplained": 0}
    assert report["chaos"]["kill -9 of the supervisor"] == 1
    assert report["chaos"]["kill -9 of a worker"] >= 1
    assert sum(report["tasks"].values()) == sum(report["ended"].values()) > 5
    assert report["questions"][4]["met"] is None
    assert not heaptui.root.exists()


def test_an_interrupted_soak_reports_what_it_has(heaptui):
    soak = heaptui.start("soak", "--minutes", "10", "--seed", "1", "--no-chaos")
    words = b""
    while b"Ctrl-C" not in words:
        words += soak.stderr.read1()
    soak.send_signal(signal.SIGINT)
    out, _ = soak.communicate(timeout=60)
    assert soak.returncode == 0, out.decode()
    assert b"ended early by the operator" in out
    assert b"**Lost 0, duplicated 0, unexplained 0**" in out
