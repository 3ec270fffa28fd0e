"""What is deleted, and in which portions: no write waits for more than one of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Final

from heaptui.store.history import History
from heaptui.store.rows import Row, Statement
from heaptui.store.schema import HAS_ENDED
from heaptui.store.writer import Writer

PORTION_TASKS: Final = 200
PORTION_ROWS: Final = 5000
"""Rows after which a transaction takes no further task (about 30 ms)."""

COSTS_KEPT: Final = 500
"""Snapshots whose costs stay known after their files are gone."""

_DAY_S: Final = 86400.0

_IS_ROOT: Final = (
    "(parent = '' OR NOT EXISTS (SELECT 1 FROM tasks AS above WHERE above.id = tasks.parent))"
)
"""Nobody's child, or the child of one that is gone."""


async def forget(history: History, writer: Writer, ids: Iterable[str]) -> list[str]:
    """Deletes ended tasks with everything of theirs; the ids of those that are gone now.

    Tasks that have not ended are left alone, and so is a part of a task that is still there: a
    family is named from its root down.
    """
    gone: list[str] = []
    everything = iter(dict.fromkeys(ids))
    while some := list(islice(everything, PORTION_TASKS)):
        weights = await history.weights(some)
        for portion in _portions({task: weights[task] for task in some if task in weights}):
            await writer.write(_deletion(portion), alone=True)
            left = await history.weights(portion)
            gone.extend(task for task in portion if task not in left)
    return gone


async def prune(
    history: History, writer: Writer, now: float, keep_days: float, keep_tasks: int
) -> list[str]:
    """Deletes the ended tasks that ended more than `keep_days` before `now`, and the oldest ones
    beyond `keep_tasks`; of the tasks that live on, and of the machine, the roll-ups and events of
    that age, and the findings of that age.

    A task that was split goes with all that came of it, and they count, but by its own end: no
    part goes before it, and none while it waits for others.
    """
    before = now - keep_days * _DAY_S
    ended, old = (
        await history.fetch(
            f"SELECT count(*), count(CASE WHEN ended_at < ? THEN 1 END) FROM tasks"
            f" WHERE {HAS_ENDED}",
            (before,),
        )
    )[0]
    too_many = ended - max(0, keep_tasks)
    roots = await history.fetch(
        f"SELECT id, ended_at < ? FROM tasks WHERE {HAS_ENDED} AND {_IS_ROOT}"
        " ORDER BY ended_at, sequence LIMIT ?",
        (before, max(old, too_many)),
    )
    gone: list[str] = []
    everything = iter(roots)
    while some := list(islice(everything, PORTION_TASKS)):
        families = await _families(history, [root for root, _ in some])
        doomed: list[str] = []
        for root, is_old in some:
            if is_old or len(gone) + len(doomed) < too_many:
                doomed += families[root]
        gone += await forget(history, writer, doomed)
    await _shorten(history, writer, before)
    await _thin_out(history, writer, before)
    return gone


async def _families(history: History, roots: list[str]) -> dict[str, list[str]]:
    """Of each root that is there: itself and all that came of it, parents before their children."""
    found = await history.fetch(
        "WITH RECURSIVE family (root, id, depth) AS ("
        f"SELECT id, id, 0 FROM tasks WHERE id IN ({', '.join('?' * len(roots))})"
        " UNION ALL SELECT root, tasks.id, depth + 1 FROM family"
        " JOIN tasks ON tasks.parent = family.id AND tasks.parent <> ''"
        ") SELECT root, id FROM family ORDER BY depth",
        roots,
    )
    families: dict[str, list[str]] = {root: [] for root in roots}
    for root, task in found:
        families[root].append(task)
    return families


async def _shorten(history: History, writer: Writer, before: float) -> None:
    sessions = await history.fetch(
        "SELECT task_id, attempt FROM worker_sessions WHERE created_at < ?", (before,)
    )
    everything = iter(sessions)
    while some := list(islice(everything, PORTION_TASKS)):
        statements: list[Statement] = [
            (
                "DELETE FROM rollups WHERE task_id = ? AND attempt = ? AND minute < ?",
                [(task, attempt, int(before // 60)) for task, attempt in some],
            ),
            (
                "DELETE FROM events WHERE task_id = ? AND at < ?",
                [(task, before) for task in dict.fromkeys(task for task, _ in some)],
            ),
        ]
        await writer.write(statements, alone=True)


async def _thin_out(history: History, writer: Writer, before: float) -> None:
    """Snapshots without files beyond the latest, old findings, and old events of the machine."""
    costs = await history.fetch(
        "SELECT id FROM snapshots WHERE deleted AND id <= (SELECT max(id) FROM snapshots) - ?",
        (COSTS_KEPT,),
    )
    findings = await history.fetch("SELECT id FROM findings WHERE at < ?", (before,))
    for table, doomed in (("snapshots", costs), ("findings", findings)):
        if doomed:
            await writer.write([(f"DELETE FROM {table} WHERE id = ?", list(doomed))])
    machine = "FROM events WHERE task_id = '' AND at < ?"
    if await history.fetch(f"SELECT 1 {machine} LIMIT 1", (before,)):
        await writer.write([(f"DELETE {machine}", [(before,)])])


def _portions(weights: dict[str, int]) -> Iterator[list[str]]:
    portion: list[str] = []
    rows = 0
    for task, weight in weights.items():
        if portion and rows + weight > PORTION_ROWS:
            yield portion
            portion, rows = [], 0
        portion.append(task)
        rows += weight
    if portion:
        yield portion


def _deletion(ids: list[str]) -> list[Statement]:
    """In one transaction: a task may have been queued again since it was chosen, or the one that
    it is a part of."""
    gone = "NOT EXISTS (SELECT 1 FROM tasks WHERE id = ?)"
    chosen: list[Row] = [(task,) for task in ids]
    theirs: list[Row] = [(task, task) for task in ids]
    return [
        (f"DELETE FROM tasks WHERE id = ? AND {HAS_ENDED} AND {_IS_ROOT}", chosen),
        (f"DELETE FROM worker_sessions WHERE task_id = ? AND {gone}", theirs),
        (f"DELETE FROM events WHERE task_id = ? AND {gone}", theirs),
        (f"DELETE FROM rollups WHERE task_id = ? AND {gone}", theirs),
        (f"DELETE FROM inputs WHERE task_id = ? AND {gone}", theirs),
        (f"DELETE FROM divisions WHERE task_id = ? AND {gone}", theirs),
    ]
