"""The dock: what is behind the row under the cursor, in six panes."""

from heaptui.tui.widgets.dock.dock import Dock
from heaptui.tui.widgets.dock.title import TABS

__all__ = ["TABS", "Dock"]
