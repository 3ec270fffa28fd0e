"""Why an attempt ended, in one sentence, from what the engine saw and what heaptui did to it. Pure.

The facts are asked in this order, and the first that answers decides:

1. It could not be executed: bad-launch.
2. heaptui or the kernel ended it at its cap, whatever code came out of it: cap. A shell that goes
   on after the kernel took its child returns 0.
3. The kernel killed one of its processes and the group had not come to its own limit, or the
   kernel's log names one: host-oom.
4. A runtime died of memory, shown by two facts that do not depend on each other: how it ended (an
   abort, or code 1), and either a report that it wrote itself or a notice in its due form with
   which the output ends (engine/last_words.py).
5. heaptui was ending it: timed-out, finished with code 0, or stopped.
6. Code 0: finished.
7. What its code or signal says by itself: bad-launch, aborted, killed-from-outside, failed; unknown
   where that would only be a guess.

What a program prints is never enough alone. A line that speaks of memory decides nothing unless it
is the runtime's last word, in its form, and the code or signal is the one that such a death has: a
program that prints such a line and fails for another reason prints something after it, or ends
otherwise. Behind a wrapper that returns a code of its own a line decides nothing at all: there a
report from the attempt's last seconds does, or the counter of its memory group. While heaptui ends
an attempt only an abort, or what the leader itself reported, counts as an end for lack of memory:
what a tool inside suffered is not why it was stopped.

A SIGKILL of unknown origin while the kernel killed for memory on this machine is host-oom when next
to nothing was available, else unknown, with the last samples. Unknown as well, where an RLIMIT_DATA
was in force: a crash with half of it in use, for a runtime that is refused memory may crash so, and
the name of Python's MemoryError without its traceback.
"""

from __future__ import annotations

import signal

from msgspec.structs import replace

from heaptui import units
from heaptui.engine.base import Exited, Lost, RuntimeReport, Traces
from heaptui.engine.last_words import Notice, closing_notice, notice_of
from heaptui.model import AttemptRecord, State, Verdict, VerdictKind

LITTLE_AVAILABLE = 256 << 20
"""Below it, in bytes, the kernel may kill any moment."""

_CRASHES = frozenset(
    (
        signal.SIGABRT,
        signal.SIGSEGV,
        signal.SIGBUS,
        signal.SIGILL,
        signal.SIGFPE,
        signal.SIGTRAP,
        signal.SIGSYS,
    )
)
_ABORTS = frozenset((signal.SIGABRT, signal.SIGTRAP, signal.SIGILL))
"""What runtimes end themselves with."""

_SHELLS_BASE = 128
"""A shell returns this and the number of the signal that ended its child."""

_FATAL_OOM = "OOMError"
_OF_THE_HEAP = "heap out of memory"
_BAD_OPTION_CODE = 9
_UNCAUGHT = 1

_MEMORY_NOTICES: dict[Notice, tuple[VerdictKind, str]] = {
    Notice.V8_HEAP: (VerdictKind.V8_HEAP, "reached V8's heap limit"),
    Notice.V8_REFUSED: (
        VerdictKind.NATIVE_OOM,
        "ran out of native memory: the system refused what V8 asked for",
    ),
    Notice.RESERVATION: (
        VerdictKind.NATIVE_OOM,
        "ran out of native memory: V8 could not reserve what it needs",
    ),
    Notice.NATIVE: (VerdictKind.NATIVE_OOM, "ran out of native memory"),
    Notice.BUFFER: (VerdictKind.NATIVE_OOM, "ran out of native memory: no room for a buffer"),
    Notice.WORKER_THREAD: (
        VerdictKind.NATIVE_OOM,
        "one of its worker threads reached its memory limit",
    ),
    Notice.PYTHON: (VerdictKind.PYTHON_MEMORY, "ended by Python's MemoryError"),
}
_SAID_WITH_CODE_1 = frozenset((Notice.BUFFER, Notice.WORKER_THREAD, Notice.PYTHON))
_SAID_WITH_ABORT: dict[Notice, frozenset[int]] = {
    Notice.V8_HEAP: frozenset((signal.SIGABRT,)),
    Notice.V8_REFUSED: frozenset((signal.SIGABRT,)),
    Notice.NATIVE: frozenset((signal.SIGABRT,)),
    Notice.RESERVATION: _ABORTS,
}

