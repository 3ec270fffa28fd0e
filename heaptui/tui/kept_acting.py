"""What the keys do to kept snapshots and findings: read, compare, delete."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from heaptui.client import Operator
from heaptui.model import Finding, Snapshot
from heaptui.tui.asking import Asking
from heaptui.tui.kept import Kept, stamp
from heaptui.tui.lines import one_line, sentence
from heaptui.tui.widgets.dialog import WIDTH, Choice
from heaptui.units import size

if TYPE_CHECKING:
    from textual.app import App


class KeptActing:
    """Works on the cursor of `kept`; `changed` brings the list up to date."""

    def __init__(
        self,
        app: App[Any],
        operator: Operator,
        kept: Kept,
        changed: Callable[[], Awaitable[None]],
    ) -> None:
        self._app = app
        self._operator = operator
        self._kept = kept
        self._changed = changed
        self._asking = Asking(app)

    def open(self) -> None:
        """A snapshot in its reader, a finding in its screen."""
        match self._kept.current:
            case None:
                self._asking.tell("There is no snapshot here: s takes one.")
            case Finding() as finding:
                from heaptui.tui.screens.finding import FindingScreen

                self._app.push_screen(FindingScreen(self._operator, finding))
            case Snapshot() as snapshot:
                read(self._app, snapshot)

    def compare(self) -> None:
        """Two snapshots, the older one first."""
        pair = self._kept.pair()
        if pair is not None:
            compare(self._app, *pair)
            return
        current = self._kept.current
        if isinstance(current, Finding):
            self.open()
            return
        self._asking.tell(
            "To compare takes two snapshots: mark one with space, go to the other, press D."
        )

    def delete(self) -> None:
        snapshot = self._kept.current
        if isinstance(snapshot, Snapshot):
            self._asking.go(self._delete(snapshot))
        else:
            self._asking.tell(
                "There is no snapshot here."
                if snapshot is None
                else "A finding goes with its task's attempts; its snapshots can be deleted."
            )

    async def _delete(self, snapshot: Snapshot) -> None:
        from heaptui.tui.screens.confirm import CANCEL, ConfirmScreen

        lines = sentence(one_line(snapshot.path), WIDTH)
        lines += sentence(
            f"{size(snapshot.bytes)}, of {one_line(snapshot.name)}, attempt {snapshot.attempt}, "
            f"pid {snapshot.pid}, taken {stamp(snapshot.at)}. Nobody can bring it back.",
            WIDTH,
            "amber",
        )
        choices = [CANCEL, Choice("x", "delete", "delete")]
        if await self._asking.asked(ConfirmScreen("Delete this snapshot?", lines, choices)) is None:
            return
        count = await self._operator.delete_snapshots([snapshot.id])
        await self._changed()
        self._asking.tell(f"{size(snapshot.bytes)} deleted" if count else "It was deleted already.")


def title_of(snapshot: Snapshot) -> str:
    """Whose and when: `refactor-auth 03:23:01`."""
    return f"{one_line(snapshot.name)} {stamp(snapshot.at)}"


def read(app: App[Any], snapshot: Snapshot) -> None:
    """Opens it in the reader."""
    from heaptui.tui.snapshot import open_snapshot

    open_snapshot(app, [Path(snapshot.path)], title_of(snapshot))


def compare(app: App[Any], older: Snapshot, newer: Snapshot) -> None:
    """Opens what is different in the newer one."""
    from heaptui.tui.snapshot import open_snapshot

    title = f"{one_line(newer.name)} {stamp(older.at)} to {stamp(newer.at)}"
    open_snapshot(app, [Path(older.path), Path(newer.path)], title)
