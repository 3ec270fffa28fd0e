"""What is known of a task beyond its figures: its launch, its limits, its attempts."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from heaptui.model import AttemptRecord, Detail, Row, VerdictKind
from heaptui.tui.cells import left
from heaptui.tui.lines import Line, Role, field, flow, indented, one_line, sentence
from heaptui.tui.relations import part_words, split_lines
from heaptui.tui.widgets.dock.events import clock_time, evidence_of
from heaptui.tui.widgets.dock.heap import heap_facts
from heaptui.tui.words import cap_source_words
from heaptui.units import UNKNOWN, duration, short_size, size

_LABEL = 11


def task_facts(detail: Detail, width: int, now: float, children: Sequence[Row] = ()) -> list[Line]:
    """The lines of the full view below its dock. `children` are what it was split into, as far as
    they are held."""
    row = detail.row
    room = max(20, width - _LABEL - 2)
    command = one_line(shlex.join(detail.launch or row.argv))
    lines = _labelled("command", sentence(command, room))
    if detail.launch and detail.launch != row.argv:
        lines += _labelled("asked for", sentence(one_line(shlex.join(row.argv)), room, "dim"))
    lines += _labelled("in", sentence(one_line(row.cwd), room))
    if part := part_words(row):
        lines += _labelled("is", sentence(part, room))
    if row.items is not None:
        lines += _labelled("items", sentence(_items(row), room))
    if row.children:
        lines += _labelled("children", split_lines(row, children, room))
    lines += _labelled("limits", flow(_limits(row), room, gap=3))
    if detail.heaps or row.heap_absent:
        heap = heap_facts(detail.heaps, row, room, now)
        lines += _labelled("heaps" if len(detail.heaps) > 1 else "heap", heap)
    lines += _labelled("environment", _environment(detail.env_names, room))
    lines += _labelled("attempts", attempt_lines(detail.attempts, room, now))
    return lines


def _items(row: Row) -> str:
    done = "" if row.items_done is None else f", {row.items_done:,} of them done"
    return f"{row.items or 0:,} to work through{done}"


def _labelled(label: str, lines: Sequence[Line]) -> list[Line]:
    head = ((f" {label:<{_LABEL}} ", "dim"), *lines[0])
    return [head, *indented(lines[1:], _LABEL + 2)]


def _limits(row: Row) -> list[Line]:
    fields: list[Line] = []
    if row.cap_bytes is None:
        fields.append(field("cap", UNKNOWN))
    else:
        means = "" if row.cap_means is None else f" by {row.cap_means.value}"
        cap = field("cap", short_size(row.cap_bytes))
        fields.append((*cap, (f"{means}, {cap_source_words(row)}", "dim")))
    if row.soft_bytes is not None:
        fields.append(field("soft at", size(row.soft_bytes)))
    if row.heap_limit_bytes is not None:
        fields.append(field("heap", size(row.heap_limit_bytes), "violet"))
    if row.preset:
        fields.append(field("preset", one_line(row.preset)))
    fields.append(field("time-out", "none" if row.timeout_s is None else duration(row.timeout_s)))
    fields.append(field("grace", duration(row.grace_s)))
    fields.append(field("retries", str(row.retries)))
    fields.append(field("priority", str(row.priority)))
    return fields


def _environment(names: Sequence[str], room: int) -> list[Line]:
    if not names:
        return sentence("as submitted; no variable was given with the task", room, "dim")
    given = ", ".join(one_line(name) for name in names)
    return sentence(f"{given} (values are never shown)", room)


def attempt_lines(attempts: Sequence[AttemptRecord], room: int, now: float) -> list[Line]:
    """Each attempt in a line, the newest first, its evidence under those that ended badly."""
    if not attempts:
        return sentence("none yet", room, "dim")
    lines: list[Line] = []
    for each in sorted(attempts, key=lambda record: record.attempt, reverse=True):
        lines.append(
            (
                (f"{each.attempt:>2}  ", "dim"),
                (left(_times(each, now), 22), "plain"),
                (f" peak {size(each.peak_bytes):<6}", "dim"),
                (f"  {outcome_of(each)}", outcome_role(each)),
            )
        )
        if outcome_role(each) != "plain":
            for evidence in evidence_of(each):
                lines += indented(sentence(one_line(evidence), max(10, room - 4), "dim"), 4)
    return lines


def _times(record: AttemptRecord, now: float) -> str:
    if record.started_at is None:
        return "not started"
    begun = clock_time(record.started_at, now, seconds=True)
    if record.ended_at is None:
        return f"{begun} until now"
    return f"{begun} for {duration(record.ended_at - record.started_at)}"


def outcome_of(record: AttemptRecord) -> str:
    """How it ended, in words: the reason the supervisor gave, else its status."""
    if record.ended_at is None and record.verdict is None:
        return one_line(record.status)
    verdict = "" if record.verdict is None else record.verdict.value
    return one_line(record.reason or verdict or record.status)


def outcome_role(record: AttemptRecord) -> Role:
    """Red: it ended badly."""
    calm = (None, VerdictKind.FINISHED, VerdictKind.STOPPED)
    return "plain" if record.verdict in calm else "red"
