"""Splitting by its key: a preview that can be edited, then the split, and the sentence about it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest
from msgspec.structs import replace
from textual.pilot import Pilot

from heaptui.errors import Refused, UsageError
from heaptui.inputs import Item, Share, SplitPlan
from heaptui.protocol import Change
from heaptui.tui.app import HeaptuiApp
from heaptui.tui.splitting.screen import SplitScreen
from tests.terminal.fake_operator import NOW, FakeOperator, host, picture, scene
from tests.terminal.split_scene import AGAIN, a_plan, shares
from tests.terminal.stage import main, make_app, on_stage, text_on, until


def large() -> FakeOperator:
    """The first task names what it works through."""
    rows = [replace(row, items=28, items_done=5) if row.id == "refact" else row for row in scene()]
    return FakeOperator(picture(rows))


def split_calls(operator: FakeOperator) -> list[Any]:
    return [call for call in operator.calls if call[0] == "split"]


def questions(operator: FakeOperator) -> list[Any]:
    return [call[2:] for call in operator.calls if call[0] == "plan_split"]


def told(app: HeaptuiApp) -> str:
    return " ".join(each.message for each in app._notifications)


def flat(app: HeaptuiApp) -> str:
    return " ".join(text_on(app).split())


def table(app: HeaptuiApp) -> list[str]:
    """The children's lines, without sign and number."""
    lines = text_on(app).splitlines()[2:]
    return [line[7:] for line in lines[: lines.index("")]]


async def opened(pilot: Pilot[Any], operator: FakeOperator, **fields: Any) -> SplitScreen:
    """The preview of a plan with these fields."""
    if fields:
        operator.division.plan = a_plan(operator.rows["refact"], **fields)
    app = pilot.app
    assert isinstance(app, HeaptuiApp)
    await pilot.press("x")
    await until(pilot, lambda: "done already" in text_on(app))
    screen = app.screen
    assert isinstance(screen, SplitScreen)
    return screen


async def test_a_split_shows_first_how_and_ends_with_a_sentence() -> None:
    operator = large()
    app = make_app(operator)
    async with on_stage(app) as pilot:
        assert "x split…" in text_on(app).splitlines()[-1]
        await opened(pilot, operator)
        assert app.board.frozen
        text = flat(app)
        assert "Split refactor-auth into 4" in text and "by files, packed by tokens" in text
        assert "task refact, attempt 1, pid 41822" in text
        assert "done already: 5 of 28 files left out: 0 files total 102k tokens" in text
        assert "tests/2fa/a.spec.ts lines 1,901-3,400 24.7k" in text
        assert split_calls(operator) == []
        await pilot.press("enter")
        await until(pilot, lambda: "split by files into 4 children" in told(app))
        assert split_calls(operator) == [
            ("split", "refact", shares(), 1, "files", (), False)
        ]  # fmt: skip
        assert app.board.cursor == "refact" and not app.board.frozen


async def test_cancel_leaves_it_undivided() -> None:
    operator = large()
    app = make_app(operator)
    async with on_stage(app) as pilot:
        await opened(pilot, operator)
        await pilot.press("escape")
        await until(pilot, lambda: len(app.screen_stack) == 1)
        assert split_calls(operator) == []


async def test_what_may_be_done_twice_stands_above_the_keys_and_in_the_result() -> None:
    operator = large()
    operator.division.again = ("tests/login/part00.spec.ts",)
    app = make_app(operator)
    async with on_stage(app, (80, 24)) as pilot:
        hand = tuple(f"f{n}.ts" for n in range(7))
        await opened(pilot, operator, drains=False, again=AGAIN, hand=hand)
        lines = [line for line in text_on(app).splitlines() if line.strip()]
        assert "f6.ts" in lines[-2]
        assert "may be done again" in " ".join(" ".join(lines[-5:-1]).split())
        await pilot.press("enter")
        await until(pilot, lambda: "split by" in told(app))
        assert [each.severity for each in app._notifications] == ["warning"]


