"""What has to be in the environment before textual is imported: it reads these only then.

from heaptui.tui import early
early.prepare(slow=slow)
from heaptui.tui.app import run_app
"""

from __future__ import annotations

import os

SLOW_PAINT_S = 3.0
"""Seconds between two paints on a slow link; keys are painted at once."""


def prepare(*, slow: bool = False) -> None:
    """Nothing glides and nothing blinks; on a slow link fewer frames besides. What the operator
    set stays. A key waits half a frame on average, and a frame in which nothing changed is free:
    so they may come often."""
    os.environ.setdefault("TEXTUAL_ANIMATIONS", "none")
    os.environ.setdefault("TEXTUAL_SMOOTH_SCROLL", "0")
    os.environ.setdefault("TEXTUAL_FPS", "10" if slow else "120")
