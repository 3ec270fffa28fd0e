"""What of an environment can be sent: text, and nothing that steers a terminal."""

from __future__ import annotations

import re
from collections.abc import Mapping

_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_SURROGATES = re.compile(r"[\ud800-\udfff]")
"""What os.fsdecode makes of bytes that are no UTF-8 (PEP 383)."""


def sendable(environment: Mapping[str, str]) -> tuple[dict[str, str], list[str]]:
    """What of it a task can be given, and the names of the rest: what is not UTF-8 text cannot be
    told to a supervisor, and a name with control characters no supervisor takes."""
    kept = {
        key: value
        for key, value in environment.items()
        if _is_text(key + value) and not _CONTROLS.search(key)
    }
    return kept, [key for key in environment if key not in kept]


def _is_text(text: str) -> bool:
    return text.isascii() or not _SURROGATES.search(text)
