"""What became of a task, against what should have: lost, duplicated, unexplained. Pure.

Nothing that heaptui says is believed by itself: its rows and verdicts are held against what the
workers wrote down (notes.py), what chaos did (deeds.py) and the outcome that was known beforehand.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator
from enum import StrEnum

import msgspec
from msgspec import Struct

from heaptui.cli.soak.deeds import UNSEEN, Deed, DeedKind
from heaptui.cli.soak.notes import Line
from heaptui.cli.soak.programs.evidence import BEGIN, DRAINED, END, KEPT, OVERLAP, UNIT
from heaptui.cli.soak.workload import DYING, GOES_ON, GROWING, Planned, right_result
from heaptui.model import AttemptRecord, Row, State, VerdictKind

_UNSEEN_AROUND_S = 5.0
"""Before and after an attempt's end: how long a new warden takes to look around."""


class Wrong(StrEnum):
    """What may not be."""

    LOST = "lost"
    DUPLICATED = "duplicated"
    UNEXPLAINED = "unexplained"


class Finding(Struct, frozen=True, kw_only=True):
    """One thing that may not be, with its evidence in the text."""

    wrong: Wrong
    text: str
    task: str = ""
    task_id: str = ""


class Case(Struct, frozen=True, kw_only=True):
    """All that is known of one task once it is over. `row` None: heaptui knows no such task.
    `result` is what it handed in, `deeds` all that chaos did while it was there. `cut_short`: the
    soak itself ended it."""

    planned: Planned
    task_id: str
    row: Row | None
    attempts: tuple[AttemptRecord, ...] = ()
    lines: tuple[Line, ...] = ()
    result: bytes | None = None
    deeds: tuple[Deed, ...] = ()
    cut_short: bool = False


def findings(case: Case) -> list[Finding]:
    """Everything that is wrong with it; none when all is as it should be."""
    checks = (
        (Wrong.DUPLICATED, _duplicated),
        (Wrong.LOST, _lost),
        (Wrong.UNEXPLAINED, _unexplained),
    )
    return [
        Finding(wrong=wrong, text=text, task=case.planned.key, task_id=case.task_id)
        for wrong, check in checks
        for text in check(case)
    ]


def killed_by_memory_for_good(case: Case) -> bool:
    """Whether a lack of memory cost the work of a task that should have done it."""
    return (
        case.planned.expected.state is State.DONE
        and case.row is not None
        and case.row.state is not State.DONE
        and any(one.verdict is not None and one.verdict.out_of_memory for one in case.attempts)
        and not case.cut_short
    )


# --- duplicated ----------------------------------------------------------------------------------
def _duplicated(case: Case) -> Iterator[str]:
    for attempt, rows in Counter(one.attempt for one in case.attempts).items():
        if rows > 1:
            yield f"{rows} rows for attempt {attempt}"
    begun: dict[int, int] = {}
    latest, kept, told = 0, 0, set()
    done: set[tuple[int, int]] = set()
    for line in case.lines:
        if line.what == OVERLAP:
            yield f"attempt {line.attempt} (pid {line.pid}) began beside one that was still alive"
        if line.what == BEGIN:
            first = begun.setdefault(line.attempt, line.pid)
            if first != line.pid:
                yield f"attempt {line.attempt} began twice: pid {first}, then pid {line.pid}"
        if line.attempt < latest and line.attempt not in told:
            told.add(line.attempt)
            yield (
                f"attempt {line.attempt} (pid {line.pid}) still worked after attempt {latest} "
                "had begun"
            )
        latest = max(latest, line.attempt)
        if line.what == UNIT:
            if line.unit < kept:
                yield (
                    f"unit {line.unit} was done again by attempt {line.attempt}, though a "
                    f"checkpoint before unit {kept} stood"
                )
            elif (line.attempt, line.unit) in done:
                yield f"unit {line.unit} was done twice by attempt {line.attempt}"
            done.add((line.attempt, line.unit))
        if line.what == KEPT:
            kept = max(kept, line.unit)