_BY_OPERATOR = "stopped by the operator"
_STOPPED = {
    "kill": "killed by the operator",
    "drain": "drained by the operator",
    "recycle": "recycled",
    "split": "ended to be split",
}


def signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def judge(
    exited: Exited, stop_why: str | None, timeout_s: float | None, items: int | None = None
) -> Verdict:
    """The verdict on an attempt that ended.

    `stop_why` is what heaptui was doing to it: `stop`, `kill`, `drain`, `recycle`, `split`,
    `timeout` or None. An attempt that finished by itself with 0 while it was being stopped counts
    as finished: its work is done. One that was recycled or is to be split is so only with its
    result, and one that says that it drained is not; nor is one that had `items` to work through
    and reported fewer of them.
    """
    kind, text = _answer(exited, stop_why, timeout_s, items)
    brief = kind is VerdictKind.FINISHED
    return Verdict(kind, text, _evidence(exited, brief=brief))


def _answer(
    exited: Exited, stop_why: str | None, timeout_s: float | None, items: int | None
) -> tuple[VerdictKind, str]:
    if exited.error is not None:
        return VerdictKind.BAD_LAUNCH, exited.error
    if exited.cap_hit is not None:
        return VerdictKind.CAP, exited.cap_hit
    stopping = stop_why is not None or exited.stopped
    return (
        _by_the_host(exited, stopping=stopping)
        or _out_of_memory(exited, stopping=stopping)
        or (_stopped(exited, stop_why, timeout_s, items) if stopping else None)
        or _by_its_end(exited)
    )


def _by_the_host(exited: Exited, *, stopping: bool) -> tuple[VerdictKind, str] | None:
    traces = exited.traces
    text = "the machine ran out of memory: killed by the kernel, below its cap"
    if (
        traces.host_oom is not None
        and traces.host_oom_named
        and (not stopping or _died_of(exited) == signal.SIGKILL)
    ):
        return VerdictKind.HOST_OOM, text
    if stopping:
        return None
    if traces.oom_kills and traces.limit_reached is False:
        return VerdictKind.HOST_OOM, text
    if traces.host_oom is not None and _died_of(exited) == signal.SIGKILL:
        if _little_available(traces):
            return VerdictKind.HOST_OOM, text
        return VerdictKind.UNKNOWN, (
            "killed, perhaps for the machine's memory: the kernel killed for that then, "
            "and does not say whom"
        )
    return None


def _out_of_memory(exited: Exited, *, stopping: bool) -> tuple[VerdictKind, str] | None:
    if exited.code == 0:
        return None
    traces = exited.traces
    died_of = _died_of(exited)
    said = closing_notice(traces.words, traces.last_line)
    if said is not None and died_of in _SAID_WITH_ABORT.get(said, ()):
        return _by_notice(said, traces)
    own = [one for one in _fatal(traces) if one.pid == exited.pid]
    if own:
        return _by_report(own[-1])
    if stopping:
        return None
    # a wrapper returns what it likes; a shell the signal of its child
    others = _fatal(traces)
    if others and (exited.code is not None or died_of in _ABORTS):
        kind, text = _by_report(others[-1])
        return kind, f"a process inside {text}"
    if exited.code == _UNCAUGHT and said is not None and said in _SAID_WITH_CODE_1:
        return _by_notice(said, traces)
    return None


def _by_notice(said: Notice, traces: Traces) -> tuple[VerdictKind, str]:
    if said is Notice.V8_REFUSED and traces.data_limit_bytes is None:
        # with no limit of the system's in force it is the heap's own that was reached
        said = Notice.V8_HEAP
    kind, text = _MEMORY_NOTICES[said]
    limits = [one.heap_limit_bytes for one in _fatal(traces) if one.heap_limit_bytes]
    if said is Notice.V8_HEAP and limits:
        text += f" of {units.size(limits[-1])}"
    return kind, text


