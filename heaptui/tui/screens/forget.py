"""Deleting ended tasks with what they left."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import ModalScreen

from heaptui.client import Operator
from heaptui.errors import HeaptuiError
from heaptui.model import Row
from heaptui.tui.lines import BLANK, Line, sentence
from heaptui.tui.screens.confirm import CANCEL
from heaptui.tui.targets import LISTED, called
from heaptui.tui.widgets.dialog import WIDTH, Choice, Choices, Frame
from heaptui.tui.widgets.lines_view import LinesView
from heaptui.units import size


class ForgetScreen(ModalScreen[str | None]):
    """Gives the sentence that says what was deleted, None when nothing was. Targets are frozen as
    they are given; the supervisor refuses those that have not ended."""

    DEFAULT_CSS = "ForgetScreen { align: center middle; }"

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "cancel", "cancel", id="dialog.cancel", show=False)
    ]

    def __init__(self, operator: Operator, targets: Sequence[Row]) -> None:
        super().__init__()
        self._operator = operator
        self._rows = tuple(targets)
        self._whom = called(self._rows[0]) if len(self._rows) == 1 else f"{len(self._rows)} tasks"
        self._firing = False

    def compose(self) -> ComposeResult:
        yield Frame(
            f"Forget {self._whom}?",
            LinesView([*self._lines(), BLANK], classes="fits", id="forget-lines"),
            Choices([CANCEL, Choice("f", "forget", "forget")]),
        )

    def on_mount(self) -> None:
        self.query_one(Choices).focus()

    def _lines(self) -> list[Line]:
        lines: list[Line] = []
        for row in self._rows[:LISTED]:
            tries = f"{row.attempts} attempt{'s' * (row.attempts != 1)}"
            what = f"{row.state.value}, {tries}, {size(row.output_bytes)} printed"
            if row.children:
                what += f", with the {row.children} it was split into"
            lines += sentence(f"task {row.id}, {called(row)}: {what}", WIDTH)
        if len(self._rows) > LISTED:
            lines.append(((f"and {len(self._rows) - LISTED} more", "dim"),))
        return lines + sentence(
            "Its attempts, events, output and environment are deleted: nobody can bring them back.",
            WIDTH,
            "amber",
        )

    def action_cancel(self) -> None:
        if not self._firing:
            self.dismiss(None)

    @on(Choices.Chosen)
    def _chosen(self, event: Choices.Chosen) -> None:
        if self._firing:
            return
        if not event.answer:
            self.dismiss(None)
            return
        self._firing = True
        self.run_worker(self._fire())

    async def _fire(self) -> None:
        try:
            count = await self._operator.forget([row.id for row in self._rows])
        except HeaptuiError as error:
            said = sentence(error.what, WIDTH, "red") + sentence(error.remedy, WIDTH, "dim")
            view = self.query_one("#forget-lines", LinesView)
            view.show([*self._lines(), BLANK, *said, BLANK])
            return
        finally:
            self._firing = False
        self.dismiss(f"{self._whom}: forgotten" if count else f"{self._whom}: gone already")
