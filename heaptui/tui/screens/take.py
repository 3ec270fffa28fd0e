"""Before a snapshot: what it takes, whether there is room, and what else there is to do."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import ModalScreen

from heaptui.client import Operator
from heaptui.model import Row, SnapshotPlan
from heaptui.tui.lines import BLANK, Line, one_line, sentence
from heaptui.tui.plan_lines import plan_lines, target_lines
from heaptui.tui.planning import Planning
from heaptui.tui.screens.confirm import CANCEL
from heaptui.tui.targets import called
from heaptui.tui.widgets.dialog import WIDTH, Choice, Choices, Frame
from heaptui.tui.widgets.lines_view import LinesView
from heaptui.units import size

_FRAME_LINES = 10
"""Of the screen's: border, padding, the target's lines, choices."""


@dataclass(frozen=True, slots=True)
class Take:
    """The operator wants this snapshot, with the cap raised meanwhile or beyond doubt."""

    plan: SnapshotPlan
    raise_cap: bool = False
    insist: bool = False


MILDER = {"collect": Choice("g", "collect first", "collect")}
RAISE = Choice("+", "raise for the next attempt", "raise")


class TakeScreen(ModalScreen[Take | str | None]):
    """Gives the snapshot to take, `collect` or `raise` for a milder way, None for Cancel."""

    DEFAULT_CSS = "TakeScreen { align: center middle; }"

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "cancel", "cancel", id="dialog.cancel", show=False)
    ]

    def __init__(self, operator: Operator, row: Row) -> None:
        super().__init__()
        self._planning = Planning(operator, row)
        self._busy = True

    def compose(self) -> ComposeResult:
        yield Frame(
            f"Snapshot of {called(self._planning.row)}?",
            LinesView(classes="fits", id="take-lines"),
            Choices([CANCEL]),
        )

    def on_mount(self) -> None:
        self.query_one(Choices).focus()
        self._paint()
        self.run_worker(self._look(self._planning.look))

    async def _look(self, ask: Callable[[], Awaitable[None]]) -> None:
        await ask()
        self._looked()

    def _looked(self) -> None:
        self._busy = False
        self.query_one(Choices).offer(self._offered())
        self._paint()

    def _offered(self) -> list[Choice]:
        plan = self._planning.plan
        choices = [CANCEL]
        match plan.verdict if plan is not None else "":
            case "fits":
                choices.append(Choice("t", "take it", "take"))
            case "raise" if plan is not None:
                label = f"cap to {size(plan.raise_to_bytes)} meanwhile, take it"
                choices += [Choice("t", label, "take-raised"), MILDER["collect"], RAISE]
            case "ask":
                choices += [Choice("t", "take it all the same", "insist"), MILDER["collect"], RAISE]
            case "refused":
                choices += [MILDER["collect"], RAISE]
        if len(self._planning.heaps) > 1:
            choices.append(Choice("p", "other process", "other"))
        return choices

    def _paint(self) -> None:
        planning = self._planning
        lines: list[Line] = target_lines(planning.row, planning.heap, planning.place, WIDTH)
        if planning.trouble is not None:
            lines += [BLANK, *sentence(one_line(planning.trouble.what), WIDTH, "red")]
            lines += sentence(one_line(planning.trouble.remedy), WIDTH, "dim")
        elif planning.plan is None:
            lines += [BLANK, *sentence("looks at its heap and at the room there is…", WIDTH, "dim")]
        else:
            lines += plan_lines(planning.plan, WIDTH, self.app.size.height - _FRAME_LINES)
        self.query_one("#take-lines", LinesView).show([*lines, BLANK])

    def action_cancel(self) -> None:
        self.dismiss(None)

    @on(Choices.Chosen)
    def _chosen(self, event: Choices.Chosen) -> None:
        plan = self._planning.plan
        match event.answer:
            case "":
                self.dismiss(None)
            case "collect" | "raise":
                self.dismiss(event.answer)
            case "other" if not self._busy:
                self._busy = True
                self.run_worker(self._look(self._planning.other))
            case answer if plan is not None and not self._busy:
                self.dismiss(
                    Take(plan, raise_cap=answer == "take-raised", insist=answer == "insist")
                )
