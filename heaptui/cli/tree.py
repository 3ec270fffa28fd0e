"""`heaptui ps --tree`: children below the task that was split into them."""

from __future__ import annotations

from collections.abc import Iterable

from heaptui.cli import listing
from heaptui.family import Member, label_of, rolled_up, unended
from heaptui.model import Row


def as_tree(rows: Iterable[Row], *, everything: bool) -> list[Member]:
    """The rows in the tree's order. Without `everything` those that have ended are left out, but
    for children of a task that still waits for others of them."""
    return rolled_up(rows if everything else unended(rows))


def put_tree(members: Iterable[Member], *, everything: bool) -> None:
    """The table of `heaptui ps`, its names as a tree."""
    listed = list(members)
    names = [place.branch + label_of(row, within=bool(place.depth)) for row, place in listed]
    listing.put_rows([row for row, _ in listed], everything=everything, names=names)
