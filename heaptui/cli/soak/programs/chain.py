"""The work itself: a chain of digests. Its end is right only when every unit was done once, in
order, whatever number of attempts they were spread over."""

from __future__ import annotations

import hashlib


def start(key: str) -> str:
    """Before the first unit of the task `key`."""
    return hashlib.sha256(key.encode()).hexdigest()


def after(digest: str, unit: int) -> str:
    """What one more unit makes of it."""
    return hashlib.sha256(f"{digest}:{unit}".encode()).hexdigest()


def end(key: str, units: int) -> str:
    """What all units of the task make."""
    digest = start(key)
    for unit in range(units):
        digest = after(digest, unit)
    return digest
