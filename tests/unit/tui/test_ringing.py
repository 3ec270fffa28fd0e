"""What rings: an alert that begins, once, and seldom."""

from __future__ import annotations

import pytest

from heaptui.model import Alert
from heaptui.tui.ringing import QUIET_S, Ringing, sequence
from tests.terminal.fake_operator import row

ROWS = {"task": row("worker", id="task")}


def alert(id: str, text: str = "is at its cap") -> Alert:
    return Alert(id=id, level="red", text=text, task_id="task")


def heard(ringing: Ringing, now: float, *ids: str) -> str | None:
    return ringing.hear([alert(id) for id in ids], ROWS, now)


def test_what_was_there_before_never_rings() -> None:
    ringing = Ringing()
    assert heard(ringing, 0.0, "a", "b") is None
    assert heard(ringing, 60.0, "a", "b") is None


def test_what_begins_rings_once_and_again_when_it_begins_again() -> None:
    ringing = Ringing()
    heard(ringing, 0.0)
    assert heard(ringing, 1.0, "a") == "heaptui: worker is at its cap"
    assert heard(ringing, 60.0, "a") is None
    assert heard(ringing, 61.0) is None
    assert heard(ringing, 62.0, "a") == "heaptui: worker is at its cap"


def test_what_begins_in_the_quiet_after_a_ring_rings_together_when_that_is_over() -> None:
    ringing = Ringing()
    heard(ringing, 0.0)
    assert heard(ringing, 1.0, "a") is not None
    assert heard(ringing, 2.0, "a", "b", "c", "d") is None and ringing.waits
    # c is over before anybody heard of it
    assert heard(ringing, 3.0, "a", "b", "d") is None
    said = heard(ringing, 1.0 + QUIET_S, "a", "b", "d")
    assert said == "heaptui: worker is at its cap (and 1 more)" and not ringing.waits


def test_a_clock_that_is_set_back_does_not_silence_it() -> None:
    ringing = Ringing()
    heard(ringing, 1e9)
    assert heard(ringing, 1e9, "a") is not None
    assert heard(ringing, 1e3, "a", "b") is not None


def test_nothing_that_an_agent_prints_reaches_the_terminal_raw() -> None:
    ringing = Ringing()
    ringing.hear([], {}, 0.0)
    evil = row("x", id="task", name="\x1b]0;pwned\x07\x9c" + "n" * 500)
    text = ringing.hear([alert("a", "\x07\x1b[2J\n;" + "t" * 500)], {"task": evil}, 1.0)
    assert text is not None and text.isprintable() and len(text) <= 200
    notification = sequence("notify", text)
    assert notification.startswith("\x1b]9;heaptui: ") and notification.endswith("\a")
    assert notification.count("\x1b") == notification.count("\a") == 1


@pytest.mark.parametrize(("ring", "codes"), [("off", ""), ("bell", "\a")])
def test_a_bell_and_none(ring: str, codes: str) -> None:
    assert sequence(ring, "heaptui: x") == codes
