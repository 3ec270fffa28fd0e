"""Leaving while work is live."""

from __future__ import annotations

from heaptui.tui.lines import BLANK, Line, sentence
from heaptui.tui.screens.confirm import CANCEL, ConfirmScreen
from heaptui.tui.widgets.dialog import WIDTH, Choice


class QuitScreen(ConfirmScreen):
    """Gives `detach`, `stop` or None. `live` tasks are unended; `embedded`: the supervisor runs in
    this process.

    Detaching has the cursor: it ends nothing, and it is what leaving means here.
    """

    def __init__(self, live: int, embedded: bool) -> None:
        super().__init__(
            f"Leave with {_tasks(live)} live?" if live else "Leave heaptui?",
            _lines(live, embedded),
            _choices(live),
        )


def _tasks(count: int) -> str:
    return f"{count} task{'s' * (count != 1)}"


def _lines(live: int, embedded: bool) -> list[Line]:
    if not live:
        return sentence("No task is live: nothing is left to watch.", WIDTH)
    keeper = (
        "A supervisor goes on with them in the background."
        if embedded
        else "Their supervisor does not run in this terminal, and stays."
    )
    lines = sentence(f"Detach: {_tasks(live)} go{'es' * (live == 1)} on. {keeper}", WIDTH)
    lines.append((("Come back with ", "plain"), ("heaptui", "sky"), (".", "plain")))
    lines.append(BLANK)
    lines += sentence(
        f"Stop: {_tasks(live)} end{'s' * (live == 1)} by TERM, grace, then kill; "
        "what waits is taken from the queue.",
        WIDTH,
        "amber",
    )
    return lines


def _choices(live: int) -> list[Choice]:
    if not live:
        return [Choice("", "Leave", "detach"), CANCEL]
    stop = "stop it, then leave" if live == 1 else f"stop all {live}, then leave"
    return [Choice("", "Detach", "detach"), CANCEL, Choice("S", stop, "stop")]