def _by_report(report: RuntimeReport) -> tuple[VerdictKind, str]:
    if _OF_THE_HEAP not in report.message:
        return _MEMORY_NOTICES[Notice.V8_REFUSED]
    limit = report.heap_limit_bytes
    of = f" of {units.size(limit)}" if limit else ""
    return VerdictKind.V8_HEAP, f"reached V8's heap limit{of}"


def _fatal(traces: Traces) -> list[RuntimeReport]:
    return [one for one in traces.reports if one.trigger == _FATAL_OOM]


def _stopped(
    exited: Exited, stop_why: str | None, timeout_s: float | None, items: int | None
) -> tuple[VerdictKind, str]:
    if stop_why == "timeout":
        limit = units.duration(timeout_s)
        return VerdictKind.TIMED_OUT, f"ended after its time-out of {limit}"
    if exited.code == 0 and not _has_more_to_do(exited, stop_why, items):
        return VerdictKind.FINISHED, "finished"
    text = "ended by heaptui" if stop_why is None else _STOPPED.get(stop_why, _BY_OPERATOR)
    if stop_why == "drain" and (exited.work is None or not exited.work.drained):
        text = _BY_OPERATOR
    held = exited.traces.memory_bytes
    if stop_why == "recycle" and held is not None:
        text = f"{text} at {units.size(held)}"
    return VerdictKind.STOPPED, text


def _has_more_to_do(exited: Exited, stop_why: str | None, items: int | None) -> bool:
    """A worker that was asked to end early is done only if it told its result; what it handed in
    before it said that it drained is no more than its own part, and so is what one handed in that
    reported some of its items and not all."""
    work = exited.work
    drained = work is not None and work.drained
    resulted = work is not None and work.result_bytes is not None and not drained
    reported = (work.items_done or 0) if work is not None else 0
    if items is not None and reported < items and (reported or not resulted):
        return True
    if resulted:
        return False
    return stop_why in ("recycle", "split") or (stop_why == "drain" and drained)


def _by_its_end(exited: Exited) -> tuple[VerdictKind, str]:
    code, died_of = exited.code, _died_of(exited)
    if code == 0:
        return VerdictKind.FINISHED, "finished"
    traces = exited.traces
    said = closing_notice(traces.words, traces.last_line)
    if code == _BAD_OPTION_CODE and said is Notice.BAD_OPTION:
        return VerdictKind.BAD_LAUNCH, f"its runtime refuses an option: {traces.last_line}"
    if died_of in _CRASHES and died_of is not None:
        return _crashed(exited, died_of)
    # a memory group's counter would say that the kernel took somebody
    if died_of == signal.SIGKILL and traces.limit_reached is None and _little_available(traces):
        return VerdictKind.UNKNOWN, (
            f"killed by SIGKILL, not by heaptui, with {units.size(traces.available_bytes)} "
            "available on the machine: perhaps for its memory"
        )
    if exited.signal is not None:
        return VerdictKind.KILLED, f"killed by {signal_name(exited.signal)}, not by heaptui"
    if code == _UNCAUGHT and _bare_memory_error(traces):
        return VerdictKind.UNKNOWN, (
            f"exit code {code}, perhaps for lack of memory: it printed {traces.last_line}"
        )
    if died_of is not None:
        name = signal_name(died_of)
        return VerdictKind.FAILED, f"exit code {code}: a process inside was ended by {name}"
    return VerdictKind.FAILED, f"exit code {code}"


def _crashed(exited: Exited, died_of: int) -> tuple[VerdictKind, str]:
    who = "crashed" if exited.signal is not None else "a process inside crashed"
    text = f"{who}: {signal_name(died_of)}"
    limit, held = exited.traces.data_limit_bytes, exited.traces.memory_bytes
    if limit is not None and held is not None and held >= limit / 2:
        return VerdictKind.UNKNOWN, (
            f"{text}, perhaps for lack of memory: {units.size(held)} were in use under a process "
            f"limit of {units.size(limit)}"
        )
    return VerdictKind.ABORTED, text


