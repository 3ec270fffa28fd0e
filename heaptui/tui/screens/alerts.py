"""Every alert that there is, with what it means for the work and the keys that act on it."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, NamedTuple

from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.screen import ModalScreen

from heaptui.model import Alert
from heaptui.tui.keys import display
from heaptui.tui.lines import BLANK, Line
from heaptui.tui.widgets.alerts import acts_of, alerts_lines
from heaptui.tui.widgets.dialog import Frame
from heaptui.tui.widgets.lines_view import LinesView, scrolled

if TYPE_CHECKING:
    from heaptui.tui.app import HeaptuiApp

_WIDTH = 96
_PAGE = 4
"""So many alerts fill a small terminal."""


class Answer(NamedTuple):
    """The alert that was chosen: `task_id` is whom it is about, if anybody, `action` what is to be
    done with it (empty: only go there)."""

    task_id: str | None
    action: str = ""


class AlertsScreen(ModalScreen[Answer | None]):
    """As they are now: it is painted again with every picture. The keys of the alert under the
    cursor leave the list and act; `seen` marks it and stays."""

    DEFAULT_CSS = """
    AlertsScreen { align: center middle; }
    AlertsScreen Frame { padding: 0 1; }
    AlertsScreen LinesView { height: 1fr; max-height: 100%; }
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,A,q", "back", "back", id="alerts.back", show=False),
        Binding("enter", "go", "go to its task", id="alerts.go", show=False),
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
        self._labels: list[tuple[str, str]] = []
        self._chosen = ""
        """The id of the alert under the cursor, and where it stood."""
        self._at = 0
        self._seen_keys = next(entry.keys for entry in app.entries if entry.id == "view.seen")

    def compose(self) -> ComposeResult:
        yield self._frame

    def on_mount(self) -> None:
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
        blocks = alerts_lines(
            board.every_alert,
            board.rows,
            board.is_seen,
            app.entries,
            width,
            now=app.clock(),
            glyphs=app.glyphs,
        )
        current = self._current()
        lines: list[Line] = []
        first = last = 0
        for at, block in enumerate(blocks):
            lines += [BLANK] if lines else []
            if at == self._at:
                first, last = len(lines), len(lines) + len(block) - 1
            lines += block
        lines = lines or [(("There is no alert.", "dim"),)]
        height = min(len(lines) + 2, self.size.height)
        top = scrolled(scrolled(self._view.top, last, height - 2), first, height - 2)
        self._frame.styles.width = width + 4
        self._frame.styles.height = height
        self._view.show(lines, top, None if current is None else first)
        self._label(current)

    def _label(self, current: Alert | None) -> None:
        keys = [("esc", "back")]
        if current is not None:
            keys.insert(0, (display(self._seen_keys[0]), "seen"))
        if current is not None and current.task_id in self._app.board.rows:
            keys.insert(0, ("enter", "go to it"))
        if keys == self._labels:
            return
        self._labels = keys
        spans = [((f" {key}", "$sky"), (f" {label} ", "$dim")) for key, label in keys]
        self._frame.border_subtitle = Content.assemble(*(span for pair in spans for span in pair))

    def _current(self) -> Alert | None:
        """The alert under the cursor, wherever it stands now; the one in its place when it is
        over."""
        alerts = self._app.board.every_alert
        ids = [alert.id for alert in alerts]
        if self._chosen in ids:
            self._at = ids.index(self._chosen)
        self._at = max(0, min(self._at, len(ids) - 1))
        current = alerts[self._at] if alerts else None
        self._chosen = "" if current is None else current.id
        return current

    def on_key(self, event: events.Key) -> None:
        current = self._current()
        if current is None:
            return
        pressed = {event.key, event.character}
        if pressed.intersection(self._seen_keys):
            event.stop()
            self._app.board.seen([current.id])
            self.paint()
            return
        row = None if current.task_id is None else self._app.board.rows.get(current.task_id)
        for entry in acts_of(current, row, self._app.entries):
            if pressed.intersection(entry.keys):
                event.stop()
                self.dismiss(Answer(current.task_id, entry.action))
                return

    def action_go(self) -> None:
        current = self._current()
        self.dismiss(None if current is None else Answer(current.task_id))

    def action_back(self) -> None:
        self.dismiss(None)

    def action_move(self, alerts: int) -> None:
        self._current()
        self._at, self._chosen = self._at + alerts, ""
        self.paint()

    def action_page(self, pages: int) -> None:
        self.action_move(pages * _PAGE)

    @on(LinesView.Wheeled)
    def _wheeled(self, event: LinesView.Wheeled) -> None:
        self.action_move(1 if event.lines > 0 else -1)
