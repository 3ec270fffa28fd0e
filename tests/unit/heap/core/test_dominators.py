"""The dominator tree, against the definition."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from heaptui.heap.analysis.dominators import dominators, retained_sizes

NODES = st.integers(1, 24)


@st.composite
def graphs(draw: st.DrawFn) -> tuple[int, list[tuple[int, int, bool]]]:
    """Nodes, and edges as from, to, whether it holds."""
    nodes = draw(NODES)
    node = st.integers(0, nodes - 1)
    edges = draw(st.lists(st.tuples(node, node, st.booleans()), max_size=70))
    # a node's reference to itself never holds
    return nodes, [(source, to, holds and source != to) for source, to, holds in edges]


def arrays(
    nodes: int, edges: list[tuple[int, int, bool]]
) -> tuple[NDArray[np.uint32], NDArray[np.uint32], NDArray[np.bool_]]:
    ordered = sorted(edges, key=lambda edge: edge[0])
    counts = np.bincount([edge[0] for edge in ordered], minlength=nodes) if ordered else []
    first = np.zeros(nodes + 1, np.uint32)
    first[1:] = np.cumsum(counts) if ordered else 0
    return (
        first,
        np.array([edge[1] for edge in ordered], np.uint32),
        np.array([edge[2] for edge in ordered], np.bool_),
    )


def reached(links: dict[int, set[int]], without: int | None) -> set[int]:
    if without == 0:
        return set()
    found, left = {0}, [0]
    while left:
        for to in links.get(left.pop(), set()):
            if to != without and to not in found:
                found.add(to)
                left.append(to)
    return found


def by_definition(nodes: int, edges: list[tuple[int, int, bool]]) -> list[int]:
    """A dominator of a node is one without which it is not reached; the nearest of them."""
    links: dict[int, set[int]] = {}
    held = set()
    for source, to, holds in edges:
        if holds:
            links.setdefault(source, set()).add(to)
            held.add(to)
    links.setdefault(0, set()).update(node for node in range(1, nodes) if node not in held)
    whole = reached(links, None)
    above: list[set[int]] = [set() for _ in range(nodes)]
    for node in whole:
        for lost in whole - reached(links, node) - {node}:
            above[lost].add(node)
    # of all dominators the nearest is the one that has the most dominators itself
    return [
        max(above[node], key=lambda one: len(above[one])) if node in whole and node else 0
        for node in range(nodes)
    ]


@given(graphs())
@settings(max_examples=300, deadline=None)
def test_the_tree_is_what_the_definition_says(
    graph: tuple[int, list[tuple[int, int, bool]]],
) -> None:
    nodes, edges = graph

    dominator, order = dominators(*arrays(nodes, edges))

    assert dominator.tolist() == by_definition(nodes, edges)
    place = {node: index for index, node in enumerate(order.tolist())}
    assert sorted(place) == list(range(nodes))
    assert all(place[int(dominator[node])] <= place[node] for node in place)


@given(graphs(), st.data())
@settings(max_examples=100, deadline=None)
def test_what_is_retained_adds_up(
    graph: tuple[int, list[tuple[int, int, bool]]], data: st.DataObject
) -> None:
    nodes, edges = graph
    own = np.array(
        data.draw(st.lists(st.integers(0, 1 << 40), min_size=nodes, max_size=nodes)), np.uint64
    )
    dominator, order = dominators(*arrays(nodes, edges))

    retained = retained_sizes(own, dominator, order)

    assert retained[0] == own.sum()
    for node in range(nodes):
        children = [child for child in range(1, nodes) if dominator[child] == node]
        assert int(retained[node]) == int(own[node]) + sum(int(retained[one]) for one in children)


def test_a_long_chain_takes_no_recursion_and_no_square_of_time() -> None:
    # a list of a million, whose every element also hangs on its first
    nodes = 1_000_000
    chain = np.arange(1, nodes, dtype=np.uint32)
    to = np.concatenate([chain, chain[:1], chain[1:]])
    source = np.concatenate([np.arange(nodes - 1), [0], np.full(nodes - 2, 1)])
    order = np.argsort(source, kind="stable")
    first = np.zeros(nodes + 1, np.uint32)
    first[1:] = np.cumsum(np.bincount(source, minlength=nodes))

    dominator, _ = dominators(first, to[order], np.ones(len(to), np.bool_))

    assert dominator[:2].tolist() == [0, 0]
    assert (dominator[2:] == 1).all()
