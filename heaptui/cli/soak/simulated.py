"""The machine that the soak simulates: a busy agent server, with its time compressed.

Every figure in seconds is of the simulated machine; `Pace` makes real ones of them. Memory is not
compressed, and what grows takes so long to reach its cap that it can be followed at one look a
second, whatever the rate.
"""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct

from heaptui.units import MIB

TASKS_AN_HOUR = 60
RATE_MAX = 600.0
LEAST_TO_CAP_S = 15.0
"""Real seconds: how fast a leak may be that a look a second can follow."""


class Role(StrEnum):
    """What a task is like."""

    TOOL = "tool"
    AGENT = "agent"
    LEAKING = "leaking"
    OUTGROWING = "outgrowing"
    TOO_LARGE = "too-large"
    FAILING = "failing"
    PRINTING = "printing"
    TREE = "tree"
    FLOOD = "flood"
    ENDLESS = "endless"


MIX: dict[Role, int] = {
    Role.TOOL: 26,
    Role.AGENT: 14,
    Role.LEAKING: 4,
    Role.OUTGROWING: 3,
    Role.TOO_LARGE: 1,
    Role.FAILING: 5,
    Role.PRINTING: 4,
    Role.TREE: 3,
}
"""Of TASKS_AN_HOUR. A flood is chaos; one endless task runs all along."""


class Shape(Struct, frozen=True, kw_only=True):
    """How long (simulated seconds, least and most) and how large (bytes) a role's tasks are.
    `leak_bytes` fill the cap once in `to_cap_s`; `print_bytes` go to the output."""

    least_s: float
    most_s: float
    unit_s: float
    cap_bytes: int
    hold_bytes: int = 0
    to_cap_s: float | None = None
    print_bytes: int = 0


SHAPES: dict[Role, Shape] = {
    Role.TOOL: Shape(least_s=2, most_s=60, unit_s=10, cap_bytes=96 * MIB),
    Role.AGENT: Shape(least_s=120, most_s=600, unit_s=15, cap_bytes=256 * MIB, hold_bytes=96 * MIB),
    Role.LEAKING: Shape(least_s=2000, most_s=3600, unit_s=20, cap_bytes=192 * MIB, to_cap_s=1200),
    Role.OUTGROWING: Shape(
        least_s=120, most_s=240, unit_s=20, cap_bytes=128 * MIB, hold_bytes=136 * MIB
    ),
    Role.TOO_LARGE: Shape(
        least_s=120, most_s=240, unit_s=20, cap_bytes=128 * MIB, hold_bytes=384 * MIB
    ),
    Role.FAILING: Shape(least_s=5, most_s=120, unit_s=10, cap_bytes=96 * MIB),
    Role.PRINTING: Shape(least_s=5, most_s=60, unit_s=10, cap_bytes=96 * MIB, print_bytes=MIB),
    Role.TREE: Shape(least_s=60, most_s=300, unit_s=15, cap_bytes=128 * MIB),
    Role.FLOOD: Shape(least_s=10, most_s=10, unit_s=1, cap_bytes=96 * MIB, print_bytes=96 * MIB),
    Role.ENDLESS: Shape(least_s=0, most_s=0, unit_s=20, cap_bytes=192 * MIB, to_cap_s=1200),
}


class Pace(Struct, frozen=True):
    """`rate` simulated seconds pass in a real one."""

    rate: float

    def real_s(self, simulated_s: float) -> float:
        return simulated_s / self.rate

    def simulated_s(self, real_s: float) -> float:
        return real_s * self.rate

    def clamped_s(self, simulated_s: float, least_s: float, most_s: float) -> float:
        """Real seconds of it, within what a real machine can follow."""
        return min(most_s, max(least_s, self.real_s(simulated_s)))

    def unit_s(self, shape: Shape) -> float:
        """Real seconds of one unit: of what leaks longer where its cap would come too soon."""
        real = self.real_s(shape.unit_s)
        if shape.to_cap_s is not None:
            real *= max(1.0, LEAST_TO_CAP_S / self.real_s(shape.to_cap_s))
        return real
