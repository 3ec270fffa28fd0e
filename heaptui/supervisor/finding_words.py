"""A finding in words: what a comparison of two snapshots says, and how fast it goes."""

from __future__ import annotations

from collections.abc import Sequence

from heaptui.heap.answers import DiffRow, LeakAnswer, ObjectRow
from heaptui.model import Grower
from heaptui.output import printable
from heaptui.units import count, duration, size

_STEP_MAX = 120
_PATH_IN_TEXT = 6
_SENTENCE_MAX = 600


def growers_of(answer: LeakAnswer, seconds: float) -> tuple[Grower, ...]:
    """The classes that grew, worst first."""
    return tuple(
        Grower(
            name=_word(one.name),
            bytes_per_min=one.bytes * 60 / seconds,
            bytes=one.bytes,
            count=one.count,
        )
        for one in answer.growers
    )


def growers_by_class(rows: Sequence[DiffRow], seconds: float, most: int) -> tuple[Grower, ...]:
    """The same of a plain difference, where nothing says what holds the objects."""
    return tuple(
        Grower(
            name=_word(row.name),
            bytes_per_min=row.delta_bytes * 60 / seconds,
            bytes=row.delta_bytes,
            count=row.delta,
        )
        for row in rows
        if row.delta_bytes > 0
    )[:most]


def path_of(rows: Sequence[ObjectRow]) -> tuple[str, ...]:
    """A step each, the root first: how the one before reaches it, and what it is. What only the
    runtime has in between is left out."""
    return tuple(_word(f"{row.edge} {row.name}".strip()) for row in rows if not row.inner)


def words(answer: LeakAnswer, seconds: float) -> str:
    """What grew and where it is held, as the comparison says it; how fast; and the way there:
    "Module-level variable `history` in src/memory.js grew by 61M: +1,020 (string) (60M). In 1m02,
    that is +59M a minute. Path: (root) → …"."""
    text = _word(answer.text, _SENTENCE_MAX)
    if not answer.growers:
        return text
    grown = answer.new_bytes or sum(one.bytes for one in answer.growers)
    text = f"{text.rstrip('.')}. In {duration(seconds)}, that is {_pace(grown, seconds)}."
    steps = path_of(answer.path)
    if steps:
        shown = steps if len(steps) <= _PATH_IN_TEXT else ("…", *steps[-_PATH_IN_TEXT:])
        text += f" Path: {' → '.join(shown)}"
    return text


def words_by_class(growers: Sequence[Grower], seconds: float, why: str) -> str:
    """What can be said without knowing who holds it."""
    if not growers:
        return f"nothing grew in {duration(seconds)}; what holds it was not looked for: {why}"
    worst = growers[0]
    return (
        f"{worst.name} grew most: by {size(worst.bytes)} in {duration(seconds)} "
        f"({_pace(worst.bytes, seconds)}), {count(worst.count)} more of them; what holds them was "
        f"not looked for: {why}"
    )


def _pace(grown: int, seconds: float) -> str:
    return f"{'+' if grown >= 0 else ''}{size(grown * 60 / seconds)} a minute"


def _word(text: str, most: int = _STEP_MAX) -> str:
    """Of a foreign heap: one harmless line."""
    line = printable(text[: most * 8]).replace("\n", " ")
    return line if len(line) <= most else line[: most - 1] + "…"
