"""Another try of what was split: only what is not done is queued again, and its parents wait anew.

What is known of a family from the store alone is looked up first; from then on everything happens
at once, so that nothing is queued when one of them is refused.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from heaptui.errors import Refused
from heaptui.inputs import Division
from heaptui.model import State
from heaptui.store.records import StoredTask
from heaptui.supervisor.ledger import Ledger
from heaptui.supervisor.loop import Supervisor
from heaptui.supervisor.splitting.kinship import bad
from heaptui.supervisor.task import Task, revived


@dataclass(slots=True)
class Family:
    """What the store knows of a task's relatives: those above it, the nearest first, and by id of
    a parent its children and how it was split."""

    above: list[StoredTask] = field(default_factory=list)
    children: dict[str, list[StoredTask]] = field(default_factory=dict)
    divisions: dict[str, Division | None] = field(default_factory=dict)


@dataclass(slots=True)
class Again:
    """What is to be queued, and which parents then wait for it, by id."""

    queue: dict[str, Task] = field(default_factory=dict)
    reopen: dict[str, Task] = field(default_factory=dict)

    def __contains__(self, task: Task) -> bool:
        return task.id in self.queue or task.id in self.reopen


async def look_up(supervisor: Supervisor, task: Task) -> Family:
    """All of them that another try of `task` concerns.

    Raises:
        StorageTrouble: the store cannot be read.
    """
    family, store = Family(), supervisor.store
    parent = task.parent
    while parent and (stored := await store.task(parent)) is not None:
        family.above.append(stored)
        await _look_below(supervisor, family, stored.id)
        parent = stored.parent
    below = [task.id] if task.kin.children else []
    while below:
        children = await _look_below(supervisor, family, below.pop())
        below += [one.id for one in children if one.kin.children and one.state is not State.DONE]
    return family


async def _look_below(supervisor: Supervisor, family: Family, parent: str) -> list[StoredTask]:
    family.divisions[parent] = await supervisor.store.division(parent)
    children = family.children[parent] = await supervisor.store.children(parent)
    return children


def take_in(ledger: Ledger, task: Task, family: Family) -> Task:
    """Holds them all; the task as the ledger holds it."""
    held = ledger.held(task)
    for stored in family.above:
        ledger.held(revived(stored))
    for parent_id, stored_children in family.children.items():
        children = [ledger.held(revived(stored)) for stored in stored_children]
        parent = ledger.tasks[parent_id]
        # one that waits for its children has them all
        if parent.state.ended:
            parent.children = children
            parent.division = family.divisions[parent_id]
    return held


def plan(ledger: Ledger, tasks: Iterable[Task]) -> Again:
    """What another try of these means; nothing is changed. What is done of a family stays so.

    Raises:
        Refused: one of them builds on what will not be done.
    """
    again = Again()
    chosen = list(tasks)
    for task in chosen:
        _below(task, again)
    for task in tuple(again.queue.values()):
        _above(ledger, task, again)
    for parent in _parents(ledger, again):
        _those_called_off(parent, again)
    for task in again.queue.values():
        lacking = _lacking(ledger, task, again)
        if lacking is not None:
            raise Refused(
                f"{task.name} builds on {lacking.name}, which is {lacking.state}.",
                f"Retry {lacking.name}: what builds on it follows by itself.",
            )
    return again


def begin(supervisor: Supervisor, again: Again) -> list[Task]:
    """Does so; those that are to be enqueued once that is stored."""
    for parent in again.reopen.values():
        supervisor.ledger.split(parent, "waits for its children again")
    queued = []
    for task in again.queue.values():
        supervisor.order += 1
        queued.append(supervisor.ledger.again(task, supervisor.order))
    return queued


def reopen_above(supervisor: Supervisor, task: Task) -> None:
    """A part that had ended, and was taken in, has just been split itself: what it is a part of
    waits anew, and so does what was called off for it."""
    ledger, again = supervisor.ledger, Again(reopen={task.id: task})
    _above(ledger, task, again)
    if (parent := ledger.get(task.parent)) is not None:
        _those_called_off(parent, again)
    del again.reopen[task.id]
    for waits in begin(supervisor, again):
        ledger.enqueue(waits)


def _below(task: Task, again: Again) -> None:
    """Its children that are not done, where it has any; else itself."""
    if not task.children:
        if task.state is not State.DONE or not (task.parent or task.kin.children):
            again.queue[task.id] = task
        return
    for child in task.children:
        if child.state.ended and child.state is not State.DONE:
            _below(child, again)
            again.reopen[task.id] = task


def _above(ledger: Ledger, task: Task, again: Again) -> None:
    """Those that have ended, and now wait for it."""
    parent = ledger.get(task.parent)
    while parent is not None and parent.state.ended:
        again.reopen[parent.id] = parent
        parent = ledger.get(parent.parent)


def _parents(ledger: Ledger, again: Again) -> Sequence[Task]:
    ids = dict.fromkeys(task.parent for task in (*again.queue.values(), *again.reopen.values()))
    return [parent for task_id in ids if (parent := ledger.get(task_id)) is not None]


def _those_called_off(parent: Task, again: Again) -> None:
    """Those that were stopped before they ran, when what they build on was not done."""
    by_id = {child.id: child for child in parent.children}
    found = True
    while found:
        found = False
        for child in parent.children:
            began = child.attempts or child.kin.children
            if child in again or child.state is not State.STOPPED or began:
                continue
            before = [by_id[task_id] for task_id in child.kin.after if task_id in by_id]
            if any(one in again for one in before) and not any(
                bad(one) and one not in again for one in before
            ):
                again.queue[child.id] = child
                found = True


def _lacking(ledger: Ledger, task: Task, again: Again) -> Task | None:
    before = (ledger.get(task_id) for task_id in task.kin.after)
    return next((one for one in before if one and bad(one) and one not in again), None)
