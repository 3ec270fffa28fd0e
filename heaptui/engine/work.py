"""What workers tell of their work, as what the rest of heaptui may believe."""

from __future__ import annotations

import math
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from msgspec.structs import replace

from heaptui.engine import keeping
from heaptui.engine.done_file import DoneFile, refusal
from heaptui.engine.keeping import Stood
from heaptui.engine.plan import RunPlan
from heaptui.engine.worker_figures import clean
from heaptui.errors import Refused
from heaptui.model import Work
from heaptui.output import printable
from heaptui.wire import Context, Progress

COMMANDS = ("checkpoint", "drain")
"""What a worker can be asked for."""

_MOST = 1e15
_TEXT = 120
_HAND = 64
"""Items in hand that are named; more at once are no work in progress but a list."""


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


def filled(work: Work | None, said: Context, now: float) -> Work:
    used, limit = (_tokens(one) for one in (said.used, said.limit))
    known = begun(work, now)
    if used is None:
        return known
    return replace(known, at=now, context_tokens=used, context_limit=limit or None)


def holding(hand: Iterable[str]) -> tuple[str, ...]:
    """What a process says it has in hand, made harmless."""
    names = [printable(name) for name in hand if refusal(name) is None]
    return tuple(name for name in dict.fromkeys(names[:_HAND]) if name)


def itemized(
    work: Work | None, done: DoneFile, hands: Iterable[tuple[str, ...]], now: float
) -> Work:
    """With the count of what is done, and what is in anybody's hand and not done."""
    known = begun(work, now)
    names = dict.fromkeys(name for hand in hands for name in hand if name not in done)
    hand = tuple(names)[:_HAND]
    if (known.items_done, known.hand) == (len(done), hand):
        return known
    return replace(known, at=now, items_done=len(done), hand=hand)


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


def _tokens(said: int | None) -> int | None:
    return said if said is not None and 0 <= said <= _MOST else None


def _figure(said: float | None) -> float | None:
    return said if said is not None and math.isfinite(said) and 0 <= said <= _MOST else None
