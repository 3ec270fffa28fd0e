"""What happened to a task, a line each, the newest at the bottom."""

from __future__ import annotations

import time
from collections.abc import Sequence

from heaptui.model import AttemptRecord, Event, VerdictKind
from heaptui.tui.lines import Line, Role, fitted, one_line, sentence

_CALM_ENDS = frozenset((VerdictKind.FINISHED, VerdictKind.STOPPED))
_ROLES: dict[str, Role] = {
    **{kind.value: "red" for kind in VerdictKind if kind not in _CALM_ENDS},
    "quarantine": "red",
    "alert": "amber",
    **dict.fromkeys(
        (
            "adopted", "gc", "placed", "raised", "recycle", "recycled", "soft", "stop", "stopped",
            "try-again",
        ),
        "sky",
    ),
}  # fmt: skip


def event_role(kind: str) -> Role:
    """Red: it ended badly; amber: it is in danger; sky: heaptui acted; else plain."""
    return _ROLES.get(kind, "plain")


def clock_time(at: float, now: float, seconds: bool = False) -> str:
    """Local time of day; with the date in front when it was another day."""
    then = time.localtime(at)
    form = "%H:%M:%S" if seconds else "%H:%M"
    if then[:3] != time.localtime(now)[:3]:
        form = "%d %b " + form
    return time.strftime(form, then)


def evidence_of(record: AttemptRecord) -> list[str]:
    """What its verdict rests on, where that says more than the reason."""
    return [text for text in record.evidence if text != record.reason]


def recent(events: Sequence[Event], width: int, count: int, now: float) -> list[Line]:
    """The last `count` events, each in one line of `width` columns."""
    lines: list[Line] = []
    for event in sorted(events, key=lambda each: (each.at, each.seq))[-count:]:
        stamp = clock_time(event.at, now)
        text = one_line(event.text or event.kind)
        lines.append(fitted(((f"{stamp} ", "dim"), (text, event_role(event.kind))), width))
    return lines


def event_lines(events: Sequence[Event], width: int, now: float) -> list[Line]:
    """Every event with its second, its attempt where there was more than one, and its text."""
    ordered = sorted(events, key=lambda each: (each.at, each.seq))
    if not ordered:
        return [(("  nothing has happened to this task yet", "dim"),)]
    several = len({event.attempt for event in ordered if event.attempt}) > 1
    stamps = [clock_time(event.at, now, seconds=True) for event in ordered]
    stamp_width = max(map(len, stamps))
    lines: list[Line] = []
    for stamp, event in zip(stamps, ordered, strict=True):
        head = f" {stamp:>{stamp_width}}  "
        if several:
            head += f"try {event.attempt}  " if event.attempt else "       "
        room = max(10, width - len(head))
        role = event_role(event.kind)
        first, *rest = sentence(one_line(event.text or event.kind), room, role)
        lines.append(((head, "dim"), *first))
        lines += [((" " * len(head), "plain"), *line) for line in rest]
    return lines
