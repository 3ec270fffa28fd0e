"""Verdicts and the progress of work in as few words as a line has room for. Pure."""

from __future__ import annotations

from heaptui import family
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

_PAIR_MAX = 11
"""Cells of `done/total` that still read at a glance."""
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


def label_of(row: Row, *, within: bool) -> str:
    """As `family.label_of`, harmless."""
    return safe(family.label_of(row, within=within))


def pair_words(row: Row) -> str:
    """`57/200`, `57` where nobody says of how many; "" for nothing."""
    of = "" if done_share(row) is None else f"/{_number(row.total)}"
    return _number(row.done) + of


def progress_words(row: Row) -> str:
    """`120/200 (60 %) parses file 120`, as much of it as the worker tells; "" for nothing."""
    share = done_share(row)
    percent = "" if share is None else f"({share:.0%})".replace("%", " %")
    return " ".join(part for part in (pair_words(row), percent, safe(row.progress)) if part)


def progress_cell(row: Row) -> str:
    """The same for a column: `120/200 parses file 120`, `60% parses file 120` where the figures are
    long or no whole numbers."""
    pair, share = pair_words(row), done_share(row)
    counted = len(pair) <= _PAIR_MAX and (row.done or 0.0) % 1 == (row.total or 0.0) % 1 == 0
    amount = pair if share is None or counted else f"{share:.0%}"
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
