"""Why an attempt ended, in one sentence, from what the engine saw and what heaptui did to it."""

from __future__ import annotations

import signal

from msgspec.structs import replace

from heaptui import units
from heaptui.engine.base import Exited, Lost
from heaptui.model import AttemptRecord, State, Verdict, VerdictKind

_HEAP = "JavaScript heap out of memory"


def signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def judge(
    exited: Exited, stop_why: str | None, timeout_s: float | None, words: str | None = None
) -> Verdict:
    """The verdict on an attempt that ended.

    `stop_why` is what heaptui was doing to it: `stop`, `kill`, `timeout` or None. An attempt that
    finished by itself with 0 while it was being stopped counts as finished: its work is done.
    `words` is what its runtime printed when it aborted.
    """
    how = [] if exited.how == "waitpid" else [f"exit code by {exited.how}"]
    evidence = (*_ending(exited), *how, *exited.evidence)
    if exited.error is not None:
        return Verdict(VerdictKind.BAD_LAUNCH, exited.error, evidence)
    if exited.cap_hit is not None:
        return Verdict(VerdictKind.CAP, exited.cap_hit, evidence)
    if stop_why == "timeout":
        limit = units.duration(timeout_s)
        return Verdict(VerdictKind.TIMED_OUT, f"ended after its time-out of {limit}", evidence)
    if exited.code == 0:
        return Verdict(VerdictKind.FINISHED, "finished", evidence)
    if stop_why is not None:
        text = "killed by the operator" if stop_why == "kill" else "stopped by the operator"
        return Verdict(VerdictKind.STOPPED, text, evidence)
    if exited.signal is not None:
        text = f"killed by {signal_name(exited.signal)}, not by heaptui"
        if exited.signal in (signal.SIGABRT, signal.SIGSEGV, signal.SIGBUS, signal.SIGILL):
            if words is not None and _HEAP in words:
                return Verdict(VerdictKind.FAILED, "reached V8's heap limit", (*evidence, words))
            said = words or signal_name(exited.signal)
            return Verdict(VerdictKind.FAILED, f"crashed: {said}", evidence)
        return Verdict(VerdictKind.KILLED, text, evidence)
    return Verdict(VerdictKind.FAILED, f"exit code {exited.code}", evidence)


def _ending(exited: Exited) -> tuple[str, ...]:
    if exited.error is not None:
        return ()
    if exited.signal is not None:
        return (f"signal {exited.signal} ({signal_name(exited.signal)})",)
    return (f"exit code {exited.code}",)


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