def _bare_memory_error(traces: Traces) -> bool:
    """Without memory Python may not print a traceback: that another did not either is not known."""
    limited = traces.data_limit_bytes is not None
    return limited and notice_of(traces.last_line) is Notice.PYTHON


def _little_available(traces: Traces) -> bool:
    return traces.available_bytes is not None and traces.available_bytes < LITTLE_AVAILABLE


def _died_of(exited: Exited) -> int | None:
    """The signal that ended it, or a process inside, as a shell passes it on."""
    if exited.signal is not None:
        return exited.signal
    number = (exited.code or 0) - _SHELLS_BASE
    return number if number in _CRASHES or number == signal.SIGKILL else None


def _evidence(exited: Exited, *, brief: bool) -> tuple[str, ...]:
    traces = exited.traces
    lines: list[str] = []
    if exited.signal is not None:
        lines.append(f"signal {exited.signal} ({signal_name(exited.signal)})")
    elif exited.code is not None:
        lines.append(f"exit code {exited.code}")
    if exited.how != "waitpid":
        lines.append(f"exit code by {exited.how}")
    if traces.oom_kills:
        own = {True: ", which came to its limit", False: ", which had not come to its limit"}
        reached = "" if traces.limit_reached is None else own[traces.limit_reached]
        lines.append(f"oom_kill {traces.oom_kills} in its memory group{reached}")
    if traces.host_oom is not None:
        lines.append(traces.host_oom)
    lines += [_reported(one) for one in traces.reports]
    lines += [f"printed: {line}" for line in traces.words if notice_of(line) is not None]
    if brief:
        return tuple(lines)
    if traces.data_limit_bytes is not None:
        lines.append(f"RLIMIT_DATA {units.size(traces.data_limit_bytes)} for each process")
    if traces.memory_bytes is not None:
        lines.append(_sampled(traces))
    return tuple(lines)


def _reported(report: RuntimeReport) -> str:
    heap = ""
    if report.heap_used_bytes is not None and report.heap_limit_bytes is not None:
        of = units.size(report.heap_limit_bytes)
        heap = f", heap {units.size(report.heap_used_bytes)} of {of}"
    where = f" in {report.path}" if report.path else ""
    return f"report of {report.pid}{where}: {report.trigger}, {report.message}{heap}"


def _sampled(traces: Traces) -> str:
    age = "" if traces.age_s is None else f" {traces.age_s:.1f} s before its end"
    line = f"last sample{age}: {units.size(traces.memory_bytes)}"
    if traces.growth_bytes_per_s is not None:
        sign = "+" if traces.growth_bytes_per_s >= 0 else ""
        line += f", {sign}{units.size(traces.growth_bytes_per_s)}/s"
    if traces.available_bytes is not None:
        line += f"; {units.size(traces.available_bytes)} available on the machine"
    return line


def in_mid_snapshot(verdict: Verdict) -> Verdict:
    """The same, of an attempt of which a heap snapshot was being written."""
    if verdict.kind in (VerdictKind.FINISHED, VerdictKind.STOPPED, VerdictKind.TIMED_OUT):
        return verdict
    return replace(verdict, text=f"{verdict.text}, while its heap snapshot was written")


def lost(event: Lost) -> Verdict:
    """The verdict on an attempt whose end nobody could see."""
    return Verdict(VerdictKind.LOST, event.text, (event.why,))


def closed(record: AttemptRecord, event: Exited | Lost) -> AttemptRecord:
    """An attempt whose task has gone on without it, with its end."""
    if isinstance(event, Lost):
        verdict, status, code, number, peak = lost(event), State.LOST, None, None, None
    else:
        verdict = judge(event, None, None)
        finished = verdict.kind is VerdictKind.FINISHED
        status = State.DONE if finished else State.FAILED
        code, number, peak = event.code, event.signal, event.peak_bytes
    return replace(
        record,
        status=status.value,
        ended_at=event.at,
        peak_bytes=max(record.peak_bytes or 0, peak or 0) or None,
        exit_code=code,
        signal=number,
        verdict=verdict.kind,
        reason=verdict.text,
        evidence=verdict.evidence,
    )
