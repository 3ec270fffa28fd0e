"""`heaptui run`: from options or a file of tasks to a submission."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click
from click.core import ParameterSource

from heaptui.cli import listing
from heaptui.cli.context import Context
from heaptui.client import Client, sendable
from heaptui.errors import UsageError
from heaptui.model import Kind, Limits, Row, TaskSpec
from heaptui.units import parse_duration, parse_size

if TYPE_CHECKING:
    from heaptui.runtime.taskfile import Described

_OF_THE_COMMAND = frozenset(("file", "wait", "json_", "command"))
"""Options of `run` that say nothing about a task."""


@click.command(context_settings={"allow_interspersed_args": False})
@click.option("--name", help="What the task is called. Default: the command's name.")
@click.option(
    "--kind",
    type=click.Choice([kind.value for kind in Kind]),
    help="How it is launched. Default: by the command.",
)
@click.option("--cap", help="Hard limit of memory for the whole tree: 300M, 2G.")
@click.option("--soft", help="Where heaptui begins to act: 240M. Default 80 % of the cap.")
@click.option("--heap", help="V8 heap limit, for Node.")
@click.option("--preset", default="", help="V8 limits and flags by name: see `heaptui presets`.")
@click.option("--no-preload", is_flag=True, help="Do not look into the heaps from inside.")
@click.option(
    "--tracemalloc",
    type=click.IntRange(1),
    is_flag=False,
    flag_value=1,
    default=None,
    metavar="[FRAMES]",
    help="Python: remember where memory was allocated (several times the CPU). Default 1 frame.",
)
@click.option(
    "--gc", "gc_rule", help='Collect garbage "every 5m" or "at 70%" of the heap\'s limit.'
)
@click.option("--timeout", help="Stop it after this long: 90s, 20m.")
@click.option("--grace", help="Between TERM and kill. Default 10s.")
@click.option("--output-limit", help="How much output is kept per attempt. Default 64M.")
@click.option("--priority", default=0, help="Higher runs first.")
@click.option("--retries", type=click.IntRange(0, 1000), help="Tries after a failure. Default 0.")
@click.option(
    "--retry-lost", is_flag=True, help="Try again when nobody knows how an attempt ended."
)
@click.option(
    "--cwd",
    type=click.Path(path_type=Path),
    help="Where it runs. Default: here.",
)
@click.option("--env", "variables", multiple=True, metavar="K=V", help="A variable; repeatable.")
@click.option("--clean-env", is_flag=True, help="Start from PATH, HOME, LANG and the like alone.")
@click.option(
    "--inputs",
    multiple=True,
    metavar="GLOB",
    help="What it works through: a path, or a pattern in quotes; repeatable.",
)
@click.option("--inputs-from", metavar="FILE", help="The same from a list, an item a line; - too.")
@click.option(
    "--task-file",
    metavar="FILE.md",
    help="The same from a markdown file: its unchecked boxes, else its headings.",
)
@click.option("--count", type=click.IntRange(1, 10_000), default=1, help="That many of them.")
@click.option("--wait", is_flag=True, help="Follow the output; exit with the task's exit code.")
@click.option(
    "-f",
    "--file",
    "file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="A TOML file of tasks.",
)
@click.option(
    "--json",
    "json_",
    is_flag=True,
    help="Print the tasks as JSON; with --wait as they ended, instead of their output.",
)
@click.argument("command", nargs=-1, type=click.UNPROCESSED)
@click.pass_obj
def run(
    context: Context,
    name: str | None,
    kind: str | None,
    cap: str | None,
    soft: str | None,
    heap: str | None,
    preset: str,
    no_preload: bool,
    tracemalloc: int | None,
    gc_rule: str | None,
    timeout: str | None,
    grace: str | None,
    output_limit: str | None,
    priority: int,
    retries: int | None,
    retry_lost: bool,
    cwd: Path | None,
    variables: tuple[str, ...],
    clean_env: bool,
    inputs: tuple[str, ...],
    inputs_from: str | None,
    task_file: str | None,
    count: int,
    wait: bool,
    file: Path | None,
    json_: bool,
    command: tuple[str, ...],
) -> int:
    """Queue a command as a task: heaptui run [OPTIONS] -- COMMAND...

    Prints the task's id. Where no supervisor serves, one is started in the background; it ends
    when nothing is left to watch.

    A task that says what it works through can be split, and goes on where it was when it is tried
    again. In its command {items} becomes one argument for each item that is left, {slice} the path
    of a file that lists them, {task_file} that of the markdown file, {handover} that of a file that
    says all this as JSON. Paths and patterns of --inputs start from --cwd.
    """
    from heaptui.runtime import naming_inputs
    from heaptui.runtime.names import clean_name, infer_kind
    from heaptui.runtime.taskfile import Described, fallback_of, repeated, tasks_from_toml

    config = context.config()
    if (file is None) == (not command):
        raise UsageError(
            "Give a command or a file of tasks.",
            "heaptui run -- node agent.js   or   heaptui run -f tasks.toml",
        )
    if file is not None:
        _refuse_beside_file(click.get_current_context())
        try:
            text = file.read_text()
        except (OSError, UnicodeDecodeError) as error:
            why = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
            raise UsageError(
                f"The task file {file} cannot be read: {why}.",
                "Name a TOML file with one [[task]] table for each task.",
            ) from error
        tasks = tasks_from_toml(text, file.resolve().parent, str(file), fallback_of(config))
    else:
        spec = TaskSpec(
            argv=command,
            cwd=_directory(cwd),
            name=clean_name(name or "", command),
            kind=Kind(kind) if kind else infer_kind(command),
            limits=Limits(
                cap_bytes=None if cap is None else parse_size(cap, "--cap"),
                soft_bytes=None if soft is None else parse_size(soft, "--soft"),
                heap_bytes=None if heap is None else parse_size(heap, "--heap"),
                timeout_s=None if timeout is None else parse_duration(timeout, "--timeout"),
                grace_s=(
                    config.limits.grace_s if grace is None else parse_duration(grace, "--grace")
                ),
                output_bytes=(
                    config.limits.output_bytes
                    if output_limit is None
                    else parse_size(output_limit, "--output-limit")
                ),
            ),
            priority=priority,
            retries=config.retry.retries if retries is None else retries,
            env=dict(_variable(text) for text in variables),
            clean_env=clean_env,
            preset=preset,
            preload=not no_preload,
            tracemalloc=tracemalloc or 0,
            retry_lost=retry_lost,
            gc=gc_rule,
        )
        named = naming_inputs.Named(inputs=inputs, inputs_from=inputs_from, task_file=task_file)
        works = naming_inputs.read(named, cwd=Path(spec.cwd), base=Path(), count=count)
        tasks = Described(repeated(spec, count), [works] * count)
    return _submit(context, tasks, wait=wait, json_=json_)


def _refuse_beside_file(given: click.Context) -> None:
    """Nothing that was written is passed over: a file's tasks have their own settings."""
    beside = [
        option.opts[0]
        for option in given.command.params
        if option.name not in _OF_THE_COMMAND
        and given.get_parameter_source(option.name or "") is ParameterSource.COMMANDLINE
    ]
    if beside:
        raise UsageError(
            f"{', '.join(beside)} cannot be given beside a file of tasks.",
            "Write it into the file: in [defaults] for all of its tasks, or in a [[task]].",
        )


