"""Before a leak hunt: how long it waits, and what it costs."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.screen import ModalScreen
from textual.widgets import Input

from heaptui.client import Operator
from heaptui.errors import UsageError
from heaptui.model import Row, SnapshotPlan
from heaptui.tui.lines import BLANK, Line, one_line, sentence
from heaptui.tui.plan_lines import hunt_lines, target_lines
from heaptui.tui.planning import Planning
from heaptui.tui.screens.confirm import CANCEL
from heaptui.tui.screens.take import MILDER, RAISE
from heaptui.tui.targets import called
from heaptui.tui.widgets.dialog import WIDTH, Choice, Choices, Frame
from heaptui.tui.widgets.lines_view import LinesView
from heaptui.units import parse_duration, size

_FRAME_LINES = 12
_FIRST_WAIT = "2m"
_REQUESTS_MAX = 10_000_000


@dataclass(frozen=True, slots=True)
class Hunted:
    """The operator wants this hunt: `seconds` between the snapshots, or so many `requests`."""

    plan: SnapshotPlan
    seconds: float
    requests: int | None = None
    raise_cap: bool = False


def read_wait(wait: str, requests: str) -> tuple[float, int | None]:
    """Seconds and requests of the two fields; a blank one is two minutes, or no number.

    Raises:
        UsageError: not a duration, or not a number of requests.
    """
    seconds = parse_duration(wait.strip() or _FIRST_WAIT, "wait")
    if not requests.strip():
        return seconds, None
    if not requests.strip().isdecimal() or not 1 <= int(requests) <= _REQUESTS_MAX:
        raise UsageError(
            f"{requests.strip()[:20]!r} is no number of requests.",
            f"Write a whole number from 1 to {_REQUESTS_MAX:,}, or nothing.",
        )
    return seconds, int(requests)


class HuntScreen(ModalScreen[Hunted | str | None]):
    """Gives the hunt to begin, `collect` or `raise` for a milder way, None for Cancel."""

    DEFAULT_CSS = """
    HuntScreen { align: center middle; }
    HuntScreen .row { height: 1; width: 100%; }
    HuntScreen .label { height: 1; }
    HuntScreen Input { width: 10; background: $panel; color: $foreground; height: 1; padding: 0 1; }
    HuntScreen Input:focus { background: $panel; background-tint: $foreground 12%; }
    HuntScreen Input:ansi { background: $background; text-style: underline; }
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "cancel", "cancel", id="dialog.cancel", show=False)
    ]

    def __init__(self, operator: Operator, row: Row) -> None:
        super().__init__()
        self._planning = Planning(operator, row)
        self._wrong: UsageError | None = None
        self._wait = Input(_FIRST_WAIT, id="hunt-wait", compact=True)
        self._requests = Input(placeholder="any", id="hunt-requests", compact=True)

    def compose(self) -> ComposeResult:
        self._wait.cursor_blink = self._requests.cursor_blink = False
        yield Frame(
            f"Hunt a leak in {called(self._planning.row)}?",
            LinesView(classes="fits", id="hunt-lines"),
            Horizontal(
                _label("waits", 6),
                self._wait,
                _label(" or until", 10),
                self._requests,
                _label(" requests were seen", 20),
                classes="row",
            ),
            LinesView([BLANK], classes="fits", id="hunt-wrong"),
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
        heap = self._planning.heap
        self._requests.disabled = heap is not None and heap.requests is None
        self._requests.placeholder = "not seen" if self._requests.disabled else "any"
        self.query_one(Choices).offer(self._offered())
        self._paint()

    def _offered(self) -> list[Choice]:
        plan = self._planning.plan
        if plan is None:
            return [CANCEL]
        wait = Choice("w", "change the wait", "wait")
        match plan.verdict:
            case "fits":
                choices = [CANCEL, Choice("h", "hunt", "hunt"), wait]
            case "raise":
                label = f"hunt, cap to {size(plan.raise_to_bytes)} while it writes"
                choices = [CANCEL, Choice("h", label, "hunt-raised"), wait, RAISE]
            case _:
                # nobody is there to insist when the second one is due
                choices = [CANCEL, MILDER["collect"], RAISE]
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
            room = self.app.size.height - _FRAME_LINES
            lines += [BLANK, *hunt_lines(planning.plan, WIDTH, room)]
        self.query_one("#hunt-lines", LinesView).show([*lines, BLANK])
        said = BLANK if self._wrong is None else ((self._wrong.remedy, "red"),)
        self.query_one("#hunt-wrong", LinesView).show([said])

    def action_cancel(self) -> None:
        if isinstance(self.focused, Input):
            self.query_one(Choices).focus()
        else:
            self.dismiss(None)

    @on(Input.Submitted)
    def _typed(self, event: Input.Submitted) -> None:
        event.stop()
        if self._understood() is not None:
            self.query_one(Choices).focus()

    def _understood(self) -> tuple[float, int | None] | None:
        try:
            found = read_wait(self._wait.value, self._requests.value)
        except UsageError as error:
            self._wrong = error
            self._paint()
            return None
        self._wrong = None
        self._paint()
        return found

    @on(Choices.Chosen)
    def _chosen(self, event: Choices.Chosen) -> None:
        plan = self._planning.plan
        match event.answer:
            case "":
                self.dismiss(None)
            case "collect" | "raise":
                self.dismiss(event.answer)
            case "wait":
                self._wait.focus()
            case "other":
                self.run_worker(self._look(self._planning.other), group="other", exclusive=True)
            case answer if plan is not None:
                wait = self._understood()
                if wait is None:
                    self._wait.focus()
                    return
                seconds, requests = wait
                self.dismiss(Hunted(plan, seconds, requests, raise_cap=answer == "hunt-raised"))


def _label(text: str, width: int) -> LinesView:
    label = LinesView([((text, "dim"),)], classes="label")
    label.styles.width = width
    return label
