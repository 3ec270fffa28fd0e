"""Work that stops when nobody wants it any more."""

from __future__ import annotations

from collections.abc import Callable

from heaptui.errors import Refused
from heaptui.tools.reading.source import Cancelled


def until(path: str, cancelled: Cancelled | None) -> Callable[[], None]:
    """What raises Refused once it is `cancelled`; called for each piece, before anything is
    changed."""

    def go_on() -> None:
        if cancelled is not None and cancelled():
            raise Refused(f"Changing {path!r} was cancelled; it is as it was.")

    return go_on
