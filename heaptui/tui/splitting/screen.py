"""The preview of a split: the children that a task would be divided into, edited and confirmed."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar, NamedTuple

from textual import events, on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.screen import Screen
from textual.timer import Timer

from heaptui.client import Operator
from heaptui.errors import HeaptuiError
from heaptui.inputs import CHILDREN_MAX, DEPTH_ASKED, Share, SplitPlan
from heaptui.model import Activity, Row
from heaptui.splitting import editing
from heaptui.tui.keymap import bindings
from heaptui.tui.keys import display
from heaptui.tui.lines import BLANK, Line, Role, indented, one_line, ruled, sentence
from heaptui.tui.order import following
from heaptui.tui.splitting.drafting import Draft, Drafting, agreed, kept
from heaptui.tui.splitting.items import ItemsScreen
from heaptui.tui.splitting.lines import heading, share_line, title_line
from heaptui.tui.splitting.told import told_lines
from heaptui.tui.surroundings import clock_of, entries_of
from heaptui.tui.targets import called
from heaptui.tui.themes import glyphs_of
from heaptui.tui.widgets.activities import activity_lines
from heaptui.tui.widgets.footer import keys_line
from heaptui.tui.widgets.lines_view import LinesView, scrolled
from heaptui.tui.widgets.painting import OneLine

_AROUND = 3
"""Lines of the screen that are title, heading and keys."""
_ROWS_LEAST = 4
_LONG_S = 0.3
"""What takes longer shows itself."""
_TICK_S = 1.0


class Wanted(NamedTuple):
    """The operator confirmed: so is `plan`'s task to be divided."""

    plan: SplitPlan
    shares: tuple[Share, ...]
    left_out: tuple[str, ...]
    insist: bool


