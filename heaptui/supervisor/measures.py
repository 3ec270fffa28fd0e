"""How it went so far: what tasks of one kind and name needed, how attempts ended, how long a task
that could run waited for its start."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence

from heaptui.model import Measures, ProfileMeasures
from heaptui.store.profiles import ENDS_MOST, Profile
from heaptui.supervisor.loop import Supervisor
from heaptui.supervisor.profiles import measured
from heaptui.supervisor.quantiles import quantiles

_LOOKED_AT = 200
"""The latest ends of a profile that its figures are made of, however few are asked for."""


async def measures(supervisor: Supervisor, records: int) -> Measures:
    """With the latest `records` of each profile, at most a thousand.

    Raises:
        StorageTrouble: the store cannot be read.
    """
    counts = supervisor.counts
    records = max(0, min(records, ENDS_MOST))
    found = await supervisor.store.profiles(max(_LOOKED_AT, records))
    verdicts: Counter[str] = Counter()
    for (_, verdict), count in counts.verdicts.items():
        verdicts[verdict.value] += count
    return Measures(
        at=supervisor.clock(),
        since=supervisor.since,
        # beside the loop: thousands of records must not hold up a start
        profiles=await asyncio.to_thread(_all_measured, found, records),
        verdicts=dict(verdicts.most_common()),
        dispatch=await asyncio.to_thread(quantiles, tuple(counts.starts)),
        recycles=counts.recycles,
    )


def _all_measured(found: Sequence[Profile], records: int) -> tuple[ProfileMeasures, ...]:
    return tuple(measured(profile, records) for profile in found)
