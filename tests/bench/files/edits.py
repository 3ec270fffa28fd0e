"""Edits of a file that a hostile program keeps replacing: nothing that it wrote is lost.

python -m tests.bench.files.edits    HEAPTUI_BENCH_EDITS: how often it is replaced (8000)

Beside it, in the same run: the same edits with a check right before a plain rename, which is what
is left where names cannot be exchanged.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from unittest.mock import patch

from heaptui.errors import Refused
from heaptui.tools.replacing import exchanging
from heaptui.tools.replacing.edit import edit
from heaptui.tools.workspace.root import Workspace
from tests.bench.harness import Row

EDITS = 8000
REPLACER = Path(__file__).parents[2] / "integration" / "tools" / "replacer.py"
_IN_MEMORY = Path("/dev/shm")
"""Where bringing a file to the disk takes no time: the two meet more often."""


def _beside_a_replacer(times: int) -> tuple[int, int, int]:
    """How many were lost; how many edits were made, and refused."""
    done = refused = 0
    where = _IN_MEMORY if _IN_MEMORY.is_dir() else None
    with tempfile.TemporaryDirectory(dir=where) as name:
        path = Path(name, "f")
        path.write_text("v0 n=0\n")
        with (
            Workspace.open(path.parent, writable=True) as workspace,
            subprocess.Popen(
                [sys.executable, REPLACER, path, str(times)], stdout=subprocess.PIPE, text=True
            ) as replacer,
        ):
            while replacer.poll() is None:
                text = path.read_text()
                before, _, number = text.strip().partition("=")
                try:
                    edit(workspace, "f", text, f"{before}={int(number) + 1}\n")
                    done += 1
                except Refused:
                    refused += 1
            output, _ = replacer.communicate()
        assert os.listdir(name) == ["f"]
    return int(output), done, refused


def _row(name: str, bar: str, times: int, run: Callable[[int], tuple[int, int, int]]) -> Row:
    lost, done, refused = run(times)
    figure = f"{lost} lost of {times:,} ({done:,} edits made, {refused:,} refused)"
    return f"edits beside a hostile replacer: {name}", figure, bar


def run() -> list[Row]:
    times = int(os.environ.get("HEAPTUI_BENCH_EDITS", EDITS))
    exchange = _row("names exchanged and verified", "0", times, _beside_a_replacer)
    with patch.object(exchanging, "_rename", lambda: None):
        few = times // 10
        rename = _row("checked, then renamed", "yardstick", few, _beside_a_replacer)
    return [rename, exchange]


if __name__ == "__main__":
    for row in run():
        print(*row, sep=" | ")
