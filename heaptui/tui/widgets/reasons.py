"""What stands in the place of figures that a row does not have: why, the next step, and since
when. Pure.

The next step is never cut for the sake of the reason: where both do not fit, the reason is said in
fewer words.
"""

from __future__ import annotations

from dataclasses import dataclass

from rich.cells import cell_len

from heaptui import units
from heaptui.family import split_words
from heaptui.model import Row, State, VerdictKind
from heaptui.tui.cells import left, right, safe
from heaptui.tui.danger import Danger
from heaptui.tui.families import ALONE, Kinship
from heaptui.tui.lines import Role, Span
from heaptui.tui.widgets.look import Look
from heaptui.tui.words import pair_words, verdict_words

_AGE_STEP_S = 10
_LEGIBLE = 40
"""Cells of a reason that is cut and still says more than the short form."""
_GAP = "   "
_DOES = {State.RECYCLING: "recycles", State.SPLITTING: "drains to be split"}
_STANDS: dict[Danger, Role] = {
    Danger.CALM: "plain",
    Danger.AMBER: "amber",
    Danger.RED: "red",
}


@dataclass(frozen=True, slots=True)
class Reason:
    """`text`, and the same in ever fewer words in `short`; `step` is what comes next, `more` what
    is worth saying only where there is room."""

    text: str
    role: Role
    short: tuple[str, ...] = ()
    step: tuple[Span, ...] = ()
    more: tuple[Span, ...] = ()


def age(seconds: float) -> str:
    """`<10s`, `40s`, `6m`, `3h05`: in steps of ten seconds, then of minutes, so that a calm table
    is not painted every second."""
    if seconds < _AGE_STEP_S:
        return f"<{_AGE_STEP_S}s"
    if seconds < 60:
        return f"{int(seconds // _AGE_STEP_S) * _AGE_STEP_S}s"
    return f"{int(seconds // 60)}m" if seconds < 3600 else units.duration(seconds)


def instead(row: Row, width: int, look: Look, gap: int, kinship: Kinship = ALONE) -> list[Span]:
    """`gap` blanks and at most `width` cells."""
    since = _since(row, look, short=width < 70) if width > 24 else ""
    reason = reason_of(row, look, kinship)
    room = width - len(since) - 2 if since else width
    if since and not _fits(reason, room) and _fits(reason, width):
        # what to do is worth more than how long ago it was
        since, room = "", width
    said = _fitted(reason, room, look)
    if since:
        used = sum(cell_len(text) for text, _ in said)
        said.append((right(since, width - used), "dim"))
    return [(" " * gap, "plain"), *said]


def _fits(reason: Reason, room: int) -> bool:
    """The next step has room beside the reason, in whatever words."""
    least = min(map(cell_len, (reason.text, *reason.short)))
    return not reason.step or least + _cells(_parted(reason.step)) <= room


def _fitted(reason: Reason, room: int, look: Look) -> list[Span]:
    step = _parted(reason.step)
    space = room - _cells(step)
    whole = cell_len(reason.text) <= space
    text = reason.text
    if step and not whole and space < _LEGIBLE:
        fitting = [short for short in reason.short if cell_len(short) <= space]
        text = fitting[0] if fitting else next(iter(reason.short), text)
    if step and cell_len(text) > space and space < _LEGIBLE:
        # too narrow for both: the state's sign says the rest
        step, space = [], room
    said: list[Span] = [(left(text, min(space, cell_len(text)), look.glyphs), reason.role), *step]
    more = _parted(reason.more)
    if whole and _cells(said) + _cells(more) <= room:
        said += more
    return [(text, role) for text, role in said if text]


def _parted(spans: tuple[Span, ...]) -> list[Span]:
    return [(_GAP, "plain"), *spans] if spans else []


def _cells(spans: list[Span]) -> int:
    return sum(cell_len(text) for text, _ in spans)


def _since(row: Row, look: Look, *, short: bool) -> str:
    """Right of the reason: how long ago it ended, and the tries where it was more than one."""
    if not row.state.ended or row.ended_at is None:
        return ""
    tries = f"  {row.attempts} tries" if row.attempts > 1 and not short else ""
    return f"{age(look.now - row.ended_at)} ago{tries}"


