"""What the supervisor is told about an attempt's end."""

from __future__ import annotations

import errno
import os
import signal
from pathlib import Path

from heaptui.engine.base import Exited, Lost, Message, Traces
from heaptui.engine.run import Run
from heaptui.engine.warden_link import RunEnded

_FORK_NOISE_BYTES = 2 << 20
_PASSING = (
    errno.ENOSPC,
    errno.EDQUOT,
    errno.ENOMEM,
    errno.EAGAIN,
    errno.EMFILE,
    errno.ENFILE,
    errno.ENOBUFS,
)
"""What keeps a command from being executed and is not its own doing."""


def ending(run: Run, ended: RunEnded, node: str, warden_rss: int, traces: Traces) -> Exited | Lost:
    """An end that nobody saw is `Lost`, unless the cap's evidence tells how it came about."""
    if ended.how != "unseen":
        return exited(run, ended, node, warden_rss, traces)
    if run.cap_hit is not None:
        return exited(run, _killed_at_its_cap(ended), node, warden_rss, traces)
    return lost(ended)


def exited(
    run: Run, ended: RunEnded, node: str, warden_rss: int, traces: Traces | None = None
) -> Exited:
    """`warden_rss` in bytes, see `_peak`; `traces` None: it never began."""
    return Exited(
        task_id=ended.task,
        attempt=ended.attempt,
        node=node,
        at=ended.at,
        pid=ended.pid,
        code=ended.code,
        signal=ended.signal,
        error=ended.error,
        peak_bytes=_peak(ended, warden_rss),
        cap_hit=run.cap_hit,
        stopped=run.stopped,
        how=ended.how,
        output_bytes=_written(run.plan.output),
        traces=traces or Traces(),
        work=run.work,
        passing=_passing(ended.error),
    )


def lost(ended: RunEnded) -> Lost:
    if ended.why == "reboot":
        text = "lost: the machine restarted while it ran"
    else:
        text = "lost: it ended while nothing watched it; its exit code is not known"
    return Lost(
        task_id=ended.task,
        attempt=ended.attempt,
        at=ended.at,
        why=ended.why or "unwatched",
        text=text,
    )


def message(run: Run, kind: str, text: str, at: float) -> Message:
    return Message(task_id=run.plan.task_id, attempt=run.plan.attempt, at=at, kind=kind, text=text)


def _passing(error: str | None) -> bool:
    return error is not None and any(os.strerror(one) in error for one in _PASSING)


def _killed_at_its_cap(ended: RunEnded) -> RunEnded:
    return RunEnded(
        task=ended.task,
        attempt=ended.attempt,
        at=ended.at,
        pid=ended.pid,
        start=ended.start,
        signal=signal.SIGKILL,
        how="the evidence of its cap",
    )


def _peak(ended: RunEnded, warden_rss: int) -> int | None:
    """The kernel's figure for the largest single process. It counts what the process was before it
    became the command, a copy of the warden: only beyond that does it say anything."""
    if ended.maxrss is None or ended.maxrss <= warden_rss + _FORK_NOISE_BYTES:
        return None
    return ended.maxrss


def _written(path: str) -> int | None:
    try:
        return Path(path).stat().st_size
    except OSError:
        return None
