"""`heaptui result`: what a task's worker handed in."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import click

from heaptui.cli import listing
from heaptui.cli.context import Context
from heaptui.cli.options import as_json
from heaptui.client import Client
from heaptui.errors import StorageTrouble
from heaptui.model import ResultFile
from heaptui.output import printable

_LINE_BYTES = 1 << 16


@click.command()
@click.argument("task")
@click.option("--wait", "waiting", is_flag=True, help="Wait until the task has ended.")
@click.option("--path", "only_path", is_flag=True, help="Print where its file is instead.")
@as_json
@click.pass_obj
def result(context: Context, task: str, waiting: bool, only_path: bool, json_: bool) -> None:
    """Print what a task handed in as its result.

    Piped, it is the bytes themselves; on a terminal they are made harmless. With --json: its
    attempt, file, bytes and time.
    """

    async def asked(client: Client) -> ResultFile:
        if waiting:
            detail = await client.show(task, 0)
            await client.settled([detail.row.id])
            return await client.result(detail.row.id)
        return await client.result(task)

    found: ResultFile = context.ask_about(asked, "result")
    if json_:
        listing.put_json(found)
    elif only_path:
        print(found.path)
    else:
        _put(Path(found.path))


def _put(path: Path) -> None:
    try:
        with path.open("rb") as file:
            if not sys.stdout.isatty():
                shutil.copyfileobj(file, sys.stdout.buffer)
                sys.stdout.buffer.flush()
                return
            while line := file.readline(_LINE_BYTES):
                print(printable(line.rstrip(b"\n").decode(errors="replace")))
    except BrokenPipeError:
        raise
    except OSError as error:
        raise StorageTrouble(
            f"The result {path} cannot be read: {error.strerror or error}.",
            "Mend the permissions of the state directory.",
        ) from error
