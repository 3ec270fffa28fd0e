"""What the preview of a split says: slices in words, figures, and what must be known before."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from heaptui.inputs import Item, Source
from heaptui.model import State
from heaptui.tui.glyphs import ASCII, UNICODE
from heaptui.tui.keys import needs_splittable
from heaptui.tui.lines import Line, text_of, width_of
from heaptui.tui.splitting.drafting import Draft, Drafting, agreed
from heaptui.tui.splitting.lines import heading, item_line, share_line, title_line
from heaptui.tui.splitting.told import told_lines
from heaptui.tui.splitting.words import (
    item_words,
    slice_words,
    slices_words,
    strategy_words,
    tokens,
)
from tests.terminal.fake_operator import scene
from tests.terminal.split_scene import AGAIN, a_plan, shares

_ROW = replace(scene()[0], items=28, items_done=5)


def paths(*names: str) -> list[Item]:
    return [Item(name, 1) for name in names]


def part(of: str, first: int, last: int) -> Item:
    return Item(f"{of}:{first}-{last}", 1, of, first, last)


@pytest.mark.parametrize(
    ("items", "words"),
    [
        ([], ""),
        (paths("a/b.ts"), "a/b.ts"),
        (paths("t/l/a.spec.ts", "t/l/b.spec.ts"), "t/l/*.spec.ts"),
        (paths("t/l/a.ts", "t/m/b.ts"), "t/**/*.ts"),
        (paths("t/l/a.ts", "t/l/b.js"), "t/l/*"),
        (paths("/a/x", "/b/y"), "/**/*"),
        (paths("ab.ts", "ac.ts"), "*.ts"),
        (paths("ab", "ac.ts"), "ab … ac.ts"),
        (paths(".env", ".envrc"), ".env … .envrc"),
        (paths("x/same", "x/same2"), "x/*"),
        ([part("a.ts", 1, 1900)], "a.ts lines 1-1,900"),
        ([part("a.ts", 7, 7)], "a.ts line 7"),
        ([part("a.ts", 1, 9), part("a.ts", 10, 20)], "a.ts lines 1-20"),
        ([part("a.ts", 1, 9), part("a.ts", 15, 20)], "a.ts in 2 parts"),
        ([part("d/a.ts", 1, 9), *paths("d/b.ts")], "d/*.ts"),
    ],
)
def test_files_are_told_by_what_they_have_in_common(items: list[Item], words: str) -> None:
    assert slice_words(items, Source.FILES) == words


def test_boxes_are_told_by_their_heading() -> None:
    boxes = [Item("form", 1, under="Login"), Item("reset", 1, under="Login")]
    assert slice_words(boxes, Source.BOXES) == "under Login"
    assert slice_words([*boxes, Item("x", 1, under="Other")], Source.BOXES) == "form … x"
    assert slice_words(boxes[:1], Source.BOXES) == "form"
    assert slice_words(paths("one", "two"), Source.LINES) == "one … two"
    assert item_words(replace(boxes[0], nth=2)) == "Login: form (no. 2)"


def test_slices_that_read_alike_are_told_by_their_ends() -> None:
    first, second = paths("s/a.ts", "s/b.ts"), paths("s/c.ts", "t/d.ts")
    assert slices_words([first, paths("s/e.ts", "s/f.ts"), second], Source.FILES) == [
        "s/a.ts … b.ts",
        "s/e.ts … f.ts",
        "**/*.ts",
    ]
    assert slices_words([first, second], Source.FILES) == ["s/*.ts", "**/*.ts"]
    parted = [*paths("s/a.ts"), part("s/b.ts", 1, 9)]
    assert slices_words([parted, first], Source.FILES)[0] == "s/a.ts … b.ts lines 1-9"
    boxes = [Item(name, 1, under="Login") for name in ("form", "reset", "2fa", "logout")]
    assert slices_words([boxes[:2], boxes[2:]], Source.BOXES) == ["form … reset", "2fa … logout"]
    assert slices_words([], Source.FILES) == []


def test_strategies_have_words_and_others_their_name() -> None:
    plan = a_plan(_ROW, origin="/srv/work/tasks.md", strategy="items")
    assert strategy_words(plan) == "open items of tasks.md"
    assert strategy_words(replace(plan, strategy="by {moon}")) == "by {moon}"


@pytest.mark.parametrize(
    ("number", "text"),
    [(0, "0"), (912, "912"), (1000, "1.0k"), (26_060, "26.1k"), (102_400, "102k"),
     (1_840_000, "1.84M")],
)  # fmt: skip
def test_tokens_have_three_digits(number: int, text: str) -> None:
    assert tokens(number) == text


@pytest.mark.parametrize(
    ("state", "why"),
    [
        (State.QUEUED, None), (State.BACKOFF, None), (State.RUNNING, None), (State.FAILED, None),
        (State.QUARANTINED, None), (State.STOPPED, None), (State.LOST, None),
        (State.DONE, "it is done"), (State.STARTING, "does not run yet"),
        (State.RECYCLING, "recycled"), (State.STOPPING, "stopped"),
        (State.SPLITTING, "being split already"), (State.SPLIT, "its children do the work"),
    ],
)  # fmt: skip
def test_states_in_which_it_can_be_split(state: State, why: str | None) -> None:
    said = needs_splittable(replace(_ROW, state=state))
    assert said == why or (why is not None and said is not None and why in said)


def test_what_else_cannot_be_split() -> None:
    assert needs_splittable(None) == "there is no task under the cursor"
    without = needs_splittable(replace(_ROW, items=None))
    assert without is not None and "--inputs-from or --task-file" in without
    before = needs_splittable(replace(_ROW, state=State.FAILED, children=3))
    assert before is not None and "one of its children" in before


@pytest.mark.parametrize("width", [40, 56, 60, 70, 80, 90, 120, 200, 300])
@pytest.mark.parametrize("glyphs", [UNICODE, ASCII], ids=["unicode", "ascii"])
def test_lines_have_the_width_they_are_given(width: int, glyphs: object) -> None:
    plan = a_plan(_ROW)
    draft = Draft(shares()).without([item.name for item in shares()[1].items])
    assert width_of(heading(plan, width)) == width
    for place, share in enumerate(draft.shares):
        assert width_of(share_line(place, "a slice", draft, plan, width, glyphs)) == width  # type: ignore[arg-type]
        assert width_of(
            item_line(share.items[0], width, glyphs, out=True, marked=True)  # type: ignore[arg-type]
        ) == width  # fmt: skip
    title = title_line(plan, draft, width, glyphs, other="o", edited=True)  # type: ignore[arg-type]
    assert width_of(title) <= width


def roles(line: Line) -> set[str]:
    return {role for text, role in line if text.strip()}


def test_more_than_the_budget_is_red_and_has_a_sign_of_its_own() -> None:
    plan = a_plan(_ROW, budget_tokens=28_000)
    draft = Draft(plan.shares)
    fits, over = (share_line(at, "a slice", draft, plan, 120, UNICODE) for at in (1, 2))
    assert "red" not in roles(fits) and "quantity" in roles(fits)
    assert "red" in roles(over) and text_of(over).startswith(" ▲")
    assert "OF 28k" in text_of(heading(plan, 120))


def test_what_was_expected_to_need_memory_was_all_of_it() -> None:
    plan = a_plan(_ROW)
    draft = Draft(plan.shares)
    assert "716M" in text_of(share_line(0, "a slice", draft, plan, 120, UNICODE))
    less = draft.without(["tests/login/part00.spec.ts"])
    line = text_of(share_line(0, "a slice", less, plan, 120, UNICODE))
    assert "716M" not in line and "11/12" in line


def test_long_titles_of_files_keep_both_ends_and_others_their_beginning() -> None:
    share = replace(shares()[0], title="tests/some/where/deep/big.spec.ts lines 1,968-3,934")
    plan = a_plan(_ROW, shares=(share,))
    line = text_of(share_line(0, "a slice", Draft((share,)), plan, 80, UNICODE))
    assert "tests/so…" in line and "968-3,934 " in line
    boxes = replace(plan, source=Source.BOXES)
    line = text_of(share_line(0, "a slice", Draft((share,)), boxes, 80, UNICODE))
    assert "tests/some/where/" in line and "3,934" not in line


def test_what_the_title_says_already_is_not_said_again() -> None:
    share = replace(shares()[2], title="tests/2fa/a.spec.ts lines 1-1,900")
    plan = a_plan(_ROW, shares=(share,))
    lines = told_lines(_ROW, plan, Draft(plan.shares), 0, 120, 20, insist="X")
    assert text_of(lines[1]).strip() == "1 tests/2fa/a.spec.ts lines 1-1,900 (1 file)"


@pytest.mark.parametrize("width", [60, 80, 120, 200])
def test_the_cursors_child_names_as_many_items_as_there_is_room_for(width: int) -> None:
    plan = a_plan(_ROW)
    text = " ".join(
        map(text_of, told_lines(_ROW, plan, Draft(plan.shares), 0, width, 20, insist="X"))
    )
    said = " ".join(text.split())
    assert "1 login form: tests/login/part00.spec.ts" in said and "(12 files)" in said
    named = said.count("tests/login/part")
    assert (f"and {12 - named} more (12 files)" in said) == (named < 12)
    assert named >= {60: 1, 80: 3, 120: 5, 200: 10}[width]


def test_a_title_that_counts_the_items_is_not_followed_by_their_number() -> None:
    share = replace(shares()[0], title="tests/login (12 files)")
    plan = a_plan(_ROW, shares=(share,))
    text = " ".join(map(text_of, told_lines(_ROW, plan, Draft((share,)), 0, 120, 20, insist="X")))
    assert text.count("12 files") == 1


def test_the_cursors_child_says_on_what_it_builds() -> None:
    plan = a_plan(_ROW)
    lines = told_lines(_ROW, plan, Draft(plan.shares), 3, 120, 20, insist="X")
    assert "begins when 3 is done" in text_of(lines[1])


def test_what_must_be_known_stays_where_room_is_short() -> None:
    plan = a_plan(_ROW, drains=False, again=AGAIN, notes=("note",), depth=3, gone=("x.ts",))
    draft = Draft(plan.shares).without(["tests/login/part00.spec.ts"])
    for height in range(4, 25):
        lines = told_lines(_ROW, plan, draft, 0, 200, height, insist="X")
        text = " ".join(" ".join(map(text_of, lines)).split())
        assert len(lines) <= height
        assert "may be done again" in text and "X splits it all the same" in text
        assert "1 file left out, done by nobody" in text
        assert "left out: 1 file" in text
        assert ("1 file is not there any more" in text) == (height >= 5)
    assert told_lines(_ROW, plan, draft, 0, 200, 0, insist="X") == []


def test_how_its_worker_ends_is_told() -> None:
    plan = a_plan(_ROW, hand=("a.ts",), fixed_tokens=3200)
    said = " ".join(map(text_of, told_lines(_ROW, plan, Draft(plan.shares), 0, 300, 30, insist="")))
    assert "drains: within 30s it finishes what it has in hand (a.ts)" in said
    assert "own prompt takes 3.2k tokens more" in said
    waits = replace(plan, drains=None, hand=())
    said = " ".join(map(text_of, told_lines(_ROW, waits, Draft(()), 0, 300, 30, insist="")))
    assert "drains" not in said and "The parent waits" in said


def test_what_is_left_out_stays_where_it_was_and_comes_back() -> None:
    draft = Draft(shares())
    names = [item.name for item in shares()[2].items]
    less = draft.without([*names, "tests/login/part00.spec.ts"])
    given, left_out = agreed(less)
    assert [(len(share.items), share.after) for share in given] == [(11, ()), (9, ()), (1, ())]
    assert left_out == ("tests/login/part00.spec.ts", *names)
    assert agreed(less.with_again(left_out)) == (shares(), ())
    everything = [item.name for share in shares() for item in share.items]
    assert agreed(draft.without(everything)) == ((), tuple(everything))


def test_slices_follow_what_was_edited() -> None:
    plan = a_plan(_ROW)
    drafting = Drafting(plan)
    assert drafting.slices[0] == "tests/login/*.spec.ts" and len(drafting.slices) == 4
    drafting.change(drafting.draft._replace(shares=drafting.draft.shares[1:]))
    assert drafting.slices[0] == "tests/reset/*.spec.ts" and len(drafting.slices) == 3
    drafting.undo()
    assert len(drafting.slices) == 4


def test_changes_are_taken_back_one_by_one() -> None:
    plan = a_plan(_ROW)
    drafting = Drafting(plan)
    assert not drafting.undo() and not drafting.undoable
    drafting.change(drafting.draft)
    assert not drafting.undoable and not drafting.edited
    drafting.change(drafting.draft.without(["x"]))
    drafting.planned(replace(plan, strategy="directories"))
    assert not drafting.edited and drafting.plan.strategy == "directories"
    assert drafting.undo()
    assert drafting.edited and drafting.plan is plan and drafting.draft.out == {"x"}
    for n in range(300):
        drafting.change(drafting.draft.without([f"{n}"]))
    while drafting.undo():
        pass
    assert 190 < len(drafting.draft.out) < 210
