"""A task that can be split, and an operator's answers to that."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from msgspec.structs import replace

from heaptui.errors import HeaptuiError
from heaptui.inputs import Item, Share, Source, SplitPlan, SplitReport
from heaptui.model import Row
from heaptui.units import GIB, MIB


def files(directory: str, count: int, tokens: int = 2200, suffix: str = ".spec.ts") -> list[Item]:
    return [Item(f"{directory}/part{n:02}{suffix}", tokens + 7 * n) for n in range(count)]


def shares() -> tuple[Share, ...]:
    """The pictures' four children; the last one builds on the third."""
    large = "tests/2fa/a.spec.ts"
    return (
        Share(title="login form", items=tuple(files("tests/login", 12, 2130)),
              memory_bytes=716 * MIB),
        Share(title="password reset", items=tuple(files("tests/reset", 9, 2460)),
              memory_bytes=614 * MIB),
        Share(title="two-factor", memory_bytes=int(0.8 * GIB),
              items=(Item(f"{large}:1-1900", 29_000, large, 1, 1900),)),
        Share(title="two-factor, rest", after=(2,),
              items=(Item(f"{large}:1901-3400", 24_700, large, 1901, 3400),)),
    )  # fmt: skip


def a_plan(row: Row, **fields: Any) -> SplitPlan:
    given: dict[str, Any] = {
        "task_id": row.id,
        "attempt": row.attempts,
        "name": row.name,
        "strategy": "files",
        "strategies": ("files", "directories"),
        "source": Source.FILES,
        "origin": "tests/**/*.spec.ts",
        "shares": shares(),
        "original": 28,
        "done": tuple(f"tests/old/{n}.spec.ts" for n in range(5)),
        "budget_tokens": 30_000,
        "fixed_tokens": 0,
        "timeout_s": 1200.0,
        "drains": True,
        "drain_s": 30.0,
    }
    return SplitPlan(**(given | fields))


AGAIN = (
    "Its worker does not say that it drains: it is sent TERM, and stopped after 30s; what it has "
    "in hand then (tests/login/part00.spec.ts) may be done again."
)


class SplitScript:
    """`plan` replaces what is proposed, `refusal` is raised by the next call; while `held` is set
    an answer waits for it."""

    def __init__(self, rows: dict[str, Row], calls: list[Any]) -> None:
        self._rows = rows
        self._calls = calls
        self.plan: SplitPlan | None = None
        self.refusal: HeaptuiError | None = None
        self.held: asyncio.Event | None = None
        self.again: tuple[str, ...] = ()

    async def _answered(self, *call: Any) -> None:
        self._calls.append(call)
        if self.held is not None:
            await self.held.wait()
        refusal, self.refusal = self.refusal, None
        if refusal is not None:
            raise refusal

    async def plan_split(
        self,
        task: str,
        *,
        strategy: str = "",
        into: int | None = None,
        budget_tokens: int | None = None,
        planner: Sequence[str] = (),
    ) -> SplitPlan:
        await self._answered("plan_split", task, strategy, into)
        plan = self.plan or a_plan(self._rows[task])
        if into is not None:
            # so many, of the same items
            items = [item for share in plan.shares for item in share.items]
            size = -(-len(items) // into)
            parts = [items[at : at + size] for at in range(0, len(items), size)]
            plan = replace(
                plan,
                shares=tuple(
                    Share(title=f"part {n}", items=tuple(part)) for n, part in enumerate(parts, 1)
                ),
            )
        return replace(plan, strategy=strategy or plan.strategy)

    async def split(
        self,
        task: str,
        shares: Sequence[Share],
        *,
        attempt: int | None = None,
        strategy: str = "",
        timeout_s: float | None = None,
        left_out: Sequence[str] = (),
        reduce: Sequence[str] = (),
        insist: bool = False,
    ) -> SplitReport:
        await self._answered(
            "split", task, tuple(shares), attempt, strategy, tuple(left_out), insist
        )
        name = self._rows[task].name
        return SplitReport(
            task_id=task,
            name=name,
            text=f"{name}: split by {strategy} into {len(shares)} children, 5 of 28 done before",
            children=tuple(f"c{n}" for n in range(len(shares))),
            again=self.again,
        )
