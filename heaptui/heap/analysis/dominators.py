"""Which object alone holds which: the dominator tree, and what each object retains.

Lengauer and Tarjan, A Fast Algorithm for Finding Dominators in a Flowgraph (TOPLAS 1979), with
path compression and without recursion. All arrays of the algorithm are in the order of its
depth-first search, so that most steps touch memory in sequence.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from heaptui.heap.analysis.compiled import compiled
from heaptui.heap.analysis.rules import ROOT

_NONE = np.uint32(0xFFFFFFFF)


@compiled
def dominators(
    first_edge: NDArray[np.uint32], edge_to: NDArray[np.uint32], holds: NDArray[np.bool_]
) -> tuple[NDArray[np.uint32], NDArray[np.uint32]]:
    """Each node's dominator (the root's is the root), and an order in which every node comes
    behind its dominator.

    Only edges that `holds` marks count. As in DevTools, what nothing holds hangs on the root, with
    what it holds; so does each member of a ring that nothing outside of it holds.
    """
    holders = counted(edge_to, holds, len(first_edge) - 1)
    number, order, parent, reached = depth_first(first_edge, edge_to, holds, holders)
    first_holder, holder = in_order(first_edge, edge_to, holds, holders, number, order, reached)
    return tree(order, parent, first_holder, holder, reached), order


@compiled
def counted(
    edge_to: NDArray[np.uint32], holds: NDArray[np.bool_], nodes: int
) -> NDArray[np.uint32]:
    """How many edges hold each node."""
    holders = np.zeros(nodes, np.uint32)
    for edge in range(edge_to.size):
        holders[edge_to[edge]] += holds[edge]
    return holders


@compiled
def depth_first(
    first_edge: NDArray[np.uint32],
    edge_to: NDArray[np.uint32],
    holds: NDArray[np.bool_],
    holders: NDArray[np.uint32],
) -> tuple[NDArray[np.uint32], NDArray[np.uint32], NDArray[np.uint32], int]:
    """Numbers the nodes: from the root, then from each that nothing holds as if the root did.
    Returns number by node, node by number, parent's number by number, and how many were reached;
    the others have the numbers behind, in their own order."""
    nodes = first_edge.size - 1
    number = np.full(nodes, _NONE, np.uint32)
    order = np.empty(nodes, np.uint32)
    parent = np.zeros(nodes, np.uint32)
    next_edge = np.empty(nodes, np.uint32)
    count = 0
    for start in range(nodes):
        if number[start] != _NONE or (start != ROOT and holders[start] != 0):
            continue
        number[start] = count
        order[count] = start
        next_edge[count] = first_edge[start]
        current = count
        count += 1
        while True:
            node = order[current]
            edge = next_edge[current]
            end = first_edge[node + 1]
            while edge < end and not (holds[edge] and number[edge_to[edge]] == _NONE):
                edge += np.uint32(1)
            next_edge[current] = edge
            if edge < end:
                to = edge_to[edge]
                number[to] = count
                order[count] = to
                parent[count] = current
                next_edge[count] = first_edge[to]
                current = count
                count += 1
            elif order[current] == start:
                break
            else:
                current = int(parent[current])
    reached = count
    if count < nodes:
        for node in range(nodes):
            if number[node] == _NONE:
                number[node] = count
                order[count] = node
                count += 1
    return number, order, parent, reached


@compiled
def in_order(
    first_edge: NDArray[np.uint32],
    edge_to: NDArray[np.uint32],
    holds: NDArray[np.bool_],
    holders: NDArray[np.uint32],
    number: NDArray[np.uint32],
    order: NDArray[np.uint32],
    reached: int,
) -> tuple[NDArray[np.uint32], NDArray[np.uint32]]:
    """The numbers of those that hold each node: `holder[first[w]:first[w + 1]]` for number w."""
    first = np.zeros(reached + 1, np.uint32)
    total = np.uint32(0)
    for w in range(reached):
        first[w] = total
        total += holders[order[w]]
    first[reached] = total
    holder = np.empty(total, np.uint32)
    filled = first[:reached].copy()
    for v in range(reached):
        node = order[v]
        for edge in range(first_edge[node], first_edge[node + 1]):
            if holds[edge]:
                w = number[edge_to[edge]]
                holder[filled[w]] = v
                filled[w] += np.uint32(1)
    # those that were not reached hold some of the reached in vain
    for v in range(reached, order.size):
        node = order[v]
        for edge in range(first_edge[node], first_edge[node + 1]):
            if holds[edge]:
                w = number[edge_to[edge]]
                if w < reached:
                    holder[filled[w]] = _NONE
                    filled[w] += np.uint32(1)
    return first, holder


@compiled
def tree(
    order: NDArray[np.uint32],
    parent: NDArray[np.uint32],
    first_holder: NDArray[np.uint32],
    holder: NDArray[np.uint32],
    reached: int,
) -> NDArray[np.uint32]:
    """The dominators by node; the names are the paper's."""
    label = np.arange(reached).astype(np.uint32)
    semi = np.arange(reached).astype(np.uint32)
    ancestor = np.full(reached, _NONE, np.uint32)
    dom = np.zeros(reached, np.uint32)
    bucket = np.full(reached, _NONE, np.uint32)
    in_bucket = np.empty(reached, np.uint32)
    # as long as the longest way up may be; the pages that are not used are not taken
    stack = np.empty(reached, np.uint32)
    for w in range(reached - 1, 0, -1):
        least = semi[w]
        for i in range(first_holder[w], first_holder[w + 1]):
            v = holder[i]
            if v == _NONE:
                continue
            # numbers below w have not been linked yet: they are their own labels
            if v > w:
                compress(v, ancestor, label, semi, stack)
                v = semi[label[v]]
            least = min(least, v)
        if first_holder[w] == first_holder[w + 1]:
            least = np.uint32(0)
        semi[w] = least
        up = parent[w]
        if least == up:
            dom[w] = up
        else:
            in_bucket[w] = bucket[least]
            bucket[least] = w
        ancestor[w] = up
        v = bucket[up]
        while v != _NONE:
            compress(v, ancestor, label, semi, stack)
            u = label[v]
            dom[v] = u if semi[u] < semi[v] else up
            v = in_bucket[v]
        bucket[up] = _NONE
    for w in range(1, reached):
        if dom[w] != semi[w]:
            dom[w] = dom[dom[w]]
    dominator = np.zeros(order.size, np.uint32)
    for w in range(1, reached):
        dominator[order[w]] = order[dom[w]]
    for w in range(reached, order.size):
        dominator[order[w]] = ROOT
    return dominator


@compiled
def compress(
    v: int,
    ancestor: NDArray[np.uint32],
    label: NDArray[np.uint32],
    semi: NDArray[np.uint32],
    stack: NDArray[np.uint32],
) -> None:
    """Shortens v's way up the forest, so that `label[v]` is the one with the least semidominator
    on it."""
    height = 0
    at = np.int64(v)
    up = ancestor[at]
    while ancestor[up] != _NONE:
        stack[height] = at
        height += 1
        at = np.int64(up)
        up = ancestor[at]
    while height > 0:
        height -= 1
        at = np.int64(stack[height])
        up = ancestor[at]
        if semi[label[up]] < semi[label[at]]:
            label[at] = label[up]
        ancestor[at] = ancestor[up]


@compiled
def retained_sizes(
    shallow: NDArray[np.uint64], dominator: NDArray[np.uint32], order: NDArray[np.uint32]
) -> NDArray[np.uint64]:
    """What would be freed with each node; `order` as of `dominators`."""
    retained = shallow.copy()
    for i in range(order.size - 1, 0, -1):
        node = order[i]
        retained[dominator[node]] += retained[node]
    return retained
