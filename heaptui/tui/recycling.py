"""What a recycle would do to which tasks, and what came of it, in words. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from heaptui.model import Row, State
from heaptui.tui.heaps import why_no_heap
from heaptui.tui.lines import Line, Role, field, fitted, flow, one_line, sentence
from heaptui.tui.targets import LISTED, called, identity_of
from heaptui.tui.widgets.dialog import Choice
from heaptui.tui.words import checkpoint_words, keeps_checkpoints
from heaptui.units import duration, size

_ENDS = "then it ends and starts again with a clean heap"


def recycle_lines(rows: Sequence[Row], width: int, now: float, drain_s: float) -> list[Line]:
    """Whom it is about, and what happens to it. `drain_s`: so long it may finish what it has in
    hand."""
    if len(rows) == 1:
        return _one(rows[0], width, now, drain_s)
    lines = [_listed(row, width, now) for row in rows[:LISTED]]
    if len(rows) > LISTED:
        lines.append(((f"and {len(rows) - LISTED} more", "dim"),))
    lost = sum(not keeps_checkpoints(row) for row in rows)
    if lost < len(rows):
        lines += sentence(f"Each is asked for a checkpoint; {_ENDS}.", width)
    if lost:
        whose = "All" if lost == len(rows) else f"{lost} of them"
        lines += sentence(f"{whose} without a checkpoint: what those did is lost.", width, "red")
    return lines + sentence(_within(drain_s), width, "dim")


def _one(row: Row, width: int, now: float, drain_s: float) -> list[Line]:
    lines = sentence(identity_of(row), width)
    fields = [field("memory", size(row.memory_bytes))]
    if row.recycles:
        fields.append(field("recycled before", f"{row.recycles} x"))
    lines += flow(fields, width)
    if not keeps_checkpoints(row):
        worked = "" if row.started_at is None else f" of {duration(now - row.started_at)}"
        older = checkpoint_words(row, now)
        kept = "Its worker keeps" if older is None else "This attempt has kept"
        lines += sentence(f"{kept} no checkpoint.", width, "amber")
        then = "it begins anew" if older is None else f"it goes on from one that is {older}"
        lines += sentence(f"All its work{worked} is lost: {then}.", width, "red")
        return lines + sentence(_within(drain_s), width, "dim")
    newest = checkpoint_words(row, now)
    if "checkpoint" in row.can:
        has = "it has none yet" if newest is None else f"the newest is {newest}"
        lines += sentence(f"It is asked for a checkpoint ({has}); {_ENDS} from there.", width)
    else:
        lines += sentence(f"It cannot be asked for a checkpoint; the newest is {newest}.", width)
        lines += sentence("What it did since is done again, from there.", width, "amber")
    return lines + sentence(_within(drain_s), width, "dim")


def _within(drain_s: float) -> str:
    return f"It has {duration(drain_s)} to finish what it has in hand, then it is stopped."


def _listed(row: Row, width: int, now: float) -> Line:
    name = fitted(((called(row), "strong"),), width - 51)
    kept: tuple[str, Role] = ("no checkpoint yet", "plain")
    if not keeps_checkpoints(row):
        kept = ("keeps no checkpoint", "amber")
    elif row.checkpoint_at is not None:
        kept = (f"checkpoint {duration(max(0.0, now - row.checkpoint_at))} old", "plain")
    pid = "" if row.pid is None else f"pid {row.pid}"
    return (
        *name,
        (f"  {pid:<12}try {row.attempts:<3}{size(row.memory_bytes):>6}  ", "plain"),
        kept,
    )


RECYCLE, ANEW, COLLECT = "recycle", "anew", "collect"


def recycle_choices(rows: Sequence[Row]) -> list[Choice]:
    """To lose work takes another key than to keep it."""
    keeping = [row for row in rows if keeps_checkpoints(row)]
    choices = []
    if keeping:
        part = f" {len(keeping)} without loss" if len(keeping) < len(rows) else ""
        choices.append(Choice("r", f"recycle{part}", RECYCLE))
    if len(keeping) < len(rows):
        lost = "its work" if len(rows) == 1 else "work"
        whom = f"all {len(rows)}" if keeping else "begin anew"
        choices.append(Choice("A", f"{whom}, losing {lost}", ANEW))
    if any(why_no_heap(row) is None for row in rows):
        choices.append(Choice("g", "only collect garbage", COLLECT))
    return choices


def chosen_rows(answer: str, rows: Sequence[Row]) -> list[Row]:
    """Whom the answer is about."""
    return [row for row in rows if answer != RECYCLE or keeps_checkpoints(row)]


def recycled(before: Sequence[Row], after: Sequence[Row], took_s: float) -> tuple[str, bool]:
    """The sentence that says what came of it, and whether something did not."""
    now = {row.id: row for row in after}
    pairs = [(row, now[row.id]) for row in before if row.id in now]
    done = [(was, row) for was, row in pairs if _went_on(was, row)]
    others = [(was, row) for was, row in pairs if not _went_on(was, row)]
    lines = []
    if len(done) == 1:
        was, row = done[0]
        gave = "" if was.memory_bytes is None else f", gives back {size(was.memory_bytes)}"
        how = "goes on from its checkpoint" if row.checkpoint_at is not None else "begins anew"
        kept = "" if row.checkpoint_bytes is None else f" of {size(row.checkpoint_bytes)}"
        lines.append(f"{called(was)}: recycled in {duration(took_s)}{gave}; {how}{kept}")
    elif done:
        gave_bytes = sum(was.memory_bytes or 0 for was, _ in done)
        lines.append(
            f"{len(done)} tasks recycled in {duration(took_s)}, give back {size(gave_bytes)}"
        )
    lines += [f"{called(was)}: not recycled: {_is_now(row)}" for was, row in others[:2]]
    if len(others) > 2:
        lines.append(f"and {len(others) - 2} more were not recycled")
    return "\n".join(lines) or "Nothing was there to recycle.", bool(others) or not done


def _went_on(was: Row, row: Row) -> bool:
    return row.recycles > was.recycles


def _is_now(row: Row) -> str:
    """What became of one that was not recycled."""
    if row.state is State.DONE:
        return "it had finished before"
    if row.state is State.RUNNING:
        return one_line(row.doing) if row.doing else "it runs on, and its events say why"
    return one_line(row.reason or row.wait_reason or row.state.value)
