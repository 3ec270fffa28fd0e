"""`heaptui hunt` and `heaptui findings`: what grows in a heap, and what holds it."""

from __future__ import annotations

import asyncio
import re
import sys
import time

import click

from heaptui import units
from heaptui.cli import listing
from heaptui.cli.context import Context
from heaptui.client import Client, Down
from heaptui.errors import NoSuchTask
from heaptui.model import Activity, Finding
from heaptui.protocol import Change, Picture

_FOR = "2m"
_FOR_WITH_REQUESTS = "1h"
_FIGURES = re.compile(r"[\d.]+\w*")
_GROWERS_SHOWN = 5


@click.command()
@click.argument("task")
@click.option("--for", "wait", help=f"How long to let it grow: 30s, 10m. Default {_FOR}.")
@click.option(
    "--requests",
    type=click.IntRange(1),
    help=f"Until it saw so many HTTP requests; then --for is the most, {_FOR_WITH_REQUESTS}.",
)
@click.option("--pid", type=click.IntRange(1), help="Default: the process with the largest heap.")
@click.option("--raise-cap", is_flag=True, help="Raise the cap while a snapshot is written.")
@click.option("--cancel", is_flag=True, help="End the hunt that is under way in this task.")
@click.option("--json", "json_", is_flag=True, help="Print JSON.")
@click.pass_obj
def hunt(
    context: Context,
    task: str,
    wait: str | None,
    requests: int | None,
    pid: int | None,
    raise_cap: bool,
    cancel: bool,
    json_: bool,
) -> int:
    """Hunt a leak: collect, snapshot, wait, collect, snapshot, compare.

    Ends with what grows, which variable holds it, and in which file. The snapshots stay; they hold
    whatever the program held in memory, secrets too.
    """
    if cancel:
        context.ask_about(lambda client: _cancelled(client, task), "hunt")
        print("heaptui: the hunt ends", file=sys.stderr)
        return 0
    default = _FOR if requests is None else _FOR_WITH_REQUESTS
    seconds = units.parse_duration(wait or default, "--for")

    async def hunted(client: Client) -> Finding:
        row = (await client.show(task, 0)).row
        watching = asyncio.create_task(_tell_progress(client, row.id))
        try:
            return await client.hunt(
                row.id,
                attempt=row.attempts,
                pid=pid,
                seconds=seconds,
                requests=requests,
                raise_cap=raise_cap,
            )
        finally:
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)

    try:
        finding = context.ask_about(hunted, "hunt")
    except KeyboardInterrupt:
        print(
            "heaptui: no longer waiting; the hunt goes on.\n"
            f"  `heaptui findings {task}` shows what it found, `heaptui hunt {task} --cancel` "
            "ends it.",
            file=sys.stderr,
        )
        raise
    if json_:
        listing.put_json(finding)
    else:
        put_finding(finding)
    return 0 if finding.growers or finding.cut_short is None else 1


@click.command()
@click.argument("task", required=False)
@click.option("--json", "json_", is_flag=True, help="Print JSON.")
@click.pass_obj
def findings(context: Context, task: str | None, json_: bool) -> None:
    """List what leak hunts found, newest first; of one task, or of all."""
    used = context.used() or task is not None
    found = context.ask_about(lambda client: client.findings(task), "findings") if used else []
    if json_:
        listing.put_json(found)
        return
    if not found:
        print("no findings (`heaptui hunt TASK` makes one)", file=sys.stderr)
    for number, finding in enumerate(found):
        if number:
            print()
        put_finding(finding)


def put_finding(finding: Finding) -> None:
    """The finding in words, then what it rests on."""
    when = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(finding.at))
    print(
        f"{listing.clean(finding.name)} ({finding.task_id}, attempt {finding.attempt}, "
        f"pid {finding.pid})  {when}  hunted for {units.duration(finding.seconds)}"
    )
    print(f"  {listing.clean(finding.text, 1200)}")
    for grower in finding.growers[:_GROWERS_SHOWN]:
        print(
            f"  {units.growth(grower.bytes_per_min):>7} a minute  {units.size(grower.bytes):>6}  "
            f"{units.count(grower.count):>6}  {listing.clean(grower.name)}"
        )
    for depth, step in enumerate(finding.path):
        print(f"  {'path' if depth == 0 else '':<5}{'  ' * depth}{listing.clean(step, 120)}")
    if finding.cut_short and finding.cut_short not in finding.text:
        print(f"  cut short: {listing.clean(finding.cut_short, 300)}")
    if finding.before is not None:
        which = f"snapshot {finding.before}"
        if finding.after is not None:
            which = f"snapshots {finding.before} and {finding.after}"
        print(f"  {which} (`heaptui heap summary NUMBER` reads one)")


async def _tell_progress(client: Client, task_id: str) -> None:
    """On stderr, each phase once; on a terminal one line that moves."""
    told = ""
    moving = sys.stderr.isatty()
    try:
        async for update in client.watch():
            activity = _hunt_of(update, task_id)
            if activity is None:
                continue
            text = listing.clean(activity.text, 100)
            if moving:
                print(f"\r\x1b[K{text}", end="", file=sys.stderr, flush=True)
            elif _FIGURES.sub("", text) != _FIGURES.sub("", told):
                print(text, file=sys.stderr, flush=True)
            told = text
    finally:
        if moving and told:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)


def _hunt_of(update: Picture | Change | Down, task_id: str) -> Activity | None:
    listed = [] if isinstance(update, Down) else update.activities or []
    return next((one for one in listed if one.kind == "hunt" and one.task_id == task_id), None)


async def _cancelled(client: Client, task: str) -> None:
    row = (await client.show(task, 0)).row
    activity = None
    async for update in client.watch():
        if isinstance(update, Picture):
            activity = _hunt_of(update, row.id)
            break
    if activity is None or not await client.cancel_activity(activity.id):
        raise NoSuchTask(
            f"No hunt of {listing.clean(row.name)} is under way.",
            "`heaptui findings` lists those that are over.",
        )
