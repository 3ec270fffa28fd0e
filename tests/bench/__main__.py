"""Every bar with its figure, beside its yardstick in the same run.

python -m tests.bench [NAME...]     dispatch sampling screen startup printing survival uptime, and
                                    the drills of the memory policy and of splitting, a few
                                    runs of each
python -m tests.bench --policy [NAME...] verdicts recycling admission, twenty runs of each drill
python -m tests.bench --split [NAME...]  exactly_once killed stopping asking preview
python -m tests.bench --files [NAME...]  reading grep edit edits races serving
python -m tests.bench --heap [NAME...]   preload peers leak snapshots
python -m tests.bench --soak        what takes half an hour
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

SUITES = {
    "--files": ("tests.bench.files", ("reading", "grep", "edit", "edits", "races", "serving")),
    "--heap": ("tests.bench.heap", ("preload", "peers", "leak", "snapshots")),
    "--policy": ("tests.bench.policy", ("verdicts", "recycling", "admission")),
    "--split": ("tests.bench.split", ("exactly_once", "killed", "stopping", "asking", "preview")),
}
NAMES = ("dispatch", "startup", "printing", "survival", "sampling", "screen", "uptime")
FEW = "3"
"""Runs of each drill where all of them are only one part."""


def main(arguments: list[str]) -> None:
    table = Table("what", "figure", "bar", show_lines=True)
    if arguments == ["--soak"]:
        rows = importlib.import_module("tests.bench.uptime").soak()
    elif arguments and arguments[0] in SUITES:
        package, names = SUITES[arguments[0]]
        rows = run(package, arguments[1:] or names)
    else:
        rows = run("tests.bench", arguments or NAMES)
        if not arguments:
            os.environ.setdefault("HEAPTUI_BENCH_RUNS", FEW)
            rows += run(*SUITES["--policy"]) + run(*SUITES["--split"])
    for row in rows:
        table.add_row(*row)
    Console(width=None if sys.stdout.isatty() else 140, markup=False).print(table)


def run(package: str, names: Sequence[str]) -> list[tuple[str, str, str]]:
    rows: list[tuple[str, str, str]] = []
    for name in names:
        print(f"… {name}", file=sys.stderr)
        rows += importlib.import_module(f"{package}.{name}").run()
    return rows


if __name__ == "__main__":
    main(sys.argv[1:])
