"""`heaptui raise`: larger limits for a task's next attempt."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import click

from heaptui import units
from heaptui.cli import listing
from heaptui.cli.context import Context
from heaptui.errors import UsageError
from heaptui.model import Kind, Row


@click.command("raise")
@click.argument("tasks", nargs=-1, required=True, metavar="TASK...")
@click.option("--cap", help="Hard limit of memory for the whole tree: 12G.")
@click.option("--heap", help="V8 heap limit, for Node; without --cap the cap grows with it.")
@click.option("--json", "json_", is_flag=True, help="Print JSON.")
@click.pass_obj
def raise_(
    context: Context, tasks: Sequence[str], cap: str | None, heap: str | None, json_: bool
) -> None:
    """Raise limits for the next attempt of tasks; what runs keeps its own.

    Refused, with the arithmetic, where this machine does not have it.
    """
    if cap is None and heap is None:
        raise UsageError("Nothing is raised.", "Give --cap, --heap, or both: --cap 12G.")
    cap_bytes = None if cap is None else units.parse_size(cap, "--cap")
    heap_bytes = None if heap is None else units.parse_size(heap, "--heap")
    rows: list[Row] = context.ask_about(
        lambda client: client.raise_limits(tasks, cap_bytes=cap_bytes, heap_bytes=heap_bytes),
        "raise",
    )
    if json_:
        listing.put_json(rows)
    asked = [
        f"{what} {units.size(value)}"
        for what, value in (("cap", cap_bytes), ("heap", heap_bytes))
        if value is not None
    ]
    for row in rows:
        now = "; it runs with its old ones" if row.state.live else ""
        print(
            f"{listing.clean(row.name)} ({row.id}): {', '.join(asked)} from its next attempt "
            f"on{now}",
            file=sys.stderr,
        )
        if heap_bytes is not None and row.kind is not Kind.NODE:
            print(
                f"  its kind is {row.kind.value}: --heap concerns the Node programs in it only",
                file=sys.stderr,
            )
