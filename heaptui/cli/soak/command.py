"""`heaptui soak`: days of simulated work and chaos on a supervisor of its own, and a report."""

from __future__ import annotations

import asyncio
import os
import secrets
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from heaptui.cli.soak.simulated import RATE_MAX, TASKS_AN_HOUR
from heaptui.errors import HeaptuiError, UsageError

if TYPE_CHECKING:
    from heaptui.cli.soak.running import Outcome

_DEFAULT_MINUTES, _DEFAULT_RATE = 30.0, 60.0
_WRONG = 1


@click.command()
@click.option("--hours", type=click.FloatRange(0, min_open=True), help="Real hours, at rate 1.")
@click.option(
    "--minutes",
    type=click.FloatRange(0, min_open=True),
    help=f"Real minutes, at rate {_DEFAULT_RATE:g}. Default: {_DEFAULT_MINUTES:g}.",
)
@click.option(
    "--rate",
    type=click.FloatRange(1, RATE_MAX),
    help=f"How many simulated hours an hour is: {TASKS_AN_HOUR} tasks arrive in each.",
)
@click.option("--seed", type=click.IntRange(0), help="Of an earlier soak, to repeat it.")
@click.option("--no-chaos", is_flag=True, help="Only the work.")
@click.option("--json", "json_", is_flag=True, help="Print JSON.")
@click.option("--keep", is_flag=True, help="Keep its directories, though all went well.")
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="Write it here too.")
def soak(
    hours: float | None,
    minutes: float | None,
    rate: float | None,
    seed: int | None,
    no_chaos: bool,
    json_: bool,
    keep: bool,
    out: Path | None,
) -> int:
    """Run simulated days of work and chaos, and count what was lost, done twice, or unexplained.

    In directories of its own, with a supervisor of its own: nothing of yours is touched. Ctrl-C
    ends it in order, with a report of what was measured so far. Exits with 0 only when nothing was
    lost, nothing was done twice, and every end is explained.
    """
    if hours is not None and minutes is not None:
        raise UsageError("--hours and --minutes say the same thing.", "Give one of them.")
    from heaptui.cli.soak import running

    options = running.Options(
        seconds=hours * 3600 if hours is not None else (minutes or _DEFAULT_MINUTES) * 60,
        rate=rate or (1.0 if hours is not None else _DEFAULT_RATE),
        seed=secrets.randbelow(1 << 31) if seed is None else seed,
        chaos=not no_chaos,
        keep=keep,
    )
    _writable(out)
    return _report(asyncio.run(running.soak(options, _say)), json_=json_, out=out)


def _writable(out: Path | None) -> None:
    """Before half an hour is spent on what cannot be written.

    Raises:
        UsageError: its directory is not there, or not ours to write.
    """
    if out is not None and not os.access(out.absolute().parent, os.W_OK):
        raise UsageError(
            f"{out} cannot be written.", "Name a file in a directory that is there and yours."
        )


def _report(outcome: Outcome, *, json_: bool, out: Path | None) -> int:
    import msgspec

    from heaptui.cli.soak.machine import machine
    from heaptui.cli.soak.report import report
    from heaptui.cli.soak.text import text

    found = report(outcome, machine(outcome))
    whole = (
        msgspec.json.format(msgspec.json.encode(found)).decode() + "\n" if json_ else text(found)
    )
    print(whole, end="")
    if out is not None:
        try:
            out.write_text(whole)
        except OSError as error:
            raise HeaptuiError(f"{out} cannot be written: {error.strerror}.") from error
    return 0 if found.clean else _WRONG


def _say(line: str) -> None:
    print(f"soak: {line}", file=sys.stderr, flush=True)
