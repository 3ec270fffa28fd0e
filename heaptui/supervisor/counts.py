"""What a supervisor counts since it began: starts and how long they took, ends by verdict."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter, deque
from dataclasses import dataclass, field

from heaptui.model import Kind, VerdictKind

STARTS_KEPT = 10_000
START_BOUNDS_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Upper bounds of the classes that starts are counted in; one more class takes what is longer."""


@dataclass(slots=True)
class Counts:
    """`starts` are seconds from the admission of a task to the start of its command, the latest;
    `starts_within` counts all of them by START_BOUNDS_S, each in its own class."""

    starts: deque[float] = field(default_factory=lambda: deque(maxlen=STARTS_KEPT))
    started: int = 0
    started_s: float = 0.0
    starts_within: list[int] = field(default_factory=lambda: [0] * (len(START_BOUNDS_S) + 1))
    verdicts: Counter[tuple[Kind, VerdictKind]] = field(default_factory=Counter)
    recycles: int = 0

    def begun(self, took_s: float) -> None:
        # the clock may have been set back meanwhile
        took_s = max(0.0, took_s)
        self.started += 1
        self.started_s += took_s
        self.starts_within[bisect_left(START_BOUNDS_S, took_s)] += 1
        self.starts.append(took_s)

    def ended(self, kind: Kind, verdict: VerdictKind) -> None:
        self.verdicts[kind, verdict] += 1

    def recycled(self) -> None:
        self.recycles += 1
