"""`heaptui split`: a task that is too large becomes children that fit."""

from __future__ import annotations

import shlex
import sys

import click

from heaptui.cli import listing
from heaptui.cli.context import Context
from heaptui.client import Client
from heaptui.errors import Refused, UsageError
from heaptui.inputs import CHILDREN_MAX, SplitPlan, SplitReport
from heaptui.units import duration, parse_duration, parse_tokens

_SAID_IN_TEXT = 5
"""Of what may be done again so many stand in the report's own sentence."""


@click.command()
@click.argument("task")
@click.option("--strategy", default="", metavar="NAME", help="How. Default: by what the task has.")
@click.option("--into", type=click.IntRange(2, CHILDREN_MAX), metavar="N", help="So many children.")
@click.option(
    "--budget", metavar="TOKENS", help="Of one child's context, its agent's prompt included: 30k."
)
@click.option("--planner", metavar="COMMAND", help="A program that proposes the children.")
@click.option(
    "--reduce",
    "reducer",
    metavar="COMMAND",
    help="Makes one result of the children's. Default: they are joined in order.",
)
@click.option("--timeout", metavar="TIME", help="Of each child. Default 20m.")
@click.option("--dry-run", is_flag=True, help="Only show how it would be divided.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--insist", is_flag=True, help="A part of a part too.")
@click.option("--json", "json_", is_flag=True, help="Print JSON.")
@click.pass_obj
def split(
    context: Context,
    task: str,
    strategy: str,
    into: int | None,
    budget: str | None,
    planner: str | None,
    reducer: str | None,
    timeout: str | None,
    dry_run: bool,
    yes: bool,
    insist: bool,
    json_: bool,
) -> None:
    """Divide what is left of a task among children that fit.

    The task has to say what it works through: `heaptui run --inputs`, --inputs-from, --task-file.
    Shows the children first, and asks. One that runs is asked to finish what it has in hand and
    end; what it has done is done by nobody again. Returns when the children are queued.
    """
    budget_tokens = None if budget is None else parse_tokens(budget, "--budget")
    timeout_s = None if timeout is None else parse_duration(timeout, "--timeout")
    planner_argv, reduce_argv = _argv(planner, "--planner"), _argv(reducer, "--reduce")

    async def planned(client: Client) -> SplitPlan:
        return await client.plan_split(
            task, strategy=strategy, into=into, budget_tokens=budget_tokens, planner=planner_argv
        )

    plan = context.ask_about(planned, "split")
    asks = not (dry_run or yes)
    able = sys.stdin.isatty() and sys.stderr.isatty()
    if not json_:
        _put_plan(plan, timeout_s)
    elif dry_run or (asks and not able):
        listing.put_json(plan)
    if dry_run:
        return
    if asks and not able:
        raise Refused(
            "Nothing was split: there is nobody to ask.",
            "--yes splits it so; --dry-run only shows it.",
        )
    if asks and not click.confirm(_question(plan), err=True):
        click.echo("nothing was split", err=True)
        raise click.Abort

    if plan.drains is not None and not json_:
        # silence for so long would look like a hang
        within = duration(plan.drain_s)
        click.echo(f"its worker has {within} to end; ctrl+c does not call that off", err=True)

    async def divided(client: Client) -> SplitReport:
        return await client.split(
            plan.task_id,
            plan.shares,
            attempt=plan.attempt,
            strategy=plan.strategy,
            timeout_s=timeout_s,
            reduce=reduce_argv,
            insist=insist,
        )

    report = context.ask_about(divided, "split")
    if json_:
        listing.put_json(report)
    else:
        _tell(report)


def _argv(line: str | None, option: str) -> tuple[str, ...]:
    """A command line's words; no shell reads it.

    Raises:
        UsageError: a quote is not closed, or nothing is in it.
    """
    if line is None:
        return ()
    try:
        words = tuple(shlex.split(line))
    except ValueError as error:
        raise UsageError(
            f"{option} {line[:60]!r} cannot be read: {error}.",
            "Close every quote, as for a shell.",
        ) from error
    if not words:
        raise UsageError(f"{option} names no command.", f"{option} 'python3 program.py --flag'")
    return words


def _put_plan(plan: SplitPlan, timeout_s: float | None) -> None:
    # JSON needs no page
    from heaptui.cli.split_plan import put_plan

    put_plan(plan, plan.timeout_s if timeout_s is None else timeout_s)


def _question(plan: SplitPlan) -> str:
    name, many = listing.clean(plan.name), len(plan.shares)
    children = "1 child" if many == 1 else f"{many} children"
    ends = "; its worker ends" if plan.drains is not None else ""
    return f"Split {name} into {children}{ends}?"


def _tell(report: SplitReport) -> None:
    print(listing.clean(report.text, 400), file=sys.stderr)
    if len(report.again) > _SAID_IN_TEXT:
        for name in report.again:
            print(f"  may be done again: {listing.clean(name, 400)}", file=sys.stderr)
    if report.children:
        print("`heaptui ps --tree` shows them", file=sys.stderr)