class SplitScreen(Screen[Wanted | None]):
    """Gives what was confirmed, None for cancel. The target is frozen with its attempt as it is
    given; nothing is done to it here."""

    DEFAULT_CSS = """
    SplitScreen { layout: vertical; background: $background; }
    SplitScreen #split-told { height: 1fr; }
    """

    BINDINGS: ClassVar[list[BindingType]] = bindings("split")
    PLACES: ClassVar[tuple[str, ...]] = ("split", "app")
    """Whose keys work here, for the help."""

    def __init__(self, operator: Operator, row: Row) -> None:
        super().__init__()
        self._operator = operator
        self._row = row
        self._drafting: Drafting | None = None
        self._at = self._top = 0
        self._asked_at: float | None = None
        self._slow = False
        self._said: list[tuple[str, bool]] = []
        self._ticking: Timer | None = None
        self._title = OneLine(self._draw_title)
        self._heading = OneLine(self._draw_heading)
        self._table = LinesView(id="split-table", focusable=True)
        self._told = LinesView(id="split-told")
        self._keys = OneLine(self._draw_keys, shaded=True)

    def compose(self) -> ComposeResult:
        yield self._title
        yield self._heading
        yield self._table
        yield self._told
        yield self._keys

    def on_mount(self) -> None:
        self._table.focus()
        self._ask()

    # --- the plan ----------------------------------------------------------------------------
    def _ask(self, strategy: str = "", into: int | None = None) -> None:
        """Has it divided; the latest question counts."""
        self._asked_at, self._slow, self._said = clock_of(self)(), False, []
        self.set_timer(_LONG_S, self._is_slow)
        self.run_worker(self._plan(strategy, into), group="plan", exclusive=True)
        self._paint()

    def _is_slow(self) -> None:
        if self._asked_at is None:
            return
        self._slow = True
        if self._ticking is None:
            self._ticking = self.set_interval(_TICK_S, self._paint)
        self._paint()

    async def _plan(self, strategy: str, into: int | None) -> None:
        try:
            plan = await self._operator.plan_split(self._row.id, strategy=strategy, into=into)
        except HeaptuiError as error:
            self._over()
            self._refused(error)
            return
        self._over()
        if plan.attempt != self._row.attempts:
            self._refused(
                HeaptuiError(
                    f"The task is at attempt {plan.attempt} now, not {self._row.attempts}.",
                    "Nothing was done; open this again for the new one.",
                )
            )
            return
        if self._drafting is None:
            self._drafting = Drafting(plan)
        else:
            if self._drafting.edited:
                self._said = [("Divided anew; u brings back what you edited.", False)]
            self._drafting.planned(plan)
        self._paint()

    def _over(self) -> None:
        self._asked_at, self._slow = None, False
        if self._ticking is not None:
            self._ticking.stop()
            self._ticking = None

    def _refused(self, error: HeaptuiError) -> None:
        self._said = [(error.what, True), (error.remedy, False)]
        self._paint()

    # --- drawing -----------------------------------------------------------------------------
    def _draw_title(self, width: int) -> Line:
        glyphs, drafting = glyphs_of(self), self._drafting
        if drafting is None:
            return ruled([(f"Split {called(self._row)}", "strong")], width, glyphs.rule)
        other = self._key("split.strategy")
        return title_line(
            drafting.plan, drafting.draft, width, glyphs, other=other, edited=drafting.edited
        )

    def _draw_heading(self, width: int) -> Line:
        return BLANK if self._drafting is None else heading(self._drafting.plan, width)

    def _draw_keys(self, width: int) -> Line:
        back = (self._key("split.back"), "cancel")
        if self._drafting is None:
            return keys_line([back], width)
        go = ("split.insist", "split all the same") if self._deep else ("split.go", "split")
        undo = [(self._key("split.undo"), "undo")] if self._drafting.undoable else []
        return keys_line(
            [
                (self._key(go[0]), go[1]),
                (self._key("split.edit"), "edit"),
                (self._key("split.leave"), "put back" if self._is_out else "leave out"),
                (f"{self._key('split.earlier')} {self._key('split.later')}", "reorder"),
                (f"{self._key('split.more')} {self._key('split.fewer')}", "more, fewer"),
                (self._key("split.join"), "join"),
                (self._key("split.cut"), "cut"),
                *undo,
                (self._key("app.help"), "keys"),
                back,
            ],
            width,
        )

    def _key(self, id: str) -> str:
        return next(display(entry.keys[0]) for entry in entries_of(self) if entry.id == id)

    @property
    def _deep(self) -> bool:
        return self._drafting is not None and self._drafting.plan.depth > DEPTH_ASKED

    @property
    def _is_out(self) -> bool:
        """The child under the cursor is left out."""
        if self._drafting is None:
            return False
        draft = self._drafting.draft
        return not kept(draft.shares[self._at], draft.out)

    @on(events.Resize)
    @on(events.ScreenResume)
    def _paint(self) -> None:
        if not self.is_mounted:
            return
        width = self.size.width
        told = self._told_lines(width)
        self._paint_table(width, self.size.height - _AROUND - len(told))
        self._told.show(told, 0)
        for line in (self._title, self._heading, self._keys):
            line.redraw()

    def _paint_table(self, width: int, room: int) -> None:
        """As high as it needs to be; what there is to tell stands right under it."""
        drafting, glyphs = self._drafting, glyphs_of(self)
        if drafting is None:
            self._table.styles.height = 0
            return
        plan, draft = drafting.plan, drafting.draft
        self._at = max(0, min(self._at, len(draft.shares) - 1))
        height = max(1, min(room, len(draft.shares)))
        self._top = min(scrolled(self._top, self._at, height), len(draft.shares) - height)
        lines = [
            share_line(place, drafting.slices[place], draft, plan, width, glyphs)
            for place in range(self._top, self._top + height)
        ]
        self._table.styles.height = height
        self._table.show(lines, 0, self._at - self._top)

    def _told_lines(self, width: int) -> list[Line]:
        """What is to be known, under it what was just said or is being waited for."""
        said: list[Line] = []
        for text, bad in self._said:
            role: Role = "red" if bad else "amber"
            said += indented(sentence(one_line(text), width - 4, role), 3) if text else []
        if self._slow and self._asked_at is not None:
            waits = Activity(
                id="",
                kind="split",
                text="divides what is left of it",
                began_at=self._asked_at,
                name=self._row.name,
                cancellable=True,
            )
            said += activity_lines([waits], width, clock_of(self)(), glyphs_of(self))
        drafting = self._drafting
        if drafting is None:
            return [BLANK, *said]
        room = self.size.height - _AROUND - len(said)
        rows = len(drafting.draft.shares)
        height = room - min(rows, max(_ROWS_LEAST, room // 2))
        told = told_lines(
            self._row,
            drafting.plan,
            drafting.draft,
            self._at,
            width,
            height,
            insist=self._key("split.insist"),
        )
        return [*told, *said]

    # --- keys --------------------------------------------------------------------------------
    def action_back(self) -> None:
        """While it is divided anew: only that is given up."""
        if self._asked_at is not None and self._drafting is not None:
            self.workers.cancel_group(self, "plan")
            self._over()
            self._paint()
        else:
            self.dismiss(None)

    def action_move(self, by: int) -> None:
        if self._drafting is not None:
            last = len(self._drafting.draft.shares) - 1
            self._at = max(0, min(self._at + by, last))
            self._paint()

    def action_page(self, pages: int) -> None:
        self.action_move(pages * max(1, self._table.size.height - 1))

    @on(LinesView.Wheeled)
    def _wheeled(self, event: LinesView.Wheeled) -> None:
        event.stop()
        self.action_move(event.lines)

    def action_go(self) -> None:
        if self._deep:
            key = self._key("split.insist")
            self._say(f"It is a part of a part already: {key} splits it all the same.")
        else:
            self._confirm(insist=False)

    def action_insist(self) -> None:
        if self._deep:
            self._confirm(insist=True)

    def _confirm(self, *, insist: bool) -> None:
        """What is on the screen, unless that is about to change."""
        if self._drafting is None or self._asked_at is not None:
            return
        shares, left_out = agreed(self._drafting.draft)
        if not shares:
            self._say("Everything is left out: there is nothing to split into.")
            return
        self.dismiss(Wanted(self._drafting.plan, shares, left_out, insist))

    def action_edit(self) -> None:
        if self._drafting is not None:
            self._said = []
            self.app.push_screen(ItemsScreen(self._drafting, self._at))

    def action_leave_out(self) -> None:
        def turned(draft: Draft) -> Draft:
            names = [item.name for item in draft.shares[self._at].items]
            return draft.with_again(names) if self._is_out else draft.without(names)

        self._change(turned)

    def action_earlier(self) -> None:
        self._reorder(-1)

    def action_later(self) -> None:
        self._reorder(1)

    def _reorder(self, by: int) -> None:
        """The cursor goes with it."""
        to = self._at + by
        if self._drafting is not None and 0 <= to < len(self._drafting.draft.shares):
            place, self._at = self._at, to
            self._edit(lambda shares: editing.moved(shares, place, to))

    def action_join(self) -> None:
        """With the one below."""
        drafting, at = self._drafting, self._at
        if drafting is None:
            return
        if at + 1 < len(drafting.draft.shares):
            self._edit(lambda shares: editing.joined(shares, at, at + 1))
        else:
            self._say("There is no child below it: join the one above with it.")

    def action_cut(self) -> None:
        drafting, at = self._drafting, self._at
        if drafting is not None:
            self._edit(lambda shares: editing.cut(shares, at, drafting.plan.source))

    def action_undo(self) -> None:
        if self._drafting is not None:
            self._said = [] if self._drafting.undo() else [("There is nothing to undo.", False)]
            self._paint()

    def _edit(self, edit: Callable[[editing.Shares], editing.Shares]) -> None:
        self._change(lambda draft: draft._replace(shares=edit(draft.shares)))

    def _change(self, edit: Callable[[Draft], Draft]) -> None:
        drafting = self._drafting
        if drafting is None or self._asked_at is not None:
            return
        try:
            drafting.change(edit(drafting.draft))
        except HeaptuiError as error:
            self._refused(error)
            return
        self._said = []
        self._paint()

    def action_more(self) -> None:
        drafting = self._drafting
        if drafting is not None and drafting.edited:
            self._edit(lambda shares: editing.more(shares, drafting.plan.source))
        else:
            self._divide(1)

    def action_fewer(self) -> None:
        drafting = self._drafting
        if drafting is not None and drafting.edited:
            self._edit(editing.fewer)
        else:
            self._divide(-1)

    def _divide(self, by: int) -> None:
        """Anew: what was edited would be gone."""
        drafting = self._drafting
        if drafting is None or self._asked_at is not None:
            return
        into = len(drafting.plan.shares) + by
        if 1 <= into <= CHILDREN_MAX:
            self._ask(drafting.plan.strategy, into)

    def action_strategy(self) -> None:
        drafting = self._drafting
        if drafting is None or self._asked_at is not None:
            return
        plan = drafting.plan
        if len(plan.strategies) < 2:
            self._say("There is no other way to divide it.")
            return
        self._ask(following(plan.strategy, list(plan.strategies)))

    def _say(self, text: str) -> None:
        self._said = [(text, False)]
        self._paint()
