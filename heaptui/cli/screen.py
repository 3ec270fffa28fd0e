"""Opening the screen: attach to the supervisor that serves, or bring one along."""

from __future__ import annotations

import asyncio
import gc
import os
import sys

from heaptui.cli.context import Context
from heaptui.cli.serving import Embedded
from heaptui.cli.starting import answers, ensure_served, inside_task
from heaptui.errors import UsageError
from heaptui.paths import StateDir, config_file
from heaptui.tui.leaving import AT_HOME, Leaving


def open_screen(context: Context) -> None:
    """Runs the app until the operator leaves it; what runs goes on."""
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise UsageError(
            "The screen needs a terminal.",
            "Without one: `heaptui ps`, `heaptui ps --json`, `heaptui serve`.",
        )
    if os.environ.get("TERM", "dumb") == "dumb":
        raise UsageError(
            "This terminal (TERM=dumb) cannot place text, so it cannot show the screen.",
            "Set TERM to what it is, or use `heaptui ps`, `heaptui logs -f`, `heaptui show`.",
        )
    show(context, context.state(), label="")


def show(context: Context, state: StateDir, *, label: str, leaving: Leaving = AT_HOME) -> str:
    """The app over a state directory, with a supervisor of its own where none serves; returns how
    the operator left it: `quit`, `detach` or `stop`."""
    config = context.config()
    if inside_task():
        # the task's end must not be the supervisor's
        ensure_served(state, context.config_path)
    embedded = (
        None
        if answers(state)
        else Embedded(state, config, context.config_path, policy=context.policy)
    )
    if embedded is not None:
        embedded.start()
    from heaptui.tui import early

    early.prepare(slow=context.slow)
    from heaptui.client import Client
    from heaptui.runtime.taskfile import fallback_of
    from heaptui.tui.app import run_app
    from heaptui.tui.remembered import Remembered

    try:
        serves = embedded is not None and embedded.wait_ready()
        # what was imported never becomes garbage: no collection looks at it again, and none
        # holds up dispatch for tens of milliseconds
        gc.freeze()
        if context.policy is not None and not serves:
            asyncio.run(_observe(state, context.policy))
        remembered = Remembered(state.remembered)
        choice = run_app(
            Client(state, "app", revive=lambda: ensure_served(state, context.config_path)),
            state_label=label,
            theme=context.theme or remembered.theme or config.app.theme,
            own_themes=(context.config_path or config_file()).parent / "themes",
            paint_every_s=early.SLOW_PAINT_S if context.slow else 0.0,
            ascii=context.ascii_only or config.app.ascii,
            keys=config.app.keys,
            remembered=remembered,
            embedded=serves,
            leaving=leaving,
            fallback=fallback_of(config),
            policy=config.policy,
            bell=config.alerts.bell,
        )
        if choice == "stop":
            asyncio.run(_stop_all(state))
    finally:
        if embedded is not None:
            embedded.stop()
    if embedded is not None and serves and embedded.error is not None:
        raise embedded.error
    return choice


async def _observe(state: StateDir, policy: str) -> None:
    from heaptui.client import Client

    async with Client(state, "policy") as client:
        await client.dispatch(policy=policy)


async def _stop_all(state: StateDir) -> None:
    from heaptui.client import Client

    async with Client(state, "quit") as client:
        rows = await client.tasks()
        if rows:
            print(f"stopping {len(rows)} tasks…", file=sys.stderr)
            await client.stop([row.id for row in rows])
            await client.settled([row.id for row in rows])
