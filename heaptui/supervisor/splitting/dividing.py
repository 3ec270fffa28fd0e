"""Splitting a task: its worker ends in order, and what is left goes to children.

How it is to be divided is stored, with the ids that its children will have, before the worker is
asked to end; what is done is looked up when it has. The children are stored together with the move
of their parent, and start only then: a supervisor that is killed at any point is followed by one
that goes on from there, and nothing is divided twice.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from pathlib import Path

from msgspec.structs import replace

from heaptui import protocol
from heaptui.engine.base import Exited
from heaptui.errors import HeaptuiError, Refused, StorageTrouble
from heaptui.inputs import ChildShare, Division, Inputs, Source, SplitReport
from heaptui.model import State, TaskSpec, Verdict
from heaptui.output import printable
from heaptui.runtime.names import NAME_MAX, infer_kind
from heaptui.splitting import agreement, parts
from heaptui.store.records import Kin
from heaptui.supervisor.dispatching import AGAIN_S
from heaptui.supervisor.draining import drain
from heaptui.supervisor.lasting import seen_through
from heaptui.supervisor.launching import prepared
from heaptui.supervisor.limits import check_limits
from heaptui.supervisor.loop import Supervisor
from heaptui.supervisor.operations import of_attempts, resolve
from heaptui.supervisor.splitting import families, retrying
from heaptui.supervisor.splitting.apportioning import as_ended, given_out, with_more_to_do
from heaptui.supervisor.splitting.planning import check_depth, check_order, check_state
from heaptui.supervisor.splitting.standing import Standing, in_hand, standing
from heaptui.supervisor.task import Task
from heaptui.units import duration, named

OPERATOR, POLICY = "operator", "policy"
"""Who divides."""

_BEGUN = (State.STARTING, State.RUNNING)
_NAMED = 5
_START_WITHIN_S = 10.0
_SLACK_S = 15.0
"""Beyond both graces, for the end itself."""


async def split(supervisor: Supervisor, request: protocol.Split, by: str = OPERATOR) -> SplitReport:
    """Divides it; answered when its worker has ended and the children are queued.

    Raises:
        NoSuchTask: no such task.
        Refused: it is in another attempt, or in no state to be split, or has nothing to divide.
        UsageError: the shares do not hold what is left of it, once; or its children, or what makes
            one result of theirs, could never run.
    """
    task = await resolve(supervisor, request.task)
    if _asked_for(task, request.key):
        # asked again, after another supervisor took over
        return await seen_through(_ended(supervisor, task))
    _check(supervisor, task, request, by)
    check_depth(task, insist=request.insist)
    await _check_children(supervisor, task, request)
    now = await standing(supervisor, task)
    await asyncio.to_thread(
        agreement.check,
        request.shares,
        now.left,
        request.left_out,
        lines_of=lambda name: parts.lines_of(Path(task.spec.cwd) / name),
        done=now.done,
    )
    return await seen_through(_divide(supervisor, task, request, by))


def _asked_for(task: Task, key: str) -> bool:
    """Whether it is being split, or was, for this very request."""
    division = task.division
    splits = task.state in (State.SPLITTING, State.SPLIT)
    return splits and division is not None and bool(key) and division.key == key


async def conclude(
    supervisor: Supervisor, task: Task, at: float, verdict: Verdict, exited: Exited | None
) -> None:
    """Its attempt has ended to be split: books that, and gives what is left to children."""
    try:
        now = await _looked_up(supervisor, task)
        division = task.division
        if now is not None and division is not None:
            work = (exited.work if exited is not None else None) or task.work
            hand = await in_hand(supervisor, task, now, work)
            verdict = with_more_to_do(verdict, now)
            division = as_ended(division, now, hand, work, verdict, exited)
        elif task.state is State.SPLITTING:
            lost = "how it was to be divided" if division is None else "what it works through"
            supervisor.ledger.note(task, "split", f"not divided: the store has lost {lost}")
            supervisor.ledger.stop(task, "stop", None)
        supervisor.ended(task, at, verdict, exited)
        # a stop may have overtaken it
        if now is not None and division is not None and task.state is State.SPLIT:
            supervisor.ledger.note(task, "split", _words(division))
            await _bear(supervisor, task, division, now.inputs)
    finally:
        supervisor.concluding.discard(task.id)
        supervisor.ledger.shown(task)


async def _looked_up(supervisor: Supervisor, task: Task) -> Standing | None:
    """What is left, as soon as the disk says; None when nobody wants to know any more, or a store
    that was damaged does not."""
    while task.state is State.SPLITTING:
        try:
            return await standing(supervisor, task)
        except Refused:
            return None
        except StorageTrouble as trouble:
            supervisor.ledger.trouble = trouble
            await asyncio.sleep(AGAIN_S)
    return None


async def _check_children(supervisor: Supervisor, task: Task, request: protocol.Split) -> None:
    """Whether they could run, as far as that can be known: the last of them starts in hours."""
    spec = _of_child(task.spec, _timeout_s(supervisor, request))
    check_limits(spec, task.cap_bytes, supervisor.engine.nodes()[0].mem_total_bytes)
    if request.reduce:
        await prepared(
            supervisor.around,
            _reducing(spec, request.reduce),
            task_id=task.id,
            attempt=1,
            environment=await supervisor.environments.get(task.environment),
            cap_bytes=task.cap_bytes,
            means=supervisor.means,
        )


def _timeout_s(supervisor: Supervisor, request: protocol.Split) -> float:
    given = request.timeout_s
    return supervisor.config.split.timeout_s if given is None else given


def _division(supervisor: Supervisor, task: Task, request: protocol.Split, by: str) -> Division:
    ids = protocol.new_ids(len(request.shares) + bool(request.reduce))
    children = [
        ChildShare(
            id=child_id,
            title=share.title,
            items=share.items,
            after=tuple(ids[place] for place in share.after),
        )
        for child_id, share in zip(ids, request.shares, strict=False)
    ]
    if request.reduce:
        others = tuple(child.id for child in children)
        children.append(
            ChildShare(id=ids[-1], title="one result of all", items=(), after=others, reduces=True)
        )
    bad_end = task.state.ended and task.state is not State.STOPPED
    return Division(
        at=supervisor.clock(),
        by=by,
        strategy=request.strategy,
        timeout_s=_timeout_s(supervisor, request),
        children=tuple(children),
        reduce=request.reduce,
        left_out=tuple(request.left_out),
        key=request.key,
        error=printable(task.reason or "") if bad_end else "",
    )


async def _begun(supervisor: Supervisor, task: Task) -> None:
    """Waits while it starts: what has not begun cannot be asked for anything yet."""
    try:
        await supervisor.gallery.until(lambda: task.state is not State.STARTING, _START_WITHIN_S)
    except TimeoutError:
        raise Refused(f"{task.name} has not started yet.", "Try again when it runs.") from None


async def _divide(
    supervisor: Supervisor, task: Task, request: protocol.Split, by: str
) -> SplitReport:
    while True:
        await _begun(supervisor, task)
        _check(supervisor, task, request, by)
        if task.state is State.RUNNING:
            return await _drained(supervisor, task, _division(supervisor, task, request, by))
        now, family = await standing(supervisor, task), await retrying.look_up(supervisor, task)
        # while that was looked up it may have been dispatched, retried or stopped; what is known
        # of it from the store alone is held from now on
        task = retrying.take_in(supervisor.ledger, task, family)
        _check(supervisor, task, request, by)
        if task.state not in _BEGUN:
            division = given_out(_division(supervisor, task, request, by), now)
            supervisor.ledger.split(task, _words(division))
            retrying.reopen_above(supervisor, task)
            await _bear(supervisor, task, division, now.inputs)
            return await _ended(supervisor, task)


def _check(supervisor: Supervisor, task: Task, request: protocol.Split, by: str) -> None:
    """Raises Refused where it is not, or not any more, what was asked for."""
    if request.attempt is not None:
        of_attempts([task], [request.attempt], "then split what you see")
    check_state(task)
    check_order(supervisor, task)
    if by == POLICY and not task.recovery.split_due:
        raise Refused(f"The operator has {task.name} in hand.")


async def _drained(supervisor: Supervisor, task: Task, division: Division) -> SplitReport:
    """Asks one that runs to end for it; how that went."""
    ledger = supervisor.ledger
    attempt, policy = task.attempts, supervisor.config.policy.of(task.spec.kind)
    ledger.divide(task, division)
    task.doing = "drains"
    ledger.note(task, "split", f"{_by(division)}: it drains within {duration(policy.drain_s)}")
    # the intention first, so that it outlives us
    with suppress(HeaptuiError):
        await ledger.commit()
    if task.attempts == attempt and task.state is State.SPLITTING:
        await drain(supervisor.engine, task, policy.drain_s)
    supervisor.settle_soon()
    return await _ended(supervisor, task)


async def _ended(supervisor: Supervisor, task: Task) -> SplitReport:
    """How it went, as soon as it is divided."""
    policy, began = supervisor.config.policy.of(task.spec.kind), supervisor.clock()
    try:
        await supervisor.gallery.until(
            lambda: task.state is not State.SPLITTING and task.id not in supervisor.concluding,
            policy.drain_s + task.spec.limits.grace_s + _SLACK_S,
        )
    except TimeoutError:
        raise Refused(f"{task.name} has not ended yet.", "It is split as soon as it has.") from None
    return _report(task, supervisor.clock() - began)


def _report(task: Task, took_s: float) -> SplitReport:
    division = task.division
    if division is None or not (task.children or task.state is State.SPLIT):
        how = "finished before it could be divided" if task.state is State.DONE else task.state
        return SplitReport(task_id=task.id, name=task.name, text=f"{task.name}: {how}")
    again = f"; may be done again: {named(division.again, _NAMED)}" if division.again else ""
    left_out = f"; left out: {len(division.left_out)}" if division.left_out else ""
    before = f", {len(division.done)} of {task.items} done before" if task.items else ""
    return SplitReport(
        task_id=task.id,
        name=task.name,
        text=f"{task.name}: {_words(division)}{before}{left_out}{again}",
        children=tuple(child.id for child in division.children),
        done=division.done,
        again=division.again,
        left_out=division.left_out,
        drain_s=took_s if task.attempts else None,
    )


# --- children ----------------------------------------------------------------------------------
async def _bear(supervisor: Supervisor, parent: Task, division: Division, inputs: Inputs) -> None:
    """Queues its children. They start when they are stored, together with what became of it."""
    ledger = supervisor.ledger
    ledger.divide(parent, division)
    first = len(parent.children)
    for part, share in enumerate(division.children, 1):
        supervisor.order += 1
        kin = Kin(
            part=part,
            depth=parent.kin.depth + 1,
            title=share.title,
            after=share.after,
            reduces=share.reduces,
        )
        own = None if share.reduces else _inputs(supervisor, inputs, share)
        spec = _spec(parent, division, share, part)
        ledger.add_child(parent, share.id, spec, supervisor.order, kin, own)
    while True:
        try:
            await ledger.commit()
            break
        except HeaptuiError:
            # shown in the header; nothing starts that is not stored
            await asyncio.sleep(AGAIN_S)
    for child in parent.children[first:]:
        if child.state is State.QUEUED:
            ledger.enqueue(child)
    families.changed(supervisor, parent)
    await supervisor.tell_unended()
    supervisor.dispatch.wake.set()
    supervisor.settle_soon()


def _inputs(supervisor: Supervisor, inputs: Inputs, share: ChildShare) -> Inputs:
    listed = inputs.source in (Source.BOXES, Source.SECTIONS)
    origin = str(supervisor.state.task_list(share.id)) if listed else inputs.origin
    return Inputs(source=inputs.source, items=share.items, origin=origin)


def _spec(parent: Task, division: Division, share: ChildShare, part: int) -> TaskSpec:
    ending = f":{part}"
    spec = replace(
        _of_child(parent.spec, division.timeout_s),
        name=parent.name[: NAME_MAX - len(ending)] + ending,
    )
    return _reducing(spec, division.reduce) if share.reduces else spec


def _of_child(spec: TaskSpec, timeout_s: float) -> TaskSpec:
    return replace(spec, limits=replace(spec.limits, timeout_s=timeout_s))


def _reducing(spec: TaskSpec, argv: tuple[str, ...]) -> TaskSpec:
    return replace(spec, argv=argv, kind=infer_kind(argv), preset="")


# --- words -------------------------------------------------------------------------------------
def _words(division: Division) -> str:
    parts = sum(not child.reduces for child in division.children)
    if not parts:
        return "split: nothing was left"
    by = f" by {division.strategy}" if division.strategy else ""
    joins = ", and one that joins their results" if parts < len(division.children) else ""
    return f"split{by} into {parts} {'child' if parts == 1 else 'children'}{joins}"


def _by(division: Division) -> str:
    return f"split by the {division.by}"
