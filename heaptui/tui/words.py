"""Verdicts and the progress of work in as few words as a line has room for. Pure."""

from __future__ import annotations

from heaptui.model import Row, VerdictKind
from heaptui.tui.cells import safe
from heaptui.units import duration, size

_VERDICTS = {
    VerdictKind.FINISHED: "finished",
    VerdictKind.FAILED: "failed",
    VerdictKind.ABORTED: "aborted",
    VerdictKind.BAD_LAUNCH: "could not start",
    VerdictKind.V8_HEAP: "V8 heap limit",
    VerdictKind.NATIVE_OOM: "no native memory",
    VerdictKind.PYTHON_MEMORY: "MemoryError",
    VerdictKind.CAP: "over its cap",
    VerdictKind.HOST_OOM: "machine out of memory",
    VerdictKind.STOPPED: "stopped",
    VerdictKind.TIMED_OUT: "timed out",
    VerdictKind.KILLED: "killed from outside",
    VerdictKind.LOST: "nobody knows how",
    VerdictKind.UNKNOWN: "nobody knows why",
}

_CAP_SOURCES = {
    "given": "given",
    "grown": "grown after it ran out of memory",
    "raised": "raised for now",
}

_PLAIN_MAX = 1e7
"""Larger counts are written with an exponent: they are no figures of work that anybody reads."""


def verdict_words(row: Row) -> str:
    """Why its last attempt ended: two or three words, where its reason is a sentence."""
    if row.verdict is None:
        return row.state.value
    if row.verdict is VerdictKind.FAILED and row.exit_code is not None:
        return f"exit code {row.exit_code}"
    return _VERDICTS[row.verdict]


def done_share(row: Row) -> float | None:
    """The share of its work that is done, None where its worker does not tell it."""
    if row.done is None or not row.total or row.total <= 0:
        return None
    return row.done / row.total


def progress_words(row: Row) -> str:
    """`120 of 200 (60 %) parses file 120`, as much of it as the worker tells; "" for nothing."""
    parts = []
    if row.done is not None:
        share = done_share(row)
        of = "" if share is None else f" of {_number(row.total)} ({share:.0%})".replace("%", " %")
        parts.append(_number(row.done) + of)
    return " ".join([*parts, safe(row.progress)]).strip()


def progress_cell(row: Row) -> str:
    """The same for a column: `60% parses file 120`, `120 parses file 120`."""
    share = done_share(row)
    amount = f"{share:.0%}" if share is not None else _number(row.done)
    return " ".join((amount, safe(row.progress))).strip()


def cap_source_words(row: Row) -> str:
    """Where its cap comes from."""
    return _CAP_SOURCES.get(row.cap_source, "a share of this host's memory")


def tells_progress(row: Row) -> bool:
    return row.done is not None or bool(row.progress)


def keeps_checkpoints(row: Row) -> bool:
    """What this attempt does can go on in another: it can be asked for a checkpoint, or has kept
    one by itself."""
    if "checkpoint" in row.can:
        return True
    began, kept = row.started_at, row.checkpoint_at
    return kept is not None and began is not None and kept >= began


def checkpoint_words(row: Row, now: float) -> str | None:
    """`4m12 old, 61k`, None where there is none."""
    if row.checkpoint_at is None:
        return None
    kept = "" if row.checkpoint_bytes is None else f", {size(row.checkpoint_bytes)}"
    return f"{duration(max(0.0, now - row.checkpoint_at))} old{kept}"


def loss_words(row: Row, now: float) -> str:
    """What would have to be done again if it ended now."""
    if row.checkpoint_at is None:
        return "no checkpoint is kept: another attempt begins anew"
    return f"newest checkpoint {checkpoint_words(row, now)}: a resume loses what came since"


def _number(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:,.0f}" if abs(value) < _PLAIN_MAX else f"{value:.3g}"