async def test_a_child_is_left_out_and_put_back() -> None:
    operator = large()
    app = make_app(operator)
    async with on_stage(app) as pilot:
        await opened(pilot, operator)
        await pilot.press("j", "space")
        await until(pilot, lambda: "into 3" in text_on(app))
        assert "9 files left out, done by nobody: tests/reset/part00.spec.ts" in flat(app)
        assert "space put back" in text_on(app).splitlines()[-1]
        await pilot.press("enter")
        await until(pilot, lambda: len(split_calls(operator)) == 1)
        _, _, given, _, _, left_out, _ = split_calls(operator)[0]
        assert [share.title for share in given] == ["login form", "two-factor", "two-factor, rest"]
        # the last one builds on the one before it, wherever that stands
        assert given[2].after == (1,)
        assert len(left_out) == 9


async def test_without_anything_left_there_is_nothing_to_confirm() -> None:
    operator = large()
    app = make_app(operator)
    async with on_stage(app) as pilot:
        await opened(pilot, operator, shares=shares()[:1])
        await pilot.press("space", "enter")
        await until(pilot, lambda: "Everything is left out" in text_on(app))
        await pilot.press("space")
        await until(pilot, lambda: "Everything is left out" not in text_on(app))
        await pilot.press("enter")
        await until(pilot, lambda: len(split_calls(operator)) == 1)


async def test_children_are_reordered_joined_and_cut_and_it_is_taken_back() -> None:
    operator = large()
    app = make_app(operator)
    async with on_stage(app) as pilot:
        screen = await opened(pilot, operator)
        await pilot.press("right_square_bracket")
        await until(pilot, lambda: table(app)[1].startswith("login form"))
        await pilot.press("C")
        await until(pilot, lambda: "into 5" in text_on(app))
        await pilot.press("J")
        await until(pilot, lambda: "into 4" in text_on(app))
        assert "edited" in text_on(app).splitlines()[0]
        await pilot.press("end", "J")
        await until(pilot, lambda: "There is no child below it" in text_on(app))
        for _ in range(3):
            await pilot.press("u")
        await until(pilot, lambda: "edited" not in text_on(app))
        assert table(app)[0].startswith("login form")
        await pilot.press("u")
        await until(pilot, lambda: "There is nothing to undo." in text_on(app))
        await pilot.press("enter")
        await until(pilot, lambda: not screen.is_attached)
        await until(pilot, lambda: len(split_calls(operator)) == 1)
        assert split_calls(operator)[0][2] == shares()


async def test_more_fewer_and_another_strategy_ask_for_another_plan() -> None:
    operator = large()
    app = make_app(operator)
    async with on_stage(app) as pilot:
        await opened(pilot, operator)
        await pilot.press("minus")
        await until(pilot, lambda: "into 3" in text_on(app))
        await pilot.press("plus")
        await until(pilot, lambda: "into 4" in text_on(app) and "part 4" in text_on(app))
        await pilot.press("space", "o")
        await until(pilot, lambda: "by directory" in text_on(app))
        assert "u brings back what you edited" in text_on(app)
        asked = [("", None), ("files", 3), ("files", 4), ("directories", None)]
        assert questions(operator) == asked
        await pilot.press("u", "enter")
        await until(pilot, lambda: len(split_calls(operator)) == 1)
        assert len(split_calls(operator)[0][5]) == 6


async def test_what_was_edited_stays_while_there_are_more_or_fewer() -> None:
    operator = large()
    app = make_app(operator)
    async with on_stage(app) as pilot:
        await opened(pilot, operator)
        await pilot.press("j", "j", "space", "plus")
        await until(pilot, lambda: "into 4" in text_on(app) and "edited" in text_on(app))
        await pilot.press("minus", "minus")
        await until(pilot, lambda: "into 2" in text_on(app))
        assert len(questions(operator)) == 1
        assert "left out: 1 file" in text_on(app)


async def test_a_task_with_one_strategy_has_no_other() -> None:
    operator = large()
    app = make_app(operator)
    async with on_stage(app) as pilot:
        await opened(pilot, operator, strategies=("files",))
        assert "o other" not in text_on(app)
        await pilot.press("o")
        await until(pilot, lambda: "There is no other way" in text_on(app))
        assert len(questions(operator)) == 1


