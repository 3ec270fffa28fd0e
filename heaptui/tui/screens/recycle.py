"""Recycling tasks: checkpoint, end, start again from it with a clean heap; asks first."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, NamedTuple

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import ModalScreen

from heaptui.model import Row
from heaptui.tui.lines import BLANK
from heaptui.tui.recycling import ANEW, COLLECT, chosen_rows, recycle_choices, recycle_lines
from heaptui.tui.screens.confirm import CANCEL
from heaptui.tui.surroundings import clock_of
from heaptui.tui.targets import called
from heaptui.tui.widgets.dialog import WIDTH, Choices, Frame
from heaptui.tui.widgets.lines_view import LinesView


class Recycle(NamedTuple):
    """`rows` as the dialog showed them; `anew` those too that keep no checkpoints, `collect`
    garbage instead."""

    rows: tuple[Row, ...]
    anew: bool = False
    collect: bool = False


class RecycleScreen(ModalScreen[Recycle | None]):
    """Gives what was chosen, None for Cancel. Targets are frozen with their attempts as they are
    given; `drain_s` is how long each has to finish what it has in hand."""

    DEFAULT_CSS = "RecycleScreen { align: center middle; }"

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "cancel", "cancel", id="dialog.cancel", show=False)
    ]

    def __init__(self, targets: Sequence[Row], drain_s: float) -> None:
        super().__init__()
        self._rows = tuple(targets)
        self._drain_s = drain_s

    def compose(self) -> ComposeResult:
        rows = self._rows
        whom = called(rows[0]) if len(rows) == 1 else f"{len(rows)} tasks"
        yield Frame(
            f"Recycle {whom}?",
            LinesView(classes="fits", id="recycle-lines"),
            Choices([CANCEL, *recycle_choices(rows)]),
        )

    def on_mount(self) -> None:
        lines = recycle_lines(self._rows, WIDTH, clock_of(self)(), self._drain_s)
        self.query_one("#recycle-lines", LinesView).show([*lines, BLANK])
        self.query_one(Choices).focus()

    def action_cancel(self) -> None:
        self.dismiss(None)

    @on(Choices.Chosen)
    def _chosen(self, event: Choices.Chosen) -> None:
        if not event.answer:
            self.dismiss(None)
            return
        rows = tuple(chosen_rows(event.answer, self._rows))
        anew, collect = event.answer == ANEW, event.answer == COLLECT
        self.dismiss(Recycle(rows, anew=anew, collect=collect))
