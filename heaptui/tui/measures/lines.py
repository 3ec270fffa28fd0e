"""Profiles as a table, and the one under the cursor in words and pictures. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from rich.cells import cell_len

from heaptui.model import Measures, ProfileMeasures
from heaptui.tui.cells import left, right
from heaptui.tui.glyphs import Glyphs
from heaptui.tui.lines import BLANK, Line, Role, Span, beside, fitted, indented, one_line, sentence
from heaptui.tui.measures.distribution import histogram, strip
from heaptui.tui.measures.scatter import scatter
from heaptui.units import duration, short_size

ORDERS: dict[str, Callable[[ProfileMeasures], tuple[int, ...]]] = {
    "peak": lambda one: (one.max_bytes, one.p95_bytes),
    "OOMs": lambda one: (one.ooms, one.max_bytes),
    "ends": lambda one: (one.attempts, one.max_bytes),
}
"""By name: the key, of which the largest comes first."""

_WIDE = 110
"""From here on the two pictures stand beside each other."""

_ENDS, _OOMS, _SIZE, _SUGGESTED = 6, 6, 6, 11
_STRIP_LEAST = 16
_FIXED = _ENDS + _OOMS + 4 * _SIZE + _SUGGESTED + 3
_BARS = 6
_RULED = 6
"""Cells of a titled rule that are not its title."""
_ROOMY = 3.0
"""A cap this many times the suggestion is worth a word."""


def arranged(profiles: Sequence[ProfileMeasures], order: str) -> list[ProfileMeasures]:
    """In one of `ORDERS`."""
    return sorted(profiles, key=ORDERS[order], reverse=True)


def _widths(width: int) -> tuple[int, int]:
    """Cells for the name and for the distribution."""
    rest = max(0, width - _FIXED)
    name = min(32, max(8, rest - max(_STRIP_LEAST, rest // 2)))
    return name, max(0, rest - name)


def heading(width: int) -> Line:
    """Names of the columns, over `profile_line`."""
    name, across = _widths(width)
    text = (
        f" {'NAME':<{name}}{'ENDS':>{_ENDS}}{'OOMS':>{_OOMS}}{'P50':>{_SIZE}}{'P95':>{_SIZE}}"
        f"{'MAX':>{_SIZE}}{'CAP':>{_SIZE}}{'SUGGESTED':>{_SUGGESTED}}  {'PEAKS':<{across}}"
    )
    return fitted(((text, "dim"),), width)


def profile_line(profile: ProfileMeasures, width: int, glyphs: Glyphs) -> Line:
    """One profile."""
    name, across = _widths(width)
    ooms: Role = "red" if profile.ooms else "dim"
    # a peak of nothing was never measured
    sizes = (profile.p50_bytes or None, profile.p95_bytes or None, profile.max_bytes or None)
    figures = "".join(right(short_size(size), _SIZE) for size in (*sizes, profile.cap_bytes))
    return (
        (f" {left(one_line(profile.name), name)}", "plain"),
        (right(str(profile.attempts), _ENDS), "dim"),
        (right(str(profile.ooms), _OOMS), ooms),
        (figures, "quantity"),
        (right(short_size(profile.suggested_cap_bytes), _SUGGESTED), "sky"),
        ("  ", "plain"),
        *strip(profile, across, glyphs),
    )


def summary_line(found: Measures) -> Line:
    """What is true of all tasks together; the least important last, where it may be cut."""
    told = []
    latency = found.dispatch
    if latency.p50 is not None and latency.p95 is not None and latency.max is not None:
        ms = (1000 * latency.p50, 1000 * latency.p95, 1000 * latency.max)
        told.append("started within {:.0f} ms, p95 {:.0f} ms, max {:.0f} ms".format(*ms))
    if found.recycles:
        told.append(f"{found.recycles} recycled")
    if found.verdicts:
        told.append(", ".join(f"{number} {verdict}" for verdict, number in found.verdicts.items()))
    since = f" since {duration(found.at - found.since)}: "
    return ((since + ("; ".join(told) or "nothing started"), "dim"),)


def advice(profile: ProfileMeasures) -> tuple[str, Role]:
    """What the cap had better be, in words."""
    cap, suggested = profile.cap_bytes, profile.suggested_cap_bytes
    wanted = short_size(suggested)
    if suggested is None:
        return "too few ends with a known peak to suggest a cap", "dim"
    if cap is None:
        return f"a cap of {wanted} would serve it", "plain"
    if suggested > cap and profile.ooms:
        return f"its cap of {short_size(cap)} is too small: {wanted} would serve it", "amber"
    if suggested > cap:
        return f"its cap of {short_size(cap)} is close: {wanted} would leave a margin", "plain"
    if cap > _ROOMY * suggested:
        return f"its cap of {short_size(cap)} is generous: {wanted} would do", "plain"
    return f"its cap of {short_size(cap)} serves it", "plain"


def title_spans(profile: ProfileMeasures, width: int) -> list[Span]:
    """The line between the table and the pictures; the count goes first where it is narrow."""
    shown = len(profile.records)
    words, role = advice(profile)
    kind = f"  {profile.kind.value}  "
    of = f"{shown} of {profile.attempts} ends  " if shown < profile.attempts else f"{shown} ends  "
    name = one_line(profile.name)
    room = width - len(kind) - len(words) - _RULED
    told = kind + of if cell_len(name) + len(of) <= room else kind
    return [
        (left(name, max(8, room)).rstrip(), "strong"),
        (told, "dim"),
        (words, role),
    ]


def pictures(profile: ProfileMeasures, width: int, height: int, glyphs: Glyphs) -> list[Line]:
    """`height` lines: how its peaks are distributed, and how they go with durations; beside each
    other where there is room."""
    if not profile.records:
        text = "No peak of it was measured: its attempts ended before the first look at them."
        return indented(sentence(text, width - 2, "dim"), 1)
    if width >= _WIDE:
        half = (width - 4) // 2
        first = [_caption("ends by peak"), *histogram(profile, half, height - 1, glyphs)]
        second = [_caption("peak by duration"), *scatter(profile, half, height - 1, glyphs)]
        return indented(beside(first, half + 2, second), 1)
    bars = min(_BARS, max(4, height // 2))
    return indented(
        [
            *histogram(profile, width - 2, bars, glyphs),
            *scatter(profile, width - 2, max(2, height - bars), glyphs),
        ],
        1,
    )


def _caption(text: str) -> Line:
    return ((text, "dim"),)


def nothing(width: int) -> list[Line]:
    """What would fill the table."""
    lines = sentence("No attempt has ended yet.", width - 4)
    lines += [BLANK]
    lines += sentence(
        "Each one that ends adds its peak here. After five of one name, a cap is suggested.",
        width - 4,
        "dim",
    )
    return indented(lines, 2)
