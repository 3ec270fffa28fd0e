"""What a snapshot would take, in lines: the target, the estimate, the room there is. Pure."""

from __future__ import annotations

import time
from collections.abc import Sequence

from heaptui.model import ProcessHeap, Row, SnapshotPlan
from heaptui.tui.heaps import runtime_of
from heaptui.tui.lines import BLANK, Line, Role, field, flow, one_line, sentence
from heaptui.units import duration, size

_VERDICT: dict[str, Role] = {"fits": "plain", "raise": "amber", "ask": "amber", "refused": "red"}

SECRETS = (
    "A snapshot holds every string of the program, so secrets too (environment, prompts): its file "
    "is kept 0600."
)


def target_lines(
    row: Row, heap: ProcessHeap | None, place: tuple[int, int], width: int
) -> list[Line]:
    """Which task, which attempt, which process: `place` of it and how many there are."""
    number, count = place
    pid = row.pid if heap is None else heap.pid
    text = f"task {row.id}, attempt {row.attempts}"
    if pid is not None:
        text += f", pid {pid}"
    if heap is not None:
        text += f", {runtime_of(heap)}"
        if heap.title:
            text += f" ({one_line(heap.title)[:40]})"
    elif row.started_at is not None:
        text += f", started {time.strftime('%H:%M:%S', time.localtime(row.started_at))}"
    lines = sentence(text, width)
    if count > 1:
        largest = ", the largest" if number == 1 else ""
        text = f"process {number} of {count} with a heap{largest}"
        lines += sentence(text, width, "dim")
    return lines


def plan_lines(plan: SnapshotPlan, width: int, height: int) -> list[Line]:
    """The estimate and what there is for it, in at most `height` lines: the arithmetic gives way
    to what must be said. The reasons begin with what the estimate rests on."""
    role = _VERDICT.get(plan.verdict, "amber")
    head = sentence(_said(plan), width, role)
    fields = [field("heap", size(plan.heap_bytes), "violet")]
    if plan.seconds is not None:
        fields.append(field("takes about", _seconds(plan.seconds)))
    if plan.extra_bytes is not None:
        fields.append(field("grows by up to", size(plan.extra_bytes)))
    if plan.file_bytes is not None:
        fields.append(field("file", size(plan.file_bytes)))
    rooms = [
        field(label, size(room))
        for label, room in (
            ("under the cap", plan.cap_room_bytes),
            ("on the host", plan.host_room_bytes),
            ("on disk", plan.disk_room_bytes),
        )
        if room is not None
    ]
    lines = [*head, BLANK, *flow(fields, width)]
    if rooms:
        lines += flow([(("free", "dim"),), *rooms], width)
    if plan.verdict == "fits":
        lines += sentence(f"by {one_line(plan.basis)}", width, "dim")
    must = [BLANK, *_warnings(plan, width)]
    reasons = [] if plan.verdict == "fits" else _reasons(plan.reasons, width)
    left = height - len(lines) - len(must)
    return [*lines[: max(0, height - len(must))], *reasons[: max(0, left)], *must]


def _said(plan: SnapshotPlan) -> str:
    return f"It {one_line(plan.text)}."


def _reasons(reasons: Sequence[str], width: int) -> list[Line]:
    return [line for reason in reasons for line in sentence(one_line(reason), width, "dim")]


def _warnings(plan: SnapshotPlan, width: int) -> list[Line]:
    if plan.verdict == "refused":
        return sentence("Milder: collect first, or raise the cap for the next attempt.", width)
    still = (
        "A forked copy writes it: the program goes on after some milliseconds."
        if plan.runtime == "python"
        else "The program stands still while it is written."
    )
    lines = sentence(f"{still} Once begun it cannot be cancelled.", width, "amber")
    lines += sentence(SECRETS, width)
    if plan.directory:
        lines += sentence(f"in {one_line(plan.directory)}", width, "dim")[:2]
    return lines


def hunt_lines(plan: SnapshotPlan, width: int, height: int) -> list[Line]:
    """What a leak hunt does, and what that costs."""
    lines = sentence(
        "Collects, takes a snapshot, waits, collects, takes another, and compares the two: what "
        "grew, what holds it, in which file.",
        width,
    )
    cost = "The program stands still twice"
    if plan.seconds is not None:
        cost += f", for about {_seconds(plan.seconds)} each"
    if plan.file_bytes is not None:
        cost += f"; two files of about {size(plan.file_bytes)}"
    lines += sentence(f"{cost}. Let it do meanwhile what makes it grow.", width)
    lines += sentence("While it waits it can be cancelled; a snapshot cannot.", width, "dim")
    role = _VERDICT.get(plan.verdict, "amber")
    if plan.verdict != "fits":
        lines += [BLANK, *sentence(_said(plan), width, role)]
        lines += _reasons(plan.reasons, width)
    lines = lines[: max(3, height - 3)]
    return [*lines, *sentence(SECRETS, width)]


def _seconds(value: float) -> str:
    return f"{value:.1f}s" if value < 10 else duration(value)