def _directory(named: Path | None) -> str:
    try:
        return str((named or Path()).absolute())
    except FileNotFoundError as error:
        raise UsageError(
            "The directory that this shell is in does not exist any more.",
            "Go to another one, or name one with an absolute path: --cwd DIR.",
        ) from error


def _variable(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not key or not equals:
        raise UsageError(f"--env {key!r} has no value.", "Write --env KEY=VALUE.")
    return key, value


def _submit(context: Context, tasks: Described, *, wait: bool, json_: bool) -> int:
    async def queued(client: Client) -> list[str]:
        return await client.submit(tasks.specs, kept, tasks.inputs if any(tasks.inputs) else ())

    specs = tasks.specs
    kept, left_out = sendable(os.environ)
    if left_out and not all(spec.clean_env for spec in specs):
        print(
            f"heaptui: variables that are not UTF-8 text are left out: "
            f"{', '.join(map(listing.clean, left_out))}",
            file=sys.stderr,
        )
    ids = context.ask(queued, "run")
    if wait:
        return _wait(context, ids, specs, json_=json_)
    if not json_:
        print("\n".join(ids))
        return 0

    async def rows(client: Client) -> list[Row]:
        return await client.tasks(all=True, ids=ids)

    listing.put_json(context.ask(rows, "run"))
    return 0


def _wait(context: Context, ids: list[str], specs: list[TaskSpec], *, json_: bool) -> int:
    from heaptui.cli.following import FOLLOWED_S, Told, exit_code, follow_tasks

    told = [Told(task_id, spec.name) for task_id, spec in zip(ids, specs, strict=True)]
    for one in told:
        print(f"{listing.clean(one.name)}: task {one.id}", file=sys.stderr)
    client = context.client("run --wait", FOLLOWED_S)
    try:
        last = asyncio.run(follow_tasks(client, context.state(), told, silent=json_))
    except (KeyboardInterrupt, BrokenPipeError):
        goes, names = ("it goes", ids[0]) if len(ids) == 1 else ("they go", " ".join(ids[:3]))
        print(
            f"heaptui: no longer waiting; {goes} on.\n"
            f"  `heaptui logs -f {ids[0]}` shows it, `heaptui stop {names}` ends it.",
            file=sys.stderr,
        )
        raise
    if json_:
        listing.put_json(last)
    for row in last:
        if row.reason and row.exit_code != 0:
            print(f"heaptui: {listing.clean(row.name)}: {listing.ending(row)}", file=sys.stderr)
    return exit_code(last)
