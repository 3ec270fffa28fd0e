"""Recycling by its key: the dialog first, then what came of it; and what rings meanwhile."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from heaptui.client import Down
from heaptui.errors import Refused
from heaptui.protocol import Change
from heaptui.tui.app import HeaptuiApp
from heaptui.tui.widgets.dialog import Choices
from tests.terminal.fake_operator import NOW, FakeOperator
from tests.terminal.policy_scene import WARNINGS, acted_on, policy_picture
from tests.terminal.stage import make_app, on_stage, text_on, until


def asked(operator: FakeOperator) -> list[Any]:
    return [call for call in operator.calls if call[0] == "recycle"]


def told(app: HeaptuiApp) -> str:
    """The toast, whatever lines it was broken into."""
    return " ".join(each.message for each in app._notifications)


def flat(app: HeaptuiApp) -> str:
    return " ".join(text_on(app).replace("│", " ").split())


async def test_a_recycle_names_its_target_asks_first_and_ends_with_a_sentence() -> None:
    operator = FakeOperator(policy_picture())
    app = make_app(operator)
    async with on_stage(app) as pilot:
        await pilot.press("r")
        await until(pilot, lambda: "Recycle refactor-auth?" in text_on(app))
        assert app.board.frozen
        assert "the newest is 4m12 old, 61k" in flat(app)
        assert app.screen.query_one(Choices).current.label == "Cancel"
        await pilot.press("enter")
        await until(pilot, lambda: len(app.screen_stack) == 1)
        assert asked(operator) == []
        await pilot.press("r")
        await until(pilot, lambda: len(app.screen_stack) == 2)
        await pilot.press("r")
        await until(pilot, lambda: "goes on from its checkpoint" in told(app))
        assert asked(operator) == [("recycle", ("refact",), (1,), False)]


async def test_to_lose_work_takes_another_key() -> None:
    operator = FakeOperator(policy_picture())
    app = make_app(operator)
    async with on_stage(app) as pilot:
        app.board.go("test-t", NOW)
        await pilot.press("r")
        await until(pilot, lambda: "keeps no checkpoint" in text_on(app))
        await pilot.press("r")
        assert asked(operator) == []
        await pilot.press("A")
        await until(pilot, lambda: "begins anew" in told(app))
        assert asked(operator) == [("recycle", ("test-t",), (1,), True)]


async def test_of_the_marked_those_that_keep_their_work_are_recycled() -> None:
    operator = FakeOperator(policy_picture())
    app = make_app(operator)
    async with on_stage(app) as pilot:
        for id in ("refact", "import", "test-t"):
            app.board.go(id, NOW)
            app.board.mark()
        await pilot.press("r")
        # one of them is being recycled already
        await until(pilot, lambda: "Recycle 2 tasks?" in text_on(app))
        await pilot.press("r")
        await until(pilot, lambda: asked(operator) == [("recycle", ("refact",), (1,), False)])
        await until(pilot, lambda: not app.board.marks)


async def test_the_milder_way_is_beside_it() -> None:
    operator = FakeOperator(policy_picture())
    app = make_app(operator)
    async with on_stage(app) as pilot:
        await pilot.press("r")
        await until(pilot, lambda: len(app.screen_stack) == 2)
        await pilot.press("g")
        await until(pilot, lambda: "Collect refactor-auth?" in text_on(app))
        assert asked(operator) == []


async def test_a_stop_of_what_keeps_its_work_offers_to_recycle_it() -> None:
    operator = FakeOperator(policy_picture())
    app = make_app(operator)
    async with on_stage(app) as pilot:
        await pilot.press("K")
        await until(pilot, lambda: "recycle instead" in text_on(app))
        await pilot.press("r")
        await until(pilot, lambda: "Recycle refactor-auth?" in text_on(app))
        assert operator.calls == []


async def test_a_refusal_is_told_and_what_does_not_run_says_why() -> None:
    operator = FakeOperator(policy_picture())
    operator.heap.refusal = Refused("The worker does not [b]answer.", "Look at its output.")
    app = make_app(operator)
    async with on_stage(app) as pilot:
        await pilot.press("r")
        await until(pilot, lambda: len(app.screen_stack) == 2)
        await pilot.press("r")
        await until(pilot, lambda: "The worker does not [b]answer." in told(app))
        app.board.go("schema", NOW)
        await pilot.press("r")
        await until(pilot, lambda: "nothing to recycle: it does not run yet" in told(app))


async def test_every_alert_is_shown_with_its_meaning_and_kept_up_to_date() -> None:
    operator = FakeOperator(policy_picture())
    app = make_app(operator)
    async with on_stage(app) as pilot:
        await pilot.press("a", "A")
        await until(pilot, lambda: "for 1m35, seen" in text_on(app))
        text = flat(app)
        for alert in WARNINGS:
            assert alert.meaning in text
        assert "+ raise… R retry del forget…" in text and "P pause ! worst" in text
        operator.send(Change(at=NOW, alerts=[]))
        await until(pilot, lambda: "There is no alert." in text_on(app))
        await pilot.press("escape")
        await until(pilot, lambda: len(app.screen_stack) == 1)


async def test_the_keys_of_a_listed_alert_act_on_its_task_alone() -> None:
    operator = FakeOperator(policy_picture())
    app = make_app(operator)
    async with on_stage(app) as pilot:
        app.board.go("test-t", NOW)
        await pilot.press("space", "A", "j")
        await until(pilot, lambda: "enter go to it" in flat(app))
        # of the others' keys none does anything here
        await pilot.press("g", "L")
        assert len(app.screen_stack) == 2
        await pilot.press("+")
        await until(pilot, lambda: "Raise support-bot?" in text_on(app))
        assert not app.board.marks
        await pilot.press("escape")
        await until(pilot, lambda: app.board.cursor == "suppor" and len(app.screen_stack) == 1)


async def test_from_the_list_to_a_task_and_an_alert_that_is_seen_there() -> None:
    operator = FakeOperator(policy_picture())
    app = make_app(operator)
    async with on_stage(app) as pilot:
        await pilot.press("A", "a")
        await until(pilot, lambda: "for 1m35, seen" in text_on(app))
        assert [alert.id for alert in app.board.alerts] == ["ended:suppor.2", "pressure"]
        # the cursor stays on its alert when those before it are over
        await pilot.press("j")
        operator.send(Change(at=NOW, alerts=WARNINGS[1:]))
        await until(pilot, lambda: "for 1m35" not in text_on(app))
        await pilot.press("enter")
        await until(pilot, lambda: app.board.cursor == "suppor" and len(app.screen_stack) == 1)
        await pilot.press("A", "pagedown", "P")
        await until(pilot, lambda: ("dispatch", True) in operator.calls)


@pytest.mark.parametrize(
    ("bell", "codes"),
    [
        ("off", []),
        ("bell", ["\a"]),
        ("notify", ["\x1b]9;heaptui: support-bot is quarantined: it ran out\a"]),
    ],
)
async def test_what_begins_rings_once_and_what_was_there_does_not(
    bell: str, codes: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    first = replace(policy_picture(), alerts=WARNINGS[:1])
    operator = FakeOperator(first)
    app = make_app(operator, bell=bell)
    rung: list[str] = []
    async with on_stage(app) as pilot:
        assert app._driver is not None
        monkeypatch.setattr(app._driver, "write", rung.append)
        assert rung == []
        begins = replace(WARNINGS[1], text="is quarantined: it ran out")
        operator.send(Change(at=NOW, alerts=[*WARNINGS[:1], begins]))
        # another supervisor takes over, and a third begins in the quiet after the ring
        operator.send(Down("it went away"))
        operator.send(replace(policy_picture(), alerts=[*WARNINGS[:1], begins]))
        operator.send(Change(at=NOW, alerts=[*WARNINGS[:1], begins, WARNINGS[2]]))
        await until(pilot, lambda: len(app.board.every_alert) == 3)
        await pilot.pause()
        assert [text for text in rung if text == "\a" or "]9;" in text] == codes


async def test_measures_are_a_key_away(monkeypatch: pytest.MonkeyPatch) -> None:
    operator = FakeOperator(policy_picture())
    app = make_app(operator)
    async with on_stage(app) as pilot:
        await pilot.press("question_mark")
        await until(pilot, lambda: "what tasks needed so far" in text_on(app))
        await pilot.press("escape", "m")
        await until(pilot, lambda: type(app.screen).__name__ == "MeasuresScreen")


async def test_a_wide_terminal_shows_how_far_the_work_is() -> None:
    app = make_app(FakeOperator(policy_picture()))
    async with on_stage(app, (200, 50)):
        assert "PROGRESS" in text_on(app) and "120/200 chapter 12 of the login" in text_on(app)
    app = make_app(FakeOperator(policy_picture()))
    async with on_stage(app, (120, 40)):
        assert "PROGRESS" not in text_on(app)
    assert len(acted_on()) == 8
