"""What workers tell of their work, as what the rest of heaptui may believe."""

from __future__ import annotations

import math
from pathlib import Path
from typing import NamedTuple

from msgspec.structs import replace

from heaptui.engine import keeping
from heaptui.engine.keeping import Stood
from heaptui.engine.plan import RunPlan
from heaptui.engine.worker_figures import clean
from heaptui.errors import Refused
from heaptui.model import Work
from heaptui.wire import Progress

COMMANDS = ("checkpoint", "drain")
"""What a worker can be asked for."""

_MOST = 1e15
_TEXT = 120


def begun(work: Work | None, now: float) -> Work:
    """`work`, or that of an attempt that has told nothing yet."""
    return work or Work(at=now)


def progressed(work: Work | None, said: Progress, now: float) -> Work:
    """Figures that cannot be true are left out: what is kept matters more than its counting."""
    return replace(
        begun(work, now),
        at=now,
        done=_figure(said.done),
        total=_figure(said.total),
        text=clean(said.text, _TEXT),
    )


def checkpointed(work: Work | None, stood: Stood, now: float) -> Work:
    known = begun(work, now)
    return replace(
        known,
        at=now,
        checkpoints=known.checkpoints + 1,
        checkpoint_at=stood.at,
        checkpoint_bytes=stood.bytes,
    )


def resulted(work: Work | None, stood: Stood, now: float) -> Work:
    return replace(begun(work, now), at=now, result_bytes=stood.bytes)


class Standing(NamedTuple):
    """What this attempt put in its places, told or not."""

    checkpoint: Stood | None
    result: Stood | None


def standing(plan: RunPlan) -> Standing:
    """Looks on the disk: whoever wrote there need not have told us, and what was told to an engine
    before this one is in no memory."""
    return Standing(
        _anew(plan.checkpoint, plan.checkpoint_before), _anew(plan.result, plan.result_before)
    )


def looked_up(work: Work | None, found: Standing, now: float) -> Work | None:
    """`work` with what was found; None where nothing was told and nothing stands."""
    checkpoint, result = found
    if checkpoint is not None and not (work and work.checkpoint_at == checkpoint.at):
        work = checkpointed(work, checkpoint, now)
    if result is not None and not (work and work.result_bytes == result.bytes):
        work = resulted(work, result, now)
    return work


def _anew(path: str, before: keeping.Mark | None) -> Stood | None:
    if not path:
        return None
    found = keeping.mark(path)
    if found is None or found == before:
        return None
    try:
        return keeping.look(Path(path))
    except (OSError, Refused):
        return None


def _figure(said: float | None) -> float | None:
    return said if said is not None and math.isfinite(said) and 0 <= said <= _MOST else None
