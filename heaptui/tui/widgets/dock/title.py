"""The dock's first line: whose dock it is, the panes, and the keys that change its size."""

from __future__ import annotations

from typing import NamedTuple

from rich.cells import cell_len

from heaptui.tui.cells import cut
from heaptui.tui.lines import Line, Span, joined, width_of

TABS = {
    "memory": ("Memory", "Mem"),
    "context": ("Context", "Ctx"),
    "processes": ("Processes", "Proc"),
    "output": ("Output", "Out"),
    "events": ("Events", "Ev"),
    "snapshots": ("Snapshots", "Snap"),
}
"""Panes in the order of their digits: names where there is room, and where there is not."""

HINT: Line = (("z", "sky"), (" taller   ", "dim"), ("enter", "sky"), (" full", "dim"))
SHORT_HINT: Line = (("z", "sky"), ("  ", "dim"), ("enter", "sky"))

ROOMY = 112
"""Cells from which on there is room for whole words."""

_NAME_LEAST = 6


class Title(NamedTuple):
    """The line, and for each pane the cells [from, to) of its tab."""

    line: Line
    places: dict[str, tuple[int, int]]


def title(name: str, active: str, width: int, hint: Line, rule: str = "─") -> Title:
    """The rule with everything on it. A long name gives way to the tabs."""
    roomy = width >= ROOMY
    tabs = [(pane, f"{digit} {names[0 if roomy else 1]}") for digit, (pane, names) in _numbered()]
    gap = "   " if roomy else "  "
    tabs_width = sum(len(text) for _, text in tabs) + len(gap) * len(tabs)
    room = width - 4 - tabs_width - width_of(hint) - 5
    shown = cut(name, max(_NAME_LEAST, room))
    spans: list[Span] = [(f" {rule} ", "rule"), (shown, "strong")]
    at = 3 + cell_len(shown)
    places: dict[str, tuple[int, int]] = {}
    for pane, text in tabs:
        at += len(gap)
        places[pane] = (at, at + len(text))
        at += len(text)
        spans += [(gap, "plain"), (text, "active" if pane == active else "dim")]
    fill = max(1, width - at - 3 - width_of(hint))
    spans += [(f" {rule * fill} ", "rule"), *hint]
    return Title(joined(spans), places)


def _numbered() -> list[tuple[int, tuple[str, tuple[str, str]]]]:
    return list(enumerate(TABS.items(), start=1))
