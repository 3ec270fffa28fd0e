"""Rows of a difference, as both engines make them."""

from __future__ import annotations

from collections.abc import Sequence

from heaptui.errors import UsageError
from heaptui.heap.answers import DiffRow

NOT_ONE_PROCESS = (
    "the two files do not look like snapshots of one process (or a debugger was detached between "
    "them, and V8 numbered its objects anew): they are compared by the counts of their classes"
)
_STABLE_SHARE = 0.7
_LEAST_SHARED = 20
_MODULES_STAY = 0.5

LASTING = ("(object shape)", "Function")
"""Classes whose objects say whether two snapshots are of one process, the most lasting first."""

DIFF_ORDERS = {"delta": "delta_bytes", "new": "new_bytes", "freed": "freed_bytes"}


def same_ids_mean_the_same(counts: Sequence[tuple[int, int]]) -> bool:
    """Whether two V8 snapshots are of one process, by LASTING classes and then by all: of how many
    of the older one's objects there is the id in the newer, and of how many with the same class.

    Of all objects that says little: V8 gives the number of a dead object to one that is made in
    its place (1 in 5 of the equal ids, where a cache has replaced all its entries). Shapes stay
    where they are: all of them in one process; in two, 1 in 5 at most, even of the same program.
    """
    for shared, same in counts:
        if shared >= _LEAST_SHARED:
            return same >= shared * _STABLE_SHARE
    return False


def modules_stay(before: int, still: int) -> bool:
    """Whether two Python snapshots are of one process: of the `before` modules that it had, how
    many are `still` where they were. Addresses differ from process to process, and modules stay."""
    return still >= max(1, before * _MODULES_STAY)


def order_field(order: str) -> str:
    """The field that an order goes by.

    Raises:
        UsageError: there is no such order.
    """
    try:
        return DIFF_ORDERS[order]
    except KeyError:
        raise UsageError(
            f"A difference has no order {order!r}.", f"Orders: {', '.join(DIFF_ORDERS)}."
        ) from None


def difference(name: str, new: int, new_bytes: int, freed: int, freed_bytes: int) -> DiffRow:
    return DiffRow(
        name=name,
        new=new,
        freed=freed,
        delta=new - freed,
        new_bytes=new_bytes,
        freed_bytes=freed_bytes,
        delta_bytes=new_bytes - freed_bytes,
    )


def net(row: DiffRow) -> DiffRow:
    """The same by counts alone: what there is more of is new, what there is less of is freed."""
    return difference(
        row.name,
        max(row.delta, 0),
        max(row.delta_bytes, 0),
        max(-row.delta, 0),
        max(-row.delta_bytes, 0),
    )
