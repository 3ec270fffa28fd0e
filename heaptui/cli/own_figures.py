"""`heaptui doctor --self`: what the supervisor's own process consists of, and whether it grows."""

from __future__ import annotations

import asyncio

from heaptui import units
from heaptui.cli import listing
from heaptui.cli.context import Context
from heaptui.cli.starting import answers
from heaptui.cli.tables import Column, put_table
from heaptui.client import Client
from heaptui.errors import Unreachable
from heaptui.model import SelfPart, SelfReport

_COLUMNS = (
    Column("PART", least=12),
    Column("NOW", right=True),
    Column("AT START", right=True),
    Column("", least=8, leaves=1),
)
_TREND_POINTS = 12


def put_own_figures(context: Context, *, json_: bool) -> int:
    """Asks the supervisor that serves: one that were started for this would have nothing to tell.

    Raises:
        Unreachable: none serves.
    """
    state = context.state()
    if not answers(state):
        raise Unreachable(
            "No supervisor serves this state directory, so there is nothing to look at.",
            "`heaptui` opens the screen, `heaptui serve` runs without.",
        )

    async def ask() -> SelfReport:
        async with Client(state, "doctor --self") as client:
            return await client.look_at_self()

    report = asyncio.run(ask())
    if json_:
        listing.put_json(report)
        return 0
    up = units.duration(report.at - report.since)
    print(f"supervisor, pid {report.pid}, up {up}\n")
    put_table(_COLUMNS, [_cells(part) for part in report.parts])
    print(f"\nmemory over time  {_trend(report)}")
    print(f"{listing.clean(report.verdict, 400)}")
    return 0


def _cells(part: SelfPart) -> tuple[str, str, str, str]:
    shown = units.size if part.unit == "bytes" else _count
    return part.name, shown(part.now), shown(part.at_start), part.note


def _count(value: float | None) -> str:
    """Exact as long as it is short: one descriptor more is what one looks for."""
    return f"{value:.0f}" if value is not None and value < 100_000 else units.count(value)


def _trend(report: SelfReport) -> str:
    points = report.trend
    step = max(1, -(-len(points) // _TREND_POINTS))
    return " ".join(units.size(value) for _, value in points[::step]) or units.UNKNOWN
