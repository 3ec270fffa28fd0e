"""Every bar with its figure, beside its yardstick in the same run.

python -m tests.bench [NAME...]     dispatch sampling screen startup printing survival uptime
python -m tests.bench --soak        what takes half an hour
"""

from __future__ import annotations

import importlib
import sys

from rich.console import Console
from rich.table import Table

NAMES = ("dispatch", "startup", "printing", "survival", "sampling", "screen", "uptime")


def main(arguments: list[str]) -> None:
    table = Table("what", "figure", "bar", show_lines=True)
    if arguments == ["--soak"]:
        module = importlib.import_module("tests.bench.uptime")
        rows = module.soak()
    else:
        rows = []
        for name in arguments or NAMES:
            print(f"… {name}", file=sys.stderr)
            rows += importlib.import_module(f"tests.bench.{name}").run()
    for row in rows:
        table.add_row(*row)
    Console(width=None if sys.stdout.isatty() else 140, markup=False).print(table)


if __name__ == "__main__":
    main(sys.argv[1:])
