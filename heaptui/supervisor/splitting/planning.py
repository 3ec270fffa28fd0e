"""How a task would be divided: a preview, which changes nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

from msgspec import Struct

from heaptui import protocol
from heaptui.errors import Refused, UsageError
from heaptui.inputs import DEPTH_ASKED, Item, Share, SplitPlan
from heaptui.model import State
from heaptui.runtime.prompts import fixed_prompt_tokens
from heaptui.splitting import listed, parts, planner, strategies
from heaptui.splitting.strategies import Wanted
from heaptui.supervisor.loop import Supervisor
from heaptui.supervisor.machine import Trigger, may
from heaptui.supervisor.operations import resolve
from heaptui.supervisor.splitting import expecting
from heaptui.supervisor.splitting.standing import Standing, in_hand, standing
from heaptui.supervisor.task import Task
from heaptui.units import duration, named

PLANNER = "planner"
"""The strategy's name, where an operator's own program proposed the shares."""

_NAMED = 5


class _Room(Struct, frozen=True):
    """Tokens for one child's slice, and those that its agent's own prompt takes."""

    budget: int
    fixed: int


async def plan(supervisor: Supervisor, request: protocol.PlanSplit) -> SplitPlan:
    """How it would be divided now.

    Raises:
        NoSuchTask: no such task.
        Refused: it has nothing to divide, or is in no state to be.
        UsageError: a strategy that it does not have, or a budget without room.
    """
    task = await resolve(supervisor, request.task)
    check_state(task)
    check_order(supervisor, task)
    now = await standing(supervisor, task)
    room = _room(supervisor, task, request.budget_tokens)
    notes = list(_notes(task, now))
    source, cwd = now.inputs.source, Path(task.spec.cwd)
    items, gone = await asyncio.to_thread(listed.measured, now.left, source, cwd)
    possible = await asyncio.to_thread(strategies.possible, source)
    strategy = request.strategy
    oversized: tuple[str, ...] = ()
    shares: tuple[Share, ...] = ()
    argv = request.planner or tuple(supervisor.config.split.planner)
    if argv and strategy in ("", PLANNER):
        try:
            shares = await _asked(supervisor, task, argv, items, now, room)
            strategy = PLANNER
        except Refused as why:
            notes.append(f"{why.what} Divided by {possible[0]} instead.")
            strategy = ""
    if not shares:
        strategy = strategy or possible[0]
        shares, oversized = await asyncio.to_thread(
            strategies.divide,
            strategy,
            items,
            source,
            Wanted(budget_tokens=room.budget, into=request.into),
            cwd,
        )
    policy = supervisor.config.policy.of(task.spec.kind)
    runs = task.state in (State.STARTING, State.RUNNING)
    can = task.work.can if task.work is not None else ()
    hand = tuple(
        item.name for item in await in_hand(supervisor, task, now, task.work if runs else None)
    )
    return SplitPlan(
        task_id=task.id,
        attempt=task.attempts,
        name=task.name,
        strategy=strategy,
        strategies=(*possible, PLANNER) if argv else possible,
        source=source,
        origin=now.inputs.origin,
        shares=await expecting.memory(supervisor, task, now.inputs, items, shares),
        original=len(now.inputs.items),
        done=tuple(item.name for item in now.done),
        budget_tokens=room.budget,
        fixed_tokens=room.fixed,
        timeout_s=supervisor.config.split.timeout_s,
        gone=gone,
        oversized=oversized,
        drains="drain" in can if runs else None,
        drain_s=policy.drain_s if runs else 0,
        hand=hand,
        again=_again(items, hand, policy.drain_s) if runs and "drain" not in can else "",
        depth=task.kin.depth + 1,
        notes=tuple(notes),
    )


def check_state(task: Task) -> None:
    """Raises Refused where it is in no state to be split."""
    state = task.state
    if task.kin.children:
        raise Refused(
            f"{task.name} was split already, into {task.kin.children}.",
            "Split one of its children; a retry tries those again that are not done.",
        )
    if state is State.STARTING or may(state, Trigger.DIVIDE):
        return
    if may(state, Trigger.SPLIT) and state is not State.SPLITTING:
        return
    why, then = {
        State.DONE: ("is done: nothing is left of it", "Start another task."),
        State.SPLITTING: ("is being split already", "Wait until its worker has ended."),
    }.get(state, (f"is {state}: it cannot be split now", "Wait until it runs or has ended."))
    raise Refused(f"{task.name} {why}.", then)


def check_order(supervisor: Supervisor, task: Task) -> None:
    """Raises Refused where it builds on another that is not done: its children would not wait."""
    first = supervisor.ledger.waits_for(task)
    if first is not None:
        raise Refused(f"{task.name} waits for {first.name}.", "Split it when that is done.")


def check_depth(task: Task, *, insist: bool) -> None:
    """Raises Refused where the operator must insist."""
    if task.kin.depth >= DEPTH_ASKED and not insist:
        raise Refused(
            f"{task.name} is itself a part of a part: what is split so often is rarely too large.",
            "Look at why it does not fit; `heaptui split --insist` divides it all the same.",
        )


def _room(supervisor: Supervisor, task: Task, budget_tokens: int | None) -> _Room:
    wanted = budget_tokens if budget_tokens is not None else supervisor.config.split.budget
    fixed = fixed_prompt_tokens(task.spec.argv)
    if wanted - fixed < 1:
        needs = f" beyond the {fixed} that its agent's own prompt takes" if fixed else ""
        raise UsageError(
            f"A budget of {wanted} tokens leaves no room{needs}.", "Give more: --budget 30k."
        )
    return _Room(wanted - fixed, fixed)


def _notes(task: Task, now: Standing) -> Sequence[str]:
    if task.attempts and not now.done:
        return ("It has reported nothing as done: all of it is divided.",)
    return ()


def _again(items: Sequence[Item], hand: Sequence[str], drain_s: float) -> str:
    held = named(hand, _NAMED)
    if not held:
        held = f"most likely {items[0].name}" if items else "nothing"
    return (
        "Its worker does not say that it drains: it is sent TERM, and stopped after "
        f"{duration(drain_s)}; what it has in hand then ({held}) may be done again."
    )


async def _asked(
    supervisor: Supervisor,
    task: Task,
    argv: Sequence[str],
    items: Sequence[Item],
    now: Standing,
    room: _Room,
) -> tuple[Share, ...]:
    """What the operator's program proposes for it.

    Raises:
        Refused: it gives no answer that can be used, with the reason.
    """
    cwd = Path(task.spec.cwd)
    offered = await asyncio.to_thread(parts.in_ranges, items, room.budget, cwd)
    question = planner.Question(
        goal=task.spec.argv,
        items=tuple(planner.Offered(item.name, item.tokens) for item in offered),
        done=tuple(item.name for item in now.done),
        budget_tokens=room.budget,
    )
    env = await supervisor.environments.get(task.environment)
    shares = await planner.ask(
        argv,
        question,
        offered,
        env=env,
        cwd=cwd,
        within_s=supervisor.config.split.planner_timeout_s,
    )
    return tuple(shares)
