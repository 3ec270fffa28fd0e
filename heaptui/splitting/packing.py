"""Sizes into bins."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from itertools import accumulate, pairwise


class TooMany(Exception):
    """More bins are needed than there may be."""


def first_fit(sizes: Sequence[int], room: int, most: int) -> list[list[int]]:
    """The places of `sizes` by bins: each goes into the first that has room left for it, one that
    is larger than any bin alone. Places rise within a bin, and bins by their first.

    A tree over the rooms left finds that bin: log(most) steps for each size (Johnson 1973).

    Raises:
        TooMany: more than `most` bins.
    """
    leaves = 1 << (most - 1).bit_length()
    tree = [room] * (2 * leaves)
    bins: list[list[int]] = []
    for place, size in enumerate(sizes):
        if size > room:
            bins.append([])
            leaf = leaves + len(bins) - 1
            # the next free leaf, not one with room: nothing else goes in there
            if len(bins) > most:
                raise TooMany
            left = -1
        else:
            node = 1
            if tree[1] < size:
                raise TooMany
            while node < leaves:
                node *= 2
                node += tree[node] < size
            leaf, left = node, tree[node] - size
            if leaf - leaves == len(bins):
                bins.append([])
            if len(bins) > most:
                raise TooMany
        bins[leaf - leaves].append(place)
        tree[leaf] = left
        while leaf > 1:
            leaf //= 2
            tree[leaf] = max(tree[2 * leaf], tree[2 * leaf + 1])
    return bins


def in_order(sizes: Sequence[int], into: int) -> list[range]:
    """The places of `sizes` as `into` runs that follow one another, as equal as their borders
    allow, none empty; fewer when there are fewer sizes. What has no size counts a little."""
    into = min(into, len(sizes))
    sums = list(accumulate((max(size, 1) for size in sizes), initial=0))
    borders = [0]
    for share in range(1, into):
        wanted = sums[-1] * share / into
        at = bisect_left(sums, wanted)
        if at and wanted - sums[at - 1] < sums[at] - wanted:
            at -= 1
        borders.append(min(max(at, borders[-1] + 1), len(sizes) - (into - share)))
    borders.append(len(sizes))
    return [range(begin, end) for begin, end in pairwise(borders)]
