"""What a command imports is what an operator waits for."""

from __future__ import annotations

import subprocess
import sys

import pytest

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


@pytest.mark.parametrize("argv", [["ps"], ["ps", "--json"], ["history"], ["--help"], ["--version"]])
def test_a_short_command_brings_in_no_heavy_part(tmp_path, argv):
    child = subprocess.run(
        [sys.executable, "-c", LISTING.format(argv=argv)],
        env={"HEAPTUI_STATE": str(tmp_path / "state")},
        capture_output=True,
        text=True,
        check=True,
    )
    modules = set(child.stderr.splitlines()[-1].split())
    assert "heaptui.cli.main" in modules
    assert not HEAVY & modules
    assert not {f"heaptui.{part}" for part in PARTS} & modules
