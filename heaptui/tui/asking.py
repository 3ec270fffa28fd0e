"""Work that a key begins: the questions it asks, and the sentence it ends with."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from textual.app import App
from textual.screen import Screen

from heaptui.errors import HeaptuiError
from heaptui.output import printable
from heaptui.tui.board import Board


class Asking:
    """`board` keeps its order while a question is open; `painted` is called when work is over."""

    def __init__(
        self, app: App[Any], board: Board | None = None, painted: Callable[[], None] | None = None
    ) -> None:
        self._app = app
        self._board = board
        self._painted = painted

    def go(self, work: Coroutine[Any, Any, None]) -> None:
        """Begins it; an error of the family is told in its own words."""
        self._app.run_worker(self._guarded(work))

    async def _guarded(self, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except HeaptuiError as error:
            self.tell(str(error), severity="error")
        if self._painted is not None:
            self._painted()

    async def asked(self, screen: Screen[Any]) -> Any:
        """A dialog's answer; the order stays while it is open."""
        if self._board is None:
            return await self._app.push_screen_wait(screen)
        self._board.hold("dialog")
        try:
            return await self._app.push_screen_wait(screen)
        finally:
            self._board.release("dialog")

    def tell(self, text: str, *, severity: Any = "information") -> None:
        """One toast at a time, and never through the markup parser."""
        self._app.clear_notifications()
        self._app.notify(printable(text), severity=severity, markup=False)

    def begun(self) -> None:
        """What the marked tasks were marked for goes on by itself, and may take long."""
        if self._board is not None:
            self._board.clear_marks()

    def done(self, text: str, *, severity: Any = "information") -> None:
        """What the marked tasks were marked for is done."""
        if self._board is not None:
            self._board.clear_marks()
        self.tell(text, severity=severity)

    @property
    def at_table(self) -> bool:
        """Nothing is open above the first screen, and nothing is being typed there."""
        from textual.widgets import Input

        return len(self._app.screen_stack) == 1 and not isinstance(self._app.focused, Input)
