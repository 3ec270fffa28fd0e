"""A heap as arrays: nodes, edges in the order of the nodes that they leave, and what follows.

Nodes are counted 0 to n-1 as in the file; node 0 is the root. Edges of node i are
`first_edge[i]:first_edge[i + 1]`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray


class Strings(Protocol):
    """The snapshot's strings; decoded one by one when they are asked for."""

    def __len__(self) -> int: ...
    def __getitem__(self, index: int) -> str: ...
    def length(self, index: int) -> int:
        """Characters, cheaper than decoding; exact for plain text, an upper bound with escapes."""
        ...


@dataclass(slots=True, frozen=True)
class Locations:
    """Where functions stand: parallel arrays, sorted by node. Lines and columns count from 0."""

    node: NDArray[np.uint32]
    script: NDArray[np.int32]
    line: NDArray[np.int32]
    column: NDArray[np.int32]


@dataclass(slots=True)
class Graph:
    """What a snapshot says, and what is computed from it.

    `edge_name` is an index into `strings`, or a plain number for edges of type element and hidden.
    `self_size` is as in the file; `shallow` has what a node alone owns added to it (DevTools'
    rule). `retained` is what would be freed with it. `distance` counts edges from the root as
    DevTools does (-1: not reached). `dominator` of the root is the root. `class_of` is an index
    into `class_names`.
    """

    format: str
    runtime: str
    node_types: Sequence[str]
    edge_types: Sequence[str]
    strings: Strings
    node_type: NDArray[np.uint8]
    node_name: NDArray[np.uint32]
    node_id: NDArray[np.uint64]
    self_size: NDArray[np.uint64]
    first_edge: NDArray[np.uint32]
    edge_type: NDArray[np.uint8]
    edge_name: NDArray[np.uint32]
    edge_to: NDArray[np.uint32]
    locations: Locations | None = None
    shallow: NDArray[np.uint64] = field(default_factory=lambda: np.zeros(0, np.uint64))
    retained: NDArray[np.uint64] = field(default_factory=lambda: np.zeros(0, np.uint64))
    distance: NDArray[np.int32] = field(default_factory=lambda: np.zeros(0, np.int32))
    dominator: NDArray[np.uint32] = field(default_factory=lambda: np.zeros(0, np.uint32))
    class_of: NDArray[np.int32] = field(default_factory=lambda: np.zeros(0, np.int32))
    class_names: Sequence[str] = ()
    notes: tuple[str, ...] = ()

    @property
    def nodes(self) -> int:
        return len(self.node_type)

    @property
    def edges(self) -> int:
        return len(self.edge_to)
