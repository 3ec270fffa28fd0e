"""Every alert that there is, with what it means for the work and the keys that act on it."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.screen import ModalScreen

from heaptui.tui.widgets.alerts import alerts_lines
from heaptui.tui.widgets.dialog import Frame
from heaptui.tui.widgets.lines_view import LinesView

if TYPE_CHECKING:
    from heaptui.tui.app import HeaptuiApp

_WIDTH = 96


class AlertsScreen(ModalScreen[None]):
    """As they are now: it is painted again with every picture."""

    DEFAULT_CSS = """
    AlertsScreen { align: center middle; }
    AlertsScreen Frame { padding: 0 1; }
    AlertsScreen LinesView { height: 1fr; max-height: 100%; }
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,A,q,enter", "back", "back", id="alerts.back", show=False),
        Binding("up,k", "move(-1)", "up", id="alerts.up", show=False),
        Binding("down,j", "move(1)", "down", id="alerts.down", show=False),
        Binding("pageup", "page(-1)", "page up", id="alerts.page-up", show=False),
        Binding("pagedown,space", "page(1)", "page down", id="alerts.page-down", show=False),
    ]

    def __init__(self, app: HeaptuiApp) -> None:
        super().__init__()
        self._app = app
        self._view = LinesView(focusable=True)
        self._frame = Frame("Alerts", self._view)

    def compose(self) -> ComposeResult:
        yield self._frame

    def on_mount(self) -> None:
        self._frame.border_subtitle = Content.assemble(("esc", "$sky"), (" back", "$dim"))
        self._view.focus()

    @on(events.Resize)
    def _fit(self) -> None:
        self.paint()

    def paint(self) -> None:
        """Brings it up to date with the board."""
        if not self.is_mounted:
            return
        width = min(_WIDTH, self.size.width - 4)
        app, board = self._app, self._app.board
        lines = alerts_lines(
            board.every_alert,
            board.rows,
            board.is_seen,
            app.entries,
            width,
            now=app.clock(),
            glyphs=app.glyphs,
        )
        self._frame.styles.width = width + 4
        self._frame.styles.height = min(len(lines) + 2, self.size.height)
        self._view.show(lines)

    def action_back(self) -> None:
        self.dismiss()

    def action_move(self, lines: int) -> None:
        self._view.action_move(lines)

    def action_page(self, pages: int) -> None:
        self._view.action_page(pages)
