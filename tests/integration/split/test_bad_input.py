"""What can be wrong with a split from end to end: a clear word, and a safe outcome."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from heaptui.errors import HeaptuiError, Refused
from heaptui.model import State
from tests.integration.split.stage import DEAF, Stage, names, once

BUDGET = 1000
"""Tokens."""


async def test_a_task_that_names_nothing_is_told_what_it_would_need(stage: Stage):
    spec = stage.spec("sleep 60", "", name="names-nothing")
    (task,) = await stage.operator.submit([spec], dict(os.environ))
    await stage.until(task, State.RUNNING)
    with pytest.raises(Refused) as refused:
        await stage.operator.plan_split(task)
    assert "--inputs" in refused.value.remedy
    assert (await stage.row(task)).state is State.RUNNING


async def test_one_item_is_nothing_to_divide(stage: Stage):
    task = await stage.running(stage.files(2, text=""))
    stage.let("f1.txt")
    await stage.until_done("f1.txt")
    with pytest.raises(Refused) as refused:
        await stage.operator.plan_split(task)
    assert "only 'f2.txt' is left" in refused.value.what
    stage.let("all")
    (row,) = await stage.settled(task)
    assert row.state is State.DONE


async def test_what_is_finished_cannot_be_divided(stage: Stage):
    stage.let("all")
    task = await stage.submit(stage.files(2))
    await stage.settled(task)
    with pytest.raises(HeaptuiError):
        await stage.operator.plan_split(task)
    assert (await stage.row(task)).state is State.DONE


async def test_a_file_larger_than_the_budget_is_divided_by_its_lines(stage: Stage):
    lines = [f"line {number} {'x' * 60}\n" for number in range(300)]
    (stage.place / "large.txt").write_text("".join(lines))
    reads = 'cat "$1" > "$HEAPTUI_RESULT"; echo "$1" >> "$HEAPTUI_DONE"; echo "$1" >> "$LEDGER"'
    await stage.operator.dispatch(paused=True)
    try:
        task = await stage.submit(["large.txt"], reads)
        plan = await stage.operator.plan_split(task, budget_tokens=BUDGET)
        assert len(plan.shares) > 4
        assert all(share.tokens <= plan.budget_tokens <= BUDGET for share in plan.shares)
        assert names(plan.shares)[0][0].startswith("large.txt:1-")
        report = await stage.split(task, plan)
    finally:
        await stage.operator.dispatch(paused=False)
    (row,) = await stage.settled(task)
    assert row.state is State.DONE
    assert stage.done().total() == len(report.children)
    result = await stage.operator.result(task)
    assert Path(result.path).read_text() == "".join(lines)


async def test_one_line_larger_than_the_budget_stays_whole_and_is_said(stage: Stage):
    files = stage.files(2)
    (stage.place / "line.txt").write_text("x" * BUDGET * 8)
    task = await stage.running([*files, "line.txt"])
    plan = await stage.operator.plan_split(task, budget_tokens=BUDGET)
    assert plan.oversized == ("line.txt",)
    assert sorted(name for share in names(plan.shares) for name in share) == [*files, "line.txt"]


async def test_inputs_that_vanished_are_named_and_fail_only_their_child(stage: Stage):
    files = stage.files(4)
    task = await stage.running(files)
    (stage.place / "f3.txt").unlink()
    plan = await stage.operator.plan_split(task, into=2)
    assert plan.gone == ("f3.txt",)
    assert names(plan.shares) == [["f1.txt", "f2.txt"], ["f3.txt", "f4.txt"]]
    report = await stage.split(task, plan)
    stage.let("all")
    (row,) = await stage.settled(task)
    assert row.state is State.FAILED
    states = [child.state for child in await stage.children(task)]
    assert states == [State.DONE, State.FAILED]
    assert stage.done() == once("f1.txt", "f2.txt")
    # put back, what is left is done
    (stage.place / "f3.txt").write_text("again\n")
    await stage.operator.retry([task])
    (row,) = await stage.settled(task)
    assert (row.state, len(report.children)) == (State.DONE, 2)
    assert stage.done() == once(*files)


def _answering(answer: str) -> tuple[str, ...]:
    return ("sh", "-c", 'cat > /dev/null; echo "$1"', "sh", answer)


@pytest.mark.parametrize(
    ("planner", "why"),
    [
        (("sleep", "60"), "within"),
        (_answering("Sure! Here is the plan:"), "JSON"),
        (("sh", "-c", "exit 7"), "7"),
        (("/nonexistent/planner",), "planner"),
        (
            _answering(
                '{"shares": [{"title": "a", "items": ["f1.txt", "f2.txt"]},'
                ' {"title": "b", "items": ["f2.txt"]}]}'
            ),
            "twice",
        ),
        (
            _answering(
                '{"shares": [{"title": "a", "items": ["f1.txt"], "after": [1]},'
                ' {"title": "b", "items": ["f2.txt"], "after": [0]}]}'
            ),
            "wait for one another",
        ),
    ],
    ids=["hangs", "rubbish", "fails", "is-not-there", "overlaps", "turns-in-a-ring"],
)
async def test_a_planner_that_gives_no_plan_is_done_without(stage: Stage, planner, why: str):
    task = await stage.running(stage.files(2))
    plain = await stage.operator.plan_split(task)
    plan = await stage.operator.plan_split(task, planner=planner)
    assert (plan.strategy, plan.shares) == (plain.strategy, plain.shares)
    (note,) = set(plan.notes) - set(plain.notes)
    assert "planner" in note
    assert why in note


async def test_a_worker_that_ignores_the_drain_is_stopped_and_says_what_may_be_done_again(
    stage: Stage,
):
    files = stage.files(4)
    task = await stage.running(files, DEAF)
    stage.let("f1.txt")
    await stage.until_done("f1.txt")
    plan = await stage.operator.plan_split(task, into=2)
    assert plan.again
    report = await stage.split(task, plan)
    assert report.done == ("f1.txt",)
    assert "f2.txt" in report.again
    assert report.drain_s is not None
    assert report.drain_s >= 0.6
    assert "again" in report.text
    stage.let("all")
    (row,) = await stage.settled(task)
    assert row.state is State.DONE
    # nothing was left out; only what was said to be may have been done twice
    assert set(stage.done()) == set(files)
    assert {name for name, times in stage.done().items() if times > 1} <= set(report.again)
