"""The app: one subscription feeds the board, the board feeds the screens.

Only a client: it never knows where the supervisor lives, and nothing that has to go on waits for
the terminal that this paints on.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Any, ClassVar, Protocol, runtime_checkable

from rich.console import Console
from textual.app import App, SystemCommand
from textual.dom import DOMNode
from textual.screen import Screen
from textual.widget import Widget

from heaptui.client import Down, Operator
from heaptui.config import PolicyConfig
from heaptui.model import Row
from heaptui.runtime.taskfile import NOTHING_SAID, Fallback
from heaptui.tui import themes
from heaptui.tui.asking import Asking
from heaptui.tui.board import Board
from heaptui.tui.glyphs import glyphs
from heaptui.tui.keymap import bindings, resolved
from heaptui.tui.keys import Entry
from heaptui.tui.leaving import AT_HOME, Leaving
from heaptui.tui.remembered import Remembered
from heaptui.tui.ringing import QUIET_S, Ring, Ringing, sequence

_POLICY = PolicyConfig()
_COLOURS = {None: 0, "standard": 16, "windows": 16, "256": 256, "truecolor": 1 << 24}


@runtime_checkable
class Paints(Protocol):
    """A screen that shows the board."""

    def paint(self) -> None: ...


@runtime_checkable
class HasTable(Protocol):
    """A screen with the table of tasks: it takes the table's keys."""

    table: Widget


@runtime_checkable
class OnTask(Protocol):
    """A screen about one task, whatever the table's cursor is on."""

    @property
    def row(self) -> Row | None: ...


