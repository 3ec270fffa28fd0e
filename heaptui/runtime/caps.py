"""The cap of a task that names none."""

from __future__ import annotations

from heaptui.units import MIB

STEP = 64 * MIB
LEAST = 256 * MIB


def share_of_host(total_bytes: int, concurrency: int, share: float = 0.8) -> int:
    """`share` of the host's memory divided by how many tasks may run at once, so that all of them
    at their caps still leave the rest to the system; in steps of 64M, at least 256M (on a host
    where that is more than the share, the caps together promise more than there is)."""
    each = int(total_bytes * share / concurrency)
    return max(LEAST, each // STEP * STEP)
