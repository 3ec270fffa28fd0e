"""The first line: is this machine in trouble? Pure."""

from __future__ import annotations

from collections.abc import Callable

from heaptui import units
from heaptui.model import Host, HostSample
from heaptui.tui.cells import bar, cut, safe
from heaptui.tui.glyphs import Glyphs
from heaptui.tui.lines import Line, Role, Span, joined, width_of

_NARROW = 100
_TIGHT_SHARE, _FULL_SHARE = 0.90, 0.97
"""Shares of the machine's memory in use: amber from the first, red from the second."""
_BLANK = "   "
_GAPS, _GAPS_NARROW = 12, 6
"""Blanks that stand between what stays."""
_PRESSED, _CRUSHED = 10.0, 40.0
"""Percent of time in which some task waited for memory: amber and red."""


def header_line(
    host: Host | None, width: int, glyphs: Glyphs, *, name: str, down: str | None
) -> Line:
    """`name` is shown until the machine's own is known; `down` says why there are no news."""
    narrow = width < _NARROW
    left: list[Span] = [(" heaptui ", "brand")]
    if host is None:
        left += [("  ", "plain"), (safe(name), "plain"), ("   ", "plain")]
        left.append(("connecting…" if down is None else f"reconnecting… {safe(down)}", "dim"))
        return tuple(left)
    parts = _parts(host, host.sample, glyphs, name, narrow=narrow)
    counts = _counts(host, glyphs, narrow=narrow)
    # the machine and its memory stay, whatever else there is to say
    stays = width_of((*left, *(span for part in parts[:2] for span in part), *counts))
    right = [*_said(host, down, width - stays - (_GAPS_NARROW if narrow else _GAPS)), *counts]
    room = width - width_of(tuple(right)) - (2 if narrow else 4)
    for at, part in enumerate(parts):
        gap = " " if narrow and not at else "  " if narrow or at > 1 else "   "
        if width_of((*left, *part)) + len(gap) > room:
            continue
        left += [(gap, "plain"), *part]
    blank = max(1, width - width_of(tuple(left)) - width_of(tuple(right)) - 1)
    return joined((*left, (" " * blank, "plain"), *right, (" ", "plain")))


def _said(host: Host, down: str | None, room: int) -> list[Span]:
    """What is out of the ordinary; what the memory policy does is no danger, and is cut to `room`
    cells."""
    if down is not None:
        return [("reconnecting… figures are old", "amber"), (_BLANK, "plain")]
    said: list[Span] = []
    if host.policy == "observe":
        said += [("observe", "sky"), (_BLANK, "plain")]
    if host.paused:
        return [*said, ("dispatch paused", "amber"), (_BLANK, "plain")]
    if host.held is not None:
        left = max(4, room - width_of(tuple(said)) - len(_BLANK))
        said += [(cut(f"held: {safe(host.held)}", left), "sky"), (_BLANK, "plain")]
    return said


def _parts(
    host: Host, sample: HostSample | None, glyphs: Glyphs, name: str, *, narrow: bool
) -> list[list[Span]]:
    """From the left; what does not fit is left out."""
    machine = cut(safe(sample.name if sample is not None else name), 24)
    own = units.size(host.self_bytes + (host.warden_bytes or 0))
    parts: list[list[Span]] = [[(machine, "strong")]]
    swap: list[list[Span]] = []
    if sample is not None:
        parts += [
            _memory(sample, glyphs, narrow=narrow),
            [("psi " if narrow else "pressure ", "dim"), _pressure(sample)],
        ]
        if not narrow:
            swap = [[("swap ", "dim"), (_swap(sample), "plain")]]
        if sample.swap_used_bytes:
            parts += swap
            swap = []
    if host.budget_bytes is not None:
        budget = _of(
            host.expected_bytes, host.budget_bytes, "/" if narrow else " of ", units.short_size
        )
        parts.append([("exp " if narrow else "expected ", "dim"), (budget, "plain")])
    if not narrow:
        total = None if sample is None else sample.mem_total_bytes
        parts.append([("caps ", "dim"), (_against(host.caps_bytes, total), "plain")])
    parts.append([("self ", "dim"), (own, "plain")])
    # that none of it is used is the first to be left out
    parts += swap
    if host.budget_bytes is None and host.expected_bytes and not narrow:
        parts.append([("expected ", "dim"), (units.size(host.expected_bytes), "plain")])
    return parts


def _against(sum_bytes: int, total_bytes: int | None) -> str:
    """`21.5G 90%`: all caps together, and the share of the machine that they would be."""
    share = f" {sum_bytes / total_bytes:.0%}" if total_bytes else ""
    return units.size(sum_bytes) + share


def _memory(sample: HostSample, glyphs: Glyphs, *, narrow: bool) -> list[Span]:
    total = sample.mem_total_bytes
    used = total - sample.mem_available_bytes
    share = used / total if total else 0.0
    role: Role = "red" if share >= _FULL_SHARE else "amber" if share >= _TIGHT_SHARE else "quantity"
    drawn = bar(10 if narrow else 16, used, total, total * _TIGHT_SHARE, glyphs=glyphs)
    figures = _of(used, total, "/" if narrow else " of ")
    label: list[Span] = [] if narrow else [("memory ", "plain")]
    shown: Role = "plain" if role == "quantity" else role
    return [*label, (drawn.fill, role), (drawn.rest, "dim"), (f" {figures}", shown)]


def _of(
    used: int, total: int, between: str, shown: Callable[[float | None], str] = units.size
) -> str:
    """`18.2 of 24.0G`: one unit where both have the same."""
    first, second = shown(used), shown(total)
    return f"{first[:-1] if first[-1] == second[-1] else first}{between}{second}"


def _pressure(sample: HostSample) -> Span:
    value = sample.pressure
    if value is None:
        return (units.UNKNOWN, "dim")
    role: Role = "red" if value >= _CRUSHED else "amber" if value >= _PRESSED else "plain"
    return (f"{value:.1f}", role)


def _swap(sample: HostSample) -> str:
    return units.size(sample.swap_used_bytes) if sample.swap_used_bytes else "0"


def _counts(host: Host, glyphs: Glyphs, *, narrow: bool) -> list[Span]:
    gap = " " if narrow else "  "
    return [
        (f"{glyphs.running} {host.running}", "plain"),
        (f"{gap}{glyphs.waiting} {host.waiting}", "dim"),
        (f"{gap}{glyphs.failed} {host.failed}", "red" if host.failed else "dim"),
    ]
