"""What one child is to do, item by item: its title, what to leave out, what another is to do."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar, Literal

from textual import events, on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal
from textual.screen import Screen
from textual.widgets import Input

from heaptui.errors import HeaptuiError
from heaptui.inputs import Item, Share
from heaptui.splitting import editing
from heaptui.tui.cells import cut
from heaptui.tui.keymap import bindings
from heaptui.tui.lines import Line, flow, indented, one_line, sentence
from heaptui.tui.splitting.drafting import Draft, Drafting
from heaptui.tui.splitting.lines import item_heading, item_line, share_title
from heaptui.tui.splitting.words import amount, item_words
from heaptui.tui.surroundings import entries_of
from heaptui.tui.themes import glyphs_of
from heaptui.tui.widgets.footer import keys_line, keys_of
from heaptui.tui.widgets.lines_view import LinesView, scrolled
from heaptui.tui.widgets.painting import OneLine

_KEYS = (
    "share.leave", "share.give", "share.mark", "share.all", "share.rename", "share.filter",
    "share.undo", "share.back",
)  # fmt: skip

_OTHERS_MOST = 6
"""Lines that name the other children."""

Question = Literal["title", "to child", "/"]


class ItemsScreen(Screen[None]):
    """The child at `place` of a draft; every change is in the draft at once."""

    DEFAULT_CSS = """
    ItemsScreen { layout: vertical; background: $background; }
    ItemsScreen #items-prompt { height: 1; display: none; }
    ItemsScreen #items-question { height: 1; }
    ItemsScreen Input {
        width: 1fr; height: 1; border: none; padding: 0;
        background: $background; background-tint: transparent;
    }
    ItemsScreen #items-said { height: auto; }
    """

    BINDINGS: ClassVar[list[BindingType]] = bindings("share")
    PLACES: ClassVar[tuple[str, ...]] = ("share", "app")
    """Whose keys work here, for the help."""

    def __init__(self, drafting: Drafting, place: int) -> None:
        super().__init__()
        self._drafting = drafting
        self._place = place
        self._at = self._top = 0
        self._marks: frozenset[str] = frozenset()
        self._filter = ""
        self._listed: Sequence[Item] = ()
        self._question: Question | None = None
        self._title = OneLine(self._draw_title)
        self._table = LinesView(id="items-table", focusable=True)
        self._said = LinesView(id="items-said", classes="fits")
        self._asks = LinesView(id="items-question")
        self._typed = Input(id="items-typed", compact=True, select_on_focus=False)
        self._keys = OneLine(self._draw_keys, shaded=True)

    def compose(self) -> ComposeResult:
        self._typed.cursor_blink = False
        yield self._title
        yield OneLine(item_heading)
        yield self._table
        yield self._said
        yield Horizontal(self._asks, self._typed, id="items-prompt")
        yield self._keys

    def on_mount(self) -> None:
        self._table.focus()
        self._list()

    @property
    def _share(self) -> Share:
        return self._drafting.draft.shares[self._place]

    # --- drawing -----------------------------------------------------------------------------
    def _draw_title(self, width: int) -> Line:
        drafting, glyphs = self._drafting, glyphs_of(self)
        return share_title(drafting.plan, drafting.draft, self._place, width, glyphs)

    def _draw_keys(self, width: int) -> Line:
        if self._question is not None:
            return keys_line([("enter", "ok"), ("escape", "leave it")], width)
        return keys_line(keys_of(entries_of(self), _KEYS), width)

    def _list(self) -> None:
        """Those that the filter lets through."""
        items, needle = self._share.items, self._filter.casefold()
        if needle:
            items = tuple(item for item in items if needle in item_words(item).casefold())
        self._listed = items
        self._at = max(0, min(self._at, len(self._listed) - 1))
        self._paint()

    @on(events.Resize)
    def _paint(self) -> None:
        if not self.is_mounted:
            return
        width, height = self.size.width, max(1, self._table.size.height)
        glyphs, out, gone = glyphs_of(self), self._drafting.draft.out, self._drafting.plan.gone
        self._top = max(0, min(scrolled(self._top, self._at, height), len(self._listed) - 1))
        # only what is seen: a list may be of many thousand items
        lines = [
            item_line(
                item,
                width,
                glyphs,
                out=item.name in out,
                marked=item.name in self._marks,
                note=_note(item, gone),
            )
            for item in self._listed[self._top : self._top + height]
        ]
        self._table.show(lines, 0, self._at - self._top if lines else None)
        self._said.show(self._state_lines(width), 0)
        self._title.redraw()
        self._keys.redraw()

    def _state_lines(self, width: int) -> list[Line]:
        if self._question == "to child":
            return indented(self._others(width - 4)[:_OTHERS_MOST], 3)
        source = self._drafting.plan.source
        words = []
        if self._filter:
            found = amount(len(self._listed), source)
            words.append(f"{found} with {one_line(self._filter)!r}")
        if self._marks:
            words.append(f"{len(self._marks):,} marked")
        out = sum(item.name in self._drafting.draft.out for item in self._share.items)
        if out:
            words.append(f"{amount(out, source)} left out")
        return indented(sentence("; ".join(words), width - 4, "sky"), 3) if words else []

    def _others(self, width: int) -> list[Line]:
        """Who could take them, by number."""
        fields: list[Line] = [
            ((f"{place + 1} ", "sky"), (cut(one_line(share.title), 30), "plain"))
            for place, share in enumerate(self._drafting.draft.shares)
            if place != self._place
        ]
        return flow(fields, width, gap=3)

    # --- keys --------------------------------------------------------------------------------
    def action_back(self) -> None:
        """One step out: of the question, the marks, the filter, the list."""
        if self._question is not None:
            self._close()
        elif self._marks:
            self._marks = frozenset()
            self._paint()
        elif self._filter:
            self._filter = ""
            self._list()
        else:
            self.dismiss()

    def action_move(self, by: int) -> None:
        self._at = max(0, min(self._at + by, len(self._listed) - 1))
        self._paint()

    def action_page(self, pages: int) -> None:
        self.action_move(pages * max(1, self._table.size.height - 1))

    @on(LinesView.Wheeled)
    def _wheeled(self, event: LinesView.Wheeled) -> None:
        event.stop()
        self.action_move(event.lines)

    def action_mark(self) -> None:
        if self._listed:
            self._marks ^= {self._listed[self._at].name}
            self.action_move(1)

    def action_all(self) -> None:
        listed = frozenset(item.name for item in self._listed)
        self._marks = self._marks - listed if listed <= self._marks else self._marks | listed
        self._paint()

    def _chosen(self) -> frozenset[str]:
        """The marked, else the one under the cursor."""
        if self._marks or not self._listed:
            return self._marks
        return frozenset((self._listed[self._at].name,))

    def action_leave_out(self) -> None:
        """Back in where all of them are out already."""
        chosen = self._chosen()
        if chosen <= self._drafting.draft.out:
            self._change(lambda draft: draft.with_again(chosen))
        else:
            self._change(lambda draft: draft.without(chosen))

    def action_undo(self) -> None:
        if not self._drafting.undo():
            self._tell("There is nothing to undo.")
        elif self._place >= len(self._drafting.draft.shares):
            self.dismiss()
            return
        self._marks = frozenset()
        self._list()

    def action_rename(self) -> None:
        self._ask("title", self._share.title)

    def action_give(self) -> None:
        if len(self._drafting.draft.shares) < 2:
            self._tell("There is no other child.")
        elif self._chosen():
            self._ask("to child", "")

    def action_filter(self) -> None:
        self._ask("/", self._filter)

    def _ask(self, question: Question, value: str) -> None:
        self._question = question
        last = len(self._drafting.draft.shares)
        words = f" to child (1-{last}) " if question == "to child" else f" {question} "
        self._asks.styles.width = len(words)
        self._asks.show([((words, "sky"),)], 0)
        self._typed.value = value
        self.query_one("#items-prompt").display = True
        self._typed.focus()
        self._typed.cursor_position = len(value)
        self._paint()

    def _close(self) -> None:
        self._question = None
        self.query_one("#items-prompt").display = False
        self._table.focus()
        self._paint()

    @on(Input.Submitted)
    def _answered(self, event: Input.Submitted) -> None:
        event.stop()
        question, answer = self._question, event.value
        self._close()
        match question:
            case "title":
                self._edit(lambda shares: editing.renamed(shares, self._place, answer))
            case "to child":
                self._give(answer)
            case "/":
                self._filter, self._at = answer, 0
                self._list()

    def _give(self, answer: str) -> None:
        others = len(self._drafting.draft.shares)
        number = int(answer) if answer.strip().isdecimal() else 0
        if not 1 <= number <= others or number - 1 == self._place:
            self._tell(f"{one_line(answer)[:20]!r} is no other child: write its number.")
            return
        chosen, emptied = self._chosen(), len(self._chosen()) == len(self._share.items)
        moved = self._edit(
            lambda shares: editing.items_moved(shares, self._place, chosen, number - 1)
        )
        if moved and emptied:
            # the child is none any more
            self.dismiss()

    def _edit(self, edit: Callable[[editing.Shares], editing.Shares]) -> bool:
        return self._change(lambda draft: draft._replace(shares=edit(draft.shares)))

    def _change(self, edit: Callable[[Draft], Draft]) -> bool:
        try:
            draft = edit(self._drafting.draft)
        except HeaptuiError as error:
            self._tell(str(error))
            return False
        shown = len(draft.shares) == len(self._drafting.draft.shares)
        self._drafting.change(draft)
        self._marks = frozenset()
        if shown:
            self._list()
        return True

    def _tell(self, text: str) -> None:
        self.app.clear_notifications()
        self.app.notify(one_line(text), markup=False)


def _note(item: Item, gone: Sequence[str]) -> str:
    return "not there any more" if (item.of or item.name) in gone else ""
