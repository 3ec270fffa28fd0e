"""A preview of many files without a supervisor: looked at, measured and divided.

python -m tests.bench.split.preview
"""

from __future__ import annotations

import os
import random
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from heaptui.inputs import Inputs
from heaptui.splitting import listed
from heaptui.splitting.strategies import Wanted, divide
from tests.bench.harness import Row, median

FILES = 10_000
DIRECTORIES = 250
LARGE = 20
"""Of the files so many are larger than a child's budget."""

LARGE_BYTES = 300 << 10
SMALL_BYTES = 1 << 10
BUDGET = 30_000
RUNS = 9


def _laid_out(root: Path) -> None:
    dice = random.Random(1)
    line = b"0123456789abcdef0123456789abcde\n"
    for number in range(FILES):
        directory = root / f"src/d{number % DIRECTORIES:03}"
        directory.mkdir(parents=True, exist_ok=True)
        size = LARGE_BYTES if number < LARGE else dice.randrange(2 * SMALL_BYTES)
        (directory / f"f{number:05}.py").write_bytes(line * (size // len(line)))


def _preview(inputs: Inputs, strategy: str, root: Path) -> int:
    items, _ = listed.measured(inputs.items, inputs.source, root)
    return len(divide(strategy, items, inputs.source, Wanted(BUDGET), root).shares)


def _took(what: Callable[[], object]) -> list[float]:
    """Seconds of each run."""
    took = []
    for _ in range(RUNS):
        began = time.monotonic()
        what()
        took.append(time.monotonic() - began)
    return took


def run() -> list[Row]:
    """A few seconds."""
    with tempfile.TemporaryDirectory(prefix="heaptui-bench-") as name:
        root = Path(name)
        _laid_out(root)
        inputs = listed.files(["src/**"], root)
        paths = [os.path.join(name, item.name) for item in inputs.items]
        listing = _took(lambda: listed.files(["src/**"], root))
        looking = _took(lambda: [os.stat(path) for path in paths])
        rows = []
        for strategy in ("files", "directories"):
            took = _took(lambda strategy=strategy: _preview(inputs, strategy, root))
            figure = (
                f"{1e3 * median(took):.0f} ms, at most {1e3 * max(took):.0f} (of {RUNS}), into "
                f"{_preview(inputs, strategy, root)}; os.stat of the same files alone "
                f"{1e3 * median(looking):.0f} ms; listing them by a glob before "
                f"{1e3 * median(listing):.0f} ms"
            )
            what = (
                f"preview of {len(inputs.items):,} files by {strategy}, {LARGE} of them too large"
            )
            rows.append((what, figure, "<= 500 ms"))
    return rows


if __name__ == "__main__":
    for row in run():
        print(*row, sep=" | ")
