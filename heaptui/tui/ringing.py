"""What rings when an alert begins: never for what was there before, and seldom. Pure.

OSC 9 is iTerm2's notification, which kitty, WezTerm, Ghostty, foot and Windows Terminal know too:
https://iterm2.com/documentation-escape-codes.html
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import inf
from typing import Literal

from heaptui.model import Alert, Row
from heaptui.tui.cells import cut, safe

Ring = Literal["off", "bell", "notify"]

QUIET_S = 5.0
"""Seconds between two rings at least; what begins meanwhile rings together when they are over."""
_TEXT_MAX = 160


class Ringing:
    """Hears every picture's alerts, and tells when it is time to ring."""

    def __init__(self) -> None:
        self._known: set[str] | None = None
        self._due: list[str] = []
        self._rang_at = -inf

    @property
    def waits(self) -> bool:
        """Something began within the quiet after a ring, and is still there."""
        return bool(self._due)

    def hear(self, alerts: Sequence[Alert], rows: Mapping[str, Row], now: float) -> str | None:
        """The text to ring with, None where there is nothing to ring for now. `now`: seconds of
        any clock, also of one that is set back."""
        ids = [alert.id for alert in alerts]
        if self._known is not None:
            self._due += [id for id in ids if id not in self._known and id not in self._due]
        self._known = set(ids)
        self._due = [id for id in self._due if id in self._known]
        if not self._due or abs(now - self._rang_at) < QUIET_S:
            return None
        first = next(alert for alert in alerts if alert.id in self._due)
        more = f" (and {len(self._due) - 1} more)" if len(self._due) > 1 else ""
        self._due, self._rang_at = [], now
        return _said(first, rows) + more


def _said(alert: Alert, rows: Mapping[str, Row]) -> str:
    row = rows.get(alert.task_id) if alert.task_id is not None else None
    whom = "" if row is None else f"{cut(safe(row.name), 32)} "
    return cut(f"heaptui: {whom}{safe(alert.text)}", _TEXT_MAX)


def sequence(ring: Ring, text: str) -> str:
    """What a terminal is sent, "" for nothing. `text` has no control characters, and begins with a
    word: a figure after the 9 means something else to some terminals."""
    match ring:
        case "off":
            return ""
        case "bell":
            return "\a"
        case "notify":
            return f"\x1b]9;{text}\a"
