"""What tasks of one kind and name needed, and the cap that would have served them."""

from __future__ import annotations

from collections.abc import Sequence

from heaptui.model import PeakRecord, ProfileMeasures, VerdictKind
from heaptui.store.profiles import Ended, Profile
from heaptui.supervisor.quantiles import quantile
from heaptui.units import GIB, MIB

ENDS_FOR_A_CAP = 5
"""With fewer there is no suggestion: a quantile of so few is chance."""

LEAST_CAP = 64 * MIB
"""Of a suggestion: less saves nothing, and an interpreter alone may take as much."""

_P50, _P95 = 0.50, 0.95
_TENTH = 10
_ENDED_BY_CAP = frozenset(
    (VerdictKind.CAP, VerdictKind.NATIVE_OOM, VerdictKind.PYTHON_MEMORY),
)
"""Ends that a larger cap could have averted; a heap has a limit of its own, a host too."""


def measured(profile: Profile, records: int) -> ProfileMeasures:
    """The measures of one profile over all its `ends`, with the latest `records` of them."""
    peaks = sorted(one.peak_bytes for one in profile.ends if one.peak_bytes)
    return ProfileMeasures(
        kind=profile.kind,
        name=profile.name,
        attempts=profile.attempts,
        ooms=profile.ooms,
        p50_bytes=quantile(peaks, _P50) if peaks else 0,
        p95_bytes=quantile(peaks, _P95) if peaks else 0,
        max_bytes=peaks[-1] if peaks else 0,
        cap_bytes=next((one.cap_bytes for one in profile.ends if one.cap_bytes), None),
        suggested_cap_bytes=suggested_cap(profile.ends),
        records=tuple(
            PeakRecord(
                at=one.at, peak_bytes=one.peak_bytes, seconds=one.seconds, verdict=one.verdict
            )
            for one in profile.ends[:records]
            if one.peak_bytes
        ),
    )


def suggested_cap(ends: Sequence[Ended]) -> int | None:
    """Bytes: a quarter above the P95 of the peaks, at least the largest peak that ended well, and a
    quarter above whatever an attempt had when it ended for lack of it.

    The peak of such an attempt says only that it needed more than that (it is censored): the cap it
    ran into stands for it. None while fewer than ENDS_FOR_A_CAP peaks are known.
    """
    known = [one for one in ends if one.peak_bytes]
    if len(known) < ENDS_FOR_A_CAP:
        return None
    starved = [one for one in known if one.verdict.out_of_memory]
    served = [one.peak_bytes or 0 for one in known if not one.verdict.out_of_memory]
    needs = sorted([*served, *map(_had, starved)])
    most_had = max(map(_had, starved), default=0)
    enough = max(_above(quantile(needs, _P95)), _above(most_had), LEAST_CAP, *served)
    return friendly(enough)


def _had(one: Ended) -> int:
    """What an attempt that ended out of memory had at least."""
    peak, cap = one.peak_bytes or 0, one.cap_bytes or 0
    return max(peak, cap) if one.verdict in _ENDED_BY_CAP else peak


def _above(size: int) -> int:
    return size + size // 4


def friendly(size: int) -> int:
    """The next size that an operator would write: tens of megabytes, tenths of gigabytes from 1G
    on, gigabytes from 10G on."""
    if size <= GIB - _TENTH * MIB:
        return _up(size, _TENTH * MIB)
    if size <= _TENTH * GIB:
        return -(-size * _TENTH // GIB) * GIB // _TENTH
    return _up(size, GIB)


def _up(size: int, step: int) -> int:
    return -(-size // step) * step
