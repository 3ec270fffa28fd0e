"""What a soak found, as figures: the operator's questions first. Pure."""

from __future__ import annotations

import statistics
from collections import Counter

from msgspec import Struct

from heaptui.cli.soak.accounting import Finding, Wrong
from heaptui.cli.soak.deeds import Deed
from heaptui.cli.soak.machine import Machine
from heaptui.cli.soak.running import Outcome
from heaptui.cli.soak.trend import Slope, slope
from heaptui.cli.soak.watching import Look, longest_life
from heaptui.model import Quantiles
from heaptui.supervisor.quantiles import quantiles
from heaptui.units import MIB, duration

_HOUR_S, _DAY_S = 3600.0, 86400.0
_MEMORY_AFTER_S = 8 * _HOUR_S
_AROUND = 5
"""Looks of which the median is taken."""


class Question(Struct, frozen=True, kw_only=True):
    """One of the operator's. `met` None: not measured."""

    question: str
    asked: str
    answer: str
    met: bool | None = None


class Growth(Struct, frozen=True, kw_only=True):
    """How the memory of the supervisor that lived longest moved, in bytes; half of all pairs of
    looks lie between `low` and `high` (bytes a real hour)."""

    per_real_hour: float
    per_simulated_day: float
    low_per_real_hour: float
    high_per_real_hour: float
    real_s: float
    simulated_s: float
    looks: int


class Report(Struct, frozen=True, kw_only=True):
    """Seconds, bytes. `wrong` counts what must be 0; the findings are its evidence."""

    questions: tuple[Question, ...]
    machine: Machine
    seed: int
    rate: float
    real_s: float
    simulated_s: float
    interrupted: bool
    tasks: dict[str, int]
    ended: dict[str, int]
    attempts: dict[str, int]
    recycles: int
    endless_attempts: int
    chaos: dict[str, int]
    skipped: dict[str, int]
    deeds: tuple[Deed, ...]
    wrong: dict[str, int]
    findings: tuple[Finding, ...]
    supervisor_bytes: int | None
    supervisor_most_bytes: int | None
    warden_bytes: int | None
    growth: Growth | None
    dispatch_median_s: float | None
    dispatch_p95_s: float | None
    kept_at: str | None

    @property
    def clean(self) -> bool:
        """Nothing lost, nothing done twice, nothing unexplained."""
        return not any(self.wrong.values())


def report(outcome: Outcome, machine: Machine) -> Report:
    """The figures of it."""
    options, tally = outcome.options, outcome.tally
    real_s = outcome.lasted_s
    simulated_s = real_s * options.rate
    waited = quantiles(tally.waits)
    life = longest_life(outcome.looks)
    sizes = [look.supervisor_bytes for look in outcome.looks if look.supervisor_bytes]
    wardens = [look.warden_bytes for look in outcome.looks if look.warden_bytes]
    found = slope([(look.at_s, look.supervisor_bytes or 0) for look in life])
    done = [deed for deed in outcome.deeds if deed.skipped is None]
    skipped = [deed for deed in outcome.deeds if deed.skipped is not None]
    return Report(
        questions=(
            _memory(outcome, simulated_s),
            _deaths(outcome, simulated_s),
            _overhead(outcome, waited),
            _longest(outcome),
            Question(
                question="200k-token contexts",
                asked="stable",
                answer="not measured yet: this release does not keep contexts",
            ),
        ),
        machine=machine,
        seed=options.seed,
        rate=options.rate,
        real_s=real_s,
        simulated_s=simulated_s,
        interrupted=outcome.interrupted,
        tasks={role.value: n for role, n in tally.submitted.most_common()},
        ended={state.value: n for state, n in tally.ended.most_common()},
        attempts=dict(tally.verdicts.most_common()),
        recycles=tally.recycles,
        endless_attempts=outcome.endless_attempts,
        chaos=dict(Counter(deed.kind.value for deed in done).most_common()),
        skipped=dict(Counter(f"{deed.kind}: {deed.skipped}" for deed in skipped).most_common()),
        deeds=outcome.deeds,
        wrong={wrong.value: tally.count(wrong) for wrong in Wrong},
        findings=tuple(tally.findings),
        supervisor_bytes=int(statistics.median(sizes[-_AROUND:])) if sizes else None,
        supervisor_most_bytes=max(sizes, default=None),
        warden_bytes=int(statistics.median(wardens[-_AROUND:])) if wardens else None,
        growth=None if found is None else _growth(found, options.rate),
        dispatch_median_s=waited.p50,
        dispatch_p95_s=waited.p95,
        kept_at=outcome.kept_at,
    )


