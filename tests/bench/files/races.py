"""Paths that a hostile process swaps while they are opened: none leads out of the workspace.

python -m tests.bench.files.races    HEAPTUI_BENCH_OPENS: how many openings (30000)
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from heaptui.tools.workspace.beneath import kernel_resolves, walk
from heaptui.tools.workspace.regular import opened
from heaptui.tools.workspace.root import Workspace
from tests.bench.harness import Row
from tests.integration.tools.swapping import swapped, tally

OPENS = 30_000
_WITHIN_S = 600.0


def _checked_first(root: Path) -> Callable[[str], int]:
    """The yardstick: a path is resolved and compared, and opened afterwards."""

    def open_it(path: str) -> int:
        real = os.path.realpath(root / path)
        if not real.startswith(f"{root}/"):
            raise PermissionError(path)
        return os.open(real, os.O_RDONLY | os.O_NONBLOCK)

    return open_it


def _run(name: str, bar: str, opener: Callable[[Workspace], Callable[[str], int]]) -> Row:
    times = int(os.environ.get("HEAPTUI_BENCH_OPENS", OPENS))
    with (
        tempfile.TemporaryDirectory() as directory,
        swapped(Path(directory).resolve()) as root,
        Workspace.open(root) as workspace,
    ):
        began = time.monotonic()
        result = tally(opener(workspace), times, within_s=_WITHIN_S)
        each = (time.monotonic() - began) / times
    figure = (
        f"{result.escapes:,} escapes of {times:,} (opened {result.opened:,}, "
        f"refused {result.refused:,}), {each * 1e6:.0f} µs each"
    )
    return f"swapped paths: {name}", figure, bar


def run() -> list[Row]:
    kernel = "openat2" if kernel_resolves() else "walk (no openat2 here)"
    return [
        _run("realpath, then open", "yardstick", lambda space: _checked_first(space.root)),
        _run(f"workspace by {kernel}", "0", lambda space: lambda path: opened(space, path)),
        _run(
            "fd walk",
            "0",
            lambda space: (
                lambda path: walk(space.fileno(), path.encode(), os.O_RDONLY | os.O_NONBLOCK)
            ),
        ),
    ]


if __name__ == "__main__":
    for row in run():
        print(*row, sep=" | ")
