"""Processes that heaptui did not start, on the screen."""

from __future__ import annotations

from textual.app import App


def open_inspect(app: App[str]) -> None:
    """Shows the list of them."""
    from heaptui.tui.inspect.screen import InspectScreen

    app.push_screen(InspectScreen())
