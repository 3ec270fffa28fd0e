"""Outputs of live attempts: how long they are, and kept within their limits while they grow."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from heaptui import output
from heaptui.engine.plan import RunPlan
from heaptui.errors import StorageTrouble

_BLOCK = 512  # what st_blocks counts in, whatever the file system's blocks are


class Length(NamedTuple):
    """`written` bytes ever; `bounded`: it was too long on disk, and its oldest part given back."""

    written: int
    bounded: bool


def bound(plan: RunPlan) -> Length | None:
    """Gives back what is too much; None where there is no such file, or it cannot be changed."""
    path = Path(plan.output)
    try:
        status = path.stat()
        too_long = 0 < plan.output_bytes < status.st_blocks * _BLOCK
        if too_long:
            output.give_back(path, plan.output_bytes)
    except OSError:  # not yet opened by its worker, or taken away: nothing to bound
        return None
    return Length(status.st_size, too_long)


def bound_all(plans: list[RunPlan]) -> dict[str, Length]:
    """By task id, for those that have an output."""
    return {plan.task_id: length for plan in plans if (length := bound(plan)) is not None}


def lengths(plan: RunPlan) -> dict[str, int]:
    """The answer to the command `output`.

    Raises:
        StorageTrouble: it is there and cannot be read.
    """
    path = Path(plan.output)
    try:
        return {"size": path.stat().st_size, "given_back": output.given_back(path)}
    except FileNotFoundError:
        return {"size": 0, "given_back": 0}
    except OSError as error:
        raise StorageTrouble(
            f"The output {path} cannot be read: {error.strerror or error}.",
            "Mend the permissions of the state directory.",
        ) from error
