"""The commands about tasks and the queue, thin: what to ask, and how to show the answer."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import click

from heaptui.cli import listing
from heaptui.cli.context import Context
from heaptui.cli.detail import put_detail
from heaptui.cli.following import FOLLOWED_S
from heaptui.cli.options import as_json
from heaptui.cli.tree import as_tree, put_tree
from heaptui.client import Client
from heaptui.errors import NoSuchTask
from heaptui.family import children_of
from heaptui.model import Detail, Host, Row, State

tasks_argument = click.argument("tasks", nargs=-1, required=True, metavar="TASK...")


@click.command()
@as_json
@click.option("--all", "everything", is_flag=True, help="Ended tasks too.")
@click.option(
    "--tree",
    is_flag=True,
    help="Children below the task that was split into them; with --json the same rows, in the "
    "tree's order: each names its parent.",
)
@click.pass_obj
def ps(context: Context, json_: bool, everything: bool, tree: bool) -> None:
    """List tasks with their memory."""
    used = context.used()
    # the ended children of a task that waits for others belong to its tree
    rows = context.ask(lambda client: client.tasks(all=everything or tree), "ps") if used else []
    members = as_tree(rows, everything=everything) if tree else []
    if tree and not json_:
        put_tree(members, everything=everything or not used)
    elif json_:
        listing.put_json([member.row for member in members] if tree else rows)
    else:
        listing.put_rows(rows, everything=everything or not used)


@click.command()
@click.argument("task")
@as_json
@click.option("--events", default=30, show_default=True, help="How many events.")
@click.pass_obj
def show(context: Context, task: str, json_: bool, events: int) -> None:
    """Show one task: limits, attempts, processes, events.

    TASK is an id, the beginning of one, or a name.
    """

    async def shown(client: Client) -> tuple[Detail, list[Row]]:
        detail = await client.show(task, events)
        children: list[Row] = []
        if detail.row.children and not json_:
            children = children_of(await client.tasks(all=True)).get(detail.row.id, [])
        return detail, children

    detail, children = context.ask_about(shown, "show")
    if json_:
        listing.put_json(detail)
    else:
        put_detail(detail, children)


@click.command()
@click.argument("task")
@click.option("-f", "--follow", "following", is_flag=True, help="Go on until the task ends.")
@click.option(
    "-n",
    "--lines",
    default=200,
    show_default=True,
    type=click.IntRange(0),
    help="How many of the last lines.",
)
@click.option("--attempt", type=click.IntRange(1), help="Of an earlier attempt.")
@click.option("--search", help="Only lines that hold this text, newest last.")
@click.pass_obj
def logs(
    context: Context,
    task: str,
    following: bool,
    lines: int,
    attempt: int | None,
    search: str | None,
) -> None:
    """Print a task's output (stdout and stderr, in the order they were written).

    Made harmless for a terminal; piped, it is the bytes as they were written.
    """
    from heaptui.cli import following as output_view

    detail: Detail = context.ask_about(lambda client: client.show(task, 0), "logs")
    state, row = context.state(), detail.row
    number = attempt or max(1, row.attempts)
    path = state.output(row.id, number)
    following = following and not row.state.ended and number >= row.attempts
    if not path.exists() and not following:
        raise NoSuchTask(
            f"{listing.clean(row.name)} has no output of attempt {number}.",
            f"Attempts so far: {row.attempts}." if row.attempts else "It has not started yet.",
        )
    if search is not None:
        output_view.put_hits(path, search, lines)
        return
    offset = output_view.put_tail(path, lines) if path.exists() else 0
    if following:
        told = output_view.Told(row.id, row.name, attempt=number, offset=offset)
        asyncio.run(output_view.follow_tasks(context.client("logs", FOLLOWED_S), state, [told]))


@click.command()
@tasks_argument
@click.option("--grace", help="Between TERM and kill: 45s, 2m. Default: the task's own.")
@click.option(
    "--drain",
    is_flag=True,
    help="Ask the leader alone to finish what it has in hand; stop the tree after --grace "
    "(default: the policy's drain).",
)
@as_json
@click.pass_obj
def stop(
    context: Context, tasks: tuple[str, ...], grace: str | None, drain: bool, json_: bool
) -> None:
    """Stop tasks: TERM to the whole tree, a grace, then kill. Waits until they have ended."""
    from heaptui.units import parse_duration

    grace_s = None if grace is None else parse_duration(grace, "--grace")
    _end(context, tasks, drain=drain, grace_s=grace_s, json_=json_)


@click.command()
@tasks_argument
@as_json
@click.pass_obj
def kill(context: Context, tasks: tuple[str, ...], json_: bool) -> None:
    """Kill tasks at once, with everything they started."""
    _end(context, tasks, now=True, json_=json_)


def _end(
    context: Context,
    tasks: tuple[str, ...],
    *,
    now: bool = False,
    drain: bool = False,
    grace_s: float | None = None,
    json_: bool,
) -> None:
    async def ended(client: Client) -> list[Row]:
        rows = await client.stop(tasks, now=now, drain=drain, grace_s=grace_s)
        return await client.settled([row.id for row in rows])

    rows = context.ask_about(ended, "kill" if now else "stop")
    if json_:
        listing.put_json(rows)
    for row in rows:
        print(f"{listing.clean(row.name)} ({row.id}): {listing.ending(row)}", file=sys.stderr)


@click.command()
@tasks_argument
@as_json
@click.pass_obj
def retry(context: Context, tasks: tuple[str, ...], json_: bool) -> None:
    """Queue ended tasks for another attempt."""
    rows = context.ask_about(lambda client: client.retry(tasks), "retry")
    if json_:
        listing.put_json(rows)
    for row in rows:
        # a part that is done stays so: nothing of a family is done twice
        said = "done already, not tried again" if row.state is State.DONE else row.state
        print(f"{listing.clean(row.name)} ({row.id}): {said}", file=sys.stderr)


@click.command()
@tasks_argument
@click.pass_obj
def forget(context: Context, tasks: tuple[str, ...]) -> None:
    """Delete ended tasks with their output and environment."""
    gone: int = context.ask_about(lambda client: client.forget(tasks), "forget")
    print(f"{gone} forgotten", file=sys.stderr)


@click.command()
@click.argument("what", type=click.Choice(["pause", "resume", "show"]), default="show")
@click.option("--concurrency", type=click.IntRange(1, 100_000), help="How many run at once.")
@as_json
@click.pass_obj
def dispatch(context: Context, what: str, concurrency: int | None, json_: bool) -> None:
    """Pause or resume the queue, or change how many tasks run at once.

    What runs goes on running.
    """
    paused = {"pause": True, "resume": False, "show": None}[what]
    host: Host = context.ask(
        lambda client: client.dispatch(
            paused=paused, concurrency=concurrency, policy=context.policy
        ),
        "dispatch",
    )
    if json_:
        listing.put_json(host)
    else:
        state = "paused" if host.paused else "running"
        print(
            f"dispatch {state}, {host.concurrency} places, "
            f"{host.running} taken, {host.waiting} waiting"
            + (f" ({host.held})" if host.held else "")
            + ("; the memory policy only observes" if host.policy == "observe" else "")
        )


@click.command()
@click.option("-n", "--limit", default=50, show_default=True, help="How many attempts.")
@click.option("--match", default="", help="Only those whose name, id or verdict holds this.")
@as_json
@click.pass_obj
def history(context: Context, limit: int, match: str, json_: bool) -> None:
    """List ended attempts, newest first.

    The same is in the table worker_sessions of heaptui.db, for `sqlite3`.
    """
    used = context.used()
    records = context.ask(lambda client: client.history(limit, match), "history") if used else []
    if json_:
        listing.put_json(records)
    else:
        listing.put_history(records)


@click.command()
@click.option("--until-idle", is_flag=True, help="End when nothing is left to watch.")
@click.pass_obj
def serve(context: Context, until_idle: bool) -> None:
    """Supervise without a screen, in the foreground. Ctrl-C leaves; live tasks go on."""
    from heaptui.cli.serving import serve_in_foreground

    asyncio.run(
        serve_in_foreground(
            context.state(),
            context.config(),
            context.config_path,
            until_idle=until_idle,
            policy=context.policy,
        )
    )


@click.command()
@click.option("--path", "only_path", is_flag=True, help="Only say where the file is.")
@click.pass_obj
def config(context: Context, only_path: bool) -> None:
    """Check the configuration and print an example of everything that can be set."""
    from heaptui.config import EXAMPLE
    from heaptui.paths import config_file

    path: Path = context.config_path or config_file()
    context.config()
    found = "in force" if path.exists() else "not there; the defaults are in force"
    print(f"{path}: {found}", file=sys.stderr)
    print(path if only_path else EXAMPLE, end="\n" if only_path else "")
