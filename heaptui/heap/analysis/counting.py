"""Grouping by a key in few passes: a counting sort, compiled."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from heaptui.heap.analysis.compiled import compiled

Places = NDArray[np.uint32]


@compiled
def grouped(keys: Places, groups: int) -> tuple[Places, Places]:
    """The indices of `keys` by their key: those of key k are `members[first[k]:first[k + 1]]`.
    Every key is below `groups`."""
    first = np.zeros(groups + 1, np.uint32)
    for key in keys:
        first[key + 1] += 1
    for group in range(groups):
        first[group + 1] += first[group]
    free = first[:-1].copy()
    members = np.empty(len(keys), np.uint32)
    for index in range(len(keys)):
        key = keys[index]
        members[free[key]] = index
        free[key] += 1
    return first, members
