"""Splitting from end to end: what is done stays done, the rest goes to children."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from msgspec.structs import replace

from heaptui.errors import Refused, UsageError
from heaptui.inputs import Share
from heaptui.model import State
from heaptui.splitting import listed
from tests.integration.split.stage import DEAF, WORKS, Stage, names, once

REDUCES = ("sh", "-c", 'cat "$@" | sort -r > "$HEAPTUI_RESULT"', "sh", "{results}")
HANDS_IN = f"""{WORKS}
printf '%s\\n' "$@" > "$HEAPTUI_RESULT"
"""


async def test_a_running_task_is_divided_and_every_file_is_done_once(stage: Stage):
    files = stage.files(6)
    task = await stage.running(files)
    stage.let("f1.txt", "f2.txt")
    await stage.until_done("f1.txt", "f2.txt")
    plan = await stage.operator.plan_split(task, into=2)
    assert plan.done == ("f1.txt", "f2.txt")
    assert names(plan.shares) == [["f3.txt", "f4.txt"], ["f5.txt", "f6.txt"]]
    # one more is done while the operator looks at the plan
    stage.let("f3.txt")
    await stage.until_done("f3.txt")
    report = await stage.split(task, plan)
    assert (report.done, report.again) == (("f1.txt", "f2.txt", "f3.txt"), ())
    children = await stage.children(task)
    assert [row.id for row in children] == list(report.children)
    assert [(row.name, row.depth, row.items) for row in children] == [
        (f"{stage.root.name}:1", 1, 1),
        (f"{stage.root.name}:2", 1, 2),
    ]
    parent = await stage.row(task)
    assert (parent.state, parent.children, parent.items_done) == (State.SPLIT, 2, 3)
    stage.let("all")
    (parent,) = await stage.settled(task)
    assert (parent.state, parent.items_done) == (State.DONE, 6)
    assert stage.done() == once(*files)


async def test_of_two_operators_who_split_it_at_once_one_is_refused(stage: Stage):
    files = stage.files(4)
    task = await stage.running(files)
    plan = await stage.operator.plan_split(task, into=2)
    other = await stage.operator.plan_split(task, into=4)
    ends = await asyncio.gather(
        stage.split(task, plan), stage.split(task, other), return_exceptions=True
    )
    (refused,) = (end for end in ends if isinstance(end, BaseException))
    (report,) = (end for end in ends if not isinstance(end, BaseException))
    assert isinstance(refused, Refused)
    assert "already" in refused.what
    assert len(await stage.children(task)) == len(report.children)
    stage.let("all")
    await stage.settled(task)
    assert stage.done() == once(*files)


async def test_a_task_that_finishes_while_it_is_asked_is_not_divided(stage: Stage):
    files = stage.files(3)
    lingers = f"{WORKS}\nsleep 0.3"
    task = await stage.running(files, lingers)
    plan = await stage.operator.plan_split(task, into=2)
    stage.let("all")
    await stage.until_done(*files)
    report = await stage.split(task, plan)
    assert (report.children, report.done) == ((), tuple(files))
    (row,) = await stage.settled(task)
    assert (row.state, row.children) == (State.DONE, 0)
    assert stage.done() == once(*files)


async def test_a_result_before_the_end_is_that_of_a_part(stage: Stage):
    files = stage.files(3)
    notes = WORKS.replace(
        'echo "$file" >> "$LEDGER"', 'echo "$file" | tee -a "$HEAPTUI_RESULT" >> "$LEDGER"'
    )
    task = await stage.running(files, notes)
    plan = await stage.operator.plan_split(task, into=2)
    stage.let("f1.txt")
    await stage.until_done("f1.txt")
    report = await stage.split(task, plan)
    assert (report.done, len(report.children)) == (("f1.txt",), 2)
    stage.let("all")
    (row,) = await stage.settled(task)
    assert row.state is State.DONE
    assert stage.done() == once(*files)
    result = await stage.operator.result(task)
    assert Path(result.path).read_text().split() == files


async def test_a_queued_task_is_divided_without_having_run(stage: Stage):
    files = stage.files(4)
    await stage.operator.dispatch(paused=True)
    try:
        task = await stage.submit(files)
        report = await stage.split(task, await stage.operator.plan_split(task, into=2))
        assert len(report.children) == 2
        assert (await stage.row(task)).attempts == 0
    finally:
        await stage.operator.dispatch(paused=False)
    stage.let("all")
    (row,) = await stage.settled(task)
    assert row.state is State.DONE
    assert stage.done() == once(*files)


@pytest.mark.parametrize("state", [State.FAILED, State.QUARANTINED])
async def test_what_a_task_that_ended_badly_left_is_divided(stage: Stage, state: State):
    files = stage.files(4)
    stage.let("f1.txt", "f2.txt", "fails-f2.txt")
    # a second bad end is a crash loop here
    task = await stage.submit(files, retries=5 if state is State.QUARANTINED else 0)
    (row,) = await stage.settled(task)
    assert row.state is state
    (stage.gates / "fails-f2.txt").unlink()
    report = await stage.split(task, await stage.operator.plan_split(task, into=3))
    assert (report.done, len(report.children)) == (("f1.txt",), 3)
    stage.let("all")
    (row,) = await stage.settled(task)
    assert row.state is State.DONE
    assert stage.done() == once(*files)


async def test_a_part_is_divided_in_its_turn_and_a_part_of_a_part_only_if_insisted(stage: Stage):
    files = stage.files(8)
    task = await stage.running(files)
    (first, second) = (
        await stage.split(task, await stage.operator.plan_split(task, into=2))
    ).children
    await stage.until(first, State.RUNNING)
    deeper = await stage.split(first, await stage.operator.plan_split(first, into=2))
    grandchild = await stage.until(deeper.children[0], State.RUNNING)
    assert (grandchild.name, grandchild.depth) == (f"{stage.root.name}:1:1", 2)
    plan = await stage.operator.plan_split(grandchild.id, into=2)
    assert plan.depth == 3
    with pytest.raises(Refused):
        await stage.split(grandchild.id, plan)
    assert (await stage.row(grandchild.id)).state is State.RUNNING
    report = await stage.split(grandchild.id, plan, insist=True)
    assert len(report.children) == 2
    stage.let("all")
    rows = await stage.settled(task, first, second, *deeper.children, *report.children)
    assert {row.state for row in rows} == {State.DONE}
    assert stage.done() == once(*files)


async def test_results_are_joined_in_the_order_of_the_children(stage: Stage):
    files = stage.files(5)
    stage.let("f1.txt")
    task = await stage.running(files, HANDS_IN)
    await stage.until_done("f1.txt")
    await stage.split(task, await stage.operator.plan_split(task, into=2))
    # the second ends first
    stage.let("f4.txt", "f5.txt")
    await stage.until_done("f4.txt", "f5.txt")
    stage.let("all")
    await stage.settled(task)
    result = await stage.operator.result(task)
    assert Path(result.path).read_text().split() == files[1:]


async def test_a_reducer_makes_the_result_of_the_childrens(stage: Stage):
    files = stage.files(4)
    task = await stage.running(files, HANDS_IN)
    plan = await stage.operator.plan_split(task, into=4)
    report = await stage.split(task, plan, reduce=REDUCES)
    reducer = (await stage.children(task))[-1]
    assert set(reducer.after) == {row.id for row in (await stage.children(task))[:-1]}
    assert reducer.state is State.QUEUED
    assert len(report.children) in (4, 5)
    stage.let("all")
    (row,) = await stage.settled(task)
    assert row.state is State.DONE
    result = await stage.operator.result(task)
    assert Path(result.path).read_text().split() == sorted(files, reverse=True)


async def test_a_child_waits_for_those_that_a_planner_says_it_builds_on(stage: Stage):
    files = stage.files(3)
    answer = (
        '{"shares": [{"title": "one", "items": ["f1.txt"]}, {"title": "two", "items": ["f2.txt"],'
        ' "after": [2]}, {"title": "three", "items": ["f3.txt"], "after": [0]}]}'
    )
    task = await stage.running(files)
    planner = ("sh", "-c", 'cat > "$GATES/question"; echo "$1"', "sh", answer)
    plan = await stage.operator.plan_split(task, planner=planner)
    assert (plan.strategy, [share.title for share in plan.shares]) == (
        "planner",
        ["one", "two", "three"],
    )
    children = (await stage.split(task, plan)).children
    await stage.until(children[0], State.RUNNING)
    waits = await stage.row(children[1])
    assert (waits.state, waits.after) == (State.QUEUED, (children[2],))
    assert waits.wait_reason == f"waits for {stage.root.name}:3"
    stage.let("all")
    (row,) = await stage.settled(task)
    assert row.state is State.DONE
    assert stage.ledger.read_text().split() == ["f1.txt", "f3.txt", "f2.txt"]


async def test_what_builds_on_a_child_that_fails_does_not_keep_the_parent_waiting(stage: Stage):
    files = stage.files(3)
    task = await stage.running(files)
    stage.let("fails-f1.txt")
    plan = await stage.operator.plan_split(task, into=3)
    first, second, third = plan.shares
    chain = [first, replace(second, after=(0,)), replace(third, after=(1,))]
    report = await stage.split(task, plan, shares=chain, reduce=REDUCES)
    stage.let("all")
    (row,) = await stage.settled(task)
    assert row.state is State.FAILED
    assert not stage.done()
    assert {child.attempts for child in (await stage.children(task))[1:]} == {0}
    (stage.gates / "fails-f1.txt").unlink()
    await stage.operator.retry([task])
    (row,) = await stage.settled(task)
    assert row.state is State.DONE
    assert stage.ledger.read_text().split() == files
    states = {child.state for child in await stage.children(task)}
    assert (states, len(report.children)) == ({State.DONE}, 4)


async def test_a_stop_of_the_parent_stops_its_children_at_any_depth(stage: Stage):
    files = stage.files(6)
    task = await stage.running(files)
    report = await stage.split(task, await stage.operator.plan_split(task, into=3))
    await stage.until(report.children[0], State.RUNNING)
    deeper = await stage.split(
        report.children[0], await stage.operator.plan_split(report.children[0], into=2)
    )
    await asyncio.gather(*(stage.until(one, State.RUNNING) for one in deeper.children))
    await stage.operator.stop([task])
    rows = await stage.settled(task, *report.children, *deeper.children)
    assert {row.state for row in rows} == {State.STOPPED}
    assert not stage.done()


async def test_a_stop_in_mid_split_is_a_stop(stage: Stage):
    files = stage.files(4)
    task = await stage.running(files, DEAF)
    asked = asyncio.create_task(stage.split(task, await stage.operator.plan_split(task, into=2)))
    await stage.until(task, State.SPLITTING)
    await stage.operator.stop([task], now=True)
    report = await asked
    assert (report.children, report.done) == ((), ())
    assert "stopp" in report.text
    (row,) = await stage.settled(task)
    assert (row.state, row.children) == (State.STOPPED, 0)
    assert await stage.children(task) == []


async def test_a_retry_of_the_parent_tries_only_what_failed(stage: Stage):
    files = stage.files(4)
    task = await stage.running(files)
    stage.let("fails-f4.txt")
    report = await stage.split(task, await stage.operator.plan_split(task, into=2))
    stage.let("all")
    (row,) = await stage.settled(task)
    assert (row.state, row.items_done) == (State.FAILED, 3)
    assert row.reason is not None
    (stage.gates / "fails-f4.txt").unlink()
    await stage.operator.retry([task])
    (row,) = await stage.settled(task)
    assert row.state is State.DONE
    children = await stage.children(task)
    assert [(child.id, child.attempts) for child in children] == [
        (report.children[0], 1),
        (report.children[1], 2),
    ]
    assert stage.done() == once(*files)


async def test_what_the_operator_leaves_out_is_left_out(stage: Stage):
    files = stage.files(3)
    task = await stage.running(files)
    plan = await stage.operator.plan_split(task, into=3)
    report = await stage.split(task, plan, shares=plan.shares[:2], left_out=["f3.txt"])
    assert (len(report.children), report.left_out) == (2, ("f3.txt",))
    stage.let("all")
    (row,) = await stage.settled(task)
    assert row.state is State.DONE
    assert stage.done() == once("f1.txt", "f2.txt")


@pytest.mark.parametrize("wrong", ["twice", "missing", "foreign", "cycle", "attempt"])
async def test_shares_that_do_not_fit_are_refused_and_nothing_is_touched(stage: Stage, wrong: str):
    task = await stage.running(stage.files(2))
    plan = await stage.operator.plan_split(task, into=2)
    one, other = plan.shares
    shares = {
        "twice": [one, Share(title="x", items=(*one.items, *other.items))],
        "missing": [one],
        "foreign": [
            one,
            other,
            Share(title="x", items=listed.from_lines("a", stage.place, "").items),
        ],
        "cycle": [
            Share(title="x", items=one.items, after=(1,)),
            Share(title="y", items=other.items, after=(0,)),
        ],
        "attempt": [one, other],
    }[wrong]
    with pytest.raises((UsageError, Refused)):
        await stage.split(task, plan, shares=shares, attempt=2 if wrong == "attempt" else 1)
    row = await stage.row(task)
    assert (row.state, row.attempts, row.children) == (State.RUNNING, 1, 0)


async def test_ticked_boxes_are_done_and_children_get_task_files_of_their_own(stage: Stage):
    tasks = stage.place / "TASKS.md"
    tasks.write_text("# Goal\n\n- [ ] one\n- [ ] two\n- [ ] three\n- [x] zero\n")
    ticks = """
    trap 'exit 0' TERM
    [ -e "$GATES/first" ] || { sed -i 's/\\[ \\] one/[x] one/' "$1"; touch "$GATES/first"
        while :; do sleep 0.02; done; }
    grep -o '\\[ \\] .*' "$1" | cut -c5- | tee -a "$LEDGER" >> "$HEAPTUI_DONE"
    """
    task = await stage.running(listed.from_markdown(tasks), ticks, "{task_file}")
    await stage.until_there(stage.gates / "first")
    report = await stage.split(task, await stage.operator.plan_split(task, into=2))
    assert (report.done, len(report.children)) == (("one",), 2)
    (row,) = await stage.settled(task)
    assert row.state is State.DONE
    assert stage.done() == once("two", "three")