async def test_a_part_of_a_part_takes_another_key() -> None:
    operator = large()
    app = make_app(operator)
    async with on_stage(app) as pilot:
        await opened(pilot, operator, depth=3)
        assert text_on(app).splitlines()[-1].startswith(" X split all the same")
        await pilot.press("enter")
        await pilot.pause()
        assert split_calls(operator) == []
        await pilot.press("X")
        await until(pilot, lambda: len(split_calls(operator)) == 1)
        assert split_calls(operator)[0][-1] is True


async def test_insisting_is_for_what_asks_for_it() -> None:
    operator = large()
    app = make_app(operator)
    async with on_stage(app) as pilot:
        await opened(pilot, operator, depth=2)
        await pilot.press("X")
        await pilot.pause()
        assert split_calls(operator) == [] and len(app.screen_stack) == 2


async def test_while_a_plan_takes_long_that_is_shown_and_can_be_given_up() -> None:
    operator = large()
    app = make_app(operator)
    async with on_stage(app) as pilot:
        operator.division.held = asyncio.Event()
        await pilot.press("x")
        await until(pilot, lambda: "divides what is left of it" in text_on(app))
        assert "esc cancel" in text_on(app)
        await pilot.press("enter", "space", "e")
        operator.division.held.set()
        await until(pilot, lambda: "done already" in text_on(app))
        assert "divides what is left" not in text_on(app)
        operator.division.held.clear()
        await pilot.press("o")
        await until(pilot, lambda: "divides what is left of it" in text_on(app))
        # what is on the screen is about to change: nobody confirms that
        await pilot.press("enter")
        assert split_calls(operator) == []
        await pilot.press("escape")
        await until(pilot, lambda: "divides what is left" not in text_on(app))
        assert "by files, packed by tokens" in text_on(app)
        await pilot.press("escape")
        await until(pilot, lambda: len(app.screen_stack) == 1)


async def test_refusals_are_told_where_they_happen() -> None:
    operator = large()
    app = make_app(operator)
    async with on_stage(app) as pilot:
        operator.division.refusal = Refused("There is [b]nothing left.", "Look at its result.")
        await pilot.press("x")
        await until(pilot, lambda: "There is [b]nothing left." in text_on(app))
        assert "Look at its result." in text_on(app)
        await pilot.press("enter", "plus", "e", "space", "escape")
        await until(pilot, lambda: len(app.screen_stack) == 1)
        await opened(pilot, operator)
        operator.division.refusal = UsageError("Too many children.", "Ask for fewer.")
        await pilot.press("plus")
        await until(pilot, lambda: "Too many children." in text_on(app))
        operator.division.refusal = Refused("It is at attempt 2 now.", "Split what you see.")
        await pilot.press("enter")
        await until(pilot, lambda: "It is at attempt 2 now." in told(app))


async def test_a_plan_of_another_attempt_is_not_shown() -> None:
    operator = large()
    app = make_app(operator)
    async with on_stage(app) as pilot:
        operator.division.plan = a_plan(operator.rows["refact"], attempt=2)
        await pilot.press("x")
        await until(pilot, lambda: "The task is at attempt 2 now, not 1." in text_on(app))
        await pilot.press("enter")
        assert split_calls(operator) == []


async def test_what_cannot_be_split_says_why() -> None:
    operator = large()
    app = make_app(operator)
    async with on_stage(app) as pilot:
        app.board.go("docs-s", NOW)
        main(app).paint()
        assert "x split" not in text_on(app).splitlines()[-1]
        await pilot.press("x")
        await until(pilot, lambda: "start it with --inputs" in told(app))
        for id in ("refact", "docs-s"):
            app.board.go(id, NOW)
            app.board.mark()
        await pilot.press("x")
        await until(pilot, lambda: "split one at a time, and 2 are marked" in told(app))
        assert operator.calls == []


async def test_the_same_from_the_task_on_the_whole_screen() -> None:
    operator = large()
    app = make_app(operator)
    async with on_stage(app) as pilot:
        await pilot.press("enter")
        await until(pilot, lambda: "x split…" in text_on(app).splitlines()[-1])
        await opened(pilot, operator)
        await pilot.press("enter")
        await until(pilot, lambda: "split by files" in told(app))