def doing_of(row: Row) -> str:
    """What heaptui does about its memory now, "" for nothing."""
    if row.doing:
        return safe(row.doing)
    return _DOES.get(row.state, "")


def reason_of(row: Row, look: Look, kinship: Kinship = ALONE) -> Reason:
    """Why it has no figures."""
    said = safe(row.reason or "")
    match row.state:
        case State.QUEUED:
            waits = safe(row.wait_reason or "waits for its turn")
            return Reason(waits, "plain", more=_admitted(row))
        case State.BACKOFF:
            tries: Span = (_next_try(row, look), "plain")
            return Reason(said or "failed", "red", (verdict_words(row),), step=(tries,))
        case State.STARTING:
            return Reason("starts", "dim")
        case State.RUNNING:
            return Reason("not measured yet", "dim")
        case State.RECYCLING:
            return Reason(doing_of(row), "sky")
        case State.SPLITTING:
            return Reason(doing_of(row), "sky")
        case State.STOPPING:
            return Reason(safe(row.doing or "stopping"), "sky")
        case State.SPLIT:
            stands = safe(kinship.standing or split_words(row, ()))
            items: Span = (pair_words(row), "plain")
            return Reason(stands, _STANDS[kinship.danger], step=(items,) if items[0] else ())
        case State.DONE | State.STOPPED:
            took = (
                f" after {units.duration(row.ended_at - row.started_at)}"
                if row.started_at is not None and row.ended_at is not None
                else ""
            )
            last = f" in try {row.attempts}" if took and row.attempts > 1 else ""
            return Reason((said or row.state.value) + took + last, "dim")
        case State.LOST:
            known = "nobody knows how it ended"
            text = f"{known}: {said}" if said else known
            return Reason(text, "red", (known, "lost"), step=_retry(look))
        case State.QUARANTINED:
            text = f"quarantined: {said}" if said else "quarantined"
            short = (f"quarantined: {verdict_words(row)}", verdict_words(row))
            return Reason(text, "red", short, step=next_step(row, look))
        case State.FAILED:
            return Reason(said or "failed", "red", (verdict_words(row),), step=next_step(row, look))


def next_step(row: Row, look: Look) -> tuple[Span, ...]:
    """The keys that go on with a task that ended badly."""
    if row.verdict is None or not row.verdict.out_of_memory or row.children:
        return _retry(look)
    if row.verdict is VerdictKind.HOST_OOM:
        # it was the machine that had too little, not the task
        return _retry(look)
    grown: tuple[Span, ...] = ((look.keys["task.raise"], "sky"), (" raise, then ", "plain"))
    if row.items is not None and (row.items_done or 0) < row.items:
        # what is too large for every limit fits in pieces
        return ((look.keys["task.split"], "sky"), (" split, or ", "plain"), *grown, *_retry(look))
    return (*grown, *_retry(look))


def _retry(look: Look) -> tuple[Span, ...]:
    return ((look.keys["task.retry"], "sky"), (" retry", "plain"))


def _admitted(row: Row) -> tuple[Span, ...]:
    """What its admission reckons with."""
    words = []
    if row.expected_bytes is not None and row.expected_bytes != row.cap_bytes:
        words.append(f"expected peak {units.size(row.expected_bytes)}")
    if row.attempts and row.checkpoint_at is not None:
        words.append("goes on from its checkpoint")
    return ((", ".join(words), "dim"),) if words else ()


def _next_try(row: Row, look: Look) -> str:
    cap = ""
    if row.cap_source == "grown" and row.cap_bytes is not None:
        cap = f" with a cap of {units.short_size(row.cap_bytes)}"
    if row.next_try_at is None:
        return f"next try{cap}"
    return f"next try{cap} in {units.duration(max(0.0, row.next_try_at - look.now))}"


def abridged(text: str, width: int) -> str:
    """`text`, else its first word, in at most `width` cells; "" where not even that fits."""
    if cell_len(text) <= width:
        return text
    first = text.split(" ", 1)[0] + "…"
    return first if cell_len(first) <= width else ""
