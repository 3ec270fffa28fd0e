"""Every bar with its figure, beside its yardstick in the same run.

python -m tests.bench [NAME...]     dispatch sampling screen startup printing survival uptime
python -m tests.bench --heap [NAME...]   preload peers leak snapshots
python -m tests.bench --soak        what takes half an hour
"""

from __future__ import annotations

import importlib
import sys

from rich.console import Console
from rich.table import Table

OF_HEAPS = ("preload", "peers", "leak", "snapshots")
NAMES = ("dispatch", "startup", "printing", "survival", "sampling", "screen", "uptime")


def main(arguments: list[str]) -> None:
    table = Table("what", "figure", "bar", show_lines=True)
    if arguments == ["--soak"]:
        module = importlib.import_module("tests.bench.uptime")
        rows = module.soak()
    else:
        of_heaps = arguments[:1] == ["--heap"]
        names = arguments[1:] or OF_HEAPS if of_heaps else arguments or NAMES
        package = "tests.bench.heap" if of_heaps else "tests.bench"
        rows = []
        for name in names:
            print(f"… {name}", file=sys.stderr)
            rows += importlib.import_module(f"{package}.{name}").run()
    for row in rows:
        table.add_row(*row)
    Console(width=None if sys.stdout.isatty() else 140, markup=False).print(table)


if __name__ == "__main__":
    main(sys.argv[1:])
