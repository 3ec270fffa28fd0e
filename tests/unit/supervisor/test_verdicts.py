"""Why an attempt ended: every kind of verdict by the order of the facts, with its evidence."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heaptui.engine.base import RuntimeReport, Traces
from heaptui.engine.last_words import COLLECTIONS, TRACEBACK
from heaptui.model import OUT_OF_MEMORY, VerdictKind, Work
from heaptui.supervisor import verdicts
from heaptui.supervisor.verdicts import LITTLE_AVAILABLE, judge
from tests.unit.supervisor.tasks import exited, lost

MIB = 1 << 20
PID = 41
K = VerdictKind

HEAP_LINE = "FATAL ERROR: Reached heap limit Allocation failed - JavaScript heap out of memory"
SEMI_LINE = "FATAL ERROR: Committing semi space failed. Allocation failed - JavaScript heap out of"
RESERVE_LINE = "# Fatal process OOM in Failed to reserve virtual memory for CodeRange"
BUFFER_LINE = "RangeError: Array buffer allocation failed"
WORKER_LINE = "Error [ERR_WORKER_OUT_OF_MEMORY]: Worker terminated due to reaching memory limit"
ARRAY_LINE = "numpy._core._exceptions._ArrayMemoryError: Unable to allocate 8.00 GiB"
OPTION_LINE = "node: bad option: --foo"
BAD_ALLOC = "terminate called after throwing an instance of 'std::bad_alloc'"
NODE = "Node.js v20.20.2"

HEAP = Traces(words=(COLLECTIONS, HEAP_LINE), last_line=HEAP_LINE)
SEMI = Traces(words=(COLLECTIONS, SEMI_LINE), last_line=SEMI_LINE)
SEMI_LIMITED = Traces(
    words=(COLLECTIONS, SEMI_LINE), last_line=SEMI_LINE, data_limit_bytes=600 * MIB
)
RESERVE = Traces(words=(RESERVE_LINE,), last_line=RESERVE_LINE)
BUFFER = Traces(words=(NODE, BUFFER_LINE), last_line=BUFFER_LINE)
WORKER = Traces(words=(NODE, WORKER_LINE), last_line=WORKER_LINE)
PYTHON = Traces(words=(TRACEBACK, "MemoryError"), last_line="MemoryError")
ARRAY = Traces(words=(TRACEBACK, ARRAY_LINE), last_line=ARRAY_LINE)
OPTION = Traces(words=(OPTION_LINE,), last_line=OPTION_LINE)
NATIVE = Traces(words=(BAD_ALLOC,), last_line=BAD_ALLOC)
REPORT = RuntimeReport(
    pid=PID,
    runtime="node",
    trigger="OOMError",
    message="Allocation failed - JavaScript heap out of memory",
    heap_used_bytes=190 * MIB,
    heap_limit_bytes=200 * MIB,
    path="/state/tasks/a/1.reports/node.41.001.json",
)
OWN_REPORT = Traces(reports=(REPORT,))
CHILDS_REPORT = Traces(
    reports=(RuntimeReport(pid=77, runtime="node", trigger="OOMError", message=REPORT.message),)
)
PROCESS_REPORT = Traces(
    reports=(RuntimeReport(pid=PID, runtime="node", trigger="OOMError", message="process oom"),)
)
OTHER_REPORT = Traces(reports=(RuntimeReport(pid=PID, runtime="node", trigger="FatalError"),))
GROUPS_KILL = Traces(oom_kills=1, limit_reached=False)
NAMED = Traces(host_oom="the kernel's log: the machine …", host_oom_named=True)
COUNTED = Traces(host_oom="the kernel killed 1 process", available_bytes=2 * LITTLE_AVAILABLE)
COUNTED_FULL = Traces(host_oom="the kernel killed 1 process", available_bytes=MIB)
FULL = Traces(available_bytes=MIB)
HALF_OF_LIMIT = Traces(data_limit_bytes=600 * MIB, memory_bytes=300 * MIB)
LITTLE_OF_LIMIT = Traces(data_limit_bytes=600 * MIB, memory_bytes=20 * MIB)
BARE_ERROR = Traces(words=("MemoryError",), last_line="MemoryError", data_limit_bytes=600 * MIB)


DRAINED = Work(at=1.0, drained=True)
TOLD = Work(at=1.0, result_bytes=7)
TOLD_ITS_PART = Work(at=1.0, drained=True, result_bytes=7)


@pytest.mark.parametrize(
    ("outcome", "stop_why", "kind", "text"),
    [
        ({"code": 0}, None, K.FINISHED, "finished"),
        ({"code": 3}, None, K.FAILED, "exit code 3"),
        ({"error": "cannot execute 'x'"}, None, K.BAD_LAUNCH, "cannot execute 'x'"),
        ({"error": "gone"}, "stop", K.BAD_LAUNCH, "gone"),
        ({"signal": 9}, None, K.KILLED, "killed by SIGKILL, not by heaptui"),
        ({"signal": 15}, None, K.KILLED, "killed by SIGTERM, not by heaptui"),
        ({"signal": 6}, None, K.ABORTED, "crashed: SIGABRT"),
        ({"signal": 11}, None, K.ABORTED, "crashed: SIGSEGV"),
        ({"signal": 9}, "kill", K.STOPPED, "killed by the operator"),
        ({"signal": 15}, "stop", K.STOPPED, "stopped by the operator"),
        ({"signal": 15}, "drain", K.STOPPED, "stopped by the operator"),
        ({"signal": 15, "work": DRAINED}, "drain", K.STOPPED, "drained by the operator"),
        ({"signal": 15}, "recycle", K.STOPPED, "recycled"),
        ({"signal": 9, "stopped": True}, None, K.STOPPED, "ended by heaptui"),
        ({"code": 5}, "stop", K.STOPPED, "stopped by the operator"),
        ({"code": 0}, "stop", K.FINISHED, "finished"),
        ({"code": 0}, "recycle", K.STOPPED, "recycled"),
        ({"code": 0, "work": DRAINED}, "recycle", K.STOPPED, "recycled"),
        ({"code": 0, "work": DRAINED}, "drain", K.STOPPED, "drained by the operator"),
        ({"code": 0, "work": TOLD}, "recycle", K.FINISHED, "finished"),
        ({"code": 0, "work": TOLD}, "drain", K.FINISHED, "finished"),
        ({"code": 0, "work": TOLD}, "split", K.FINISHED, "finished"),
        ({"code": 0, "work": TOLD_ITS_PART}, "recycle", K.STOPPED, "recycled"),
        ({"code": 0, "work": TOLD_ITS_PART}, "drain", K.STOPPED, "drained by the operator"),
        ({"code": 0, "work": TOLD_ITS_PART}, "split", K.STOPPED, "ended to be split"),
        ({"code": 0}, "split", K.STOPPED, "ended to be split"),
        ({"signal": 15}, "split", K.STOPPED, "ended to be split"),
        ({"code": 0, "work": Work(at=1.0)}, "drain", K.FINISHED, "finished"),
        ({"code": 0, "work": DRAINED}, "stop", K.FINISHED, "finished"),
        ({"signal": 15}, "timeout", K.TIMED_OUT, "ended after its time-out of 1m30"),
        ({"code": 0}, "timeout", K.TIMED_OUT, "ended after its time-out of 1m30"),
        ({"signal": 9, "cap_hit": "over"}, None, K.CAP, "over"),
        ({"signal": 9, "cap_hit": "over"}, "stop", K.CAP, "over"),
        ({"signal": 9, "cap_hit": "over"}, "recycle", K.CAP, "over"),
        ({"code": 0, "cap_hit": "a child"}, None, K.CAP, "a child"),
    ],
)
def test_the_verdict_on_an_end(outcome, stop_why, kind, text):
    verdict = judge(exited(**outcome), stop_why, 90.0)
    assert (verdict.kind, verdict.text) == (kind, text)


@pytest.mark.parametrize(
    ("outcome", "traces", "stop_why", "kind"),
    [
        # V8's heap: by the notice, the report, or both; as a shell passes it on; in a recycle
        ({"signal": 6}, HEAP, None, K.V8_HEAP),
        ({"signal": 6}, OWN_REPORT, None, K.V8_HEAP),
        ({"code": 134}, HEAP, None, K.V8_HEAP),
        ({"code": 134}, CHILDS_REPORT, None, K.V8_HEAP),
        ({"code": 1}, CHILDS_REPORT, None, K.V8_HEAP),
        ({"signal": 6}, HEAP, "recycle", K.V8_HEAP),
        ({"signal": 6}, OWN_REPORT, "stop", K.V8_HEAP),
        ({"signal": 6}, OWN_REPORT, "timeout", K.V8_HEAP),
        ({"signal": 6}, SEMI, None, K.V8_HEAP),
        # what a tool inside suffered is not why it was stopped, or finished
        ({"signal": 15}, CHILDS_REPORT, "stop", K.STOPPED),
        ({"code": 1}, CHILDS_REPORT, "timeout", K.TIMED_OUT),
        ({"signal": 15}, CHILDS_REPORT, None, K.KILLED),
        ({"code": 0}, CHILDS_REPORT, None, K.FINISHED),
        # memory beside the heap
        ({"signal": 6}, SEMI_LIMITED, None, K.NATIVE_OOM),
        ({"signal": 5}, RESERVE, None, K.NATIVE_OOM),
        ({"code": 133}, RESERVE, None, K.NATIVE_OOM),
        ({"signal": 6}, NATIVE, None, K.NATIVE_OOM),
        ({"signal": 6}, PROCESS_REPORT, None, K.NATIVE_OOM),
        ({"code": 1}, BUFFER, None, K.NATIVE_OOM),
        ({"code": 1}, WORKER, None, K.NATIVE_OOM),
        # Python
        ({"code": 1}, PYTHON, None, K.PYTHON_MEMORY),
        ({"code": 1}, ARRAY, None, K.PYTHON_MEMORY),
        # an abort for another reason
        ({"signal": 6}, OTHER_REPORT, None, K.ABORTED),
        ({"code": 139}, Traces(), None, K.ABORTED),
        ({"signal": 7}, Traces(), None, K.ABORTED),
        ({"signal": 11}, LITTLE_OF_LIMIT, None, K.ABORTED),
        # an option
        ({"code": 9}, OPTION, None, K.BAD_LAUNCH),
        ({"code": 1}, OPTION, None, K.FAILED),
        ({"code": 9}, Traces(), None, K.FAILED),
        # the machine
        ({"signal": 9}, GROUPS_KILL, None, K.HOST_OOM),
        ({"code": 0}, GROUPS_KILL, None, K.HOST_OOM),
        ({"signal": 9}, NAMED, None, K.HOST_OOM),
        ({"code": 1}, NAMED, None, K.HOST_OOM),
        ({"signal": 9}, NAMED, "recycle", K.HOST_OOM),
        ({"signal": 15}, NAMED, "stop", K.STOPPED),
        ({"signal": 9}, GROUPS_KILL, "kill", K.STOPPED),
        ({"signal": 9}, COUNTED_FULL, None, K.HOST_OOM),
        ({"code": 137}, COUNTED_FULL, None, K.HOST_OOM),
        # where nothing says it for sure
        ({"signal": 9}, COUNTED, None, K.UNKNOWN),
        ({"code": 137}, COUNTED, None, K.UNKNOWN),
        ({"signal": 9}, FULL, None, K.UNKNOWN),
        ({"signal": 11}, HALF_OF_LIMIT, None, K.UNKNOWN),
        ({"code": 134}, HALF_OF_LIMIT, None, K.UNKNOWN),
        ({"code": 1}, BARE_ERROR, None, K.UNKNOWN),
        # from outside, or a child's end that a shell passes on
        ({"signal": 9}, Traces(limit_reached=False, available_bytes=MIB), None, K.KILLED),
        ({"code": 137}, Traces(), None, K.FAILED),
        ({"code": 143}, Traces(), None, K.FAILED),
    ],
)
def test_the_verdict_by_what_was_left_to_be_seen(outcome, traces, stop_why, kind):
    verdict = judge(exited(pid=PID, traces=traces, **outcome), stop_why, 90.0)
    assert verdict.kind is kind, verdict


PRINTED = (HEAP, SEMI, RESERVE, BUFFER, WORKER, PYTHON, ARRAY, NATIVE, OPTION)


@given(
    traces=st.sampled_from(PRINTED),
    code=st.sampled_from([*range(2, 9), *range(10, 132), *range(135, 256)]),
)
def test_a_printed_line_alone_decides_nothing(traces, code):
    verdict = judge(exited(pid=PID, code=code, traces=traces), None, None)
    assert verdict.kind not in OUT_OF_MEMORY
    assert verdict.kind is not K.BAD_LAUNCH


@given(
    traces=st.sampled_from(PRINTED),
    after=st.sampled_from(["OSError: disk full", "done", "no MemoryError"]),
    outcome=st.sampled_from([{"code": 1}, {"code": 9}, {"signal": 6}, {"code": 134}]),
)
def test_a_line_after_which_something_else_was_said_decides_nothing(traces, after, outcome):
    went_on = Traces(words=traces.words, last_line=after)
    verdict = judge(exited(pid=PID, traces=went_on, **outcome), None, None)
    assert verdict.kind in (K.FAILED, K.ABORTED)


@given(
    traces=st.builds(
        Traces,
        oom_kills=st.integers(0, 3),
        limit_reached=st.sampled_from([None, True, False]),
        host_oom=st.sampled_from([None, "the kernel killed"]),
        host_oom_named=st.booleans(),
        words=st.sampled_from([one.words for one in PRINTED]),
        last_line=st.sampled_from([one.last_line for one in PRINTED]),
        reports=st.sampled_from([(), (REPORT,)]),
        data_limit_bytes=st.sampled_from([None, 600 * MIB]),
        memory_bytes=st.sampled_from([None, 0, 500 * MIB]),
        available_bytes=st.sampled_from([None, 0, 1 << 40]),
    ),
    outcome=st.one_of(
        st.integers(0, 255).map(lambda code: {"code": code}),
        st.integers(1, 64).map(lambda number: {"signal": number}),
    ),
    stop_why=st.sampled_from([None, "stop", "kill", "drain", "recycle", "timeout"]),
)
def test_every_end_has_one_verdict_and_a_sentence(traces, outcome, stop_why):
    verdict = judge(exited(pid=PID, traces=traces, **outcome), stop_why, 90.0)
    assert verdict.text
    assert "\n" not in verdict.text
    assert verdict.kind is not K.LOST
    assert verdict.evidence
    if verdict.kind is K.CAP:
        pytest.fail("nothing said that its cap was reached")
    if outcome == {"code": 0} and not traces.oom_kills and traces.host_oom is None:
        asked = stop_why if stop_why in ("timeout", "recycle") else None
        assert (
            verdict.kind is {"timeout": K.TIMED_OUT, "recycle": K.STOPPED, None: K.FINISHED}[asked]
        )


def test_the_evidence_of_a_heap_s_end():
    traces = Traces(
        words=(COLLECTIONS, HEAP_LINE),
        last_line=HEAP_LINE,
        reports=(REPORT,),
        memory_bytes=213 * MIB,
        age_s=0.44,
        growth_bytes_per_s=105.0 * MIB,
        available_bytes=22 << 30,
    )
    verdict = judge(exited(pid=PID, signal=6, traces=traces), None, None)
    assert verdict.text == "reached V8's heap limit of 200M"
    assert verdict.evidence == (
        "signal 6 (SIGABRT)",
        f"report of 41 in {REPORT.path}: OOMError, {REPORT.message}, heap 190M of 200M",
        f"printed: {HEAP_LINE}",
        "last sample 0.4 s before its end: 213M, +105M/s; 22.0G available on the machine",
    )


def test_the_evidence_says_how_it_ended_and_who_says_so():
    traces = Traces(oom_kills=1, limit_reached=True)
    verdict = judge(exited(signal=9, how="pidfd", cap_hit="over", traces=traces), None, None)
    assert verdict.evidence == (
        "signal 9 (SIGKILL)",
        "exit code by pidfd",
        "oom_kill 1 in its memory group, which came to its limit",
    )
    assert judge(exited(code=3), None, None).evidence == ("exit code 3",)
    assert judge(exited(error="no"), None, None).evidence == ()


@pytest.mark.parametrize("stop_why", ["stop", "drain", "recycle", "split"])
@pytest.mark.parametrize(
    ("items_done", "result_bytes", "finished"),
    [
        (3, None, True),
        (2, None, False),
        # by its own count that is the result of a part
        (2, 7, False),
        # one that reports no items says by its result that it did them
        (0, 7, True),
        (None, 7, True),
        (0, None, False),
    ],
)
def test_one_that_is_asked_to_end_has_finished_with_all_of_its_items(
    stop_why, items_done, result_bytes, finished
):
    work = Work(at=1.0, items_done=items_done, result_bytes=result_bytes)
    kind = judge(exited(code=0, work=work), stop_why, None, 3).kind
    asked_early = stop_why in ("recycle", "split") and result_bytes is None
    assert kind is (K.FINISHED if finished and not asked_early else K.STOPPED)
    assert judge(exited(code=0, work=work), None, None, 3).kind is K.FINISHED


def test_a_recycle_says_what_was_held_then():
    verdict = judge(exited(signal=15, traces=Traces(memory_bytes=240 * MIB)), "recycle", None)
    assert verdict.text == "recycled at 240M"


def test_in_mid_snapshot_only_a_bad_end_says_so():
    bad = judge(exited(signal=9), None, None)
    assert verdicts.in_mid_snapshot(bad).text.endswith("while its heap snapshot was written")
    good = judge(exited(code=0), None, None)
    assert verdicts.in_mid_snapshot(good) == good


def test_a_signal_without_a_name_has_its_number():
    assert verdicts.signal_name(9) == "SIGKILL"
    assert verdicts.signal_name(200) == "signal 200"


def test_a_loss_says_why():
    verdict = verdicts.lost(lost(why="reboot"))
    assert (verdict.kind, verdict.evidence) == (VerdictKind.LOST, ("reboot",))
    assert verdict.text == "lost: it is gone"
