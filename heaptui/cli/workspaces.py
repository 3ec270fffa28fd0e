"""The workspace of a command's file tools, and where they keep what may be needed again."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click

from heaptui.cli.context import Context
from heaptui.errors import HeaptuiError

if TYPE_CHECKING:
    from heaptui.tools.front import Tools

_T = TypeVar("_T")
_ENDINGS = (signal.SIGTERM, signal.SIGHUP)
root_option = click.option(
    "--root",
    type=click.Path(path_type=Path),
    default=Path(),
    help="The workspace: paths begin there, and nothing outside of it is touched. Default: the "
    "current directory.",
)
read_only_option = click.option("--read-only", is_flag=True, help="Change nothing.")


def opened(context: Context, root: Path, *, read_only: bool) -> Tools:
    """The tools in that workspace. Indexes and spilled results are kept in the state directory;
    where it cannot be used nothing is kept, and the tools work all the same.

    Raises:
        Unreadable: the root is not there.
    """
    from heaptui.tools.front import Tools

    try:
        kept = context.state().root / "tools"
        kept.mkdir(mode=0o700, exist_ok=True)
    except (HeaptuiError, OSError) as error:
        from heaptui.output import printable

        why = error.what if isinstance(error, HeaptuiError) else f"{error}."
        print(f"{printable(why)} Nothing is kept for later calls.", file=sys.stderr)
        return Tools.open(root, writable=not read_only)
    return Tools.open(
        root, writable=not read_only, artifacts=kept / "artifacts", indexes=kept / "lines"
    )


def asked(
    context: Context, root: Path, read_only: bool, ask: Callable[[Tools], Awaitable[_T]]
) -> _T:
    """What the tools in that workspace answer. Told to end (SIGTERM, SIGHUP, as well as SIGINT), it
    cancels what it asked for, which leaves no process and no temporary file behind.

    Raises:
        Exit: with 128 + n, when signal n ended it.
    """

    async def answered() -> _T:
        loop, told = asyncio.get_running_loop(), list[int]()
        asking = asyncio.ensure_future(answer())

        def end(number: int) -> None:
            told.append(number)
            # a second one finds the system's own answer to it
            loop.remove_signal_handler(number)
            asking.cancel()

        for number in _ENDINGS:
            if signal.getsignal(number) is signal.SIG_DFL:
                loop.add_signal_handler(number, end, number)
        try:
            return await asking
        except asyncio.CancelledError:
            if not told:
                raise
            raise click.exceptions.Exit(128 + told[0]) from None

    async def answer() -> _T:
        with opened(context, root, read_only=read_only) as tools:
            return await ask(tools)

    return asyncio.run(answered())
