"""Leaving while work is live."""

from __future__ import annotations

from heaptui.tui.leaving import AT_HOME, Leaving
from heaptui.tui.lines import BLANK, Line, sentence
from heaptui.tui.screens.confirm import CANCEL, ConfirmScreen
from heaptui.tui.widgets.dialog import WIDTH, Choice


class QuitScreen(ConfirmScreen):
    """Gives `detach`, `stop` or None. `live` tasks are unended; `embedded`: the supervisor runs in
    this process.

    What `leaving` puts first has the cursor. That is detaching, which ends nothing, but where
    nobody would miss the work.
    """

    def __init__(self, live: int, embedded: bool, leaving: Leaving = AT_HOME) -> None:
        super().__init__(
            f"Leave with {_tasks(live)} live?" if live else "Leave heaptui?",
            _lines(live, embedded, leaving.come_back),
            _choices(live, leaving.first),
        )


def _tasks(count: int) -> str:
    return f"{count} task{'s' * (count != 1)}"


def _lines(live: int, embedded: bool, come_back: str) -> list[Line]:
    if not live:
        return sentence("No task is live: nothing is left to watch.", WIDTH)
    keeper = (
        "A supervisor goes on with them in the background."
        if embedded
        else "Their supervisor does not run in this terminal, and stays."
    )
    lines = sentence(f"Detach: {_tasks(live)} go{'es' * (live == 1)} on. {keeper}", WIDTH)
    lines.append((("Come back with ", "plain"), (come_back, "sky"), (".", "plain")))
    lines.append(BLANK)
    lines += sentence(
        f"Stop: {_tasks(live)} end{'s' * (live == 1)} by TERM, grace, then kill; "
        "what waits is taken from the queue.",
        WIDTH,
        "amber",
    )
    return lines


def _choices(live: int, first: str) -> list[Choice]:
    if not live:
        return [Choice("", "Leave", "detach"), CANCEL]
    whom = "it" if live == 1 else f"all {live}"
    detach = Choice("d", "detach", "detach")
    stop = Choice("S", f"stop {whom}, then leave", "stop")
    return [stop, detach, CANCEL] if first == "stop" else [detach, CANCEL, stop]
