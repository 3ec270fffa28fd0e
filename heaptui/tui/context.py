"""How full the context of a task's model is: figures and colour. Pure."""

from __future__ import annotations

from heaptui.model import Row
from heaptui.tui.lines import Role
from heaptui.units import UNKNOWN, count

_FILLS, _FULL = 0.80, 0.95
"""Shares of the limit: amber from the first, red from the second. What does not fit is cut off or
ends the conversation."""


def context_share(row: Row) -> float | None:
    """Of its limit, None where either is unknown."""
    if row.context_tokens is None or not row.context_limit:
        return None
    return row.context_tokens / row.context_limit


def context_text(row: Row, *, share: bool) -> str:
    """`61k`, with the `share` of the limit where that is known: `61k 31%`."""
    if row.context_tokens is None:
        return UNKNOWN
    of = context_share(row) if share else None
    return count(row.context_tokens) + ("" if of is None else f" {of:.0%}")


def context_role(row: Row) -> Role:
    """A quantity without judgement while its limit is unknown or far."""
    share = context_share(row)
    if share is None or share < _FILLS:
        return "quantity"
    return "red" if share >= _FULL else "amber"