async def test_what_changes_meanwhile_stays_behind_the_preview() -> None:
    operator = large()
    app = make_app(operator)
    async with on_stage(app) as pilot:
        await opened(pilot, operator)
        operator.send(Change(at=NOW, host=host(), rows=[], gone=["refact"], alerts=[]))
        await pilot.pause()
        await pilot.press("enter")
        await until(pilot, lambda: len(split_calls(operator)) == 1)
        assert split_calls(operator)[0][1:4:2] == ("refact", 1)


# --- a child's items ----------------------------------------------------
async def edited(pilot: Pilot[Any], operator: FakeOperator, *keys: str) -> None:
    await opened(pilot, operator)
    app = pilot.app
    assert isinstance(app, HeaptuiApp)
    await pilot.press(*keys, "e")
    await until(pilot, lambda: "Child " in text_on(app).splitlines()[0])


def parts(calls: Sequence[Any]) -> list[list[str]]:
    return [[item.name[-12:] for item in share.items] for share in calls[0][2]]


async def test_items_are_left_out_and_put_back() -> None:
    operator = large()
    app = make_app(operator)
    async with on_stage(app, (80, 24)) as pilot:
        await edited(pilot, operator)
        await pilot.press("x", "j", "space", "space", "x")
        await until(pilot, lambda: "3 files left out" in text_on(app))
        await pilot.press("home", "x")
        await until(pilot, lambda: "2 files left out" in text_on(app))
        await pilot.press("escape")
        await until(pilot, lambda: "10/12" in text_on(app))
        await pilot.press("enter")
        await until(pilot, lambda: len(split_calls(operator)) == 1)
        assert len(split_calls(operator)[0][2][0].items) == 10
        assert split_calls(operator)[0][5] == (
            "tests/login/part01.spec.ts", "tests/login/part02.spec.ts",
        )  # fmt: skip


async def test_a_child_gets_another_title() -> None:
    operator = large()
    app = make_app(operator)
    async with on_stage(app) as pilot:
        await edited(pilot, operator)
        await pilot.press("t", *["backspace"] * 4, *"page", "enter")
        await until(pilot, lambda: "Child 1 of 4: login page" in text_on(app))
        await pilot.press("t", "ctrl+u", "enter")
        await until(pilot, lambda: "Child 1 of 4: login page" in text_on(app))
        await pilot.press("t", "x", "escape")
        await pilot.press("escape", "enter")
        await until(pilot, lambda: len(split_calls(operator)) == 1)
        assert split_calls(operator)[0][2][0].title == "login page"


async def test_items_go_to_another_child_and_the_last_one_takes_the_child_along() -> None:
    operator = large()
    app = make_app(operator)
    async with on_stage(app) as pilot:
        await edited(pilot, operator, "j")
        await pilot.press("slash", *"part03", "enter")
        await until(pilot, lambda: "1 file with 'part03'" in text_on(app))
        await pilot.press("m")
        await until(pilot, lambda: "to child (1-4)" in text_on(app))
        assert "1 login form   3 two-factor   4 two-factor, rest" in text_on(app)
        await pilot.press("2", "enter")
        await until(pilot, lambda: "'2' is no other child" in told(app))
        await pilot.press("m", "1", "enter")
        await until(pilot, lambda: "0 files with" in text_on(app))
        await pilot.press("m", "x", "space", "escape")
        await until(pilot, lambda: "part08" in text_on(app))
        await pilot.press("a", "m", "4", "enter")
        await until(pilot, lambda: "into 3" in text_on(app))
        await pilot.press("enter")
        await until(pilot, lambda: len(split_calls(operator)) == 1)
        first, _, last = parts(split_calls(operator))
        assert len(first) == 13 and first[-1] == "rt03.spec.ts"
        assert len(last) == 9 and last[0] == "ts:1901-3400"


