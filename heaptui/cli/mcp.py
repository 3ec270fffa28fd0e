"""`heaptui mcp`: the file tools for agents that speak the Model Context Protocol."""

from __future__ import annotations

import asyncio
import os
import stat
import sys
from pathlib import Path

import click

from heaptui.cli.context import Context
from heaptui.cli.workspaces import opened, read_only_option, root_option
from heaptui.errors import Refused


@click.command()
@root_option
@read_only_option
@click.pass_obj
def mcp(context: Context, root: Path, read_only: bool) -> None:
    """Serve the file tools to an agent over stdin and stdout (MCP).

    An agent's configuration names this command; it ends with the agent.
    """
    if (nobody := _why_nobody_speaks()) is not None:
        raise Refused(
            nobody,
            "Have an agent start it: its configuration names the command `heaptui mcp --root DIR`.",
        )
    try:
        from heaptui.mcp.serving import serve
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in ("mcp", "mcp_types", "anyio"):
            raise
        raise Refused(
            "The package that speaks the Model Context Protocol is not installed.",
            "pip install 'heaptui[mcp]'",
        ) from error

    with opened(context, root, read_only=read_only) as tools:
        asyncio.run(serve(tools))


def _why_nobody_speaks() -> str | None:
    if sys.stdin is None:
        return "Standard input is closed: no client speaks there."
    if sys.stdin.isatty():
        return "Standard input is a terminal: no client speaks there."
    mode = os.fstat(sys.stdin.fileno()).st_mode
    if stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode):
        return None
    return "Standard input is neither a pipe nor a socket: no client speaks there."
