"""Reading heap snapshots on the screen."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from textual.app import App


def open_snapshot(app: App[Any], paths: Sequence[Path], title: str) -> None:
    """Shows what a snapshot holds, or, with two, the older first, how they differ."""
    from heaptui.tui.snapshot.screen import SnapshotScreen

    app.push_screen(SnapshotScreen(tuple(paths), title))