def _growth(found: Slope, rate: float) -> Growth:
    return Growth(
        per_real_hour=found.per_s * _HOUR_S,
        per_simulated_day=found.per_s * _DAY_S / rate,
        low_per_real_hour=found.low * _HOUR_S,
        high_per_real_hour=found.high * _HOUR_S,
        real_s=found.span_s,
        simulated_s=found.span_s * rate,
        looks=found.points,
    )


def _memory(outcome: Outcome, simulated_s: float) -> Question:
    """Of the supervisor, eight simulated hours in, or as far as it went."""
    rate = outcome.options.rate
    at_s = min(_MEMORY_AFTER_S, simulated_s)
    looks = [look for look in outcome.looks if look.supervisor_bytes]
    answer, met = "not measured", None
    if looks:
        held = _around(looks, at_s / rate)
        most = max(look.supervisor_bytes or 0 for look in looks)
        answer = (
            f"{held / MIB:.1f} MB after {at_s / _HOUR_S:.1f} simulated hours "
            f"({duration(at_s / rate)} real); the most at any time {most / MIB:.1f} MB"
        )
        met = None if at_s < _MEMORY_AFTER_S else held < 500 * MIB
    return Question(
        question="supervisor memory after 8 h",
        asked="< 500 MB, aimed <= 60 MB",
        answer=answer,
        met=met,
    )


def _around(looks: list[Look], at_s: float) -> float:
    """The median of the looks nearest to that moment."""
    near = sorted(looks, key=lambda look: abs(look.at_s - at_s))[:_AROUND]
    return statistics.median(look.supervisor_bytes or 0 for look in near)


def _deaths(outcome: Outcome, simulated_s: float) -> Question:
    tally = outcome.tally
    hours = simulated_s / _HOUR_S
    return Question(
        question="OOM deaths in 24 h that cost work",
        asked="0",
        answer=(
            f"{tally.memory_deaths_that_cost} in {hours:.1f} simulated hours; "
            f"{tally.memory_deaths} attempts in all died for lack of memory, by plan or not"
        ),
        met=False if tally.memory_deaths_that_cost else True if hours >= 24 else None,
    )


def _overhead(outcome: Outcome, waited: Quantiles) -> Question:
    parts = []
    if waited.p50 is not None and waited.p95 is not None:
        parts.append(
            f"median {waited.p50 * 1e3:.0f} ms, p95 {waited.p95 * 1e3:.0f} ms from submission to "
            f"start ({waited.count} tasks that found a place and no chaos in the way)"
        )
    inside = outcome.dispatch
    if inside is not None and inside.p95 is not None and inside.p50 is not None:
        parts.append(
            f"by the supervisor's own count median {inside.p50 * 1e3:.0f} ms, "
            f"p95 {inside.p95 * 1e3:.0f} ms ({inside.count} starts)"
        )
    return Question(
        question="dispatch overhead",
        asked="< 100 ms",
        answer="; ".join(parts) or "not measured",
        met=None if waited.p95 is None else waited.p95 < 0.1,
    )


def _longest(outcome: Outcome) -> Question:
    real_s, attempts = outcome.endless_s, outcome.endless_attempts
    simulated = duration(real_s * outcome.options.rate)
    return Question(
        question="longest run of one task across recycles",
        asked="unlimited",
        answer=(
            f"{simulated} simulated ({duration(real_s)} real) over {attempts} attempts, "
            "as long as the soak: a worker that leaks all along"
        ),
        met=outcome.endless_whole if attempts > 1 else None,
    )
