"""Why an attempt ended, as a sentence with its evidence."""

from __future__ import annotations

import pytest

from heaptui.model import VerdictKind
from heaptui.supervisor import verdicts
from heaptui.supervisor.verdicts import judge
from tests.unit.supervisor.tasks import exited, lost


@pytest.mark.parametrize(
    ("outcome", "stop_why", "kind", "text"),
    [
        ({"code": 0}, None, VerdictKind.FINISHED, "finished"),
        ({"code": 3}, None, VerdictKind.FAILED, "exit code 3"),
        ({"error": "cannot execute 'x'"}, None, VerdictKind.BAD_LAUNCH, "cannot execute 'x'"),
        ({"error": "gone"}, "stop", VerdictKind.BAD_LAUNCH, "gone"),
        ({"signal": 9}, None, VerdictKind.KILLED, "killed by SIGKILL, not by heaptui"),
        ({"signal": 15}, None, VerdictKind.KILLED, "killed by SIGTERM, not by heaptui"),
        ({"signal": 6}, None, VerdictKind.FAILED, "crashed: SIGABRT"),
        ({"signal": 11}, None, VerdictKind.FAILED, "crashed: SIGSEGV"),
        ({"signal": 9}, "kill", VerdictKind.STOPPED, "killed by the operator"),
        ({"signal": 15}, "stop", VerdictKind.STOPPED, "stopped by the operator"),
        ({"code": 5}, "stop", VerdictKind.STOPPED, "stopped by the operator"),
        ({"code": 0}, "stop", VerdictKind.FINISHED, "finished"),
        ({"signal": 15}, "timeout", VerdictKind.TIMED_OUT, "ended after its time-out of 1m30"),
        ({"code": 0}, "timeout", VerdictKind.TIMED_OUT, "ended after its time-out of 1m30"),
        ({"signal": 9, "cap_hit": "over"}, None, VerdictKind.CAP, "over"),
        ({"signal": 9, "cap_hit": "over"}, "stop", VerdictKind.CAP, "over"),
        ({"code": 0, "cap_hit": "a child"}, None, VerdictKind.CAP, "a child"),
    ],
)
def test_the_verdict_on_an_end(outcome, stop_why, kind, text):
    verdict = judge(exited(**outcome), stop_why, 90.0)
    assert (verdict.kind, verdict.text) == (kind, text)


def test_the_evidence_says_how_it_ended_and_who_says_so():
    verdict = judge(exited(signal=9, how="pidfd", evidence=("oom_kill 1",)), None, None)
    assert verdict.evidence == ("signal 9 (SIGKILL)", "exit code by pidfd", "oom_kill 1")
    assert judge(exited(code=3), None, None).evidence == ("exit code 3",)
    assert judge(exited(error="no"), None, None).evidence == ()


def test_a_signal_without_a_name_has_its_number():
    assert verdicts.signal_name(9) == "SIGKILL"
    assert verdicts.signal_name(200) == "signal 200"


def test_a_loss_says_why():
    verdict = verdicts.lost(lost(why="reboot"))
    assert (verdict.kind, verdict.evidence) == (VerdictKind.LOST, ("reboot",))
    assert verdict.text == "lost: it is gone"
