"""What arrives when, decided beforehand from the seed, each task with its known right outcome."""

from __future__ import annotations

import json
import random
import sys
from pathlib import Path

from msgspec import Struct

from heaptui.cli.soak.programs import chain
from heaptui.cli.soak.simulated import MIX, SHAPES, TASKS_AN_HOUR, Pace, Role, Shape
from heaptui.model import OUT_OF_MEMORY, Kind, Limits, State, TaskSpec, VerdictKind

PROGRAMS = Path(__file__).with_name("programs")
_MODULES = f"{__package__}.programs"

_GRACE_S = 5.0
_OUTPUT_BYTES = 8 << 20
_RETRIES = 50
"""Chaos uses them up; what ends a crash loop is the policy's restart intensity."""

_FAIL_CODES = (1, 2, 3, 70)

GOES_ON = frozenset((Role.AGENT, Role.LEAKING, Role.ENDLESS))
"""They keep checkpoints and hand in a result."""

GROWING = frozenset((Role.LEAKING, Role.ENDLESS))
DYING = frozenset((Role.OUTGROWING, Role.TOO_LARGE))
"""Of a lack of memory, by plan."""


class Expected(Struct, frozen=True, kw_only=True):
    """The right outcome: the state, the code of the attempt that decided it, and the result, in
    JSON, of those that hand one in. `units` None: as many as its result says."""

    state: State
    code: int = 0
    units: int | None = None
    result: bool = False
    deaths: frozenset[VerdictKind] = frozenset()


class Planned(Struct, frozen=True, kw_only=True):
    """One task of the soak. `key` is its own; its name is its role's, which many tasks share, as
    with agents. `arrives_s`: real seconds after the soak began; `lasts_s`: about how long it takes.
    """

    key: str
    role: Role
    arrives_s: float
    lasts_s: float
    spec: TaskSpec
    expected: Expected


class Workload(Struct, frozen=True, kw_only=True):
    """`endless` runs until the file `enough` is there."""

    tasks: tuple[Planned, ...]
    endless: Planned
    enough: Path


def plan(*, seed: int, pace: Pace, seconds: float, evidence: Path, node: bool) -> Workload:
    """All that arrives within `seconds` real ones. What would not be over when they are, is a short
    tool instead, so that the soak ends in time. `evidence` is the directory of the workers' own
    notes; with `node` half of the
    agents are Node programs.
    """
    chance = random.Random(seed)
    makers = _Maker(pace=pace, evidence=evidence, node=node)
    roles, weights = list(MIX), list(MIX.values())
    between_s = pace.real_s(3600 / TASKS_AN_HOUR)
    tasks: list[Planned] = []
    at = chance.expovariate(1 / between_s)
    while at < seconds:
        role = chance.choices(roles, weights)[0]
        task = makers.make(role, len(tasks), at, chance)
        if at + task.lasts_s > seconds:
            task = makers.make(Role.TOOL, len(tasks), at, chance)
        tasks.append(task)
        at += chance.expovariate(1 / between_s)
    enough = evidence / "enough"
    endless = makers.make(Role.ENDLESS, len(tasks), 0.0, chance, until=str(enough))
    return Workload(tasks=tuple(tasks), endless=endless, enough=enough)


def flood(number: int, pace: Pace, evidence: Path) -> Planned:
    """A task that prints as fast as the disk takes it."""
    maker = _Maker(pace=pace, evidence=evidence, node=False)
    return maker.make(Role.FLOOD, number, 0.0, random.Random(number))


class _Maker(Struct, frozen=True, kw_only=True):
    pace: Pace
    evidence: Path
    node: bool

    def make(
        self, role: Role, number: int, at: float, chance: random.Random, until: str = ""
    ) -> Planned:
        shape = SHAPES[role]
        key = f"{role}-{number:05}"
        unit_s = self.pace.unit_s(shape)
        units = max(1, round(chance.uniform(shape.least_s, shape.most_s) / shape.unit_s))
        code = chance.choice(_FAIL_CODES) if role is Role.FAILING else 0
        job = {
            "key": key,
            "units": units,
            "unit_s": unit_s,
            "hold_bytes": shape.hold_bytes,
            "leak_bytes": _leak_bytes(shape),
            "print_bytes": shape.print_bytes,
            "code": code,
            "until": until,
        }
        in_node = self.node and role in GOES_ON and number % 2 == 0
        return Planned(
            key=key,
            role=role,
            arrives_s=at,
            lasts_s=_lasts_s(role, units * unit_s),
            spec=self._spec(role, key, shape, job, in_node=in_node),
            expected=_expected(role, units, code),
        )

    def _spec(
        self, role: Role, key: str, shape: Shape, job: dict[str, object], *, in_node: bool
    ) -> TaskSpec:
        words = (str(self.evidence / f"{key}.jsonl"), json.dumps(job))
        argv = (
            (str(PROGRAMS / "working.cjs"), *words)
            if in_node
            else (sys.executable, "-m", f"{_MODULES}.{_PROGRAM[role]}", *words)
        )
        return TaskSpec(
            argv=argv,
            cwd="/",
            name=role.value,
            kind=Kind.NODE if in_node else Kind.PYTHON,
            retries=0 if role is Role.FAILING else _RETRIES,
            retry_lost=True,
            limits=Limits(cap_bytes=shape.cap_bytes, grace_s=_GRACE_S, output_bytes=_OUTPUT_BYTES),
        )


_PROGRAM = {
    Role.TOOL: "tool",
    Role.FAILING: "tool",
    Role.AGENT: "working",
    Role.LEAKING: "working",
    Role.ENDLESS: "working",
    Role.OUTGROWING: "outgrowing",
    Role.TOO_LARGE: "outgrowing",
    Role.PRINTING: "printing",
    Role.FLOOD: "printing",
    Role.TREE: "tree",
}


def _leak_bytes(shape: Shape) -> int:
    """Of one unit, so that the cap is filled once in its time."""
    return int(shape.cap_bytes * shape.unit_s / shape.to_cap_s) if shape.to_cap_s else 0


def _lasts_s(role: Role, works_s: float) -> float:
    """With starting, dying and beginning anew, recycling."""
    if role in DYING:
        return 3 * works_s + 10
    return 1.3 * works_s + (8 if role in GROWING else 2)


def _expected(role: Role, units: int, code: int) -> Expected:
    match role:
        case Role.FAILING:
            return Expected(state=State.FAILED, code=code, units=units)
        case Role.TOO_LARGE:
            return Expected(state=State.QUARANTINED, deaths=OUT_OF_MEMORY)
        case Role.OUTGROWING:
            return Expected(state=State.DONE, units=units, deaths=OUT_OF_MEMORY)
        case Role.ENDLESS:
            return Expected(state=State.DONE, result=True)
    return Expected(state=State.DONE, units=units, result=role in GOES_ON)


def right_result(key: str, units: int) -> dict[str, object]:
    """What the worker of the task hands in."""
    return {"key": key, "units": units, "digest": chain.end(key, units)}
