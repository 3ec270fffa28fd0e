"""What a command imports is what an operator waits for."""

from __future__ import annotations

import subprocess
import sys

import click
import pytest

from heaptui.cli.main import cli
from heaptui.cli.register import PLACES

LISTING = """
import sys
from heaptui.cli.main import main
sys.argv = ["heaptui", *{argv!r}]
try:
    main()
except SystemExit:
    pass
print("\\n" + " ".join(sys.modules), file=sys.stderr)
"""

HEAVY = {"textual", "rich", "psutil", "aiosqlite", "sqlite3", "watchfiles", "anyio", "tiktoken"}
PARTS = {"server", "supervisor", "engine", "memory", "store", "tui", "runtime"}


def imported(tmp_path, *argv: str) -> set[str]:
    """The modules that a command has brought in when it is done."""
    child = subprocess.run(
        [sys.executable, "-c", LISTING.format(argv=argv)],
        env={"HEAPTUI_STATE": str(tmp_path / "state")},
        capture_output=True,
        text=True,
        check=True,
    )
    modules = set(child.stderr.splitlines()[-1].split())
    assert "heaptui.cli.main" in modules
    return modules


@pytest.mark.parametrize("argv", [["ps"], ["ps", "--json"], ["history"], ["--help"], ["--version"]])
def test_a_short_command_brings_in_no_heavy_part(tmp_path, argv):
    modules = imported(tmp_path, *argv)
    assert not HEAVY & modules
    assert not {f"heaptui.{part}" for part in PARTS} & modules


def test_a_command_brings_in_what_it_needs_alone(tmp_path):
    version = imported(tmp_path, "--version")
    assert not {"asyncio", "heaptui.client", "heaptui.config", "heaptui.output"} & version
    assert not {f"heaptui.cli.{place.partition(':')[0]}" for place in PLACES.values()} & version
    file = tmp_path / "file"
    file.touch()
    reading = imported(tmp_path, "tool", "read", "--root", str(tmp_path), "file")
    assert "heaptui.cli.tools" in reading
    assert not {"heaptui.client", "heaptui.config", "heaptui.model"} & reading
    assert not {"heaptui.cli.commands", "heaptui.cli.submitting"} & reading


def test_each_command_is_where_its_place_says():
    for name in PLACES:
        assert cli.commands[name].name == name
    listed = cli.get_help(click.Context(cli)).partition("Commands:")[2].strip().splitlines()
    assert [line.split()[0] for line in listed] == sorted(PLACES)
    assert all(len(line.split()) > 2 for line in listed)


def test_a_command_that_is_none_is_answered_with_the_nearest(tmp_path):
    child = subprocess.run(
        [sys.executable, "-m", "heaptui", "rnu"],
        env={"HEAPTUI_STATE": str(tmp_path / "state")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert child.returncode == 2
    assert "No such command 'rnu'. Did you mean 'run'?" in child.stderr
