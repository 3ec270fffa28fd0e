"""What the keys do to tasks: a dialog first where something would end, then the supervisor's answer
as a sentence."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from textual.screen import Screen

from heaptui.model import Row
from heaptui.tui.asking import Asking
from heaptui.tui.cells import safe

if TYPE_CHECKING:
    from heaptui.tui.app import HeaptuiApp


class Acting:
    """Works on the board's marked tasks, else on the cursor's; `paint` shows what came of it,
    `recycle` asks about what was to be stopped and had better be recycled."""

    def __init__(
        self,
        app: HeaptuiApp,
        paint: Callable[[], None],
        recycle: Callable[[Sequence[Row]], None],
    ) -> None:
        self._app = app
        self._recycle = recycle
        self._board = app.board
        self._asking = Asking(app, app.board, paint)

    def stop(self) -> None:
        targets = [row for row in self._board.targets() if not row.state.ended]
        if not targets:
            self._asking.tell("There is nothing to stop here: it has ended.")
            return
        self._asking.go(self._stop(targets))

    async def _stop(self, targets: Sequence[Row]) -> None:
        from heaptui.tui.screens.stop import Instead, StopScreen

        said = await self._asking.asked(StopScreen(self._app.operator, targets))
        if said is Instead.RECYCLE:
            self._recycle(targets)
        elif said:
            self._asking.done(said)

    def forget(self) -> None:
        targets = [row for row in self._board.targets() if row.state.ended]
        if not targets:
            self._asking.tell("Only a task that has ended can be forgotten.")
            return
        from heaptui.tui.screens.forget import ForgetScreen

        self._asking.go(self._forget(ForgetScreen(self._app.operator, targets)))

    async def _forget(self, screen: Screen[str | None]) -> None:
        said = await self._asking.asked(screen)
        if said:
            self._asking.done(said)

    def retry(self) -> None:
        ids = [row.id for row in self._board.targets() if row.state.ended]
        if not ids:
            self._asking.tell("Only a task that has ended can be tried again.")
            return
        self._asking.go(self._retry(ids))

    async def _retry(self, ids: list[str]) -> None:
        rows = await self._app.operator.retry(ids)
        names = safe(rows[0].name) if len(rows) == 1 else f"{len(rows)} tasks"
        self._asking.done(f"{names}: queued for another attempt")

    def launch(self) -> None:
        self._asking.go(self._launch())

    async def _launch(self) -> None:
        from heaptui.tui.screens.launch import LaunchScreen

        app = self._app
        ids = await self._asking.asked(LaunchScreen(app.operator, app.remembered, app.fallback))
        if ids:
            self._app.remember()
            self._board.expect(ids[0], self._app.clock())

    def pause_or_resume(self) -> None:
        self._asking.go(self._pause_or_resume())

    async def _pause_or_resume(self) -> None:
        host = self._board.host
        paused = host is not None and host.paused
        self._board.host = await self._app.operator.dispatch(paused=not paused)

    def leave(self) -> None:
        """Asks when work is live; without any there is nothing to lose."""
        live = sum(not row.state.ended for row in self._board.rows.values())
        if live:
            self._asking.go(self._leave(live))
        else:
            self._app.exit("quit")

    async def _leave(self, live: int) -> None:
        from heaptui.tui.screens.quit import QuitScreen

        app = self._app
        choice = await self._asking.asked(QuitScreen(live, app.embedded, app.leaving))
        if choice is not None:
            self._app.exit(choice)
