"""A server as an agent starts it: a child process, spoken to over its stdin and stdout."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest
from mcp.client.client import Client
from mcp.client.stdio import StdioServerParameters

PROGRAM = """
from heaptui.cli.main import cli, main
from heaptui.cli.mcp import mcp
cli.add_command(mcp)
main()
"""

Connect = Callable[..., AbstractAsyncContextManager[Client]]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    made = tmp_path / "work"
    made.mkdir()
    (made / "a.txt").write_text("".join(f"line {n}\n" for n in range(1, 3001)))
    return made


@pytest.fixture
def command(tmp_path: Path, root: Path) -> list[str]:
    state = str(tmp_path / "state")
    return [sys.executable, "-c", PROGRAM, "--state", state, "mcp", "--root", str(root)]


@pytest.fixture
def connect(command: list[str]) -> Connect:
    def connected(*options: str, mode: str = "auto") -> AbstractAsyncContextManager[Client]:
        program, *arguments = [*command, *options]
        return Client(StdioServerParameters(command=program, args=arguments), mode=mode)

    return connected
