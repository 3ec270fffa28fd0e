"""The lines around a snapshot's lists: its title, where one is in it, what stands there before
there is a list, and what can be done.
"""

from __future__ import annotations

from collections.abc import Sequence

from heaptui.tui.cells import bar
from heaptui.tui.glyphs import Glyphs
from heaptui.tui.lines import (
    BLANK,
    Line,
    Span,
    fitted,
    indented,
    joined,
    one_line,
    ruled,
    sentence,
    width_of,
)
from heaptui.tui.snapshot.levels import (
    Level,
    can_match,
    has_text,
    match_of,
    next_order,
    opened,
    order_of,
    retainers,
)
from heaptui.tui.snapshot.reading import TABS, Reading
from heaptui.units import duration, size

_BAR = 30
_ROOMY = 100
"""Columns from which the title has room for what the file holds."""


def title_line(reading: Reading, subject: str, width: int, glyphs: Glyphs) -> Line:
    """Whose it is, the tabs with their digits, and what was read."""
    roomy = width >= _ROOMY
    spans: list[Span] = [("Snapshot ", "dim")] if roomy else []
    spans.append((one_line(subject), "strong"))
    for digit, name in enumerate(TABS, start=1):
        if reading.has(name):
            spans.append((f"  {digit} {name}", "active" if name == reading.tab else "dim"))
    if reading.headers and roomy:
        header = reading.headers[-1]
        took = sum(one.took_s for one in reading.headers)
        about = f"  {header.nodes:,} objects, {size(header.heap_bytes)}, {took:.1f} s"
        spans.append((about, "dim"))
    return ruled(spans, width, glyphs.rule)


def trail_line(stack: Sequence[Level], width: int, glyphs: Glyphs) -> Line:
    """From list to list, and where in the last one: the first lists give way to it."""
    if not stack:
        return BLANK
    level = stack[-1]
    tail: list[Span] = []
    if level.answered:
        at = min(level.cursor + 1, level.total)
        tail.append((f"  {at:,} of {level.total:,}", "dim"))
    if next_order(level.question) is not None:
        tail.append((f"  by {order_of(level.question)}", "sky"))
    if match := match_of(level.question):
        tail += [("  /", "sky"), (one_line(match), "strong")]
    room = max(10, width - width_of(tuple(tail)))
    titles = [one_line(one.title) for one in stack]
    trail = _trail(titles)
    while width_of(trail) > room and len(titles) > 1:
        del titles[0]
        trail = _trail([glyphs.cut, *titles])
    if width_of(trail) > room:
        trail = fitted(trail, room)
    return fitted(joined((*trail, *tail)), width)


def _trail(titles: Sequence[str]) -> Line:
    spans: list[Span] = []
    for title in titles:
        spans += [(" > " if spans else " ", "rule"), (title, "plain")]
    return tuple(spans)


def waiting_lines(reading: Reading, elapsed_s: float, width: int, glyphs: Glyphs) -> list[Line]:
    """While the files are read, or why they cannot be."""
    if reading.wrong:
        return [BLANK, *indented(sentence(one_line(reading.wrong), width - 4, "red"), 2)]
    drawn = bar(_BAR, reading.fraction, 1.0, glyphs=glyphs)
    names = ", ".join(path.name for path in reading.paths)
    about = f"  {reading.fraction * 100:.0f} %  {duration(elapsed_s)}  {one_line(reading.phase)}"
    return [
        BLANK,
        ((f"  reading {one_line(names)}", "plain"),),
        (("  ", "plain"), (drawn.fill, "sky"), (drawn.rest, "plain"), (about, "dim")),
    ]


def unanswered_lines(reading: Reading, width: int) -> list[Line]:
    """In place of rows."""
    if reading.trouble:
        return indented(sentence(one_line(reading.trouble), width - 4, "red"), 2)
    level = reading.level
    if level is None or not level.answered:
        said = "comparing…" if reading.tab == "finding" else "asking…"
    else:
        said = "nothing has that in its name" if match_of(level.question) else "nothing"
    return [((f"  {said}", "dim"),)]


def possible(reading: Reading) -> list[str]:
    """Ids of the keys that do something where one is, but for leaving."""
    level = reading.level
    if level is None:
        return ["reading.write"] if reading.tab == "finding" and reading.leak is not None else []
    ids = []
    if opened(level, fast=reading.fast) is not None:
        ids.append("reading.open")
    if retainers(level) is not None:
        ids.append("reading.retainers")
    if has_text(level.current):
        ids.append("reading.value")
    if can_match(level.question):
        ids += ["reading.filter", "reading.order"]
    return ids


def leaving(reading: Reading) -> str:
    """What escape does."""
    if not reading.headers and not reading.wrong:
        return "cancel"
    return "back" if len(reading.stack) > 1 else "close"
