"""What each alert means for the work, in a sentence that a tired operator understands, and the key
bindings that act on it. Pure."""

from __future__ import annotations

from heaptui.model import State
from heaptui.supervisor.task import Task

ABOUT_CAP = ("cap", "soon", "handed", "soft")
"""Kinds of alerts about one task's cap, the worst first."""

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
    return "It is tried again by itself, from the beginning: it keeps no checkpoints."


def ended(task: Task) -> tuple[str, tuple[str, ...]]:
    """Of a task that ended badly: the meaning and the actions."""
    if task.state is State.LOST:
        return (
            "Nobody knows how it ended, so it is not begun again by itself: look at what it left, "
            "then retry or forget it.",
            ("table.open", "task.retry", "task.forget"),
        )
    memory = task.verdict is not None and task.verdict.out_of_memory
    kept = (
        "A retry goes on from its checkpoint."
        if task.checkpoint_at is not None
        else "A retry begins anew."
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


def remedies(task: Task, *, gc: bool = True) -> tuple[str, ...]:
    """What acts on the memory of a task that runs, the mildest first."""
    heaps = {verb for heap in task.heaps for verb in heap.can}
    recycles = task.checkpoint_at is not None or (
        task.work is not None and "checkpoint" in task.work.can
    )
    return (
        *(["heap.collect"] if gc and "gc" in heaps else []),
        *(["task.recycle"] if recycles else []),
        *(["heap.snapshot"] if not gc and "snapshot" in heaps else []),
        "task.raise",
        "task.stop",
    )


def _tried(task: Task) -> str:
    return "heaptui has done what the policy allows. " if task.handed is not None else ""


def _lost(task: Task) -> str:
    if task.checkpoint_at is not None:
        return "what it did since its last checkpoint is then lost"
    return "it keeps no checkpoint, so all it did is then lost"