async def test_marks_filter_and_undo_of_a_childs_items() -> None:
    operator = large()
    app = make_app(operator)
    async with on_stage(app) as pilot:
        await edited(pilot, operator)
        await pilot.press("u")
        await until(pilot, lambda: "There is nothing to undo." in told(app))
        await pilot.press("a")
        await until(pilot, lambda: "12 marked" in text_on(app))
        await pilot.press("a")
        await until(pilot, lambda: "marked" not in text_on(app))
        await pilot.press("space", "escape")
        await until(pilot, lambda: "marked" not in text_on(app))
        await pilot.press("x", "u")
        await until(pilot, lambda: "left out" not in text_on(app).splitlines()[2])
        await pilot.press("pagedown", "end", "home", "escape")
        await until(pilot, lambda: isinstance(app.screen, SplitScreen))


async def test_one_child_alone_has_nobody_to_give_to() -> None:
    operator = large()
    app = make_app(operator)
    async with on_stage(app) as pilot:
        operator.division.plan = a_plan(operator.rows["refact"], shares=shares()[:1])
        await edited(pilot, operator)
        await pilot.press("m")
        await until(pilot, lambda: "There is no other child." in told(app))


# --- sizes, names, numbers ----------------------------------------------
@pytest.mark.parametrize("size", [(60, 16), (80, 24), (120, 40), (200, 50)])
@pytest.mark.parametrize("ascii", [False, True], ids=["unicode", "ascii"])
async def test_it_fits_every_terminal(size: tuple[int, int], ascii: bool) -> None:
    operator = large()
    app = make_app(operator, ascii=ascii)
    async with on_stage(app, size) as pilot:
        await opened(
            pilot, operator, drains=False, again=AGAIN, depth=3, notes=("A note.",) * 3,
            gone=("tests/login/part00.spec.ts",), oversized=("tests/2fa/a.spec.ts:1-1900",),
        )  # fmt: skip
        lines = text_on(app).splitlines()
        assert len(lines) == size[1] and lines[-1].startswith(" X split all the same")
        assert "may be done again" in flat(app)
        assert all(len(line) <= size[0] for line in lines)
        if ascii:
            assert text_on(app).isascii()
        await pilot.press("e")
        await until(pilot, lambda: "not there any more" in text_on(app))
        assert not ascii or text_on(app).isascii()


async def test_what_others_named_is_harmless() -> None:
    nasty = "a\x1b[31m[bold]\x9b2J\u202e.ts"
    share = Share(title=f"t {nasty}", items=(Item(nasty, 5), Item("b.ts", 5)))
    operator = large()
    app = make_app(operator)
    async with on_stage(app) as pilot:
        await opened(
            pilot, operator, shares=(share, share), name=nasty, notes=(nasty,), gone=(nasty,),
            again=nasty, oversized=(nasty,), origin=nasty, strategy=nasty, hand=(nasty,),
        )  # fmt: skip
        assert "\x1b" not in text_on(app) and "\u202e" not in text_on(app)
        assert "[bold]" in text_on(app)
        await pilot.press("space", "e")
        await until(pilot, lambda: "Child 1" in text_on(app))
        assert "\x1b" not in text_on(app) and "[bold]" in text_on(app)


async def test_many_items_make_lines_for_what_is_seen_only() -> None:
    items = tuple(Item(f"src/m{n:05}.py", 100) for n in range(10_000))
    many = tuple(Share(title=f"no. {n}", items=items[n * 50 : n * 50 + 50]) for n in range(200))
    plan: dict[str, Any] = {"shares": many, "original": 10_000, "done": ()}
    operator = large()
    app = make_app(operator)
    async with on_stage(app, (80, 24)) as pilot:
        screen = await opened(pilot, operator, **plan)
        assert len(screen._table.lines) < 24
        await pilot.press("end")
        await until(pilot, lambda: "200 no. 199" in flat(app))
        await pilot.press("pageup", "home")
        await until(pilot, lambda: "1 no. 0: src/m00000.py, src/m00001.py" in flat(app))
        await pilot.press("e", "end")
        await until(pilot, lambda: "m00049" in text_on(app))


def test_the_scene_is_as_an_operator_would_get_it() -> None:
    plan = a_plan(scene()[0])
    assert isinstance(plan, SplitPlan)
    assert plan.original - len(plan.done) == 23
    assert all(share.tokens <= plan.budget_tokens for share in plan.shares)
