"""The memory policy as an operator sets it: what heaptui does about memory, when, and for whom."""

from __future__ import annotations

import re
from typing import Annotated, Literal, TypeVar

import msgspec
from msgspec import Meta, Struct

from heaptui.errors import UsageError
from heaptui.model import Kind
from heaptui.units import parse_duration, parse_size

T = TypeVar("T")
Step = Literal["gc", "checkpoint", "recycle"]
STEPS: tuple[Step, ...] = ("gc", "checkpoint", "recycle")

_SHARE = re.compile(r"\s*(\d+(?:\.\d+)?)\s*%\s*", re.ASCII)
_EVERY = re.compile(r"\s*every\s+(\S.*)", re.ASCII)
_AT = re.compile(r"\s*at\s+(\S.*)", re.ASCII)


def parse_share(text: str, what: str) -> float:
    """The fraction that `80%` is.

    Raises:
        UsageError: no percentage above 0 and up to 100.
    """
    match = _SHARE.fullmatch(text)
    share = float(match[1]) / 100 if match else 0.0
    if not 0 < share <= 1:
        raise UsageError(
            f"{what} {text[:40]!r} is not a share.", "Write a percentage up to 100: 80%."
        )
    return share


class GcRule(Struct, frozen=True):
    """When garbage is collected without a soft limit being reached: every so many seconds, or at
    a share of the heap's limit; both None: never."""

    every_s: float | None = None
    at_share: float | None = None


def parse_gc(text: str, what: str = "gc") -> GcRule:
    """`off`, `every 5m` or `at 70%`.

    Raises:
        UsageError: none of these.
    """
    if text.strip() == "off":
        return GcRule()
    if match := _EVERY.fullmatch(text):
        return GcRule(every_s=parse_duration(match[1], what))
    if match := _AT.fullmatch(text):
        return GcRule(at_share=parse_share(match[1], what))
    raise UsageError(f"{what} {text[:40]!r} is no rule.", 'Write "off", "every 5m" or "at 70%".')


class Policy(Struct, frozen=True, kw_only=True):
    """What holds for the tasks of one kind, read. `soft_share` of the cap, None: no soft limit;
    `ahead_s` before the cap is reached. Seconds, bytes."""

    acts: bool
    soft_share: float | None
    ahead_s: float
    steps: tuple[Step, ...]
    gc: GcRule
    drain_s: float
    recycle_anew: bool
    retry_lost: bool
    oom_retries: int
    oom_factor: float
    oom_ceiling_bytes: int
    split: str


class KindPolicy(Struct, frozen=True, forbid_unknown_fields=True):
    """What one kind of task has otherwise; None: as for all."""

    soft: str | None = None
    ahead: str | None = None
    steps: list[Step] | None = None
    gc: str | None = None
    drain: str | None = None
    recycle_anew: bool | None = None
    retry_lost: bool | None = None
    oom_retries: Annotated[int, Meta(ge=0, le=10)] | None = None
    oom_factor: Annotated[float, Meta(gt=1, le=10)] | None = None
    oom_ceiling: str | None = None
    split: Literal["propose", "auto", "off"] | None = None


