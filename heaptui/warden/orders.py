"""What a supervisor may say, see the package's own words."""

from __future__ import annotations

import json

from heaptui.warden.journal import Row

OPERATIONS: dict[str, dict[str, type]] = {
    "hello": {"supervisor": str, "pid": int},
    "spawn": {"task": str, "attempt": int, "argv": list, "cwd": str, "env": dict, "out": str},
    "ack": {"task": str, "attempt": int},
    "unended": {"n": int},
}


def order_of(line: bytes) -> Row | None:
    """The order, None if it is none."""
    try:
        order: Row = json.loads(line)
        fields = OPERATIONS[order["op"]]
        fits = all(isinstance(order[name], kind) for name, kind in fields.items())
    except (ValueError, TypeError, KeyError, RecursionError):
        return None
    return order if fits else None
