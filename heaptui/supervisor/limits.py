"""Limits that could never hold are refused before a task is queued."""

from __future__ import annotations

from heaptui.config.policy import parse_gc
from heaptui.errors import Refused, UsageError
from heaptui.model import TaskSpec
from heaptui.units import size


def check_limits(spec: TaskSpec, cap_bytes: int | None, total_bytes: int) -> None:
    """`cap_bytes` is the cap in force, given or default; `total_bytes` the machine's memory.

    Raises:
        Refused: a cap that this machine could never give.
        UsageError: figures that contradict each other, or that mean nothing.
    """
    limits = spec.limits
    given = {
        "cap": limits.cap_bytes,
        "soft limit": limits.soft_bytes,
        "heap": limits.heap_bytes,
        "output limit": limits.output_bytes,
        "time-out": limits.timeout_s,
    }
    for what, figure in given.items():
        if figure is not None and not figure > 0:
            raise UsageError(f"A {what} of {figure} means nothing.", "Give one above 0.")
    if not limits.grace_s >= 0:
        raise UsageError(f"A grace of {limits.grace_s} s means nothing.", "Give 0 or more.")
    if cap_bytes is not None and cap_bytes > total_bytes:
        raise Refused(
            f"A cap of {size(cap_bytes)} is more than this machine's {size(total_bytes)}: it would "
            "hold nothing back.",
            f"Give at most --cap {size(total_bytes)}; less leaves room for everybody else.",
        )
    soft = limits.soft_bytes
    if soft is not None and cap_bytes is not None and soft >= cap_bytes:
        raise UsageError(
            f"A soft limit of {size(soft)} is not below the cap of {size(cap_bytes)}: heaptui "
            "would never act before the cap does.",
            f"Give less than {size(cap_bytes)}; the usual share is 80 %.",
        )
    if spec.gc is not None:
        parse_gc(spec.gc, "--gc")
