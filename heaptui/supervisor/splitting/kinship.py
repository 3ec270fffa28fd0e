"""What a task and those that came of it by splitting are to one another. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from heaptui.model import State
from heaptui.supervisor.machine import Trigger
from heaptui.supervisor.task import Task

WAITING = (State.QUEUED, State.BACKOFF)

_FROM_BEST = (State.DONE, State.STOPPED, State.FAILED, State.LOST, State.QUARANTINED)
_TRIGGERS = {
    State.DONE: Trigger.FINISHED,
    State.STOPPED: Trigger.STOPPED,
    State.FAILED: Trigger.FAILED,
    State.LOST: Trigger.LOST,
    State.QUARANTINED: Trigger.QUARANTINE,
}
_WORDS = {
    State.STOPPED: "was stopped",
    State.FAILED: "failed",
    State.LOST: "was lost",
    State.QUARANTINED: "was quarantined",
}
_NAMED_MOST = 3
_REASON_MAX = 120


def over(task: Task) -> bool:
    """Whether nothing more comes of it by itself: one that the policy is about to split goes on."""
    return task.state.ended and not task.recovery.split_due


def bad(task: Task) -> bool:
    """Over, and not done."""
    return over(task) and task.state is not State.DONE


def descendants(task: Task) -> list[Task]:
    """Those that came of it and are held, parents before their children."""
    return [one for child in task.children for one in (child, *descendants(child))]


def all_over(parent: Task) -> bool:
    """Whether it waits for nobody any more."""
    return parent.state is State.SPLIT and all(map(over, parent.children))


def blocked(parent: Task) -> Iterator[tuple[Task, Task]]:
    """Those of its children that wait for what will not be done, directly or not, each with the
    one that it fails for. The caller stops each before the next is asked for."""
    by_id = {child.id: child for child in parent.children}
    causes: dict[str, Task] = {}
    found = True
    while found:
        found = False
        for child in parent.children:
            if child.state not in WAITING:
                continue
            before = (by_id[task_id] for task_id in child.kin.after if task_id in by_id)
            if (first := next(filter(bad, before), None)) is not None:
                causes[child.id] = cause = causes.get(first.id, first)
                found = True
                yield child, cause


def why_blocked(cause: Task) -> str:
    """The reason of one that was never started for it."""
    return f"not started: it builds on {cause.name}, which {_WORDS[cause.state]}"


def builders_first(tasks: Iterable[Task]) -> list[Task]:
    """Each before those that it builds on: stopped in this order, none is stopped for another."""
    by_id = {task.id: task for task in tasks}
    ordered: dict[str, Task] = {}

    def put(task: Task) -> None:
        if task.id not in ordered:
            for task_id in task.kin.after:
                if task_id in by_id:
                    put(by_id[task_id])
            ordered[task.id] = task

    for task in by_id.values():
        put(task)
    return list(ordered.values())[::-1]


# --- the end of a parent -----------------------------------------------------------------------
def outcome(parent: Task) -> Trigger:
    """What the ends of its children are for itself: the worst of them; one that nobody knows any
    more is lost."""
    states = [child.state for child in parent.children]
    if _unknown(parent):
        states.append(State.LOST)
    return _TRIGGERS[max(states, key=_FROM_BEST.index, default=State.DONE)]


def reason(parent: Task) -> str:
    """That end in words: how many are done, the worst that are not, and what else is missing."""
    expected = len(parent.children) + _unknown(parent)
    if not expected:
        return "nothing was left to do"
    not_done = sorted(filter(bad, parent.children), key=lambda one: -_FROM_BEST.index(one.state))
    done = len(parent.children) - len(not_done)
    parts = [f"{done} of {expected} {'child' if expected == 1 else 'children'} done"]
    parts += [f"{one.name} {_WORDS[one.state]}{_because(one)}" for one in not_done[:_NAMED_MOST]]
    if (more := len(not_done) - _NAMED_MOST) > 0:
        parts.append(f"{more} more {'is' if more == 1 else 'are'} not done")
    if unknown := _unknown(parent):
        parts.append(f"of {unknown} nothing is known any more")
    if any(child.kin.reduces for child in not_done):
        parts.append("their results are joined as they are")
    if (division := parent.division) is not None:
        if division.left_out:
            parts.append(f"{len(division.left_out)} left out by the operator")
        if division.again:
            parts.append(f"{len(division.again)} may have been done twice")
    return "; ".join(parts)


def _unknown(parent: Task) -> int:
    """How many of its children a damaged store has lost."""
    return max(0, parent.kin.children - len(parent.children))


def _because(task: Task) -> str:
    if not task.reason:
        return ""
    # of a family only how many: its own reason names the rest
    text = task.reason.partition("; ")[0] if task.kin.children else task.reason
    return ": " + (text if len(text) <= _REASON_MAX else text[: _REASON_MAX - 1] + "…")
