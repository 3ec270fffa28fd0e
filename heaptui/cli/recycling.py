"""`heaptui recycle`: a clean heap for tasks that run, from their checkpoints."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import click

from heaptui.cli import listing
from heaptui.cli.context import Context
from heaptui.model import Row, State


@click.command()
@click.argument("tasks", nargs=-1, required=True, metavar="TASK...")
@click.option(
    "--anew", is_flag=True, help="Without a checkpoint too: it begins anew, what it did is lost."
)
@click.option("--json", "json_", is_flag=True, help="Print JSON.")
@click.pass_obj
def recycle(context: Context, tasks: Sequence[str], anew: bool, json_: bool) -> None:
    """Checkpoint tasks, end them in order, and let them go on with a clean heap.

    Refused for a task whose worker keeps no checkpoints. Waits until each attempt has ended.
    """
    rows: list[Row] = context.ask_about(
        lambda client: client.recycle(tasks, insist=anew), "recycle"
    )
    if json_:
        listing.put_json(rows)
    for row in rows:
        print(f"{listing.clean(row.name)} ({row.id}): {_outcome(row)}", file=sys.stderr)


def _outcome(row: Row) -> str:
    times = "once" if row.recycles == 1 else f"{row.recycles} times"
    if row.state.ended:
        return f"ended meanwhile, {row.state.value}"
    if row.state is State.RUNNING and row.recycles == 0:
        return "not recycled; its history says why"
    return f"{row.state.value}, attempt {row.attempts}, recycled {times} so far"