# --- lost ----------------------------------------------------------------------------------------
def _lost(case: Case) -> Iterator[str]:
    expected, row = case.planned.expected, case.row
    if row is None:
        yield "heaptui knows nothing of it any more"
        return
    if case.cut_short or expected.state is not State.DONE or not row.state.ended:
        return
    if row.state is not State.DONE:
        yield f"its work was never done: {row.state} ({row.verdict}: {row.reason})"
        return
    done = {line.unit for line in case.lines if line.what == UNIT}
    units = expected.units
    if expected.result:
        result = _result(case.result)
        if result is None:
            yield "its result is not there, or cannot be read"
            return
        told = result.get("units")
        units = units if units is not None else told if isinstance(told, int) else 0
        if result != right_result(case.planned.key, units):
            yield f"its result is wrong: {case.result!r:.200}"
    if units is not None and done != set(range(units)):
        missing = sorted(set(range(units)) - done)
        more = sorted(done - set(range(units)))
        yield f"of {units} units {missing[:5]} were never done, {more[:5]} were never asked for"


def _result(raw: bytes | None) -> dict[str, object] | None:
    try:
        return None if raw is None else msgspec.json.decode(raw, type=dict[str, object])
    except msgspec.DecodeError:
        return None


# --- unexplained ---------------------------------------------------------------------------------
def _unexplained(case: Case) -> Iterator[str]:
    expected, row = case.planned.expected, case.row
    if row is None:
        return
    if not row.state.ended:
        yield f"it neither ended nor went on: {row.state}, {row.wait_reason or row.reason}"
        return
    if expected.state is not State.DONE and row.state is not expected.state and not case.cut_short:
        yield f"it should have ended {expected.state}, and is {row.state} ({row.reason})"
    numbers = {one.attempt for one in case.attempts}
    if numbers != set(range(1, row.attempts + 1)):
        yield f"{row.attempts} attempts were begun, and there are rows for {sorted(numbers)}"
    for number in sorted({line.attempt for line in case.lines} - numbers):
        yield f"a worker worked as attempt {number}, of which there is no row"
    for record in case.attempts:
        why = _wrong_verdict(case, record)
        if why is not None:
            yield f"attempt {record.attempt}: {record.verdict} ({record.reason}): {why}"
    dead = [one.cap_bytes or 0 for one in case.attempts if _of_memory(one)]
    if case.planned.role in DYING and any(a >= b for a, b in itertools.pairwise(dead)):
        yield f"it was tried again under the same cap: {dead}"


def _of_memory(record: AttemptRecord) -> bool:
    return record.verdict is not None and record.verdict.out_of_memory


def _wrong_verdict(case: Case, record: AttemptRecord) -> str | None:
    """Why this verdict cannot be, or cannot be left so; None when the evidence bears it out."""
    said = {line.what: line.unit for line in case.lines if line.attempt == record.attempt}
    match record.verdict:
        case None:
            return "an attempt of a task that ended has no verdict"
        case VerdictKind.FINISHED:
            if record.exit_code != 0:
                return f"its exit code was {record.exit_code}"
            clean = said.get(END) == 0 or DRAINED in said
            return None if clean else "the worker never came to its end"
        case VerdictKind.FAILED:
            code = case.planned.expected.code
            if not code or said.get(END) != code:
                return "the worker did not fail by itself"
            return None if record.exit_code == code else f"its exit code was {code}"
        case VerdictKind.KILLED:
            killed = _was(case, record, DeedKind.KILL_WORKER)
            return None if killed else "nobody killed it"
        case VerdictKind.LOST:
            return None if _unseen(case, record) else "somebody must have seen how it ended"
        case VerdictKind.STOPPED:
            asked = case.cut_short or case.planned.role in GOES_ON
            return None if asked else "nobody stopped it"
        case kind if kind.out_of_memory:
            if kind not in case.planned.expected.deaths and case.planned.role not in GROWING:
                return "it never held as much"
            return None if record.evidence else "there is no evidence with it"
        case VerdictKind.UNKNOWN:
            killed = _was(case, record, DeedKind.KILL_WORKER)
            return "chaos had killed it" if killed else "how it ended could be known"
    return "nothing in this task ends so"


def _was(case: Case, record: AttemptRecord, kind: DeedKind) -> bool:
    return any(
        deed.kind is kind and deed.task_id == case.task_id and deed.attempt == record.attempt
        for deed in case.deeds
    )


def _unseen(case: Case, record: AttemptRecord) -> bool:
    """Whether nobody watched when it may have ended: from its worker's last line to its end."""
    last = max((one.at for one in case.lines if one.attempt == record.attempt), default=None)
    begun = last or record.started_at or record.created_at
    ended = record.ended_at or begun
    return any(
        deed.kind in UNSEEN
        and deed.skipped is None
        and begun - _UNSEEN_AROUND_S <= deed.over_at
        and deed.at <= ended + _UNSEEN_AROUND_S
        for deed in case.deeds
    )