class PolicyConfig(Struct, frozen=True, forbid_unknown_fields=True):
    """See `EXAMPLE` for what each means; `of` is how the rest of heaptui reads it."""

    mode: Literal["act", "observe"] = "act"
    soft: str = "80%"
    ahead: str = "60s"
    steps: list[Step] = msgspec.field(default_factory=lambda: list(STEPS))
    gc: str = "off"
    drain: str = "30s"
    recycle_anew: bool = False
    retry_lost: bool = False
    oom_retries: Annotated[int, Meta(ge=0, le=10)] = 1
    oom_factor: Annotated[float, Meta(gt=1, le=10)] = 1.5
    oom_ceiling: str = "12G"
    split: Literal["propose", "auto", "off"] = "propose"
    restarts: Annotated[int, Meta(ge=1, le=100_000)] = 5
    restart_period: str = "10m"
    stable: str = "10m"
    kinds: dict[Kind, KindPolicy] = {}

    @property
    def restart_period_s(self) -> float:
        return parse_duration(self.restart_period, "policy.restart_period")

    @property
    def stable_s(self) -> float:
        return parse_duration(self.stable, "policy.stable")

    def of(self, kind: Kind) -> Policy:
        """For the tasks of `kind`.

        Raises:
            UsageError: a text in it cannot be understood; never after the file was read.
        """
        own = self.kinds.get(kind) or KindPolicy()
        where = f"policy.kinds.{kind}" if kind in self.kinds else "policy"

        soft = _own(own.soft, self.soft)
        steps = _own(own.steps, self.steps)
        if [step for step in STEPS if step in steps] != steps:
            raise UsageError(
                f"{where}.steps: {', '.join(steps)} is not their order, or names one twice.",
                f"Choose of {', '.join(STEPS)}, in this order.",
            )
        return Policy(
            acts=self.mode == "act",
            soft_share=None if soft == "off" else parse_share(soft, f"{where}.soft"),
            ahead_s=parse_duration(_own(own.ahead, self.ahead), f"{where}.ahead"),
            steps=tuple(steps),
            gc=parse_gc(_own(own.gc, self.gc), f"{where}.gc"),
            drain_s=parse_duration(_own(own.drain, self.drain), f"{where}.drain"),
            recycle_anew=_own(own.recycle_anew, self.recycle_anew),
            retry_lost=_own(own.retry_lost, self.retry_lost),
            oom_retries=_own(own.oom_retries, self.oom_retries),
            oom_factor=_own(own.oom_factor, self.oom_factor),
            oom_ceiling_bytes=parse_size(
                _own(own.oom_ceiling, self.oom_ceiling), f"{where}.oom_ceiling"
            ),
            split=_own(own.split, self.split),
        )


def _own(mine: T | None, of_all: T) -> T:
    return of_all if mine is None else mine


class AdmissionConfig(Struct, frozen=True, forbid_unknown_fields=True):
    """When a task may start: `budget` for what all are expected to reach (None: what the machine
    has available), `reserve` left to everybody else; `pressure` and `heavy` in percent of time
    (PSI memory, some, 10 s)."""

    budget: str | None = None
    reserve: str = "10%"
    pressure: Annotated[float, Meta(ge=0, le=100)] = 10
    heavy: Annotated[float, Meta(ge=0, le=100)] = 40
    relieve: bool = True

    @property
    def budget_bytes(self) -> int | None:
        return None if self.budget is None else parse_size(self.budget, "admission.budget")

    def reserve_bytes(self, total_bytes: int) -> int:
        """Of a machine with `total_bytes`."""
        if "%" in self.reserve:
            return int(parse_share(self.reserve, "admission.reserve") * total_bytes)
        return parse_size(self.reserve, "admission.reserve")


class AlertsConfig(Struct, frozen=True, forbid_unknown_fields=True):
    """Beyond what an alert is raised, and how the operator hears of it."""

    supervisor: str = "1G"
    worker: str = "4G"
    cap_within: str = "20m"
    swap: str = "50%"
    pressure: Annotated[float, Meta(ge=0, le=100)] = 20
    silent: str = "15m"
    bell: Literal["off", "bell", "notify"] = "bell"
    hook: list[str] = []

    @property
    def supervisor_bytes(self) -> int:
        return parse_size(self.supervisor, "alerts.supervisor")

    @property
    def worker_bytes(self) -> int:
        return parse_size(self.worker, "alerts.worker")

    @property
    def cap_within_s(self) -> float:
        return parse_duration(self.cap_within, "alerts.cap_within")

    @property
    def swap_share(self) -> float:
        return parse_share(self.swap, "alerts.swap")

    @property
    def silent_s(self) -> float | None:
        """None: a silent task is nobody's business."""
        return None if self.silent == "off" else parse_duration(self.silent, "alerts.silent")

    def check(self) -> None:
        """Raises UsageError when the hook could never be run."""
        if self.hook and not self.hook[0].startswith("/"):
            raise UsageError(
                f"alerts.hook: {self.hook[0][:80]!r} is not an absolute path.",
                "Name the program with its whole path, its arguments as further words.",
            )
