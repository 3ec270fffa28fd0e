"""`heaptui gc`, `heaptui snapshot` and `heaptui snapshots`: what heaptui does to a live heap."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import click

from heaptui import units
from heaptui.cli import listing
from heaptui.cli.context import Context
from heaptui.cli.tables import Column, put_table
from heaptui.client import Client
from heaptui.errors import HeaptuiError, Refused
from heaptui.model import Collection, Snapshot, SnapshotPlan

_COLUMNS = (
    Column("N", right=True),
    Column("TASK", leaves=4),
    Column("NAME", least=10),
    Column("TRY", right=True, leaves=1),
    Column("PID", right=True, leaves=2),
    Column("RUNTIME", leaves=3),
    Column("AGE", right=True),
    Column("HEAP", right=True),
    Column("SIZE", right=True),
    Column("FILE", least=16),
)

as_json = click.option("--json", "json_", is_flag=True, help="Print JSON.")
of_pid = click.option("--pid", type=click.IntRange(1), help="Of this process of the task alone.")


@click.command("gc")
@click.argument("tasks", nargs=-1, required=True, metavar="TASK...")
@of_pid
@as_json
@click.pass_obj
def collect(context: Context, tasks: tuple[str, ...], pid: int | None, json_: bool) -> None:
    """Collect garbage in the heaps of tasks, and say what came back.

    Every process of a task that reports a heap is asked: Node and Python.
    """
    done: list[Collection] = context.ask_about(lambda client: client.collect(tasks, pid=pid), "gc")
    if json_:
        listing.put_json(done)
    else:
        for one in done:
            print(listing.clean(one.text, 400), file=sys.stderr if one.error else sys.stdout)
    if done and all(one.error for one in done):
        raise Refused("Nothing was collected.", "The reasons stand above.")


@click.command()
@click.argument("task")
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    help="This file. Default: snapshots/ in the state directory.",
)
@of_pid
@click.option("--plan", "only_plan", is_flag=True, help="Only say what it would take.")
@click.option("--raise-cap", is_flag=True, help="The cap may be raised while it is written.")
@click.option("--yes", is_flag=True, help="Go on where it may not fit, which ends the task.")
@as_json
@click.pass_obj
def snapshot(
    context: Context,
    task: str,
    output: Path | None,
    pid: int | None,
    only_plan: bool,
    raise_cap: bool,
    yes: bool,
    json_: bool,
) -> None:
    """Write a heap snapshot of a task's process; returns when it is written.

    Prints the file's path. A Node program stands still meanwhile, a Python program for a moment;
    it cannot be cancelled once begun. The file holds what the program holds, secrets too: only you
    can read it.
    """
    path = None if output is None else os.fspath(output.absolute())

    async def planned(client: Client) -> SnapshotPlan:
        return await client.plan_snapshot(task, pid=pid, path=path)

    plan = context.ask_about(planned, "snapshot")
    if only_plan:
        if json_:
            listing.put_json(plan)
        else:
            _put_plan(plan)
        return
    raise_cap, yes = _agreed(plan, raise_cap=raise_cap, yes=yes)

    async def taken(client: Client) -> Snapshot:
        return await client.take_snapshot(
            plan.task_id,
            attempt=plan.attempt,
            pid=plan.pid,
            path=path,
            raise_cap=raise_cap,
            insist=yes,
        )

    done = context.ask_about(taken, "snapshot")
    if json_:
        listing.put_json(done)
        return
    print(done.path)
    print(
        f"{units.size(done.bytes)} in {units.duration(max(1.0, done.seconds))}; it may hold "
        "secrets: mode 0600",
        file=sys.stderr,
    )


def _agreed(plan: SnapshotPlan, *, raise_cap: bool, yes: bool) -> tuple[bool, bool]:
    """What the operator allows: asked on a terminal, else only what the options say; the
    supervisor refuses the rest."""
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        return raise_cap, yes
    may_rise = plan.raise_to_bytes is not None and not raise_cap
    if plan.verdict == "raise" and may_rise:
        _put_text(plan)
        click.confirm("Raise the cap while it is written?", abort=True, err=True)
        return True, yes
    if plan.verdict == "ask" and not yes:
        _put_text(plan)
        if may_rise:
            raise_cap = click.confirm("Raise the cap as far as it goes meanwhile?", err=True)
        click.confirm("Take it all the same? It may end the task.", abort=True, err=True)
        return raise_cap, True
    return raise_cap, yes


def _put_text(plan: SnapshotPlan) -> None:
    print(
        f"A snapshot of {listing.clean(plan.name)} {listing.clean(plan.text, 400)}.",
        file=sys.stderr,
    )
    for reason in plan.reasons:
        print(f"  {listing.clean(reason, 400)}", file=sys.stderr)


def _put_plan(plan: SnapshotPlan) -> None:
    print(
        f"{listing.clean(plan.name)} ({plan.pid}): {plan.verdict}: {listing.clean(plan.text, 400)}"
    )
    for reason in plan.reasons:
        print(f"  {listing.clean(reason, 400)}")


@click.command()
@click.argument("task", required=False)
@click.option(
    "--delete",
    "numbers",
    multiple=True,
    type=click.IntRange(1),
    metavar="N",
    help="Delete this one and its file; may be given several times.",
)
@as_json
@click.pass_obj
def snapshots(context: Context, task: str | None, numbers: tuple[int, ...], json_: bool) -> None:
    """List heap snapshots, newest first, of one task or of all; or delete some."""
    if numbers:
        _delete(context, numbers)
        return
    used = context.used()
    found = context.ask(lambda client: client.snapshots(task), "snapshots") if used else []
    if json_:
        listing.put_json(found)
        return
    if not found:
        print("no snapshots (`heaptui snapshot TASK` takes one)", file=sys.stderr)
        return
    now = time.time()
    put_table(
        _COLUMNS,
        [
            (
                str(one.id),
                one.task_id,
                listing.clean(one.name, 40),
                str(one.attempt),
                str(one.pid),
                listing.clean(f"{one.runtime} {one.version.lstrip('v')}", 20),
                units.duration(now - one.at),
                units.size(one.heap_bytes),
                units.size(one.bytes),
                listing.clean(one.path, 400),
            )
            for one in found
        ],
    )


def _delete(context: Context, numbers: tuple[int, ...]) -> None:
    used = context.used()
    gone = context.ask(lambda client: client.delete_snapshots(numbers), "snapshots") if used else 0
    if not gone:
        raise HeaptuiError("There is no such snapshot.", "`heaptui snapshots` lists them.")
    print(f"{gone} deleted", file=sys.stderr)
