"""Long work, a line each: what, how far, how long, and whether it can be cancelled. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from heaptui.model import Activity
from heaptui.tui.cells import bar, cut, safe
from heaptui.tui.glyphs import Glyphs
from heaptui.tui.lines import Line, Span, fitted, joined, width_of
from heaptui.units import duration

SHOWN = 3
"""Lines at most; what is more is a count."""

_NAME_MAX = 24
_BAR, _BAR_NARROW = 20, 10
_NARROW = 100
_WORK = {"gc": "collection", "hunt": "leak hunt"}
_ALMOST = 0.99
"""A bar that rests on an estimate never says that it is over: the answer does."""


def activity_lines(
    activities: Sequence[Activity], width: int, now: float, glyphs: Glyphs
) -> list[Line]:
    """Nothing when nothing goes on. Only the first that can be cancelled offers `esc`."""
    shown = activities if len(activities) <= SHOWN else activities[: SHOWN - 1]
    first = to_cancel(activities)
    tails = [_tail(each, now, narrow=width < _NARROW, here=each is first) for each in shown]
    # bars stand under one another, so that two can be compared
    widest = max((width_of(tail) for tail in tails), default=0)
    lines = [
        _line(each, fitted(tail, widest), width, now, glyphs)
        for each, tail in zip(shown, tails, strict=True)
    ]
    if len(shown) < len(activities):
        lines.append(((f"   and {len(activities) - len(shown)} more", "dim"),))
    return lines


def work_of(activity: Activity) -> str:
    """`collection`, `snapshot`, `leak hunt`."""
    return safe(_WORK.get(activity.kind, activity.kind))


def to_cancel(activities: Sequence[Activity]) -> Activity | None:
    """Which one `esc` is about."""
    return next((each for each in activities if each.cancellable), None)


def _line(activity: Activity, tail: Line, width: int, now: float, glyphs: Glyphs) -> Line:
    """What it does at the left, how far it is at the right."""
    head: list[Span] = [(f" {glyphs.draining} ", "sky")]
    if activity.name:
        head += [(cut(safe(activity.name), _NAME_MAX, glyphs), "strong"), (" ", "plain")]
    if activity.kind == "hunt":
        # of many steps: which of them it is at does not tell what it is
        head.append((f"{work_of(activity)}: ", "plain"))
    head.append((safe(activity.text), "plain"))
    done = share_done(activity, max(0.0, now - activity.began_at))
    cells = _BAR_NARROW if width < _NARROW else _BAR
    fill, rest = bar(cells, done, 1.0, glyphs=glyphs)
    room = width - width_of(tail) - cells - 2
    if room < 16:
        return fitted(tuple(head), width)
    figures: Line = ((" ", "plain"), (fill, "sky"), (rest, "plain"), (" ", "plain"), *tail)
    return joined((*fitted(tuple(head), room), *figures))


def _tail(activity: Activity, now: float, *, narrow: bool, here: bool) -> Line:
    """How long, and whether it can be cancelled; `here`: `esc` is about this one."""
    tail: list[Span] = [(f"{duration(max(0.0, now - activity.began_at)):>4}", "plain")]
    if activity.expected_s is not None:
        tail.append((f"{'/' if narrow else ' of about '}{duration(activity.expected_s)}", "dim"))
    if here:
        tail += [("  ", "plain"), ("esc", "sky"), (" cancel", "plain")]
    elif not activity.cancellable:
        tail.append(("  no cancel" if narrow else "  cannot be cancelled", "dim"))
    return (*tail, (" ", "plain"))


def share_done(activity: Activity, elapsed: float) -> float | None:
    """From 0 to 1: as it is told, or, where nothing is told for long, by the time it is expected to
    take; None: nobody knows."""
    known = []
    if activity.fraction is not None:
        known.append(min(1.0, max(0.0, activity.fraction)))
    if activity.expected_s:
        known.append(min(_ALMOST, elapsed / activity.expected_s))
    return max(known, default=None)
