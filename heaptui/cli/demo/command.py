"""`heaptui demo`: real processes that show within seconds what heaptui is for.

Its state lives in a directory of its own. Leaving the screen ends the demo and removes it; when
the terminal was lost, or the operator detached, `heaptui demo` comes back to what still runs.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
from pathlib import Path

import click

from heaptui.cli.context import Context
from heaptui.cli.starting import answers, ensure_served
from heaptui.client import Client
from heaptui.model import Kind, Limits, TaskSpec
from heaptui.paths import StateDir, default_state
from heaptui.units import GIB, MIB

PROGRAMS = Path(__file__).with_name("programs")


def workload(cwd: str) -> list[TaskSpec]:
    """A growing Node heap, a steady one, a Python that breathes, a pipeline with children, a
    burst of small tasks, and one that fails."""

    def task(
        name: str, kind: Kind, *argv: str, cap: int, heap: int | None = None, priority: int = 0
    ) -> TaskSpec:
        return TaskSpec(
            name=name,
            kind=kind,
            argv=argv,
            cwd=cwd,
            priority=priority,
            limits=Limits(cap_bytes=cap, heap_bytes=heap, grace_s=3),
        )

    def program(name: str) -> str:
        return str(PROGRAMS / name)

    return [
        task(
            "refactor-auth",
            Kind.NODE,
            program("growing_heap.js"),
            cap=512 * MIB,
            heap=384 * MIB,
            priority=9,
        ),
        task("docs-site", Kind.NODE, program("steady_agent.js"), cap=GIB // 2, priority=8),
        task("bench-ingest", Kind.PYTHON, program("breathing.py"), cap=256 * MIB, priority=8),
        task(
            "nightly-report", Kind.COMMAND, "sh", program("pipeline.sh"), cap=GIB // 4, priority=8
        ),
        task("e2e-login", Kind.PYTHON, program("failing.py"), cap=128 * MIB, priority=5),
        *(
            task(f"triage/{number}", Kind.PYTHON, program("small.py"), cap=128 * MIB)
            for number in range(1, 7)
        ),
    ]


def demo_state() -> StateDir:
    """Beside the operator's own state directory, never in it."""
    root = default_state()
    return StateDir(root.with_name(f"{root.name}-demo"))


@click.command()
@click.option("--fill-only", is_flag=True, hidden=True, help="Launch the workload and return.")
@click.pass_obj
def demo(context: Context, fill_only: bool) -> None:
    """Show heaptui on a live workload of real processes.

    Nothing of yours is touched; leaving ends it.
    """
    from heaptui.cli.screen import show

    state = demo_state()
    if not answers(state):
        shutil.rmtree(state.root, ignore_errors=True)
    state = state.prepare()
    if not answers(state):
        ensure_served(state)
        asyncio.run(_fill(state))
    if fill_only:
        return
    choice = show(context, state, label="demo")
    if choice == "detach":
        print("the demo goes on; `heaptui demo` comes back to it", file=sys.stderr)
        return
    asyncio.run(_end(state))
    shutil.rmtree(state.root, ignore_errors=True)


async def _fill(state: StateDir) -> None:
    specs = workload(str(PROGRAMS))
    async with Client(state, "demo") as client:
        await client.dispatch(concurrency=6)
        await client.submit(specs, dict(os.environ))


async def _end(state: StateDir) -> None:
    """Ends what still runs, and the supervisor with it."""
    async with Client(state, "demo") as client:
        rows = await client.tasks()
        if rows:
            await client.stop([row.id for row in rows], now=True)
            await client.settled([row.id for row in rows])
        await client.leave()
