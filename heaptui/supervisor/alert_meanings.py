"""What each alert means for the work, in a sentence that a tired operator understands, and the key
bindings that act on it. Pure."""

from __future__ import annotations

from collections.abc import Collection

from heaptui.model import Kind, State
from heaptui.supervisor.task import Task

ABOUT_CAP = ("cap", "soon", "handed", "soft")
"""Kinds of alerts about one task's cap, the worst first."""

_LEAST_LEFT = 2
"""Items: one alone is no less than the task."""

STORE = (
    "Work goes on, but what happens to it is kept in memory only until this is mended, and nothing "
    "new starts."
)
HOST_FULL = "The kernel may end any process of this machine at any moment, heaptui's tasks too."
PRESSURE = "Everything here slows down: processes stand still until memory is freed for them."
SWAP = (
    "Memory moves to the disk and back: all work slows down, and when swap is full too the kernel "
    "ends processes."
)
OWN_SIZE = (
    "No task is hurt yet. Leave, and what runs goes on under another heaptui that begins small; "
    "`heaptui doctor --self` says what this one holds."
)
SOFT = (
    "Nothing is lost yet. From here on the memory policy makes room as far as this task lets it; "
    "in observe mode it only says what it would do."
)
BEYOND_HELP = (
    "heaptui did what the policy allows and it still does not fit: without you it goes on to its "
    "cap."
)
TOO_LARGE = (
    "A task of this size takes much with it when it ends: give it a clean heap, a larger cap for "
    "its next attempt, or stop it and submit it in smaller pieces."
)
SILENT = (
    "It may hang, or wait for an answer that does not come; until it is stopped it keeps its "
    "memory and its place."
)


def at_cap(task: Task) -> str:
    return f"{_tried(task)}Its next allocation may end it; {_lost(task)}."


def soon(task: Task) -> str:
    return f"{_tried(task)}Unless it shrinks it ends then; {_lost(task)}."


def out_of_memory(task: Task) -> str:
    """Of a task that goes on."""
    if task.checkpoint_at is not None:
        return "It is tried again by itself, from its last checkpoint: what came after is redone."
    if task.items is not None:
        return "It is tried again by itself, with what it has not reported as done."
    return "It is tried again by itself, from the beginning: it keeps no checkpoints."


def ended(task: Task, *, divisible: bool = False) -> tuple[str, tuple[str, ...]]:
    """Of a task that ended badly: the meaning and the actions. `divisible`: what is left of it may
    be proposed to go to children."""
    if task.kin.children:
        return (
            "It is as its worst child: that one says what went wrong. A retry tries those of its "
            "children again that are not done.",
            ("table.open", "task.retry", "task.forget"),
        )
    if task.state is State.LOST:
        return (
            "Nobody knows how it ended, so it is not begun again by itself: look at what it left, "
            "then retry or forget it.",
            ("table.open", "task.retry", "task.forget"),
        )
    memory = task.verdict is not None and task.verdict.out_of_memory
    kept = f"A retry {_goes_on(task)}."
    if memory and divisible:
        return (
            f"It is not tried again by itself. {left(task)}: split it, and each part has a heap of "
            f"its own; or raise its limit. {kept}",
            ("task.split", "task.raise", "task.retry", "task.forget"),
        )
    if memory:
        return (
            f"It is not tried again by itself: raise its limit or make it smaller first. {kept}",
            ("task.raise", "task.retry", "task.forget"),
        )
    return (
        f"It is not tried again by itself; its output says what went wrong. {kept}",
        ("table.open", "task.retry", "task.forget"),
    )


def divisible(task: Task, kinds: Collection[Kind]) -> bool:
    """Whether it is one of the `kinds` that are proposed to be split, and something is left to
    divide."""
    if task.items is None or task.spec.kind not in kinds or task.kin.reduces or task.kin.children:
        return False
    return task.items - (task.items_done or 0) >= _LEAST_LEFT


def left(task: Task) -> str:
    """How much of what it works through is not done, as far as its worker has told."""
    if task.items_done:
        return f"{(task.items or 0) - task.items_done} of {task.items} items are left"
    return f"It works through {task.items} items"


def handed(task: Task, *, divisible: bool) -> str:
    """Of a task that the policy can do no more for."""
    if not divisible:
        return BEYOND_HELP
    return f"{BEYOND_HELP} {left(task)}: split, each part gets a heap of its own."


def remedies(task: Task, *, gc: bool = True, divisible: bool = False) -> tuple[str, ...]:
    """What acts on the memory of a task that runs, the mildest first."""
    heaps = {verb for heap in task.heaps for verb in heap.can}
    recycles = task.checkpoint_at is not None or (
        task.work is not None and "checkpoint" in task.work.can
    )
    return (
        *(["heap.collect"] if gc and "gc" in heaps else []),
        *(["task.recycle"] if recycles else []),
        *(["task.split"] if divisible else []),
        *(["heap.snapshot"] if not gc and "snapshot" in heaps else []),
        "task.raise",
        "task.stop",
    )


def _tried(task: Task) -> str:
    return "heaptui has done what the policy allows. " if task.handed is not None else ""


def _goes_on(task: Task) -> str:
    if task.checkpoint_at is not None:
        return "goes on from its checkpoint"
    return "begins anew" if task.items is None else "goes on with what is left"


def _lost(task: Task) -> str:
    if task.checkpoint_at is not None:
        return "what it did since its last checkpoint is then lost"
    if task.items is not None:
        return "what it reported as done stays done, what it has in hand is then lost"
    return "it keeps no checkpoint, so all it did is then lost"
