"""What two snapshots of one process differ in: objects that are only in one of them, by class.

As DevTools compares: an object without a size of its own is not counted, and one that is in both
is no difference, whatever became of its size.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from heaptui.heap.analysis.closures import Places
from heaptui.heap.analysis.indexed import Indexed
from heaptui.heap.analysis.objects import members, paged
from heaptui.heap.analysis.pairing import ABSENT, Pairing
from heaptui.heap.analysis.rows import difference, net, order_field
from heaptui.heap.answers import DiffRow, Page


def differences(
    old: Indexed, new: Indexed, pairing: Pairing, *, order: str, match: str, limit: int
) -> tuple[DiffRow, ...]:
    """Classes that differ, by how many bytes; where the two are no snapshots of one process, by
    how many more or fewer of a class there are, which hides what was replaced.

    Raises:
        UsageError: there is no such order.
    """
    field = order_field(order)
    if pairing.one_process:
        added = _by_class(new, pairing.in_old == ABSENT)
        gone = _by_class(old, pairing.in_new == ABSENT)
    else:
        added = _by_class(new, np.ones(new.graph.nodes, bool))
        gone = _by_class(old, np.ones(old.graph.nodes, bool))
    wanted = match.casefold()
    rows = []
    for name in added.keys() | gone.keys():
        if wanted not in name.casefold():
            continue
        row = difference(name, *added.get(name, (0, 0)), *gone.get(name, (0, 0)))
        rows.append(row if pairing.one_process else net(row))
    rows = [row for row in rows if row.new or row.freed]
    rows.sort(key=lambda row: (-getattr(row, field), row.name))
    return tuple(rows[:limit])


def fresh(
    new: Indexed, places: Places, pairing: Pairing, name: str, offset: int, limit: int
) -> Page:
    """Objects of a class that are only in the second file, largest first.

    Raises:
        NoSuchObject: there is no such class.
    """
    nodes = members(new, name)
    return paged(new, places, nodes[pairing.in_old[nodes] == ABSENT], offset, limit)


def _by_class(snapshot: Indexed, chosen: NDArray[np.bool_]) -> dict[str, tuple[int, int]]:
    """Count and bytes of the chosen objects, by class."""
    graph = snapshot.graph
    nodes = np.flatnonzero(chosen & (graph.shallow > 0))
    classes = graph.class_of[nodes]
    size = len(graph.class_names)
    counts = np.bincount(classes, minlength=size)
    totals = np.bincount(classes, weights=graph.shallow[nodes].astype(np.float64), minlength=size)
    return {
        graph.class_names[code]: (int(counts[code]), int(totals[code]))
        for code in np.flatnonzero(counts).tolist()
    }
