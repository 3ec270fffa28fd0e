"""What a stop would hit, frozen when its dialog opened, and whether it is still the same."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from heaptui.family import split_words
from heaptui.model import Detail, ProcessSample, Row, State
from heaptui.tui.cells import cut, safe
from heaptui.tui.lines import Line, field, fitted, flow, one_line, sentence
from heaptui.tui.relations import children_lines
from heaptui.tui.words import loss_words
from heaptui.units import duration, size

LISTED = 8
"""Targets that a dialog names; the rest is a count."""

_PROCESSES = 4


@dataclass(frozen=True, slots=True)
class Target:
    """One task as the dialog showed it."""

    row: Row

    @property
    def name(self) -> str:
        return called(self.row)

    def changed(self, row: Row) -> str | None:
        """What is different about the task now, None while it is the one that was shown."""
        was = self.row
        if row.attempts != was.attempts:
            return f"{self.name} is at attempt {row.attempts} now, not {was.attempts}"
        if row.state.ended:
            return f"{self.name} has ended meanwhile ({row.state.value})"
        if was.pid is not None and (row.pid, row.started_at) != (was.pid, was.started_at):
            return f"{self.name} runs as another process now (pid {row.pid}, not {was.pid})"
        return None


def called(row: Row) -> str:
    """The task's name in one short line."""
    return cut(one_line(row.name or row.id), 40)


def identity_of(row: Row) -> str:
    """Which task, which attempt, which process where one runs."""
    identity = f"task {row.id}, attempt {row.attempts}" if row.attempts else f"task {row.id}"
    if row.pid is not None and row.state.live:
        identity += f", pid {row.pid}"
    if row.started_at is not None:
        identity += f", started {time.strftime('%H:%M:%S', time.localtime(row.started_at))}"
    return identity


def one_target(
    row: Row, detail: Detail | None, width: int, now: float, children: Sequence[Row] = ()
) -> list[Line]:
    """Which task, which attempt, which process, and what ends with it, be it `children`."""
    lines = sentence(identity_of(row), width)
    if row.state is State.SPLIT:
        return lines + _with_children(row, children, width)
    if not row.state.live:
        return lines + sentence("it waits: nothing runs, it leaves the queue", width)
    worked = "" if row.started_at is None else f"; {duration(now - row.started_at)} of work"
    lines += sentence(f"ends {_processes(row, detail)}{worked}", width)
    lines += sentence(loss_words(row, now), width, "plain" if row.checkpoint_at else "dim")
    if row.memory_bytes is not None:
        lines.append(field("gives back", size(row.memory_bytes)))
    if row.retries:
        lines += sentence("what is stopped is not retried", width, "dim")
    return lines


def _with_children(row: Row, children: Sequence[Row], width: int) -> list[Line]:
    """Those of the children that a stop would end."""
    lines = sentence(safe(split_words(row, children)), width)
    going = [child for child in children if not child.state.ended]
    if going:
        lines += sentence(f"ends its {_children(len(going))} that have not ended:", width)
        lines += children_lines(going[:LISTED], width)
        if len(going) > LISTED:
            lines.append(((f"and {len(going) - LISTED} more", "dim"),))
    lines.append(field("gives back", size(row.memory_bytes)))
    return lines + sentence("the results of those that are done are kept", width, "dim")


def _children(count: int) -> str:
    return f"{count} child" if count == 1 else f"{count} children"


def _processes(row: Row, detail: Detail | None) -> str:
    tree = detail.processes if detail is not None else ()
    count = len(tree) or row.processes
    if count is None:
        return "its processes"
    named = ", ".join(f"{_program(each)} {each.pid}" for each in tree[:_PROCESSES])
    more = f" and {len(tree) - _PROCESSES} more" if len(tree) > _PROCESSES else ""
    listed = f" ({named}{more})" if named else ""
    return f"{count} process{'es' * (count != 1)}{listed}"


def _program(process: ProcessSample) -> str:
    words = one_line(process.command).split()
    return cut(words[0].rpartition("/")[2] or words[0], 16) if words else "process"


def several_targets(rows: Sequence[Row], width: int, now: float) -> list[Line]:
    """A line for each of the first targets, then the sums."""
    lines: list[Line] = []
    for row in rows[:LISTED]:
        pid = "waits" if row.pid is None else f"pid {row.pid}"
        if row.state is State.SPLIT:
            pid = _children(row.children)
        worked = "" if row.started_at is None else duration(now - row.started_at)
        name = fitted(((called(row), "strong"),), width - 36)
        rest = f"  {pid:<12} try {row.attempts:<3}{size(row.memory_bytes):>7} {worked:>6}"
        lines.append((*name, (rest, "plain")))
    if len(rows) > LISTED:
        lines.append(((f"and {len(rows) - LISTED} more", "dim"),))
    counts = [row.processes for row in rows if row.processes is not None]
    memory = [row.memory_bytes for row in rows if row.memory_bytes is not None]
    sums = [field("tasks", str(len(rows)))]
    if counts:
        sums.append(field("processes", str(sum(counts))))
    if memory:
        sums.append(field("memory", size(sum(memory))))
    split = sum(row.children for row in rows if row.state is State.SPLIT)
    if split:
        sums.append(field("with their children", str(split)))
    waiting = sum(not row.state.live and row.state is not State.SPLIT for row in rows)
    kept = sum(row.checkpoint_at is not None for row in rows)
    if kept:
        sums.append(field("with a checkpoint", str(kept)))
    if waiting:
        sums.append(field("of them waiting", str(waiting)))
    return [*lines, *flow(sums, width)]
