"""Snapshots asked of twenty Node workers that are near their caps: nobody may die of it.

The real supervisor, engine and caps. Each worker fills its heap with one kind of what agents hold,
and buffers beside it, until its own memory is at 50 to 95 % of its cap. First all are asked without
leave to raise a cap, then with it.
"""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

from msgspec import Struct

from heaptui.client import Client
from heaptui.errors import HeaptuiError, Refused
from heaptui.model import Kind, Limits, Row, Snapshot, State, TaskSpec
from heaptui.runtime.node import locate, wheel
from heaptui.units import MIB, size
from tests.bench import harness

WORKERS = 20
CAP = 200 * MIB
LEAST, MOST = 0.50, 0.95
READY_WITHIN_S = 60.0

PROGRAM = """
const fs = require('fs');
const [kind, target] = [process.argv[2], +process.argv[3]];
const page = 4096, kept = [], limit = require('v8').getHeapStatistics().heap_size_limit;
const own = () => { const [, resident, shared] = fs.readFileSync('/proc/self/statm', 'utf8')
  .split(' '); return (resident - shared) * page; };
let n = 0;
const message = () => ({ role: 'tool', id: n++, content: ('line ' + n).repeat(40),
  usage: { input: n, output: 2 * n }, tags: ['read', 'grep'] });
const grow = {
  messages: () => { for (let i = 0; i < 500; i++) kept.push(message()); },
  strings: () => { kept.push(Buffer.alloc(1 << 18, 97 + n++ % 26).toString('latin1')); },
  numbers: () => { const row = [n++, 'x']; for (let i = 0; i < 4000; i++) row.push(i + 0.5);
    kept.push(row); },
  boxed: () => { for (let i = 0; i < 5000; i++) kept.push(n++ + 0.5); kept.push('x'); },
  closures: () => { for (let i = 0; i < 500; i++) { const held = n++; kept.push(() => held); } },
};
const step = () => {
  for (let i = 0; i < 40; i++) {
    if (own() >= target) { console.log('ready'); setInterval(() => {}, 1000); return; }
    const heap = process.memoryUsage().heapUsed;
    if (heap < 0.2 * target && heap < 0.8 * limit) grow[kind]();
    else kept.push(Buffer.alloc(1 << 20, 1));
  }
  setImmediate(step);
};
step();
"""
KINDS = ("messages", "strings", "numbers", "closures", "boxed")


class Asked(Struct, frozen=True):
    """How one request ended: taken, refused with its figures, or otherwise."""

    taken: Snapshot | None = None
    refused: str = ""
    failed: str = ""


def specs(directory: Path, node: str) -> list[TaskSpec]:
    program = directory / "worker.cjs"
    program.write_text(PROGRAM)
    return [
        TaskSpec(
            argv=(
                node,
                str(program),
                KINDS[number % len(KINDS)],
                str(round(CAP * (LEAST + (MOST - LEAST) * number / (WORKERS - 1)))),
            ),
            cwd="/",
            name=f"agent-{KINDS[number % len(KINDS)]}-{number}",
            kind=Kind.NODE,
            limits=Limits(cap_bytes=CAP, grace_s=1),
        )
        for number in range(WORKERS)
    ]


async def filled(client: Client, ids: list[str], state: harness.StateDir) -> list[Row]:
    """The rows once every worker has said that it is full, and its heap is known."""
    deadline = time.monotonic() + READY_WITHIN_S
    while time.monotonic() < deadline:
        rows = await client.tasks(ids=ids)
        full = [
            row
            for row in rows
            if row.heap_used_bytes and "ready" in state.output(row.id, 1).read_text()
        ]
        if len(full) == WORKERS:
            # two more passes: what is shown is what they stand at
            await asyncio.sleep(2.5)
            return await client.tasks(ids=ids)
        await asyncio.sleep(0.2)
    raise TimeoutError(f"{len(full)} of {WORKERS} were full within {READY_WITHIN_S:.0f} s")


async def ask(client: Client, row: Row, *, raise_cap: bool) -> Asked:
    try:
        return Asked(taken=await client.take_snapshot(row.id, attempt=1, raise_cap=raise_cap))
    except Refused as refused:
        return Asked(refused=refused.what)
    except HeaptuiError as error:
        return Asked(failed=error.what)


async def asked_of_all(client: Client, rows: list[Row], *, raise_cap: bool) -> list[Asked]:
    return list(await asyncio.gather(*(ask(client, row, raise_cap=raise_cap) for row in rows)))


def has_figures(text: str) -> bool:
    return "in use" in text and any(letter.isdigit() for letter in text)


async def measure() -> list[harness.Row]:
    node = locate(harness.environment(), Path("/")) or wheel()
    if node is None:
        return [("snapshots of 20 workers", "not measured: no Node", "0 killed")]
    with harness.state_dir() as state:
        async with harness.served(state, concurrency=WORKERS) as (client, _):
            ids = await client.submit(specs(state.root, str(node)), harness.environment())
            before = await filled(client, ids, state)
            shares = [(row.memory_bytes or 0) / CAP for row in before]
            plain = await asked_of_all(client, before, raise_cap=False)
            after_plain = await client.tasks(ids=ids)
            began = time.monotonic()
            raised = await asked_of_all(client, before, raise_cap=True)
            took = time.monotonic() - began
            after = await client.tasks(ids=ids)
    killed = sum(row.state is not State.RUNNING for row in after)
    killed_plain = sum(row.state is not State.RUNNING for row in after_plain)
    taken = [one.taken for one in raised if one.taken is not None]
    others = [one.refused or one.failed for one in raised if one.taken is None]
    grew = max((one.extra_bytes or 0 for one in taken), default=0)
    heaps = [row.heap_used_bytes or 0 for row in before]
    return [
        (
            f"snapshots asked of {WORKERS} workers at {min(shares):.0%}-{max(shares):.0%} of "
            f"{size(CAP)}, heaps {size(min(heaps))}-{size(max(heaps))}: killed by it",
            str(killed),
            "0",
        ),
        ("... taken, the caps raised meanwhile", f"{len(taken)} of {WORKERS}", "all that fit"),
        (
            "... refused, with the figures",
            f"{sum(map(has_figures, others))} of {len(others)}",
            "all the rest",
        ),
        ("... all of them, one after the other on every core", f"{took:.0f} s", ""),
        ("... the most that one grew meanwhile", size(grew), ""),
        (
            "without leave to raise a cap: taken, refused with the figures, killed",
            f"{sum(one.taken is not None for one in plain)}, "
            f"{sum(has_figures(one.refused) for one in plain)}, {killed_plain}",
            f"sum {WORKERS}, killed 0",
        ),
    ]


def run() -> list[harness.Row]:
    return asyncio.run(measure())


if __name__ == "__main__":
    for what, figure, bar in run():
        print(f"{what:<90} {figure:>14}  {bar}")
