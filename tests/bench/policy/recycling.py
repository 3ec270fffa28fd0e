"""A leaking Node worker at a cap that it reaches every 20 seconds: recycled, it does all its work;
one that keeps no checkpoints is tried again once, larger, and then left to its operator.

python -m tests.bench.policy.recycling [UNITS]
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections import Counter
from pathlib import Path

from heaptui.client import Client
from heaptui.model import Detail, Kind, State, TaskSpec
from heaptui.units import size
from tests.bench.harness import MIB, Row, served, spec, state_dir

UNITS = 200
UNIT_MS = 500
CAP = 300 * MIB
TO_CAP_S = 20
PROGRAM = Path(__file__).with_name("programs") / "leaking.cjs"
WITHIN_S = 600.0

_NODE_ITSELF = 50 * MIB
_RECYCLED_TASK, _OTHER_TASK = "keeps", "keeps-nothing"


def _worker(name: str, units: int, ledger: Path, *words: str) -> TaskSpec:
    leaked = (CAP - _NODE_ITSELF) * UNIT_MS // (TO_CAP_S * 1000)
    argv = ("node", str(PROGRAM), str(units), str(UNIT_MS), str(leaked), str(ledger), *words)
    return spec(*argv, name=name, cap=CAP, kind=Kind.NODE)


async def _both(units: int) -> tuple[tuple[Detail, Counter[int]], tuple[Detail, Counter[int]]]:
    """How each ended, and how often it did each unit."""
    with state_dir() as state:
        ledgers = [state.root / name for name in (_RECYCLED_TASK, _OTHER_TASK)]
        specs = [
            _worker(_RECYCLED_TASK, units, ledgers[0], "keeps"),
            _worker(_OTHER_TASK, units, ledgers[1]),
        ]
        async with served(state) as (client, _):
            ids = await client.submit(specs, {"PATH": os.environ["PATH"]})
            async with asyncio.timeout(WITHIN_S):
                await client.settled(ids)
            details = [await _shown(client, task_id) for task_id in ids]
        done = [Counter(map(int, ledger.read_text().split())) for ledger in ledgers]
    return (details[0], done[0]), (details[1], done[1])


async def _shown(client: Client, task_id: str) -> Detail:
    return await client.show(task_id, 1000)


def _ooms(detail: Detail) -> int:
    return sum(one.verdict is not None and one.verdict.out_of_memory for one in detail.attempts)


def _recycled(detail: Detail, done: Counter[int], units: int, took_s: float) -> Row:
    row = detail.row
    again = done.total() - len(done)
    figure = (
        f"{len(done)} of {units} units done, {again} of them twice; {_ooms(detail)} OOM deaths; "
        f"{row.recycles} recycles, peak {size(row.peak_bytes)} of {size(row.cap_bytes)}; "
        f"{row.state}, {took_s:.0f} s"
    )
    return f"a leaking worker that checkpoints, {units} units", figure, "all done; 0 OOM deaths"


def _left(detail: Detail, done: Counter[int]) -> Row:
    row, ooms = detail.row, _ooms(detail)
    verdicts = ", ".join(one.verdict.value for one in reversed(detail.attempts) if one.verdict)
    ends = "ends" if row.state is State.QUARANTINED else "ENDS OTHERWISE"
    figure = (
        f"{ooms} OOM deaths in {row.attempts} attempts ({verdicts}), {len(done)} units done; "
        f"{ends} {row.state}: {row.reason}"
    )
    bar = "at most one larger retry, then quarantine"
    return "the same without checkpoints", figure, bar


def run(units: int = UNITS) -> list[Row]:
    """About a minute and a half with all units."""
    began = time.monotonic()
    keeps, other = asyncio.run(_both(units))
    took_s = time.monotonic() - began
    return [_recycled(*keeps, units, took_s), _left(*other)]


if __name__ == "__main__":
    for row in run(int(sys.argv[1]) if len(sys.argv) > 1 else UNITS):
        print(*row, sep=" | ")
