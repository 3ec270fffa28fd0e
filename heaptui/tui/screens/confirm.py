"""A question with Cancel in focus."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import ModalScreen

from heaptui.tui.lines import BLANK, Line
from heaptui.tui.widgets.dialog import Choice, Choices, Frame
from heaptui.tui.widgets.lines_view import LinesView

CANCEL = Choice("", "Cancel", "")


class ConfirmScreen(ModalScreen[str | None]):
    """Gives the answer of the choice, None for Cancel and escape. The first choice has the cursor:
    put what harms nobody there."""

    DEFAULT_CSS = "ConfirmScreen { align: center middle; }"

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "cancel", "cancel", id="dialog.cancel", show=False)
    ]

    def __init__(self, title: str, lines: Sequence[Line], choices: Sequence[Choice]) -> None:
        super().__init__()
        self._title = title
        self._lines = lines
        self._choices = choices

    def compose(self) -> ComposeResult:
        yield Frame(
            self._title,
            LinesView([*self._lines, BLANK], classes="fits"),
            Choices(self._choices),
        )

    def on_mount(self) -> None:
        self.query_one(Choices).focus()

    def action_cancel(self) -> None:
        self.dismiss(None)

    @on(Choices.Chosen)
    def _chosen(self, event: Choices.Chosen) -> None:
        self.dismiss(event.answer or None)
