"""A larger cap or heap limit for the next attempt."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.screen import ModalScreen
from textual.widgets import Input

from heaptui.client import Operator
from heaptui.errors import HeaptuiError, UsageError
from heaptui.model import HostSample, Row
from heaptui.tui.lines import BLANK, Line, one_line, sentence
from heaptui.tui.raising import chosen_limits, limits_lines, raise_choices, raised, written_limits
from heaptui.tui.screens.confirm import CANCEL
from heaptui.tui.screens.stop import CLOSE
from heaptui.tui.targets import called
from heaptui.tui.widgets.dialog import WIDTH, Choice, Choices, Frame
from heaptui.tui.widgets.lines_view import LinesView


class RaiseScreen(ModalScreen[str | None]):
    """Gives the sentence that says what was done, None when nothing was. Targets are frozen with
    their attempts as they are given; the supervisor refuses, with the arithmetic, what the machine
    does not have."""

    DEFAULT_CSS = """
    RaiseScreen { align: center middle; }
    RaiseScreen .row { height: 1; width: 100%; }
    RaiseScreen .label { height: 1; }
    RaiseScreen Input {
        width: 12; background: $panel; color: $foreground; height: 1; padding: 0 1;
    }
    RaiseScreen Input:focus { background: $panel; background-tint: $foreground 12%; }
    RaiseScreen Input:ansi { background: $background; text-style: underline; }
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "cancel", "cancel", id="dialog.cancel", show=False)
    ]

    def __init__(
        self, operator: Operator, targets: Sequence[Row], host: HostSample | None = None
    ) -> None:
        super().__init__()
        self._host = host
        self._operator = operator
        self._rows = tuple(targets)
        self._said: list[Line] = []
        self._done: str | None = None
        self._firing = False
        self._cap = Input(placeholder="as it is", id="raise-cap", compact=True)
        self._heap = Input(placeholder="as it is", id="raise-heap", compact=True)

    def compose(self) -> ComposeResult:
        self._cap.cursor_blink = self._heap.cursor_blink = False
        rows = self._rows
        whom = called(rows[0]) if len(rows) == 1 else f"{len(rows)} tasks"
        own = Choice("o", "another value", "own")
        yield Frame(
            f"Raise {whom}?",
            LinesView(classes="fits", id="raise-lines"),
            Horizontal(
                _label("cap", 4),
                self._cap,
                _label("  heap", 7),
                self._heap,
                classes="row",
                id="own",
            ),
            LinesView([BLANK], classes="fits"),
            Choices([CANCEL, *raise_choices(rows), own]),
        )

    def on_mount(self) -> None:
        self.query_one("#own").display = False
        self.query_one(Choices).focus()
        self._paint()

    def _paint(self) -> None:
        lines = limits_lines(self._rows, WIDTH, self._host)
        if self._said:
            lines += [BLANK, *self._said]
        self.query_one("#raise-lines", LinesView).show([*lines, BLANK])

    def action_cancel(self) -> None:
        if isinstance(self.focused, Input):
            self.query_one(Choices).focus()
        elif not self._firing:
            self.dismiss(self._done)

    @on(Input.Submitted)
    def _typed(self, event: Input.Submitted) -> None:
        event.stop()
        if self._firing:
            return
        try:
            cap, heap = written_limits(self._cap.value, self._heap.value)
        except UsageError as error:
            self._refused(error)
            return
        self._raise(cap, heap)

    @on(Choices.Chosen)
    def _chosen(self, event: Choices.Chosen) -> None:
        if self._firing:
            return
        match event.answer:
            case "":
                self.dismiss(self._done)
            case "own":
                self.query_one("#own").display = True
                self._cap.focus()
            case "retry":
                self._firing = True
                self.run_worker(self._retry())
            case answer:
                self._raise(*chosen_limits(answer))

    def _raise(self, cap: int | None, heap: int | None) -> None:
        self._firing = True
        self.run_worker(self._fire(cap, heap))

    async def _fire(self, cap: int | None, heap: int | None) -> None:
        rows = self._rows
        try:
            await self._operator.raise_limits(
                [row.id for row in rows],
                attempts=[row.attempts for row in rows],
                cap_bytes=cap,
                heap_bytes=heap,
            )
        except HeaptuiError as error:
            self._refused(error)
            return
        finally:
            self._firing = False
        self._done = raised(rows, cap, heap)
        if not all(row.state.ended for row in rows):
            self.dismiss(self._done)
            return
        self._said = sentence(f"{self._done}.", WIDTH, "sky")
        self.query_one("#own").display = False
        choices = self.query_one(Choices)
        queue = "queue it now" if len(rows) == 1 else "queue them now"
        choices.offer([CLOSE, Choice("R", queue, "retry")])
        choices.focus()
        self._paint()

    async def _retry(self) -> None:
        rows = self._rows
        try:
            await self._operator.retry(
                [row.id for row in rows], attempts=[row.attempts for row in rows]
            )
        except HeaptuiError as error:
            self._refused(error)
            return
        finally:
            self._firing = False
        self.dismiss(f"{self._done}; queued")

    def _refused(self, error: HeaptuiError) -> None:
        self._said = sentence(one_line(error.what), WIDTH, "red")
        self._said += sentence(one_line(error.remedy), WIDTH, "amber")
        self._paint()


def _label(text: str, width: int) -> LinesView:
    label = LinesView([((text, "dim"),)], classes="label")
    label.styles.width = width
    return label