class HeaptuiApp(App[str], inherit_bindings=False):
    """Returns how the operator left: `quit` (no work was live), `detach` or `stop`.

    `state_label` names the state directory, `theme` is a theme's name, the path of its file, or
    `auto` (by the terminal's colours); `keys` are the configuration's (id → keys), `embedded`
    tells that the supervisor lives in this process, `clock` gives seconds since the epoch,
    `paint_every_s` is the least time between two paints that no key asked for, `own_themes`
    the operator's directory of themes, `fallback` what a task launched here gets that says nothing,
    `leaving` what quitting offers first, `policy` the memory policy that dialogs speak of, and
    `bell` what rings when an alert begins: off, bell, or notify (OSC 9).
    """

    TITLE = "heaptui"
    ENABLE_COMMAND_PALETTE = True
    BINDINGS = bindings("app")
    CSS = """
    Screen { background: $background; color: $foreground; }
    ModalScreen { background: $background 60%; }
    ModalScreen:ansi { background: transparent; }
    Input > .input--placeholder { color: $dim; }
    CommandPalette > Vertical {
        width: 76; max-width: 100%; margin-top: 2; background: $background;
    }
    CommandPalette SearchIcon { display: none; }
    CommandPalette #--input { border: round $dim; border-title-color: $foreground; }
    CommandPalette CommandList {
        background: $background; border: round $dim; scrollbar-size-vertical: 1;
    }
    CommandPalette CommandList > .option-list--option-highlighted { background: $cursor; }
    CommandPalette CommandList:ansi > .option-list--option-highlighted {
        color: $block-cursor-foreground; background: $block-cursor-background;
    }
    Toast { background: $cursor; color: $plain; border-left: outer $sky; padding: 0 1; }
    Toast.-warning { border-left: outer $amber; }
    Toast.-error { border-left: outer $red; }
    ToastRack { margin-bottom: 1; }
    """
    NOTIFICATION_TIMEOUT = 6
    AUTO_FOCUS: ClassVar[str | None] = None

    def __init__(
        self,
        operator: Operator,
        *,
        state_label: str,
        theme: str,
        ascii: bool,
        keys: dict[str, str],
        remembered: Remembered,
        embedded: bool,
        clock: Callable[[], float] = time.time,
        paint_every_s: float = 0.0,
        own_themes: Path | None = None,
        fallback: Fallback = NOTHING_SAID,
        leaving: Leaving = AT_HOME,
        policy: PolicyConfig = _POLICY,
        bell: Ring = "off",
    ) -> None:
        self.colourless = "NO_COLOR" in os.environ
        self._palettes, self._wrong = themes.load(own_themes, theme)
        wanted = themes.SIXTEEN if self.colourless else theme or remembered.theme or ""
        self.palette, missing = themes.choose(wanted, self._palettes, _colours())
        self._wrong += [missing] if missing else []
        # Textual makes grey of a theme's colours without colour; of the sixteen it makes none
        super().__init__(ansi_color=True if self.colourless else None)
        self.operator = operator
        self.state_label = state_label
        self.glyphs = glyphs(ascii_only=ascii or not _has_unicode())
        self.remembered = remembered
        self.embedded = embedded
        self.fallback = fallback
        self.leaving = leaving
        self.policy = policy
        self._bell: Ring = bell
        self._ringing = Ringing()
        self.clock = clock
        self.board = Board(order=remembered.order, reverse=remembered.reverse, tree=remembered.tree)
        self._paint_every_s = paint_every_s
        self._painted_at = 0.0
        self._paint_due = False

        for palette in self._palettes.values():
            self.register_theme(palette.textual())
        self.entries: tuple[Entry, ...]
        self.entries, wrong_keys = resolved(keys)
        self._wrong += wrong_keys
        self.theme = self.palette.name
        # only what differs: Textual applies these at every key
        self.set_keymap({id: entry for id, entry in keys.items() if entry})

    def get_theme_variable_defaults(self) -> dict[str, str]:
        """The roles as stylesheet variables, also while a theme of Textual's own is shown."""
        return self.palette.textual().variables

    def get_default_screen(self) -> Screen[Any]:
        from heaptui.tui.screens.main import MainScreen

        return MainScreen(self)

    def on_mount(self) -> None:
        self.theme_changed_signal.subscribe(self, self._themed)
        self.run_worker(self._follow(), name="pictures", exit_on_error=True)
        if self._wrong:
            self.tell("\n".join(self._wrong), severity="warning")

        if threading.current_thread() is threading.main_thread():
            # a terminal is given back as it was, also when the machine shuts down
            loop = asyncio.get_running_loop()
            loop.add_signal_handler(signal.SIGTERM, self.exit, "detach")

    def _themed(self, theme: Any) -> None:
        """A theme was chosen in the palette of commands."""
        if theme.name in self._palettes and theme.name != self.palette.name:
            self.palette = self._palettes[theme.name]
            self.remembered.theme = theme.name
            self.remember()
            self.refresh_css()
            self.screen.refresh(layout=True)

    # --- pictures ----------------------------------------------------------------------------
    async def _follow(self) -> None:
        async for update in self.operator.watch():
            self.board.apply(update, self.clock())
            self.paint_soon()
            if not isinstance(update, Down):
                self._ring()

    def _ring(self) -> None:
        """For what began; what begins in the quiet after a ring is heard when that is over."""
        waited = self._ringing.waits
        text = self._ringing.hear(self.board.every_alert, self.board.rows, self.clock())
        if text is not None:
            self._send(sequence(self._bell, self.glyphs.spelled(text)))
        elif self._ringing.waits and not waited:
            self.set_timer(QUIET_S, self._ring)

    def _send(self, codes: str) -> None:
        """Past the compositor, in order with what it writes."""
        if codes and self._driver is not None:
            self._driver.write(codes)

    def paint_soon(self) -> None:
        """Paints once for all that came in the meantime."""
        if self._paint_due:
            return
        self._paint_due = True
        wait = self._painted_at + self._paint_every_s - time.monotonic()
        if wait > 0:
            self.set_timer(wait, self._paint)
        else:
            self.call_later(self._paint)

    def _paint(self) -> None:
        self._paint_due = False
        self._painted_at = time.monotonic()
        for screen in self.screen_stack:
            if isinstance(screen, Paints):
                screen.paint()

    # --- what screens need -------------------------------------------------------------------
    def tell(self, text: str, *, severity: Any = "information") -> None:
        """One toast at a time, and never through the markup parser."""
        Asking(self).tell(text, severity=severity)

    def remember(self) -> None:
        """Keeps what the app remembers; a disk that is full costs only that."""
        try:
            self.remembered.save()
        except OSError as error:
            self.tell(f"Could not be remembered: {error}", severity="warning")

    # --- actions -----------------------------------------------------------------------------
    def action_help(self) -> None:
        from heaptui.tui.screens.help import HelpScreen

        places = getattr(self.screen, "PLACES", ("app",))
        here = [entry for entry in self.entries if entry.where in places]
        row = self.screen.row if isinstance(self.screen, OnTask) else self.board.current
        self.push_screen(HelpScreen(here, row))

    def action_repaint(self) -> None:
        # what another program wrote over the screen is not in the compositor's map
        self.screen.refresh(repaint=True, layout=True)
        self.refresh()

    def get_system_commands(self, screen: Screen[Any]) -> Iterable[SystemCommand]:
        """Every action of the table of keys that can be done now, and the choice of a theme."""
        places: dict[str, DOMNode] = {"app": self, "main": screen}
        if isinstance(screen, HasTable):
            places["table"] = screen.table
        reachable = getattr(screen, "PLACES", ("app",))
        for entry in self.entries:
            node = places.get(entry.where) if entry.where in reachable else None
            usable = entry.id != "app.palette" and entry.available(self.board.current) is None
            if node is not None and usable:
                act = partial(self.run_action, entry.action, node)
                yield SystemCommand(entry.text, f"{entry.shown}   {entry.id}", act)
        yield SystemCommand("choose a theme", "dark, light, ansi, or your own", self.search_themes)


# textual paints on stderr
def _has_unicode() -> bool:
    encoding = (sys.__stderr__.encoding if sys.__stderr__ is not None else "") or ""
    return encoding.lower().replace("-", "") == "utf8"


def _colours() -> int:
    """How many colours the terminal has."""
    return _COLOURS.get(Console(file=sys.__stderr__, force_terminal=True).color_system, 16)


def run_app(operator: Operator, **settings: Any) -> str:
    """Runs the app to its end, with `HeaptuiApp`'s settings. See `early` for what goes before.

    Returns:
        `quit`, `detach` or `stop`.
    """
    return HeaptuiApp(operator, **settings).run() or "quit"
