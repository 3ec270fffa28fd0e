"""`heaptui demo`: real processes that show within seconds what heaptui is for.

Its state lives in a directory of its own. Quitting the screen ends the demo and removes it, unless
the operator chooses to detach; then, and when the terminal was lost, `heaptui demo` comes back to
what still runs.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
import time
from pathlib import Path

import click
import msgspec

from heaptui.cli.context import Context
from heaptui.cli.starting import ensure_served
from heaptui.client import Client
from heaptui.inputs import Inputs
from heaptui.model import Kind, Limits, TaskSpec
from heaptui.paths import StateDir, default_state
from heaptui.units import GIB, MIB

_GONE_WITHIN_S, _LOOK_EVERY_S = 15.0, 0.02

PROGRAMS = Path(__file__).with_name("programs")
PACKAGES = Path(__file__).parents[3]
"""Where this heaptui is imported from."""

REVIEW, REVIEWED = "review-screens", "heaptui/tui/**/*.py"


def workload(cwd: str) -> list[TaskSpec]:
    """A growing Node heap, a steady one, a Python that breathes, one that leaks and is recycled,
    one that works through files, a pipeline with children, a burst of small tasks, and one that
    fails."""
    # whichever Python runs it finds the worker's side of heaptui
    finds_heaptui = {"PYTHONPATH": str(PACKAGES)}

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
        msgspec.structs.replace(
            task("migrate-users", Kind.PYTHON, program("migrating.py"), cap=96 * MIB, priority=8),
            env=finds_heaptui,
        ),
        msgspec.structs.replace(
            task(REVIEW, Kind.PYTHON, program("reviewing.py"), cap=128 * MIB, priority=8),
            cwd=str(PACKAGES),
            env=finds_heaptui,
        ),
        task("e2e-login", Kind.PYTHON, program("failing.py"), cap=128 * MIB, priority=5),
        *(
            task(f"triage/{number}", Kind.PYTHON, program("small.py"), str(number), cap=128 * MIB)
            for number in range(1, 7)
        ),
    ]


def works_through(spec: TaskSpec) -> Inputs | None:
    """What a task of the workload names as its work."""
    if spec.name != REVIEW:
        return None
    from heaptui.splitting import listed

    return listed.files([REVIEWED], Path(spec.cwd))


def demo_state() -> StateDir:
    """Beside the operator's own state directory, never in it."""
    root = default_state()
    return StateDir(root.with_name(f"{root.name}-demo"))


@click.command()
@click.option("--fill-only", is_flag=True, hidden=True, help="Launch the workload and return.")
@click.pass_obj
def demo(context: Context, fill_only: bool) -> None:
    """Show heaptui on a live workload of real processes.

    Nothing of yours is touched. `q` and enter end the demo and remove what it kept; `d` detaches:
    it goes on, and `heaptui demo` comes back to it.
    """
    from heaptui.cli.screen import show
    from heaptui.tui.leaving import Leaving

    state = demo_state()
    if state.database.exists() and not asyncio.run(_goes_on(state.prepare())):
        _remove(state)
    if not state.database.exists():
        asyncio.run(_fill(state.prepare()))
    state = state.prepare()
    if fill_only:
        return
    # nothing of value is lost with the demo's work
    leaving = Leaving(come_back="heaptui demo", first="stop")
    choice = show(context, state, label="demo", leaving=leaving)
    if choice == "detach":
        print("the demo goes on; `heaptui demo` comes back to it", file=sys.stderr)
        return
    _remove(state)


def _client(state: StateDir) -> Client:
    return Client(state, "demo", revive=lambda: ensure_served(state))


async def _goes_on(state: StateDir) -> bool:
    """Whether there is work of an earlier demo."""
    async with _client(state) as client:
        return bool(await client.tasks())


async def _fill(state: StateDir) -> None:
    specs = workload(str(PROGRAMS))
    async with _client(state) as client:
        await client.dispatch(concurrency=9)
        await client.submit(specs, dict(os.environ), [works_through(spec) for spec in specs])


def _remove(state: StateDir) -> None:
    """Ends what still runs, the supervisor and the warden with it, and deletes what they kept."""
    from heaptui.server import take_lock

    asyncio.run(_end(state.prepare()))
    deadline = time.monotonic() + _GONE_WITHIN_S
    while time.monotonic() < deadline:
        lock = take_lock(state)
        if lock is not None:
            os.close(lock)
            # a warden that has nothing left to see through takes its socket away
            if not state.socket("warden").exists():
                break
        time.sleep(_LOOK_EVERY_S)
    shutil.rmtree(state.root, ignore_errors=True)


async def _end(state: StateDir) -> None:
    async with _client(state) as client:
        rows = await client.tasks()
        if rows:
            await client.stop([row.id for row in rows], now=True)
            await client.settled([row.id for row in rows])
        await client.leave()
