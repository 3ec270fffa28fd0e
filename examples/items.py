"""A worker that works through what its task names, here files: counts the words of each.

    heaptui run --name words --inputs 'docs/*.md' -- python examples/items.py OUT

What an item gives is on disk, in the directory OUT, before the item counts as done. A drain ends
the loop between two items, and nothing is given twice. Without heaptui around it the files are
named after OUT:

    python examples/items.py OUT docs/*.md
"""

from __future__ import annotations

import sys
from pathlib import Path

from heaptui import worker


def main() -> None:
    out, *names = sys.argv[1:]
    for name in worker.items(names or None):
        words = len(Path(name).read_text(errors="replace").split())
        Path(out, name.replace("/", "_") + ".words").write_text(f"{words}\n")


if __name__ == "__main__":
    main()
